//! Upgrades from the schema of any release to the current one: expand, migrate rows, contract.
//!
//! An SQLite database is upgraded in one transaction. A server commits each schema change separately. There, a
//! revision is recorded once it is complete, and statements that were already executed are skipped, so that an
//! interrupted upgrade can continue.

mod chain;
mod rows;
mod statement;

pub use chain::{EXPANDED, HEAD, superseded};

use std::path::{Path, PathBuf};

use chain::Progress;
use statement::{Object, Statement, statements};

use crate::config::Database;
use crate::data::durable::sync_directory;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Dialect, Sql};
use crate::model::Timestamp;
use crate::{Error, Operation, Parameter, Result};

/// The table in which alembic records the revisions.
const VERSION_TABLE: &str = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, \
     CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))";

/// Returns the statements of a revision; most have none.
fn script(revision: &str) -> &'static str {
    match revision {
        "liberty" => include_str!("revisions/liberty.sql"),
        "mitaka01" => include_str!("revisions/mitaka01.sql"),
        "mitaka02" => include_str!("revisions/mitaka02.sql"),
        "ocata_expand01" => include_str!("revisions/ocata_expand01.sql"),
        "ocata_contract01" => include_str!("revisions/ocata_contract01.sql"),
        "pike_contract01" => include_str!("revisions/pike_contract01.sql"),
        "rocky_expand01" => include_str!("revisions/rocky_expand01.sql"),
        "rocky_expand02" => include_str!("revisions/rocky_expand02.sql"),
        "wallaby_expand01" => include_str!("revisions/wallaby_expand01.sql"),
        "2024_1_expand01" => include_str!("revisions/2024_1_expand01.sql"),
        _ => "",
    }
}

/// The next step of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Add what current services need.
    Expand,
    /// Convert the rows.
    Migrate,
    /// Remove what no service needs any more.
    Contract,
    /// None: the database is at the head.
    Nothing,
}

/// Checks that revisions are known.
///
/// # Errors
/// `Failed` for an unknown revision.
pub fn check_revisions(names: &[String]) -> Result<()> {
    Progress::of(names).map(drop)
}

impl Catalog {
    /// Returns the next step of an upgrade of a database with these heads. Rows that are not heads are left to the
    /// last step.
    pub async fn due(&self, heads: &[String]) -> Result<Due> {
        let Ok(at) = Progress::of(heads) else {
            return Ok(Due::Expand);
        };
        Ok(if at == Progress::HEAD && superseded(heads)?.is_empty() {
            Due::Nothing
        } else if !at.is_expanded() {
            Due::Expand
        } else if rows::are_pending(self, at).await? {
            Due::Migrate
        } else {
            Due::Contract
        })
    }

    /// Applies and records all revisions up to `goal`, and returns the new heads. A database beyond the goal is not
    /// changed.
    ///
    /// The caller MUST hold the schema lock.
    ///
    /// # Errors
    /// `Failed` for an unknown revision of the database or as the goal, and for rows that must be converted before
    /// the columns that they need are removed.
    pub async fn upgrade(&self, goal: &str) -> Result<Vec<String>> {
        let goal = Progress::through(goal)?;
        if self.dialect() == Dialect::Mysql {
            return climb(self, Dialect::Mysql, goal, Some(self)).await;
        }
        let unchecked = self.unchecked().await?;
        let heads = unchecked
            .write(async |transaction| climb(&*transaction, Dialect::Sqlite, goal, None).await)
            .await?;
        unchecked.close().await?;
        Ok(heads)
    }

    /// Removes the rows of `alembic_version` that are not heads, and returns them. The caller MUST hold the schema
    /// lock.
    ///
    /// # Errors
    /// `Failed` for an unknown revision.
    pub async fn mend_revisions(&self) -> Result<Vec<String>> {
        self.write(async |transaction| {
            let noted = locked_heads(&*transaction).await?;
            let left = superseded(&noted)?;
            if !left.is_empty() {
                let heads = Progress::of(&noted)?.heads();
                replace_heads(&*transaction, &noted, &heads).await?;
            }
            Ok(left)
        })
        .await
    }

    /// Converts rows to their current form, and returns their number.
    pub async fn migrate_rows(&self) -> Result<u64> {
        self.write(async |transaction| {
            let at = Progress::of(&heads(&*transaction).await?)?;
            rows::migrate(&*transaction, at).await
        })
        .await
    }

    /// Records that the database is at a revision, without any check.
    ///
    /// # Errors
    /// `Failed` for an unknown revision.
    pub async fn stamp(&self, revision: &str) -> Result<()> {
        let heads = Progress::through(revision)?.heads();
        make_version_table(self, self.dialect()).await?;
        self.write(async |transaction| {
            let noted = locked_heads(&*transaction).await?;
            replace_heads(&*transaction, &noted, &heads).await
        })
        .await
    }

    /// Copies an SQLite database with data into a file next to it, atomically, and returns the path. The backup of
    /// a server's database is left to its operator.
    pub async fn back_up(&self) -> Result<Option<PathBuf>> {
        let Database::Sqlite(path) = self.database() else {
            return Ok(None);
        };
        if !self.holds_anything().await? {
            return Ok(None);
        }
        // With microseconds, so that each name is unique.
        let stamp = Timestamp::now().to_iso().replace(':', "");
        let named = |ending: &str| {
            let mut name = path.as_os_str().to_os_string();
            name.push(format!(".{stamp}.{ending}"));
            PathBuf::from(name)
        };
        let (part, backup) = (named("part"), named("backup"));
        let made = self.copy_into(&part).await.and_then(|()| {
            let file = std::fs::File::open(&part).map_err(|e| Error::io("open", &part, e))?;
            file.sync_all().map_err(|e| Error::io("write", &part, e))?;
            std::fs::rename(&part, &backup).map_err(|e| Error::io("rename", &part, e))?;
            sync_directory(path.parent().unwrap_or(path))
        });
        if let Err(error) = made {
            // The incomplete copy is useless, and the disk may be full.
            let _ = std::fs::remove_file(&part);
            return Err(error.hint(Parameter::NoBackup));
        }
        Ok(Some(backup))
    }

