//! Which schema a database has, and making it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::config::Database;
use crate::data::durable::{directory_of, give_to_owner};
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::exclusive::take_alone;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::schema::migration::{self, EXPANDED, HEAD, check_revisions};
use crate::local::catalog::{Catalog, Dialect, Sql};
use crate::{Error, Operation, Result};

const SCHEMA_SQLITE: &str = include_str!("sqlite.sql");
const SCHEMA_MYSQL: &str = include_str!("mysql.sql");

/// How long a process waits for another one that changes the schema.
const SCHEMA_LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No table at all.
    Empty,
    /// Tables, none of which has a name of Glance's.
    Foreign,
    /// The schema of these revisions, in order. None of them: making the first was begun.
    At(Vec<String>),
    /// The schema of this version of the migrations before alembic, of 2016 and earlier.
    Legacy(i64),
    /// Tables of Glance's names, but none that says which revision.
    Uncontrolled,
}

/// The tables of the schema.
const TABLES: [&str; 15] = [
    "images",
    "image_properties",
    "image_locations",
    "image_members",
    "image_tags",
    "tasks",
    "task_info",
    "metadef_namespaces",
    "metadef_resource_types",
    "metadef_namespace_resource_types",
    "metadef_objects",
    "metadef_properties",
    "metadef_tags",
    "node_reference",
    "cached_images",
];

/// The revisions whose schemas are those of the last versions before alembic.
///
/// *Source:* `glance/db/sqlalchemy/alembic_migrations/__init__.py` of the releases Ocata to Queens.
const LEGACY: [(i64, &str); 4] = [
    (42, "liberty"),
    (43, "mitaka01"),
    (44, "mitaka02"),
    (45, "ocata_contract01"),
];

impl State {
    /// Whether this is the schema that this program reads and writes.
    pub fn is_current(&self) -> bool {
        self.includes(HEAD)
    }

    /// Whether a service of today can work on it: an older one may do so still.
    pub fn is_expanded(&self) -> bool {
        self.is_current() || self.includes(EXPANDED)
    }

    fn includes(&self, revision: &str) -> bool {
        let Self::At(heads) = self else {
            return false;
        };
        heads.iter().any(|head| head == revision) && check_revisions(heads).is_ok()
    }
}

impl Catalog {
    /// Which revisions the database is at.
    pub async fn state(&self) -> Result<State> {
        let noted = migration::heads(self).await;
        let Err(error) = noted else {
            return noted.map(State::At);
        };
        // Which of them it is that is not there; another process may have made it meanwhile.
        if migration::has_table(self, self.dialect(), "alembic_version").await? {
            return migration::heads(self).await.map(State::At);
        }
        let tables = self
            .rows(Sql::new(match self.dialect() {
                Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
                Dialect::Mysql => {
                    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database()"
                }
            }))
            .await;
        let Ok(tables) = tables else {
            return Err(error);
        };
        let tables: Result<Vec<String>> = tables.iter().map(|row| row.some_owned("name")).collect();
        let tables = tables?;
        let is_ours = |name: &String| TABLES.iter().any(|ours| name.eq_ignore_ascii_case(ours));
        if tables.is_empty() {
            return Ok(State::Empty);
        }
        if !tables.iter().any(is_ours) {
            return Ok(State::Foreign);
        }
        let legacy = if tables.iter().any(|name| name == "migrate_version") {
            self.legacy_version().await?
        } else {
            None
        };
        Ok(legacy.map_or(State::Uncontrolled, State::Legacy))
    }

    /// What the migrations of before alembic noted of Glance's tables.
    async fn legacy_version(&self) -> Result<Option<i64>> {
        let sql = Sql::new(
            "SELECT version FROM migrate_version WHERE repository_id = 'Glance Migrations'",
        );
        let row = self.row(sql).await?;
        row.map(|row| row.some_integer("version")).transpose()
    }

