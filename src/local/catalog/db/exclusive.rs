//! Work on a database that one process does at a time.
//!
//! The schema is not ours to extend, so no row stands for the work: on SQLite it is a lock of the system on
//! a file beside the database, on MySQL a named lock of the server. Both are dropped when their owner dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{Connection, Executor};

use crate::config::{Database, MysqlServer};
use crate::data::durable::give_to_owner;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::failure::failed;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql};
use crate::{Error, ErrorKind, Result};

/// The pause between two attempts to lock a file.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The largest number of characters of the name of a server's lock.
const MAX_NAME_LENGTH: usize = 64;

/// For as long as this is kept, no other process is at the same work on the database.
pub struct Held(Lock);

enum Lock {
    File(#[expect(dead_code, reason = "holds the lock until it is dropped")] File),
    /// A connection of its own, whose end is the end of the lock.
    Server(Box<MySqlConnection>),
}

impl Held {
    /// Whether the lock is still ours: that of a server goes with the connection to it. Work of hours asks
    /// before each of its steps.
    pub async fn is_held(&mut self) -> bool {
        match &mut self.0 {
            Lock::File(_) => true,
            Lock::Server(connection) => connection.ping().await.is_ok(),
        }
    }
}

impl Catalog {
    /// Waits for `timeout` until no other process is at `purpose` (a word, such as `scrub`) on this
    /// database; none where one is by then.
    ///
    /// On a Galera cluster this is among those that ask the same server.
    ///
    /// # Errors
    /// `Io` for the file of the lock; those of the server.
    pub async fn exclusive(&self, purpose: &str, timeout: Duration) -> Result<Option<Held>> {
        let lock = match self.database() {
            Database::Sqlite(path) => lock_file(path, purpose, timeout).await?,
            Database::Mysql(server) => {
                lock_server(self.server_pool()?, server, purpose, timeout).await?
            }
        };
        Ok(lock.map(Held))
    }
}

/// Takes the lock of a server on the one connection of `alone`, where the work is done as well. The server drops
/// the lock of a dead process only after that process's last statement has ended, so what is read under the lock
/// cannot be changed by it any more.
///
/// # Errors
/// `Unavailable` when another process keeps it for too long.
pub(in crate::local::catalog) async fn take_alone(
    alone: &Catalog,
    server: &MysqlServer,
    purpose: &str,
    timeout: Duration,
) -> Result<()> {
    let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
    let sql = Sql::default().with(
        "SELECT CAST(GET_LOCK(?, ?) AS SIGNED) AS locked",
        [name(server, purpose).into(), seconds.into()],
    );
    let got = match alone.row(sql).await? {
        Some(row) => row.integer("locked")?,
        None => None,
    };
    if got == Some(1) {
        return Ok(());
    }
    let error = in_use(alone, "changes the schema of");
    let sql = Sql::default().with(
        "SELECT CAST(IS_USED_LOCK(?) AS SIGNED) AS connection_id",
        [name(server, purpose).into()],
    );
    let holder = match alone.row(sql).await? {
        Some(row) => row.integer("connection_id")?,
        None => None,
    };
    Err(match holder {
        Some(id) => error.hint(format!(
            "Wait for its end, then try again. It is connection {id} of the server; if its process is dead, \
             KILL {id} ends it."
        )),
        None => error,
    })
}

/// The error of who has waited for the end of `doing` (such as "migrates") long enough.
pub fn in_use(catalog: &Catalog, doing: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("another process {doing} database {}", catalog.name()),
    )
    .hint("Wait for its end, then try again.")
}

/// `.glance.db.PURPOSE.lock`
fn beside(database: &Path, purpose: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(database.file_name().unwrap_or_default());
    name.push(format!(".{purpose}.lock"));
    database.with_file_name(name)
}

async fn lock_file(database: &Path, purpose: &str, timeout: Duration) -> Result<Option<Lock>> {
    let path = &beside(database, purpose);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o640);
    let file = options
        .open(path)
        .map_err(|e| Error::io("create", path, e))?;
    give_to_owner(&file, database);
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lock::File(file))),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", path, e)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= timeout => return Ok(None),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

async fn lock_server(
    pool: &MySqlPool,
    server: &MysqlServer,
    purpose: &str,
    timeout: Duration,
) -> Result<Option<Lock>> {
    let name = name(server, purpose);
    let mut connection = pool.acquire().await.map_err(failed)?.detach();
    // The lock shall not go because nothing was said for hours.
    connection
        .execute("SET SESSION wait_timeout = 31536000")
        .await
        .map_err(failed)?;
    let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
    let got: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(?, ?)")
        .bind(name)
        .bind(seconds)
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    Ok((got == Some(1)).then(|| Lock::Server(Box::new(connection))))
}

/// What the lock of a server is called. Names are the server's, not the database's. Of databases with names
/// that are too long, those that begin alike wait for one another.
fn name(server: &MysqlServer, purpose: &str) -> String {
    let name = format!("glance/{purpose}/{}", server.database);
    name.chars().take(MAX_NAME_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_held_by_one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(directory.path().join("glance.db"));
        let first = Catalog::open_current(&database).await.unwrap();
        let second = Catalog::open(&database, false).await.unwrap();
        let take = async |catalog: &Catalog, purpose| {
            let taken = catalog.exclusive(purpose, Duration::ZERO).await;
            taken.unwrap()
        };
        let mut turn = take(&first, "scrub").await.unwrap();
        assert!(turn.is_held().await);
        assert!(take(&second, "scrub").await.is_none());
        assert!(take(&second, "purge").await.is_some());
        drop(turn);
        assert!(take(&second, "scrub").await.is_some());
        let why = in_use(&first, "scrubs");
        assert!(why.message().ends_with("glance.db"), "{why}");
    }
}
