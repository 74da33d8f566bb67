//! The index of the driver `sqlite`: a database with one table, in the cache's directory.
//!
//! *Source:* `glance/image_cache/drivers/sqlite.py` of the reference implementation.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::data::durable::{give_name_to_owner, give_to_owner};
use crate::local::catalog::database_error;
use crate::model::{CachedImage, Timestamp};
use crate::{Error, Result};

/// The maximum time that a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// The lock file that the reference implementation uses while it creates the database.
const INIT_LOCK: &str = "image_cache_db_init";

/// The table. Times are in seconds since 1970.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS cached_images (
    image_id TEXT PRIMARY KEY,
    last_accessed REAL DEFAULT 0.0,
    last_modified REAL DEFAULT 0.0,
    size INTEGER DEFAULT 0,
    hits INTEGER DEFAULT 0,
    checksum TEXT
)";

/// A change of files that belongs to a change of the index.
pub(super) type Change = Box<dyn FnOnce() -> Result<()> + Send>;

/// The database. It is opened for each operation.
#[derive(Clone, Debug)]
pub(super) struct Database {
    path: PathBuf,
    directory: PathBuf,
}

impl Database {
    pub(super) fn new(path: &Path, directory: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            directory: directory.to_path_buf(),
        }
    }

    /// Creates the database if it is missing, and the table.
    pub(super) fn create_missing(&self) -> Result<()> {
        let path = self.directory.join(INIT_LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.mode(0o640).open(&path);
        let lock = lock.map_err(|e| Error::io("create", &path, e))?;
        give_to_owner(&lock, &self.directory);
        rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|e| Error::io("lock", &path, e.into()))?;
        let connection = self.open(OpenFlags::SQLITE_OPEN_CREATE)?;
        give_name_to_owner(&self.path, &self.directory);
        connection.execute(SCHEMA, ()).map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn open(&self, more: OpenFlags) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        };
        open().map_err(|e| self.failed(e))
    }

    /// Opens the database; None if it does not exist.
    fn existing(&self) -> Result<Option<Connection>> {
        match self.path.try_exists() {
            Ok(true) => self.open(OpenFlags::empty()).map(Some),
            Ok(false) => Ok(None),
            Err(e) => Err(Error::io("access", &self.path, e)),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<CachedImage>> {
        let Some(connection) = self.existing()? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT image_id, last_accessed, last_modified, size, hits FROM cached_images \
             ORDER BY image_id";
        let moment = |seconds: Option<f64>| {
            Timestamp::from_seconds(seconds.unwrap_or_default()).unwrap_or(Timestamp::EPOCH)
        };
        let read = || {
            let mut statement = connection.prepare(sql)?;
            let images = statement.query_map((), |row| {
                Ok(CachedImage {
                    image_id: row.get(0)?,
                    last_accessed: moment(row.get(1)?),
                    last_modified: moment(row.get(2)?),
                    size: row.get::<_, i64>(3)?.try_into().unwrap_or_default(),
                    hits: row.get::<_, i64>(4)?.try_into().unwrap_or_default(),
                })
            })?;
            images.collect()
        };
        match read() {
            // The reference implementation crashed while it created the database.
            Err(e) if e.to_string().contains("no such table") => Ok(Vec::new()),
            other => other.map_err(|e| self.failed(e)),
        }
    }

    pub(super) fn hits(&self, id: &str) -> Result<Option<u64>> {
        let Some(connection) = self.existing()? else {
            return Ok(None);
        };
        let sql = "SELECT hits FROM cached_images WHERE image_id = ?";
        let hits = connection.query_row(sql, [id], |row| row.get::<_, i64>(0));
        let hits = hits.optional().map_err(|e| self.failed(e))?;
        Ok(hits.map(|hits| hits.try_into().unwrap_or_default()))
    }

    pub(super) fn count_hit(&self, id: &str) -> Result<()> {
        let now = Timestamp::now().to_seconds();
        let sql = "UPDATE cached_images SET hits = hits + 1, last_accessed = ? WHERE image_id = ?";
        let connection = self.open(OpenFlags::empty())?;
        let counted = connection.execute(sql, params![now, id]);
        counted.map_err(|e| self.failed(e))?;
        Ok(())
    }

    pub(super) fn record(&self, id: &str, size: u64, publish: Change) -> Result<()> {
        let now = Timestamp::now().to_seconds();
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let sql = "REPLACE INTO cached_images (image_id, last_accessed, last_modified, hits, size) \
             VALUES (?, ?, ?, 0, ?)";
        self.within(publish, |connection| {
            connection.execute(sql, params![id, now, now, size])?;
            Ok(())
        })
    }

    /// Removes these images, or all, from the index.
    pub(super) fn remove(&self, ids: Option<&[String]>, remove: Change) -> Result<()> {
        self.within(remove, |connection| {
            let Some(ids) = ids else {
                connection.execute("DELETE FROM cached_images", ())?;
                return Ok(());
            };
            let mut delete = connection.prepare("DELETE FROM cached_images WHERE image_id = ?")?;
            for id in ids {
                delete.execute([id])?;
            }
            Ok(())
        })
    }

    /// Changes the index and then the files, in one transaction.
    fn within(
        &self,
        files: Change,
        index: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut connection = self.open(OpenFlags::empty())?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| self.failed(e))?;
        index(&transaction).map_err(|e| self.failed(e))?;
        files()?;
        transaction.commit().map_err(|e| self.failed(e))
    }

    fn failed(&self, error: rusqlite::Error) -> Error {
        database_error(error).context(format_args!(
            "database {} of the cache",
            self.path.display()
        ))
    }
}