    /// Notes the revision whose schema a version of before alembic has; its name. The caller MUST hold the turn.
    ///
    /// # Errors
    /// `Failed` for a version that is too old, or not known.
    pub async fn adopt(&self, version: i64) -> Result<&'static str> {
        let revision = self.revision_of(version)?;
        self.stamp(revision).await?;
        Ok(revision)
    }

    /// The revision whose schema a version of before alembic has.
    ///
    /// # Errors
    /// `Failed` for a version that is too old, or not known.
    pub fn revision_of(&self, version: i64) -> Result<&'static str> {
        let known = LEGACY.iter().find(|(known, _)| *known == version);
        if let Some((_, revision)) = known {
            return Ok(revision);
        }
        let (oldest, _) = LEGACY[0];
        let error = Error::failed(format!(
            "database {} is at version {version} of the migrations before alembic, which cannot be upgraded from",
            self.name()
        ));
        Err(if version < oldest {
            error.hint(
                "Upgrade it with the programs of each release up to Liberty first, then run this again.",
            )
        } else {
            error.hint("No release of Glance has such a version.")
        })
    }

    /// Makes the schema in an empty database; leaves one that is up to date as it is.
    /// Whether anything was made. The caller MUST hold the turn.
    ///
    /// # Errors
    /// `Failed` for a database of another revision.
    pub async fn sync(&self) -> Result<bool> {
        match self.state().await? {
            state if state.is_current() => Ok(false),
            State::At(heads) if !heads.is_empty() => Err(Error::failed(format!(
                "database {} is at revision {}; this program works on {HEAD}",
                self.name(),
                heads.join(", ")
            ))
            .hint(Operation::SyncDatabase)),
            State::Uncontrolled => Err(self.uncontrolled()),
            State::Legacy(version) => {
                self.revision_of(version)?;
                Err(Error::failed(format!(
                    "database {} is of a release before Ocata; this program works on {HEAD}",
                    self.name()
                ))
                .hint(Operation::SyncDatabase))
            }
            State::Empty | State::Foreign => {
                self.make_schema().await?;
                Ok(true)
            }
            State::At(_) => {
                let is_head = migration::is_head_begun(self, self.dialect()).await?;
                match self.dialect() {
                    // It makes all or nothing of the head.
                    Dialect::Sqlite if is_head => return Err(self.uncontrolled()),
                    Dialect::Mysql if is_head => self.make_schema().await?,
                    // Somebody died over the first revision of all.
                    Dialect::Sqlite | Dialect::Mysql => {
                        self.upgrade(HEAD).await?;
                    }
                }
                Ok(true)
            }
        }
    }

    /// What is wrong with a database of unknown tables.
    pub fn uncontrolled(&self) -> Error {
        Error::failed(format!(
            "database {} has tables of Glance's names, but none that says of which revision",
            self.name()
        ))
        .hint("Compare them with the schema of the release that made them.")
        .hint(Operation::RecordRevision)
    }

    async fn make_schema(&self) -> Result<()> {
        match self.dialect() {
            // Either the whole schema is there, or nothing.
            Dialect::Sqlite => {
                self.write(async |transaction| transaction.batch(SCHEMA_SQLITE).await)
                    .await
            }
            // Each table is made whole, and the revision is noted last.
            Dialect::Mysql => self.batch(SCHEMA_MYSQL).await,
        }
    }

    /// Opens a database at the head revision, making its schema, and a SQLite file, if there is none.
    ///
    /// Several processes may do so at once: the first one makes it.
    pub async fn open_current(database: &Database) -> Result<Self> {
        let is_there = match database {
            Database::Sqlite(path) => path.exists(),
            Database::Mysql(_) => true,
        };
        if is_there {
            let catalog = Self::open(database, false).await?;
            if catalog.state().await?.is_current() {
                return Ok(catalog);
            }
            catalog.close().await?;
        }
        let (catalog, _turn) = Self::open_to_change(database).await?;
        if catalog.state().await? == State::Foreign {
            return Err(Error::failed(format!(
                "database {} has tables, and none of Glance's",
                catalog.name()
            ))
            .hint("If it is the right one, create them.")
            .hint(Operation::SyncDatabase));
        }
        catalog.sync().await?;
        match database {
            Database::Sqlite(_) => Ok(catalog),
            // The one connection of the turn is not enough for all that comes, and ends the turn.
            Database::Mysql(_) => {
                catalog.close().await?;
                Self::open(database, false).await
            }
        }
    }

    /// Opens a database whose schema is to be made or changed, once it is this process's turn; makes an empty
    /// SQLite file where there is none.
    ///
    /// # Errors
    /// `Unavailable` when another process has the turn for too long.
    pub async fn open_to_change(database: &Database) -> Result<(Self, Turn)> {
        match database {
            Database::Sqlite(path) => {
                let turn = take_turn(path)?;
                let catalog = Self::open(database, true).await?;
                Ok((catalog, Turn(Some(turn))))
            }
            Database::Mysql(server) => {
                let catalog = Self::open_alone(server).await?;
                take_alone(&catalog, server, "schema", SCHEMA_LOCK_TIMEOUT).await?;
                Ok((catalog, Turn(None)))
            }
        }
    }
}

/// The right to make or change a schema, held by one process at a time until this is dropped: the lock of the
/// directory of a SQLite file. That of a server belongs to the one connection of the catalogue.
pub struct Turn(#[expect(dead_code, reason = "holds the lock until it is dropped")] Option<File>);

/// Waits for the turn on the SQLite file at `path`, whose directory MUST exist; makes an empty one, readable
/// by its owner and group, where there is none.
fn take_turn(path: &Path) -> Result<File> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let lock = File::open(directory).map_err(|e| Error::io("open", directory, e))?;
    lock.lock().map_err(|e| Error::io("lock", directory, e))?;
    make_file(path)?;
    Ok(lock)
}

/// Makes an empty database file, readable by its owner and group, where there is none.
pub(in crate::local::catalog) fn make_file(path: &Path) -> Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(path);
    let made = made.map_err(|e| Error::io("create", path, e))?;
    give_to_owner(&made, directory_of(path));
    Ok(())
}
