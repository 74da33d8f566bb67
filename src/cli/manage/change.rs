//! Schema changes. Each waits until no other process changes the schema.
//!
//! *Source:* messages of `glance/cmd/manage.py` in the reference implementation.

use std::path::PathBuf;

use serde_json::json;

use super::arguments::{Action, Revision, Step, Upgrade};
use crate::cli::command::registry::Leaf;
use crate::cli::operator::session::Session;
use crate::cli::run::print::print_step;
use crate::local::catalog::{
    Catalog, Due, EXPANDED, HEAD, SchemaLock, State, check_revisions, superseded,
};
use crate::ops::Outcome;
use crate::output::{Cell, Record, View};
use crate::{Error, Result, local};

/// The message of all three upgrade steps if there is nothing to do.
const UP_TO_DATE: &str = "Database is up to date. No migrations needed.";

/// Create the schema, or upgrade it in one step. Upstream ignores a given revision.
pub struct Sync;

impl Leaf<Session> for Action<Sync, Upgrade> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let backup = self.0.step.backup;
        upgrade(session, backup, async |change| change.sync().await).await
    }
}

/// Add what is new in the newest schema.
pub struct Expand;

impl Leaf<Session> for Action<Expand, Step> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        upgrade(session, self.0.backup, async |change| change.expand().await).await
    }
}

/// Migrate rows to the newest schema.
pub struct Migrate;

impl Leaf<Session> for Action<Migrate, Step> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        upgrade(session, self.0.backup, async |change| {
            change.migrate().await
        })
        .await
    }
}

/// Remove what the newest schema no longer has.
pub struct Contract;

impl Leaf<Session> for Action<Contract, Step> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        upgrade(session, self.0.backup, async |change| {
            change.contract().await
        })
        .await
    }
}

/// Upgrade the schema to a revision; the newest by default.
pub struct UpgradeTo;

impl Leaf<Session> for Action<UpgradeTo, Upgrade> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let Upgrade { revision, step } = self.0;
        let version = revision.version.unwrap_or_else(|| "heads".to_string());
        upgrade(session, step.backup, async |change| {
            change.upgrade(&version).await
        })
        .await
    }
}

/// Place a database under migration control; at `liberty` by default.
pub struct VersionControl;

impl Leaf<Session> for Action<VersionControl, Revision> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let change = Change::begin(session, false).await?;
        let version = self.0.version.as_deref().unwrap_or("liberty");
        let done = change.stamp(version).await;
        change.end(done).await
    }
}

/// Makes a change to a schema whose recorded revisions are put in order first.
async fn upgrade(
    session: &Session,
    backup: bool,
    make: impl AsyncFnOnce(&mut Change<'_>) -> Result<Outcome<'static>>,
) -> Result<Outcome<'static>> {
    let mut change = Change::begin(session, backup).await?;
    let done = match change.prepare().await {
        Ok(()) => make(&mut change).await,
        Err(error) => Err(error),
    };
    change.end(done).await
}

/// A schema change, exclusive to one process.
struct Change<'a> {
    catalog: Catalog,
    session: &'a Session,
    /// Whether a backup has yet to be made before the first change.
    backup: bool,
    /// The path of the backup that was made.
    backed_up: Option<PathBuf>,
    /// The number of rows that were migrated.
    rows: u64,
    _lock: SchemaLock,
}

impl<'a> Change<'a> {
    /// Waits for the exclusive lock on the database, which is created if missing.
    async fn begin(session: &'a Session, backup: bool) -> Result<Self> {
        let database = local::database(&session.settings)?;
        let (catalog, lock) = Catalog::open_with_schema_lock(database).await?;
        Ok(Self {
            catalog,
            session,
            backup,
            backed_up: None,
            rows: 0,
            _lock: lock,
        })
    }

    /// Puts the recorded revisions in order.
    async fn prepare(&mut self) -> Result<()> {
        self.adopt().await?;
        self.mend_revisions().await
    }

