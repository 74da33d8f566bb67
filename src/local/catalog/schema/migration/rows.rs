//! Conversion of rows from older releases.
//!
//! The reference implementation performs only the conversions of its own release, which for years were none: it
//! fails on rows from before Ocata, and does not convert those from before Train. Here all conversions are
//! performed as in the releases that introduced them.
//!
//! *Source:* `glance/db/sqlalchemy/alembic_migrations/data_migrations` of the reference implementation.

use super::chain::Progress;
use crate::Result;
use crate::local::catalog::Sql;
use crate::local::catalog::db::transaction::Run;

/// A conversion of rows from an older release.
struct Change {
    /// The revision that added the new form, and the one that requires that the old form is gone.
    between: (&'static str, &'static str),
    table: &'static str,
    set: &'static str,
    /// The condition of rows in the old form.
    old: &'static str,
}

const CHANGES: [Change; 3] = [
    // Visibility: an image that was not public was private, or shared if it had members.
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
    // The store of a location.
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

/// Returns whether rows must be converted before anything is removed.
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

/// Converts rows to their current form, and returns their number.
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
