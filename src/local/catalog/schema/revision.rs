//! The revision of a database's schema, and the creation of the schema.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::config::Database;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::exclusive::take_alone;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::schema::file::make_file;
use crate::local::catalog::schema::migration::{self, EXPANDED, HEAD, check_revisions};
use crate::local::catalog::{Catalog, Dialect, Sql};
use crate::{Error, Operation, Result};

const SCHEMA_SQLITE: &str = include_str!("sqlite.sql");
const SCHEMA_MYSQL: &str = include_str!("mysql.sql");

/// The maximum time that a process waits for another one that changes the schema.
const SCHEMA_LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// The state of a database's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No tables.
    Empty,
    /// Tables, none of which has a name of Glance's.
    Foreign,
    /// The schema with these revisions, in order. Without any, the creation of the first was interrupted.
    At(Vec<String>),
    /// The schema with this version of the migrations before alembic, of 2016 and earlier.
    Legacy(i64),
    /// Tables with Glance's names, but without a revision.
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

/// The revisions with the same schemas as the last versions before alembic.
///
/// *Source:* `glance/db/sqlalchemy/alembic_migrations/__init__.py` of the releases Ocata to Queens.
const LEGACY: [(i64, &str); 4] = [
    (42, "liberty"),
    (43, "mitaka01"),
    (44, "mitaka02"),
    (45, "ocata_contract01"),
];

impl State {
    /// Returns whether this is the schema that this program reads and writes.
    pub fn is_current(&self) -> bool {
        self.includes(HEAD)
    }

    /// Returns whether current services can work on it; older ones may still work on it too.
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
    /// Returns the state of the database.
    pub async fn state(&self) -> Result<State> {
        let noted = migration::heads(self).await;
        let Err(error) = noted else {
            return noted.map(State::At);
        };
        // Finds out which table is missing; another process may have created it in the meantime.
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

    /// Returns the version that the migrations before alembic recorded for Glance's tables.
    async fn legacy_version(&self) -> Result<Option<i64>> {
        let sql = Sql::new(
            "SELECT version FROM migrate_version WHERE repository_id = 'Glance Migrations'",
        );
        let row = self.row(sql).await?;
        row.map(|row| row.some_integer("version")).transpose()
    }

    /// Records the revision that corresponds to a version before alembic, and returns it. The caller MUST hold the
    /// schema lock.
    ///
    /// # Errors
    /// `Failed` for a version that is too old, or unknown.
    pub async fn adopt(&self, version: i64) -> Result<&'static str> {
        let revision = self.revision_of(version)?;
        self.stamp(revision).await?;
        Ok(revision)
    }

    /// Returns the revision that corresponds to a version before alembic.
    ///
    /// # Errors
    /// `Failed` for a version that is too old, or unknown.
    pub fn revision_of(&self, version: i64) -> Result<&'static str> {
        let known = LEGACY.iter().find(|(known, _)| *known == version);
        if let Some((_, revision)) = known {
            return Ok(revision);
        }
        let (oldest, _) = LEGACY[0];
        let error = Error::failed(format!(
            "database {} is at version {version} of the migrations before alembic, which cannot be upgraded",
            self.name()
        ));
        Err(if version < oldest {
            error.hint(
                "Upgrade it with the programs of each release up to Liberty first, then run this again.",
            )
        } else {
            error.hint("No release of Glance has this version.")
        })
    }

    /// Creates the schema in an empty database, and returns whether anything was created. A current schema is left
    /// as it is. The caller MUST hold the schema lock.
    ///
    /// # Errors
    /// `Failed` for a database at another revision.
    pub async fn sync(&self) -> Result<bool> {
        match self.state().await? {
            state if state.is_current() => Ok(false),
            State::At(heads) if !heads.is_empty() => Err(Error::failed(format!(
                "database {} is at revision {}; this program requires {HEAD}",
                self.name(),
                heads.join(", ")
            ))
            .hint(Operation::SyncDatabase)),
            State::Uncontrolled => Err(self.uncontrolled()),
            State::Legacy(version) => {
                self.revision_of(version)?;
                Err(Error::failed(format!(
                    "database {} is of a release before Ocata; this program requires {HEAD}",
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
                    // On SQLite the schema of the head is created in one transaction.
                    Dialect::Sqlite if is_head => return Err(self.uncontrolled()),
                    Dialect::Mysql if is_head => self.make_schema().await?,
                    // A process crashed during the first revision.
                    Dialect::Sqlite | Dialect::Mysql => {
                        self.upgrade(HEAD).await?;
                    }
                }
                Ok(true)
            }
        }
    }

    /// Returns the error for a database with unknown tables.
    pub fn uncontrolled(&self) -> Error {
        Error::failed(format!(
            "database {} has Glance's tables, but no recorded revision",
            self.name()
        ))
        .hint("Compare the tables with the schema of the release that created them.")
        .hint(Operation::RecordRevision)
    }

    async fn make_schema(&self) -> Result<()> {
        match self.dialect() {
            // The schema is created in one transaction.
            Dialect::Sqlite => {
                self.write(async |transaction| transaction.batch(SCHEMA_SQLITE).await)
                    .await
            }
            // Each table is created by one statement, and the revision is recorded last.
            Dialect::Mysql => self.batch(SCHEMA_MYSQL).await,
        }
    }

    /// Opens a database at the head revision. Creates its schema, and an SQLite file, if they are missing.
    ///
    /// Several processes may do so at once: the first one creates them.
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
        let (catalog, _lock) = Self::open_with_schema_lock(database).await?;
        if catalog.state().await? == State::Foreign {
            return Err(Error::failed(format!(
                "database {} has tables, but none of Glance's",
                catalog.name()
            ))
            .hint("If it is the right database, create them.")
            .hint(Operation::SyncDatabase));
        }
        catalog.sync().await?;
        match database {
            Database::Sqlite(_) => Ok(catalog),
            // The lock belongs to the single connection, which is replaced by a pool.
            Database::Mysql(_) => {
                catalog.close().await?;
                Self::open(database, false).await
            }
        }
    }

    /// Opens a database for changes of its schema, after taking the schema lock. Creates an empty SQLite file if it
    /// is missing.
    ///
    /// # Errors
    /// `Unavailable` if another process holds the lock for too long.
    pub async fn open_with_schema_lock(database: &Database) -> Result<(Self, SchemaLock)> {
        match database {
            Database::Sqlite(path) => {
                let lock = lock_schema(path)?;
                let catalog = Self::open(database, true).await?;
                Ok((catalog, SchemaLock(Some(lock))))
            }
            Database::Mysql(server) => {
                let catalog = Self::open_alone(server).await?;
                take_alone(&catalog, server, "schema", SCHEMA_LOCK_TIMEOUT).await?;
                Ok((catalog, SchemaLock(None)))
            }
        }
    }
}

/// The lock that protects a schema from changes by other processes, until it is dropped: the lock of an SQLite
/// file's directory. On a server, the lock belongs to the single connection of the catalogue.
pub struct SchemaLock(
    #[expect(dead_code, reason = "holds the lock until it is dropped")] Option<File>,
);

/// Waits for the lock of the SQLite file at `path`, whose directory MUST exist. Creates an empty file, readable by
/// its owner and group, if it is missing.
fn lock_schema(path: &Path) -> Result<File> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let lock = File::open(directory).map_err(|e| Error::io("open", directory, e))?;
    lock.lock().map_err(|e| Error::io("lock", directory, e))?;
    make_file(path)?;
    Ok(lock)
}