    /// Returns whether the database has data, at any revision.
    async fn holds_anything(&self) -> Result<bool> {
        for table in ["images", "tasks", "metadef_namespaces"] {
            let sql = Sql::new(format!("SELECT 1 FROM {table} LIMIT 1"));
            if has_table(self, self.dialect(), table).await? && self.row(sql).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn copy_into(&self, path: &Path) -> Result<()> {
        let text = path
            .to_str()
            .ok_or_else(|| Error::failed(format!("{} cannot be written in SQL", path.display())))?;
        crate::local::catalog::schema::file::make_file(path)?;
        let sql = Sql::default().with("VACUUM INTO ?", [text.into()]);
        self.execute(sql).await.map(drop)
    }
}

/// Applies the revisions between the current ones and the goal. If each statement is committed separately, `server`
/// is the catalogue on which a revision is recorded, in one transaction.
async fn climb(
    run: &impl Run,
    dialect: Dialect,
    goal: Progress,
    server: Option<&Catalog>,
) -> Result<Vec<String>> {
    make_version_table(run, dialect).await?;
    let noted = heads(run).await?;
    let mut at = Progress::of(&noted)?;
    if !superseded(&noted)?.is_empty() {
        note_on(run, server, at, at).await?;
    }
    if at == Progress::default() && is_head_begun(run, dialect).await? {
        return Err(
            Error::failed("the database has tables but no alembic revision")
                .hint("If its creation was interrupted, run it again.")
                .hint(Operation::SyncDatabase),
        );
    }
    while let Some((revision, then)) = at.next(goal) {
        if revision == "ocata_contract01" && rows::are_pending(run, at).await? {
            return Err(Error::failed(
                "the rows must be migrated before the columns that they need are removed",
            )
            .hint(Operation::MigrateRows));
        }
        for statement in statements(script(revision), dialect) {
            Statement::read(&statement).carry_out(run, dialect).await?;
        }
        note_on(run, server, at, then).await?;
        at = then;
    }
    heads(run).await
}

async fn make_version_table(run: &impl Run, dialect: Dialect) -> Result<()> {
    Statement::read(VERSION_TABLE).carry_out(run, dialect).await
}

/// Returns the revisions in the database, as recorded.
pub(super) async fn heads(run: &impl Run) -> Result<Vec<String>> {
    let sql = Sql::new("SELECT version_num FROM alembic_version");
    let rows = run.rows(sql).await?;
    rows.iter()
        .map(|row| row.some_owned("version_num"))
        .collect()
}

/// Returns the same as [`heads`], and locks the rows against other transactions if `run` is a transaction.
async fn locked_heads(run: &impl Run) -> Result<Vec<String>> {
    let sql = Sql::new("SELECT version_num FROM alembic_version").text(run.lock());
    let rows = run.rows(sql).await?;
    rows.iter()
        .map(|row| row.some_owned("version_num"))
        .collect()
}

/// Records a step on `server` in its own transaction, or on `run`, which is one.
async fn note_on(
    run: &impl Run,
    server: Option<&Catalog>,
    at: Progress,
    then: Progress,
) -> Result<()> {
    let Some(server) = server else {
        return note(run, at, then).await;
    };
    server
        .write(async |transaction| note(&*transaction, at, then).await)
        .await
}

/// Records the progress of the database from `at` to `then`. After a crash during this, the rows MUST be those of
/// one of the two, because both together would mean up to date.
///
/// # Errors
/// `Conflict` if another program has recorded a revision beyond `at`.
async fn note(run: &impl Run, at: Progress, then: Progress) -> Result<()> {
    let noted = locked_heads(run).await?;
    if !at.covers(Progress::of(&noted)?) {
        return Err(Error::conflict(format!(
            "another program is changing the schema, which is now at revision {}",
            noted.join(", ")
        ))
        .hint("Wait for it to finish.")
        .hint(Operation::SyncDatabase));
    }
    replace_heads(run, &noted, &then.heads()).await
}

/// Replaces the rows `noted` by `heads`. A row that exists once is kept, because writers lock it.
async fn replace_heads(run: &impl Run, noted: &[String], heads: &[&str]) -> Result<()> {
    let count = |head: &str| noted.iter().filter(|old| *old == head).count();
    let kept = heads.iter().filter(|head| count(head) == 1);
    let sql = Sql::new("DELETE FROM alembic_version");
    let kept: Vec<_> = kept.map(|head| (*head).into()).collect();
    run.execute(if kept.is_empty() {
        sql
    } else {
        sql.text(" WHERE version_num NOT IN ").list(kept)
    })
    .await?;
    for head in heads.iter().filter(|head| count(head) != 1) {
        let sql = Sql::default().with(
            "INSERT INTO alembic_version (version_num) VALUES (?)",
            [(*head).into()],
        );
        run.execute(sql).await?;
    }
    Ok(())
}

/// Returns whether a database without a revision has the images table of the head, not of the first revision.
pub(super) async fn is_head_begun(run: &impl Run, dialect: Dialect) -> Result<bool> {
    let first = Object::Column("images", "is_public");
    Ok(has_table(run, dialect, "images").await? && !first.exists(run, dialect).await?)
}

/// Returns whether a database has a table.
pub(super) async fn has_table(run: &impl Run, dialect: Dialect, name: &str) -> Result<bool> {
    Object::Table(name).exists(run, dialect).await
}
