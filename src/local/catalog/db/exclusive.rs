//! Locks for work that one process at a time may do on a database.
//!
//! The schema cannot be extended for a lock row. On SQLite the lock is a file lock next to the database, on MySQL a
//! named lock of the server. Both are released when their owner exits.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Database, MysqlServer};
use crate::data::durable::give_to_owner;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::failure::failed;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql};
use crate::{Error, ErrorKind, Result};

/// The interval between two attempts to lock a file.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a server keeps an idle connection with a lock. Long work does not use it for a while.
const IDLE_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// How long a server keeps the connection of a lease that is not renewed, because its host has failed.
const LEASE_TIMEOUT: Duration = Duration::from_mins(1);

/// The interval between two renewals of a lease.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(15);

/// How long a lease is waited for: until the server has noticed that its owner has exited.
const LEASE_WAIT: Duration = Duration::from_secs(1);

/// The maximum number of characters in the name of a server's lock.
const MAX_NAME_LENGTH: usize = 64;

/// An exclusive lock for work on the database, until it is dropped.
pub struct Held(Lock);

enum Lock {
    File(#[expect(dead_code, reason = "holds the lock until it is dropped")] File),
    /// A separate connection; the lock ends with it.
    Server(Box<MySqlConnection>),
}

impl Held {
    /// Returns whether the lock is still held: a server's lock is lost with its connection. Long work MUST check
    /// this before each step.
    pub async fn is_held(&mut self) -> bool {
        match &mut self.0 {
            Lock::File(_) => true,
            Lock::Server(connection) => connection.ping().await.is_ok(),
        }
    }
}

/// A lock that only concerns other hosts, until it is dropped. It ends with the process, or a minute after its host has
/// failed.
pub struct Lease(
    #[expect(dead_code, reason = "renews it until it is dropped")] Option<AbortOnDropHandle<()>>,
);

impl Catalog {
    /// Takes the lease for `purpose` on this database; None if another process has it. Waits only a short time.
    ///
    /// An SQLite database has one host, whose journal knows all processes. There, no lease is refused.
    ///
    /// # Errors
    /// Errors of the server.
    pub async fn lease(&self, purpose: &str) -> Result<Option<Lease>> {
        let Database::Mysql(server) = self.database() else {
            return Ok(Some(Lease(None)));
        };
        let pool = self.server_pool()?;
        let lock = || lock_server(pool, server, purpose, LEASE_WAIT, LEASE_TIMEOUT);
        let Some(mut connection) = self.retry(lock).await? else {
            return Ok(None);
        };
        let renewal = tokio::spawn(async move {
            while connection.ping().await.is_ok() {
                tokio::time::sleep(RENEWAL_INTERVAL).await;
            }
        });
        Ok(Some(Lease(Some(AbortOnDropHandle::new(renewal)))))
    }

    /// Waits up to `timeout` for the lock for `purpose` (a word such as `scrub`) on this database; None if another
    /// process holds it.
    ///
    /// On a Galera cluster, the lock is exclusive only among clients of the same server.
    ///
    /// # Errors
    /// `Io` for the lock file; errors of the server.
    pub async fn exclusive(&self, purpose: &str, timeout: Duration) -> Result<Option<Held>> {
        let lock = match self.database() {
            Database::Sqlite(path) => lock_file(path, purpose, timeout).await?,
            Database::Mysql(server) => {
                let pool = self.server_pool()?;
                // A connection that breaks takes its lock with it, so that another attempt is safe.
                self.retry(|| lock_server(pool, server, purpose, timeout, IDLE_TIMEOUT))
                    .await?
                    .map(Lock::Server)
            }
        };
        Ok(lock.map(Held))
    }
}

/// Takes a server's lock on the single connection of `alone`, on which the work is done too. The server releases
/// the lock of a crashed process only after that process's last statement has ended, so that it cannot change what
/// is read under the lock.
///
/// # Errors
/// `Unavailable` if another process holds the lock for too long.
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
            "Wait for it to finish, then try again. It is connection {id} of the server; if its process has crashed, \
             KILL {id} ends it."
        )),
        None => error,
    })
}

/// Returns the error after the time limit for another process that does `doing` (such as "migrates").
pub fn in_use(catalog: &Catalog, doing: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("another process {doing} database {}", catalog.name()),
    )
    .hint("Wait for it to finish, then try again.")
}

/// Returns the path of a lock file, `.glance.db.PURPOSE.lock`.
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
    idle: Duration,
) -> Result<Option<Box<MySqlConnection>>> {
    let name = name(server, purpose);
    let mut connection = pool.acquire().await.map_err(failed)?.detach();
    let set = format!("SET SESSION wait_timeout = {}", idle.as_secs());
    connection
        .execute(AssertSqlSafe(set))
        .await
        .map_err(failed)?;
    let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
    let got: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(?, ?)")
        .bind(name)
        .bind(seconds)
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    Ok((got == Some(1)).then(|| Box::new(connection)))
}

/// Returns the name of a server's lock. Names belong to the server, not to a database. Long names are truncated, so
/// databases with the same prefix may share a lock.
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
