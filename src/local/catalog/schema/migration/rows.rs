//! What becomes of the rows that older releases wrote.
//!
//! The reference implementation carries out only what its own release brought, which for years was
//! nothing: rows of a release before Ocata make it fail, and those before Train keep their old words. Here
//! all of it is done, as it was in the release that brought it.
//!
//! *Source:* `glance/db/sqlalchemy/alembic_migrations/data_migrations` of the reference implementation.

use super::chain::Progress;
use crate::Result;
use crate::local::catalog::Sql;
use crate::local::catalog::db::transaction::Run;

/// A change of rows that are as an older release wrote them.
struct Change {
    /// The revision that made room for the new form, and the one that takes the old one for gone.
    between: (&'static str, &'static str),
    table: &'static str,
    set: &'static str,
    /// Which rows are in the old form.
    old: &'static str,
}

const CHANGES: [Change; 3] = [
    // Who sees an image: what is not public was private, or shared where it had members.
    Change {
        between: ("ocata_expand01", "ocata_contract01"),
        table: "images",
        set: "visibility = CASE WHEN is_public THEN 'public' ELSE 'private' END",
        old: "visibility IS NULL",
    },
    Change {
        between: ("ocata_expand01", "ocata_contract01"),
        table: "images",
        set: "visibility = 'shared'",
        old: "visibility = 'private' \
              AND id IN (SELECT image_id FROM image_members WHERE deleted = 0)",
    },
    // In which store a location is.
    Change {
        between: ("liberty", "train_contract01"),
        table: "image_locations",
        set: "meta_data = replace(meta_data, '\"backend\":', '\"store\":')",
        old: "instr(meta_data, '\"backend\":') > 0",
    },
];

impl Change {
    fn is_due(&self, at: Progress) -> bool {
        at.includes(self.between.0) && !at.includes(self.between.1)
    }
}

/// Whether rows are to be changed before anything is dropped.
pub(super) async fn are_pending(run: &impl Run, at: Progress) -> Result<bool> {
    for change in CHANGES.iter().filter(|change| change.is_due(at)) {
        let sql = Sql::new("SELECT 1 FROM ")
            .text(change.table)
            .text(" WHERE ")
            .text(change.old)
            .text(" LIMIT 1");
        if run.row(sql).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Brings the rows into today's form; how many those were.
pub(super) async fn migrate(run: &impl Run, at: Progress) -> Result<u64> {
    let mut changed = 0;
    for change in CHANGES.iter().filter(|change| change.is_due(at)) {
        let sql = Sql::new("UPDATE ")
            .text(change.table)
            .text(" SET ")
            .text(change.set)
            .text(" WHERE ")
            .text(change.old);
        changed += run.execute(sql).await?;
    }
    Ok(changed)
}
