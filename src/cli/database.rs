//! `glance-manage db`: schema changes and purges.
//!
//! *Source:* messages and exit codes of `glance/cmd/manage.py` in the reference implementation.

use std::path::Path;
use std::process::ExitCode;

use jiff::SignedDuration;

use super::log::Log;
use super::manage::{ManageCommand, Purge};
use super::metrics::Metrics;
use super::{metadefs, print, ui};
use crate::config::{Database, Settings};
use crate::data::Watch;
use crate::local::catalog::{
    Catalog, Due, EXPANDED, HEAD, Purged, SchemaLock, Scope, State, check_revisions, superseded,
};
use crate::model::Timestamp;
use crate::{Error, Result, local};

/// The message of all three upgrade steps if there is nothing to do.
const UP_TO_DATE: &str = "Database is up to date. No migrations needed.";

/// Runs a command.
pub(super) async fn run(
    settings: &Settings,
    command: ManageCommand,
    log: &Log,
    watch: &Watch,
) -> Result<ExitCode> {
    match command {
        ManageCommand::Version => version(settings).await,
        ManageCommand::Check => check(settings).await,
        ManageCommand::LoadMetadefs(wanted) => metadefs::load(settings, wanted).await,
        ManageCommand::UnloadMetadefs => metadefs::unload(settings).await,
        ManageCommand::ExportMetadefs { path } => metadefs::export(settings, path).await,
        ManageCommand::Purge(wanted) => purge(settings, Scope::Details, &wanted, log, watch).await,
        ManageCommand::PurgeImagesTable(wanted) => {
            purge(settings, Scope::Images, &wanted, log, watch).await
        }
        ManageCommand::Sync { backup }
        | ManageCommand::Expand { backup }
        | ManageCommand::Migrate { backup }
        | ManageCommand::Contract { backup }
        | ManageCommand::Upgrade { backup, .. } => {
            let mut change = Change::begin(settings, backup, log).await?;
            let done = change.carry_out(&command).await;
            change.end().await?;
            done
        }
        ManageCommand::VersionControl { .. } => {
            let mut change = Change::begin(settings, false, log).await?;
            let done = change.carry_out(&command).await;
            change.end().await?;
            done
        }
        ManageCommand::Actions => Ok(print(super::manage::actions().trim_end(), 2)),
    }
}

/// Opens the database without changing it; `None` if it does not exist yet.
async fn open_unchanged(settings: &Settings) -> Result<Option<Catalog>> {
    if let Database::Sqlite(path) = settings.require_database()? {
        let absent = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len() == 0,
            // The directory of a local deployment is created on demand; a missing one in a configuration is an
            // error.
            Err(_) => settings.data_dir.is_some() || path.parent().is_some_and(Path::is_dir),
        };
        if absent {
            return Ok(None);
        }
    }
    let catalog = Catalog::open_read_only(settings.require_database()?).await?;
    Ok(Some(catalog))
}

async fn version(settings: &Settings) -> Result<ExitCode> {
    let state = match open_unchanged(settings).await? {
        Some(catalog) => catalog.state().await?,
        None => State::Empty,
    };
    Ok(match state {
        State::At(heads) if !heads.is_empty() => {
            let said = print(&heads.join("\n"), 0);
            if let Some(text) = not_heads(&heads) {
                ui::notice(&text);
            }
            said
        }
        State::At(_) | State::Empty | State::Foreign | State::Legacy(_) | State::Uncontrolled => {
            print(
                "Database is either not under migration control or under legacy migration control, please run \
             \"glance-manage db sync\" to place the database under alembic migration control.",
                0,
            )
        }
    })
}

/// Returns a message about rows of `alembic_version` that are not heads; `None` if there are none or one is
/// unknown.
fn not_heads(noted: &[String]) -> Option<String> {
    let left = superseded(noted).ok().filter(|left| !left.is_empty())?;
    Some(format!(
        "Rows of alembic_version that are not heads: {}. \"glance-manage db sync\" removes them.",
        left.join(", ")
    ))
}

