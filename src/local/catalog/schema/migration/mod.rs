//! From the schema of any release to today's: first what is added, then the rows, then what is dropped.
//!
//! An SQLite database goes each way in one transaction. A server commits every change of the schema by
//! itself; there a revision is noted once it is complete, and its statements are carried out only where
//! that was not done before, so that a migration that was killed goes on where it was.

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

/// The table in which alembic notes the revisions.
const VERSION_TABLE: &str = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, \
     CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))";

/// The statements of a revision; most have none.
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

/// Which of the three steps of an upgrade is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Adding what a service of today needs.
    Expand,
    /// Changing the rows.
    Migrate,
    /// Dropping what no service needs any more.
    Contract,
    /// None: the database is at the head.
    Nothing,
}

/// Sees to it that revisions are known.
///
/// # Errors
/// `Failed` for one that is not.
pub fn check_revisions(names: &[String]) -> Result<()> {
    Progress::of(names).map(drop)
}

impl Catalog {
    /// Which step of an upgrade is due, in a database that names these revisions. Rows that are not heads are
    /// left to the last step.
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

    /// Carries out every revision up to `goal`, and notes each; the revisions that the database names
    /// then. One that is further already stays as it is.
    ///
    /// The caller MUST hold the turn.
    ///
    /// # Errors
    /// `Failed` for a revision that is not known, of the database or wanted; for rows that were not
    /// migrated before the columns that they need are dropped.
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

    /// Removes the rows of `alembic_version` that are not heads, and returns them. The caller MUST hold the
    /// turn.
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

    /// Brings the rows into today's form; how many those were.
    pub async fn migrate_rows(&self) -> Result<u64> {
        self.write(async |transaction| {
            let at = Progress::of(&heads(&*transaction).await?)?;
            rows::migrate(&*transaction, at).await
        })
        .await
    }

    /// Notes that the database is at a revision, whatever it holds.
    ///
    /// # Errors
    /// `Failed` for a revision that is not known.
    pub async fn stamp(&self, revision: &str) -> Result<()> {
        let heads = Progress::through(revision)?.heads();
        make_version_table(self, self.dialect()).await?;
        self.write(async |transaction| {
            let noted = locked_heads(&*transaction).await?;
            replace_heads(&*transaction, &noted, &heads).await
        })
        .await
    }

    /// Copies an SQLite database that holds anything into a file beside it, complete or not at all; where that
    /// is. A database of a server is its operator's to back up.
    pub async fn back_up(&self) -> Result<Option<PathBuf>> {
        let Database::Sqlite(path) = self.database() else {
            return Ok(None);
        };
        if !self.holds_anything().await? {
            return Ok(None);
        }
        // To the microsecond: a name is never used twice.
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
            // The copy is of no use, and the disk may be full.
            let _ = std::fs::remove_file(&part);
            return Err(error.hint(Parameter::NoBackup));
        }
        Ok(Some(backup))
    }

    /// Whether anybody has written to the database, whatever its revision.
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
        crate::local::catalog::schema::revision::make_file(path)?;
        let sql = Sql::default().with("VACUUM INTO ?", [text.into()]);
        self.execute(sql).await.map(drop)
    }
}

/// Carries out what lies between where the database is and the goal. Where each statement is committed by
/// itself, `server` is the catalogue on which a revision is noted, in one transaction.
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
                .hint("If its creation was interrupted, continue it.")
                .hint(Operation::SyncDatabase),
        );
    }
    while let Some((revision, then)) = at.next(goal) {
        if revision == "ocata_contract01" && rows::are_pending(run, at).await? {
            return Err(Error::failed(
                "the rows are to be migrated before what they need is dropped",
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

/// The revisions that a database names, as it names them.
pub(super) async fn heads(run: &impl Run) -> Result<Vec<String>> {
    let sql = Sql::new("SELECT version_num FROM alembic_version");
    let rows = run.rows(sql).await?;
    rows.iter()
        .map(|row| row.some_owned("version_num"))
        .collect()
}

/// As [`heads`], and locks the rows against other transactions, where `run` is one.
async fn locked_heads(run: &impl Run) -> Result<Vec<String>> {
    let sql = Sql::new("SELECT version_num FROM alembic_version").text(run.lock());
    let rows = run.rows(sql).await?;
    rows.iter()
        .map(|row| row.some_owned("version_num"))
        .collect()
}

/// Notes a step on `server`, in a transaction of its own, or on `run`, which is one.
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

/// Notes that the database has come from `at` to `then`. A process that dies meanwhile MUST leave the rows of
/// one of the two: both together are called up to date.
///
/// # Errors
/// `Conflict` when another program has noted something beyond `at`.
async fn note(run: &impl Run, at: Progress, then: Progress) -> Result<()> {
    let noted = locked_heads(run).await?;
    if !at.covers(Progress::of(&noted)?) {
        return Err(Error::conflict(format!(
            "another program changes the schema: its revision is {} now",
            noted.join(", ")
        ))
        .hint("Wait for its end.")
        .hint(Operation::SyncDatabase));
    }
    replace_heads(run, &noted, &then.heads()).await
}

/// Replaces the rows `noted` by `heads`. A row that is there already stays, since writers lock it, unless it
/// is there twice.
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

/// Whether a database that names no revision has images as they are at the head, not at the first one.
pub(super) async fn is_head_begun(run: &impl Run, dialect: Dialect) -> Result<bool> {
    let first = Object::Column("images", "is_public");
    Ok(has_table(run, dialect, "images").await? && !first.exists(run, dialect).await?)
}

/// Whether a database has a table.
pub(super) async fn has_table(run: &impl Run, dialect: Dialect, name: &str) -> Result<bool> {
    Object::Table(name).exists(run, dialect).await
}
