//! Which schema a database has, and making it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use std::time::Duration;

use super::connection::Run;
use super::exclusive::in_use;
use super::{Catalog, Dialect, Sql, column};
use crate::config::Database;
use crate::{Error, Result};

/// The revision this program reads and writes: today's head of the reference implementation.
pub const HEAD: &str = "2024_1_contract01";

const REVISION: &str = "SELECT version_num FROM alembic_version";

/// Names of tables.
const TABLES_SQLITE: &str = "SELECT name FROM sqlite_master WHERE type = 'table'";
const TABLES_MYSQL: &str =
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()";

const SCHEMA_SQLITE: &str = include_str!("schema.sqlite.sql");
const SCHEMA_MYSQL: &str = include_str!("schema.mysql.sql");

/// What of a database processes change in turn, and how long they wait for it.
const SCHEMA: (&str, Duration) = ("schema", Duration::from_mins(1));

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No table at all.
    Empty,
    /// The schema of a revision.
    At(String),
    /// Tables, but none that says which revision.
    Uncontrolled,
}

impl Catalog {
    /// Which revision the database is at.
    pub async fn state(&self) -> Result<State> {
        let read = match self.row(Sql::new(REVISION)).await {
            Ok(read) => read,
            Err(error) => {
                let tables = self.tables().await?;
                if tables.is_empty() {
                    return Ok(State::Empty);
                }
                if !tables.iter().any(|table| table == "alembic_version") {
                    return Ok(State::Uncontrolled);
                }
                // Another process made it meanwhile.
                self.row(Sql::new(REVISION)).await.map_err(|_| error)?
            }
        };
        Ok(match read {
            Some(row) => State::At(column(&row, 0)?),
            None => State::Uncontrolled,
        })
    }

    /// The names of the tables.
    async fn tables(&self) -> Result<Vec<String>> {
        let names = match self.dialect() {
            Dialect::Sqlite => TABLES_SQLITE,
            Dialect::Mysql => TABLES_MYSQL,
        };
        let rows = self.rows(Sql::new(names)).await?;
        rows.iter().map(|row| column(row, 0)).collect()
    }

    /// Makes the schema in an empty database; leaves one that is up to date as it is.
    /// Whether anything was made.
    ///
    /// # Errors
    /// `Failed` for a database of another revision.
    pub async fn sync(&self) -> Result<bool> {
        match self.state().await? {
            State::At(revision) if revision == HEAD => Ok(false),
            State::At(revision) => Err(Error::failed(format!(
                "database {} is at revision {revision}; this program knows {HEAD}",
                self.name()
            ))
            .hint("Bring it there with the glance-manage of the release that wrote it.")),
            State::Uncontrolled if !self.is_begun().await? => Err(Error::failed(format!(
                "database {} has tables but no alembic revision",
                self.name()
            ))
            .hint("It may belong to another program; name another one.")),
            State::Empty | State::Uncontrolled => {
                self.make().await?;
                Ok(true)
            }
        }
    }

    /// Whether a process died while it made the schema: the revision, whose table is the first, is written
    /// last. SQLite makes all or nothing.
    async fn is_begun(&self) -> Result<bool> {
        let tables = self.tables().await?;
        let versioned = tables.iter().any(|table| table == "alembic_version");
        Ok(self.dialect() == Dialect::Mysql && versioned)
    }

    async fn make(&self) -> Result<()> {
        match self.dialect() {
            Dialect::Sqlite => {
                let transaction = self.begin().await?;
                transaction.batch(SCHEMA_SQLITE).await?;
                transaction.commit().await
            }
            Dialect::Mysql => self.batch(SCHEMA_MYSQL).await,
        }
    }

    /// Opens a database at the head revision, making its schema, and a SQLite file, if there is none.
    ///
    /// Several processes may do so at once: the first one makes it.
    pub async fn open_current(database: &Database) -> Result<Self> {
        let head = State::At(HEAD.to_string());
        match database {
            Database::Sqlite(path) => {
                if path.exists() {
                    let catalog = Self::open(database, false).await?;
                    if catalog.state().await? == head {
                        return Ok(catalog);
                    }
                    catalog.close().await?;
                }
                let _turn = Turn::take(path)?;
                let catalog = Self::open(database, true).await?;
                catalog.sync().await?;
                Ok(catalog)
            }
            Database::Mysql(_) => {
                let catalog = Self::open(database, false).await?;
                if catalog.state().await? != head {
                    let (purpose, patience) = SCHEMA;
                    let turn = catalog.exclusive(purpose, patience).await?;
                    let _turn = turn.ok_or_else(|| in_use(&catalog, "changes the schema of"))?;
                    catalog.sync().await?;
                }
                Ok(catalog)
            }
        }
    }
}

/// The right to make or change a database file, held by one process at a time.
pub struct Turn(#[expect(dead_code, reason = "holds the lock until it is dropped")] File);

impl Turn {
    /// Waits for the turn on the database at `path`, whose directory MUST exist. Makes an empty file,
    /// readable by its owner and group, where there is none.
    pub fn take(path: &Path) -> Result<Self> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let lock = File::open(directory).map_err(|e| Error::io("open", directory, e))?;
        lock.lock().map_err(|e| Error::io("lock", directory, e))?;
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(path);
        made.map_err(|e| Error::io("create", path, e))?;
        Ok(Self(lock))
    }
}