async fn check(settings: &Settings) -> Result<ExitCode> {
    let due = match open_unchanged(settings).await? {
        Some(catalog) => match catalog.state().await? {
            State::At(heads) => {
                if let Some(text) = not_heads(&heads) {
                    print(&text, 0);
                }
                catalog.due(&heads).await?
            }
            State::Empty | State::Foreign | State::Legacy(_) | State::Uncontrolled => Due::Expand,
        },
        None => Due::Expand,
    };
    let (text, code) = match due {
        Due::Nothing => ("Database is up to date. No upgrades needed.", 0),
        Due::Expand => (
            "Your database is not up to date. Your first step is to run `glance-manage db expand`.",
            3,
        ),
        Due::Migrate => (
            "Your database is not up to date. Your next step is to run `glance-manage db migrate`.",
            4,
        ),
        Due::Contract => (
            "Your database is not up to date. Your next step is to run `glance-manage db contract`.",
            5,
        ),
    };
    Ok(print(text, code))
}

/// A schema change, exclusive to one process.
struct Change<'a> {
    catalog: Catalog,
    log: &'a Log,
    /// Whether a backup has yet to be made before the first change.
    backup: bool,
    _lock: SchemaLock,
}

impl<'a> Change<'a> {
    /// Waits for the exclusive lock on the database, which is created if missing.
    async fn begin(settings: &Settings, backup: bool, log: &'a Log) -> Result<Self> {
        let (catalog, lock) = Catalog::open_with_schema_lock(local::database(settings)?).await?;
        Ok(Self {
            catalog,
            log,
            backup,
            _lock: lock,
        })
    }

    async fn carry_out(&mut self, command: &ManageCommand) -> Result<ExitCode> {
        if !matches!(command, ManageCommand::VersionControl { .. }) {
            self.adopt().await?;
            self.mend_revisions().await?;
        }
        match command {
            ManageCommand::Expand { .. } => self.expand().await,
            ManageCommand::Migrate { .. } => self.migrate().await,
            ManageCommand::Contract { .. } => self.contract().await,
            ManageCommand::Upgrade { version, .. } => {
                self.upgrade(version.as_deref().unwrap_or("heads")).await
            }
            ManageCommand::VersionControl { version } => {
                self.stamp(version.as_deref().unwrap_or("liberty")).await
            }
            _ => self.sync().await,
        }
    }

    /// Closes the database. An SQLite database is a single file afterwards, which can be copied or replaced.
    async fn end(self) -> Result<()> {
        self.catalog.close().await
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
        print(&text, 0);
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
        print(&text, 0);
        Ok(())
    }

