//! Which schema a database has, and making it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::connection::Run;
use super::migration::{self, EXPANDED, HEAD};
use super::{Catalog, Dialect, Sql, column};
use crate::{Error, Result};

const SCHEMA: &str = include_str!("schema.sqlite.sql");

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No table at all.
    Empty,
    /// The schema of these revisions, in order. None of them: making the first was begun.
    At(Vec<String>),
    /// Tables, but none that says which revision.
    Uncontrolled,
}

impl State {
    /// Whether this is the schema that this program reads and writes.
    pub fn is_current(&self) -> bool {
        matches!(self, Self::At(heads) if *heads == [HEAD])
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
            .row(Sql::new(match self.dialect() {
                Dialect::Sqlite => "SELECT count(*) FROM sqlite_master WHERE type = 'table'",
                Dialect::Mysql => {
                    "SELECT count(*) FROM information_schema.tables WHERE table_schema = database()"
                }
            }))
            .await?;
        match tables {
            Some(row) if column::<i64>(&row, 0)? == 0 => Ok(State::Empty),
            Some(_) => Ok(State::Uncontrolled),
            None => Err(error),
        }
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
            .hint("Run glance-manage db sync; read before what it does.")),
            State::Uncontrolled => Err(self.uncontrolled()),
            State::Empty | State::At(_) => {
                self.make_schema().await?;
                Ok(true)
            }
        }
    }

    /// What is wrong with a database of unknown tables.
    pub fn uncontrolled(&self) -> Error {
        Error::failed(format!(
            "database {} has tables but no alembic revision",
            self.name()
        ))
        .hint(
            "It may belong to another program. If it is Glance's, of the release Liberty, glance-manage db \
             version_control says so.",
        )
    }

    async fn make_schema(&self) -> Result<()> {
        if self.dialect() == Dialect::Mysql {
            self.upgrade(EXPANDED).await?;
            self.upgrade(HEAD).await?;
            return Ok(());
        }
        // One transaction: either the whole schema is there, or nothing.
        let transaction = self.begin().await?;
        transaction.batch(SCHEMA).await?;
        transaction.commit().await
    }

    /// Opens the SQLite database at `path` at the head revision, making it if there is none.
    ///
    /// Several processes may do so at once: the first one makes it.
    pub async fn open_current(path: &Path) -> Result<Self> {
        if path.exists() {
            let catalog = Self::open_sqlite(path, false).await?;
            if catalog.state().await?.is_current() {
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
        make_file(path)?;
        Ok(Self(lock))
    }
}

/// Makes an empty database file, readable by its owner and group, where there is none.
pub(super) fn make_file(path: &Path) -> Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(path);
    made.map(drop).map_err(|e| Error::io("create", path, e))
}
