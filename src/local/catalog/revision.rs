//! Which schema a database has, and making it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::connection::Run;
use super::{Catalog, Sql, column};
use crate::{Error, Result};

/// The revision this program reads and writes: today's head of the reference implementation.
pub const HEAD: &str = "2024_1_contract01";

const REVISION: &str = "SELECT version_num FROM alembic_version";

const SCHEMA: &str = include_str!("schema.sqlite.sql");

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
        match self.row(Sql::new(REVISION)).await {
            Ok(Some(row)) => Ok(State::At(column(&row, 0)?)),
            Ok(None) => Ok(State::Uncontrolled),
            Err(error) => {
                let tables = self
                    .row(Sql::new(
                        "SELECT count(*) FROM sqlite_master WHERE type = 'table'",
                    ))
                    .await?;
                let Some(tables) = tables else {
                    return Err(error);
                };
                let known = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'";
                let versioned: i64 = match self.row(Sql::new(known)).await? {
                    Some(row) => column(&row, 0)?,
                    None => 0,
                };
                match (column::<i64>(&tables, 0)?, versioned) {
                    (0, _) => Ok(State::Empty),
                    (_, 0) => Ok(State::Uncontrolled),
                    // Another process made it meanwhile.
                    _ => match self.row(Sql::new(REVISION)).await? {
                        Some(row) => Ok(State::At(column(&row, 0)?)),
                        None => Err(error),
                    },
                }
            }
        }
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
                self.path().display()
            ))
            .hint("Bring it there with the glance-manage of the release that wrote it.")),
            State::Uncontrolled => Err(Error::failed(format!(
                "database {} has tables but no alembic revision",
                self.path().display()
            ))
            .hint("It may belong to another program; name another one.")),
            State::Empty => {
                // One transaction: either the whole schema is there, or nothing.
                let transaction = self.begin().await?;
                transaction.batch(SCHEMA).await?;
                transaction.commit().await?;
                Ok(true)
            }
        }
    }

    /// Opens the SQLite database at `path` at the head revision, making it if there is none.
    ///
    /// Several processes may do so at once: the first one makes it.
    pub async fn open_current(path: &Path) -> Result<Self> {
        if path.exists() {
            let catalog = Self::open_sqlite(path, false).await?;
            if catalog.state().await? == State::At(HEAD.to_string()) {
                return Ok(catalog);
            }
            catalog.close().await?;
        }
        let _turn = Turn::take(path)?;
        let catalog = Self::open_sqlite(path, true).await?;
        catalog.sync().await?;
        Ok(catalog)
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