    /// Backs up the database before the first change.
    async fn save(&mut self, heads: &[String]) -> Result<()> {
        if !std::mem::take(&mut self.backup) || heads.is_empty() {
            return Ok(());
        }
        if let Some(path) = self.catalog.back_up().await? {
            self.log
                .info(&format!("Backed up the database to {}", path.display()));
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<ExitCode> {
        let heads = self.heads().await?;
        if is_contracted(&heads) {
            return Ok(print(UP_TO_DATE, 0));
        }
        if heads.is_empty() {
            // Creating the schema takes milliseconds, so it is done in one step.
            self.catalog.sync().await?;
            print(&upgraded(EXPANDED, &[EXPANDED.to_string()]), 0);
            print("Database migration is up to date. No migration needed.", 0);
            print(&upgraded(HEAD, &[HEAD.to_string()]), 0);
        } else {
            self.step_expand(&heads).await?;
            self.step_migrate().await?;
            self.step_contract().await?;
        }
        Ok(print("Database is synced successfully.", 0))
    }

    async fn expand(&mut self) -> Result<ExitCode> {
        let heads = self.heads().await?;
        if is_contracted(&heads) {
            return Ok(print(UP_TO_DATE, 0));
        }
        self.step_expand(&heads).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn migrate(&mut self) -> Result<ExitCode> {
        if !self.is_expanded("Data migration").await? {
            return Ok(print(UP_TO_DATE, 0));
        }
        self.step_migrate().await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn contract(&mut self) -> Result<ExitCode> {
        if !self.is_expanded("Database contraction").await? {
            return Ok(print(UP_TO_DATE, 0));
        }
        let heads = self.heads().await?;
        if self.catalog.due(&heads).await? == Due::Migrate {
            return Err(Error::failed(
                "Database contraction did not run. Database contraction cannot be run before data migration \
                 is complete. Run data migration using \"glance-manage db migrate\".",
            ));
        }
        self.step_contract().await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn upgrade(&mut self, version: &str) -> Result<ExitCode> {
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
                print(&text, 0)
            }
            _ => print(&upgraded(version, &heads), 0),
        })
    }

    async fn stamp(&self, version: &str) -> Result<ExitCode> {
        self.catalog.stamp(version).await?;
        let text = format!("Placed database under migration control at revision: {version}");
        Ok(print(&text, 0))
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
            print("Database expansion is up to date. No expansion needed.", 0);
            return Ok(());
        }
        self.save(heads).await?;
        let heads = self.catalog.upgrade(EXPANDED).await?;
        print(&upgraded(EXPANDED, &heads), 0);
        Ok(())
    }

    async fn step_migrate(&mut self) -> Result<()> {
        let heads = self.heads().await?;
        if self.catalog.due(&heads).await? != Due::Migrate {
            print("Database migration is up to date. No migration needed.", 0);
            return Ok(());
        }
        self.save(&heads).await?;
        let rows = self.catalog.migrate_rows().await?;
        print(&format!("Migrated {rows} rows"), 0);
        Ok(())
    }

    async fn step_contract(&mut self) -> Result<()> {
        let heads = self.heads().await?;
        self.save(&heads).await?;
        let heads = self.catalog.upgrade(HEAD).await?;
        print(&upgraded(HEAD, &heads), 0);
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

/// Purges rows, or shows what would be purged.
async fn purge(
    settings: &Settings,
    scope: Scope,
    wanted: &Purge,
    log: &Log,
    watch: &Watch,
) -> Result<ExitCode> {
    let (before, max_rows) = bounds(wanted)?;
    let catalog = metadefs::open(settings).await?;
    if wanted.dry_run {
        for table in catalog.would_purge(scope, before, max_rows).await? {
            print(&would_purge(&table), 0);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows = super::progress::Rows::new();
    let mut gone = 0;
    let mut removed = |table: &str, more| {
        gone += more;
        rows.advance(table, more);
    };
    let purged = catalog
        .purge(scope, before, max_rows, watch, &mut removed)
        .await;
    rows.end();
    catalog.close().await?;
    if let Some(path) = &wanted.metrics_file {
        let prefix = match scope {
            Scope::Details => "glance_purge",
            Scope::Images => "glance_purge_images",
        };
        Metrics::new(prefix)
            .counter("rows_removed_total", "Rows removed.", gone)
            .write(path, purged.is_ok())?;
    }
    if purged.is_err() && gone > 0 {
        log.info(&format!("Purged {gone} row(s) before the failure"));
    }
    let purged = purged?;
    if gone > 0 {
        let tables = purged.iter().filter(|table| table.rows > 0);
        let tables: Vec<String> = tables
            .map(|table| format!("{} of {}", table.rows, table.table))
            .collect();
        log.info(&format!("Purged {gone} row(s): {}", tables.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the latest deletion time to purge, and the maximum number of rows per table.
fn bounds(wanted: &Purge) -> Result<(Timestamp, Option<u64>)> {
    if wanted.age_in_days < 0 {
        return Err(Error::failed("Must supply a non-negative value for age."));
    }
    if wanted.max_rows < -1 {
        return Err(Error::failed("Minimal rows limit is -1."));
    }
    let age = wanted
        .age_in_days
        .checked_mul(24)
        .map(SignedDuration::from_hours);
    let before = age.and_then(|age| Timestamp::now().later(-age));
    let Some(before) = before.filter(|before| *before > Timestamp::EPOCH) else {
        return Err(Error::failed("Maximal age is count of days since epoch."));
    };
    Ok((before, u64::try_from(wanted.max_rows).ok()))
}

fn would_purge(table: &Purged) -> String {
    let Purged {
        table,
        rows,
        oldest,
        bytes,
    } = table;
    match oldest {
        Some(oldest) => format!(
            "Would purge {rows} row(s) of {table}, about {bytes} byte(s), oldest deleted at {oldest}."
        ),
        None => format!("Would purge no rows of {table}."),
    }
}