    /// Prints what a step did at once, because the next one may take hours. Programs get the result only.
    fn report(&self, line: &str) {
        if self.session.format.is_none() {
            print_step(line);
        }
    }

    /// Returns the result of the change for programs.
    async fn data(&self) -> Result<View<'static>> {
        let backup = self
            .backed_up
            .as_ref()
            .map(|path| path.display().to_string());
        Ok(View::Record(Record::from_iter([
            (
                "revisions".to_string(),
                Cell::new(json!(self.heads().await?)),
            ),
            ("migrated_rows".to_string(), Cell::from(self.rows)),
            ("backup".to_string(), Cell::new(json!(backup))),
        ])))
    }

    /// Closes the database. An SQLite database is a single file afterwards, which can be copied or replaced. Returns
    /// the result of the change, with the failure to close the database.
    async fn end(self, mut done: Result<Outcome<'static>>) -> Result<Outcome<'static>> {
        if self.session.format.is_some()
            && let Ok(outcome) = &mut done
        {
            outcome.data = Some(self.data().await?);
        }
        match (done, self.catalog.close().await) {
            (Ok(outcome), closed) => Ok(outcome.failing(closed.err())),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    /// Returns the revisions recorded in the database.
    ///
    /// # Errors
    /// `Failed` for tables without a revision and for unknown revisions.
    async fn heads(&self) -> Result<Vec<String>> {
        match self.catalog.state().await? {
            State::At(heads) => check_revisions(&heads).map(|()| heads),
            State::Empty | State::Foreign => Ok(Vec::new()),
            // Reached only by commands that do not change the schema; see `adopt`.
            State::Legacy(version) => Ok(vec![self.catalog.revision_of(version)?.to_string()]),
            State::Uncontrolled => Err(self.catalog.uncontrolled()),
        }
    }

    /// Records the revision of a database that was migrated before alembic.
    async fn adopt(&mut self) -> Result<()> {
        let State::Legacy(version) = self.catalog.state().await? else {
            return Ok(());
        };
        let revision = self.catalog.revision_of(version)?;
        self.save(&[revision.to_string()]).await?;
        let revision = self.catalog.adopt(version).await?;
        let text = format!(
            "Placed database under migration control at revision: {revision} (version {version} before)"
        );
        self.report(&text);
        Ok(())
    }

    /// Removes the rows of `alembic_version` that are not heads.
    async fn mend_revisions(&mut self) -> Result<()> {
        let heads = self.heads().await?;
        if superseded(&heads)?.is_empty() {
            return Ok(());
        }
        self.save(&heads).await?;
        let left = self.catalog.mend_revisions().await?;
        let text = format!(
            "Removed rows of alembic_version that are not heads: {}",
            left.join(", ")
        );
        self.report(&text);
        Ok(())
    }

    /// Backs up the database before the first change.
    async fn save(&mut self, heads: &[String]) -> Result<()> {
        if !std::mem::take(&mut self.backup) || heads.is_empty() {
            return Ok(());
        }
        if let Some(path) = self.catalog.back_up().await? {
            self.session
                .log
                .info(&format!("Backed up the database to {}", path.display()));
            self.backed_up = Some(path);
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<Outcome<'static>> {
        let heads = self.heads().await?;
        if is_contracted(&heads) {
            return Ok(Outcome::text(UP_TO_DATE));
        }
        if heads.is_empty() {
            // Creating the schema takes milliseconds, so it is done in one step.
            self.catalog.sync().await?;
            self.report(&upgraded(EXPANDED, &[EXPANDED.to_string()]));
            self.report("Database migration is up to date. No migration needed.");
            self.report(&upgraded(HEAD, &[HEAD.to_string()]));
        } else {
            self.step_expand(&heads).await?;
            self.step_migrate().await?;
            self.step_contract().await?;
        }
        Ok(Outcome::text("Database is synced successfully."))
    }

    async fn expand(&mut self) -> Result<Outcome<'static>> {
        let heads = self.heads().await?;
        if is_contracted(&heads) {
            return Ok(Outcome::text(UP_TO_DATE));
        }
        self.step_expand(&heads).await?;
        Ok(Outcome::nothing())
    }

    async fn migrate(&mut self) -> Result<Outcome<'static>> {
        if !self.is_expanded("Data migration").await? {
            return Ok(Outcome::text(UP_TO_DATE));
        }
        self.step_migrate().await?;
        Ok(Outcome::nothing())
    }

    async fn contract(&mut self) -> Result<Outcome<'static>> {
        if !self.is_expanded("Database contraction").await? {
            return Ok(Outcome::text(UP_TO_DATE));
        }
        let heads = self.heads().await?;
        if self.catalog.due(&heads).await? == Due::Migrate {
            return Err(Error::failed(
                "Database contraction did not run. Database contraction cannot be run before data migration \
                 is complete. Run data migration using \"glance-manage db migrate\".",
            ));
        }
        self.step_contract().await?;
        Ok(Outcome::nothing())
    }

    async fn upgrade(&mut self, version: &str) -> Result<Outcome<'static>> {
        let heads = self.heads().await?;
        check_revisions(&[version.to_string()])?;
        if !is_contracted(&heads) {
            self.save(&heads).await?;
        }
        let heads = self.catalog.upgrade(version).await?;
        Ok(match version {
            "heads" => {
                let text = format!(
                    "Upgraded database, current revision(s): {}",
                    heads.join(", ")
                );
                Outcome::text(text)
            }
            _ => Outcome::text(upgraded(version, &heads)),
        })
    }

    async fn stamp(&self, version: &str) -> Result<Outcome<'static>> {
        self.catalog.stamp(version).await?;
        let text = format!("Placed database under migration control at revision: {version}");
        Ok(Outcome::text(text))
    }

    /// Returns whether the second or third step has work to do; false at the head.
    ///
    /// # Errors
    /// `Failed` if the first step is due.
    async fn is_expanded(&self, what: &str) -> Result<bool> {
        let heads = self.heads().await?;
        if is_contracted(&heads) {
            return Ok(false);
        }
        if !heads.iter().any(|head| head == EXPANDED) {
            return Err(Error::failed(format!(
                "{what} did not run. {what} cannot be run before database expansion. Run database expansion \
                 first using \"glance-manage db expand\""
            )));
        }
        Ok(true)
    }

    async fn step_expand(&mut self, heads: &[String]) -> Result<()> {
        if heads.iter().any(|head| head == EXPANDED) {
            self.report("Database expansion is up to date. No expansion needed.");
            return Ok(());
        }
        self.save(heads).await?;
        let heads = self.catalog.upgrade(EXPANDED).await?;
        self.report(&upgraded(EXPANDED, &heads));
        Ok(())
    }

    async fn step_migrate(&mut self) -> Result<()> {
        let heads = self.heads().await?;
        if self.catalog.due(&heads).await? != Due::Migrate {
            self.report("Database migration is up to date. No migration needed.");
            return Ok(());
        }
        self.save(&heads).await?;
        let rows = self.catalog.migrate_rows().await?;
        self.rows = rows;
        self.report(&format!("Migrated {rows} rows"));
        Ok(())
    }

    async fn step_contract(&mut self) -> Result<()> {
        let heads = self.heads().await?;
        self.save(&heads).await?;
        let heads = self.catalog.upgrade(HEAD).await?;
        self.report(&upgraded(HEAD, &heads));
        Ok(())
    }
}

fn is_contracted(heads: &[String]) -> bool {
    heads.iter().any(|head| head == HEAD)
}

fn upgraded(version: &str, heads: &[String]) -> String {
    let heads = heads.join(", ");
    format!("Upgraded database to: {version}, current revision(s): {heads}")
}
