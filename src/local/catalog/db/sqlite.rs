//! Connections to an SQLite file.
//!
//! SQLite blocks its thread, so a connection works on the threads that may block, and one call there may execute all the
//! statements of a transaction that only reads. The two switches of threads take about as long as such a transaction,
//! unless it waits for a disk or a lock. As long as reads are quick they therefore stay on the threads that serve requests,
//! do not wait for locks there, and go to the others for a while after one that took long.
//!
//! A connection that is not in use waits in its pool, with the statements that it has prepared and the pages that it has
//! read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::StatVfsMountFlags;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::data::blocking;
use crate::data::durable::directory_of;
use crate::local::catalog::Sql;
use crate::local::catalog::db::columns::{PlainRow, Row};
use crate::local::catalog::db::failure::{failed, is_locked, locked};
use crate::{Error, Result};

/// The maximum time that a statement waits for another process's lock.
pub(in crate::local::catalog) const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// The maximum time that a task waits for a connection, and so for the other writing tasks of its process.
const ACQUIRE_TIMEOUT: Duration = Duration::from_mins(2);

/// The number of 4 KiB pages after which SQLite copies its log into the database: rare, but little for the next
/// process to read.
const LOG_PAGES: &str = "256";

/// The page cache of the connection that reads lists, in KiB as a negative number: all that a page of 1,000 images needs.
const LIST_CACHE: &str = "-32768";

/// The time that the connection that reads lists waits for the next list before it is closed, and its memory released.
const LINGER: Duration = Duration::from_secs(10);

/// The duration from which on a read is slow: it has probably waited for a disk.
const SLOW: Duration = Duration::from_millis(2);

/// The time after a slow read in which reads are made on threads that may block.
const SLOW_PERIOD: Duration = Duration::from_secs(1);

/// The number of prepared statements that a connection keeps.
const STATEMENTS: usize = 64;

/// How the file of a database is opened.
#[derive(Clone, Debug)]
pub(in crate::local::catalog) struct Options {
    path: PathBuf,
    /// Whether a missing file is created.
    creates: bool,
    /// Names and values of settings of the connection, in their order.
    pragmas: Vec<(&'static str, &'static str)>,
}

impl Options {
    /// Returns options that change neither the file nor its journal mode.
    pub(in crate::local::catalog) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            creates: false,
            pragmas: Vec::new(),
        }
    }

    /// Returns the options for a database that may be written to: commits are durable when they return.
    pub(in crate::local::catalog) fn writing(path: &Path, creates: bool) -> Self {
        let options = Self::new(path);
        if is_frozen(path) {
            return options;
        }
        Self { creates, ..options }
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "ON")
            .pragma("wal_autocheckpoint", LOG_PAGES)
    }

    /// Adds a setting, or replaces its value.
    #[must_use]
    pub(in crate::local::catalog) fn pragma(
        mut self,
        name: &'static str,
        value: &'static str,
    ) -> Self {
        self.pragmas.retain(|(set, _)| *set != name);
        self.pragmas.push((name, value));
        self
    }

    /// Opens a connection. This blocks, if another process has locked the file.
    pub(in crate::local::catalog) fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = if is_frozen(&self.path) {
            let url = Url::from_file_path(&self.path);
            let mut url = url.map_err(|()| rusqlite::Error::InvalidPath(self.path.clone()))?;
            url.set_query(Some("immutable=1"));
            Connection::open_with_flags(url.as_str(), flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?
        } else {
            let mut flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE;
            flags.set(OpenFlags::SQLITE_OPEN_CREATE, self.creates);
            Connection::open_with_flags(&self.path, flags)?
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // The files of the log and of its index stay, because without them the database could not be read on a full disk.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        for (name, value) in &self.pragmas {
            connection.pragma_update(None, name, value)?;
        }
        Ok(connection)
    }
}

/// Returns whether a database is on a read-only file system and has no log, so that no process can write to it.
/// SQLite must know this, because it cannot create the index of the log there.
pub(in crate::local::catalog) fn is_frozen(path: &Path) -> bool {
    let flags = rustix::fs::statvfs(directory_of(path)).map(|found| found.f_flag);
    if !flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::RDONLY)) {
        return false;
    }
    std::fs::metadata(log_of(path)).map_or(true, |log| log.len() == 0)
}

/// Returns the path of a database's log.
pub(in crate::local::catalog) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_os_string();
    log.push("-wal");
    log.into()
}

/// Connections to a database, shared by clones. They are opened when they are needed.
#[derive(Clone)]
pub(in crate::local::catalog) struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    /// A place for each connection, in the order of the tasks that wait.
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// The end of the period in which reads are slow, in milliseconds since [`START`].
    slow_until: AtomicU64,
}

/// The beginning of the times in atomic numbers.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_slow(&self) -> bool {
        millis(START.elapsed()) < self.slow_until.load(Ordering::Relaxed)
    }

    /// Notes the duration of a read.
    fn note(&self, duration: Duration) {
        if duration >= SLOW {
            let until = millis(START.elapsed() + SLOW_PERIOD);
            self.slow_until.store(until, Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Connections {
    /// Creates a pool of at most `maximum` connections.
    pub(in crate::local::catalog) fn new(options: Options, maximum: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                places: Arc::new(Semaphore::new(maximum)),
                idle: Mutex::default(),
                slow_until: AtomicU64::new(0),
            }),
        }
    }

    /// Waits for a connection. The task that has waited longest is the next one.
    ///
    /// # Errors
    /// `Unavailable` if none is free for too long; `Internal` after [`Connections::close`].
    pub(in crate::local::catalog) async fn lease(&self) -> Result<Lease> {
        let place = Arc::clone(&self.shared.places).acquire_owned();
        let place = tokio::time::timeout(ACQUIRE_TIMEOUT, place).await;
        // The connections that write wait for other processes.
        let place = place.map_err(|elapsed| locked().because(elapsed))?;
        let place =
            place.map_err(|closed| Error::internal("the database is closed").because(closed))?;
        Ok(Lease(Some(Held {
            connection: self.shared.idle().pop(),
            here_since: None,
            shared: Arc::clone(&self.shared),
            _place: place,
        })))
    }

    /// Runs `work` with a connection on a thread that may block.
    pub(in crate::local::catalog) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.lease().await?.run(work).await
    }

    /// Runs `work`, which only reads, with a connection: on this thread as long as reads are quick.
    pub(in crate::local::catalog) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut lease = self.lease().await?;
        if lease.stay_here() {
            match lease.run_here(&work) {
                Err(error) if is_locked(&error) => {}
                read => return read,
            }
            // It is returned first: it may be the only one.
            drop(lease);
            lease = self.lease().await?;
        }
        lease.run(work).await
    }

    /// Closes the connections: at once, or when their leases end. The last one of all processes copies the log into the
    /// database, and removes it.
    pub(in crate::local::catalog) async fn close(&self) {
        self.shared.places.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        let close = move || {
            idle.into_iter().for_each(close);
            Ok(())
        };
        let _ = blocking(close).await;
    }
}

/// Closes a connection on purpose: the last one of all processes copies the log into the database, and removes it.
fn close(connection: Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
    drop(connection);
}

/// A connection in use.
struct Held {
    /// None before its first use, and if it could not be opened.
    connection: Option<Connection>,
    /// The beginning of a read on the thread of its task.
    here_since: Option<Instant>,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Held {
    fn connection(&mut self) -> rusqlite::Result<&mut Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(self.shared.options.open()?)),
        }
    }
}

impl Drop for Held {
    /// Returns the connection to its pool. A transaction that was not committed is rolled back.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if let Some(since) = self.here_since {
            self.shared.note(since.elapsed());
            let _ = connection.busy_timeout(BUSY_TIMEOUT);
        }
        let is_usable = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        if self.shared.places.is_closed() {
            close(connection);
        } else if is_usable {
            self.shared.idle().push(connection);
        }
    }
}

/// A connection for one task. While it works, it is with its thread, and stays there if the task is dropped.
pub(in crate::local::catalog) struct Lease(Option<Held>);

impl Lease {
    /// Runs `work` with the connection on a thread that may block.
    pub(in crate::local::catalog) async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut held = self.0.take().ok_or_else(lost)?;
        let run = move || {
            let value = held.connection().and_then(|connection| work(connection));
            Ok((held, value))
        };
        let (held, value) = blocking(run).await?;
        self.0 = Some(held);
        value.map_err(failed)
    }

    /// Returns whether the connection should be used on the thread of its task, where it does not wait for locks: it is
    /// open, and reads are quick.
    pub(in crate::local::catalog) fn stay_here(&mut self) -> bool {
        let Some(Held {
            connection: Some(connection),
            here_since,
            shared,
            ..
        }) = &mut self.0
        else {
            return false;
        };
        if shared.is_slow() || connection.busy_timeout(Duration::ZERO).is_err() {
            return false;
        }
        *here_since = Some(Instant::now());
        true
    }

    /// Runs `work` with the connection on this thread.
    pub(in crate::local::catalog) fn run_here<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let held = self.0.as_mut().ok_or_else(lost)?;
        let value = held.connection().and_then(|connection| work(connection));
        value.map_err(failed)
    }
}

/// Returns the error of a connection whose use was given up.
fn lost() -> Error {
    Error::internal("a connection to the database is used after its use was given up")
}

/// The connection that has read the last list, with the pages that it has read.
pub(in crate::local::catalog) struct Lingering {
    options: Options,
    /// None while it is in use, or closed.
    connection: Mutex<Option<Connection>>,
    /// Notified when the connection is taken.
    taken: Condvar,
}

impl Lingering {
    /// Creates a place for the connection to the database at `path`.
    pub(in crate::local::catalog) fn new(path: &Path) -> Self {
        Self {
            options: Options::new(path).pragma("cache_size", LIST_CACHE),
            connection: Mutex::default(),
            taken: Condvar::new(),
        }
    }

    /// Returns the path of the database.
    pub(in crate::local::catalog) fn path(&self) -> &Path {
        &self.options.path
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        let connection = self.connection.lock();
        connection.unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection, or opens another one.
    pub(in crate::local::catalog) fn take(&self) -> Result<Connection> {
        let taken = self.close();
        taken.map_or_else(|| self.options.open().map_err(failed), Ok)
    }

    /// Takes the connection, if there is one.
    pub(in crate::local::catalog) fn close(&self) -> Option<Connection> {
        let connection = self.lock().take();
        self.taken.notify_all();
        connection
    }

    /// Returns whether there is one.
    #[cfg(test)]
    pub(in crate::local::catalog) fn is_waiting(&self) -> bool {
        self.lock().is_some()
    }

    /// Keeps a connection for the next list. Blocks this thread until it is taken; closes it after a while, and returns
    /// its memory to the system.
    pub(in crate::local::catalog) fn keep(&self, connection: Connection) {
        let mut place = self.lock();
        if place.is_some() {
            return;
        }
        *place = Some(connection);
        let end = Instant::now() + LINGER;
        while let Some(left) = end.checked_duration_since(Instant::now())
            && place.is_some()
        {
            let waited = self.taken.wait_timeout(place, left);
            place = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let closed = place.take();
        drop(place);
        if closed.is_some() {
            drop(closed);
            heap::return_free_memory();
        }
    }
}

/// Returns all rows of a query.
pub(in crate::local::catalog) fn rows(
    connection: &Connection,
    sql: &Sql,
) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&sql.text)?;
    let names: Arc<[String]> = statement
        .column_names()
        .into_iter()
        .map(str::to_string)
        .collect();
    let mut rows = statement.query(sql.params())?;
    let mut collected = Vec::new();
    while let Some(row) = rows.next()? {
        collected.push(Row::Sqlite(PlainRow::read(row, &names)?));
    }
    Ok(collected)
}

/// Runs a statement, and returns the number of changed rows.
pub(in crate::local::catalog) fn execute(
    connection: &Connection,
    sql: &Sql,
) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(&sql.text)?;
    let before = connection.total_changes();
    let mut rows = statement.query(sql.params())?;
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(if connection.total_changes() == before {
        0
    } else {
        connection.changes()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A database with a number, in a directory of its own.
    fn database() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers.db");
        let connection = Options::writing(&path, true).open().unwrap();
        let sql = "CREATE TABLE numbers (number INTEGER); INSERT INTO numbers VALUES (1)";
        connection.execute_batch(sql).unwrap();
        (directory, path)
    }

    fn number(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT number FROM numbers", (), |row| row.get(0))
    }

    #[tokio::test]
    async fn a_quick_read_stays_on_its_thread_and_a_slow_one_sends_others_away() {
        let (_directory, path) = database();
        let connections = Connections::new(Options::new(&path), 1);
        let here = std::thread::current().id();
        let thread = || connections.read(|_| Ok(std::thread::current().id()));
        // The file is opened by the first one.
        assert_ne!(thread().await.unwrap(), here);
        assert_eq!(thread().await.unwrap(), here);
        connections.shared.note(SLOW);
        assert_ne!(thread().await.unwrap(), here);
        connections.shared.slow_until.store(0, Ordering::Relaxed);
        assert_eq!(thread().await.unwrap(), here);
    }

    #[tokio::test]
    async fn a_read_waits_for_a_lock_without_blocking_other_tasks() {
        let (_directory, path) = database();
        // Without a log, reads wait for the end of changes.
        let plain = Options::new(&path).pragma("journal_mode", "DELETE");
        drop(plain.open().unwrap());
        let connections = Connections::new(Options::new(&path), 1);
        assert_eq!(connections.read(number).await.unwrap(), 1);
        let (unlock, wait) = mpsc::channel::<()>();
        let (locked, is_locked) = tokio::sync::oneshot::channel();
        let other = std::thread::spawn(move || {
            let other = Options::new(&path).open().unwrap();
            let lock = "BEGIN EXCLUSIVE; UPDATE numbers SET number = 2";
            other.execute_batch(lock).unwrap();
            locked.send(()).unwrap();
            wait.recv().unwrap();
            other.execute_batch("COMMIT").unwrap();
        });
        is_locked.await.unwrap();
        let unlocks = async move {
            tokio::task::yield_now().await;
            unlock.send(()).unwrap();
        };
        let (read, ()) = tokio::join!(connections.read(number), unlocks);
        assert_eq!(read.unwrap(), 2);
        other.join().unwrap();
    }

    #[tokio::test]
    async fn a_connection_comes_back_from_its_thread_when_its_task_is_dropped() {
        let (_directory, path) = database();
        let connections = Connections::new(Options::writing(&path, false), 1);
        let (end, wait) = mpsc::channel::<()>();
        let (begun, is_begun) = tokio::sync::oneshot::channel();
        let mut lease = connections.lease().await.unwrap();
        let work = move |connection: &Connection| {
            connection.execute_batch("BEGIN; UPDATE numbers SET number = 2")?;
            begun.send(()).unwrap();
            let _ = wait.recv();
            Ok(())
        };
        let task = tokio::spawn(async move { lease.run(work).await });
        is_begun.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        let mut next = std::pin::pin!(connections.run(|connection| {
            assert!(connection.is_autocommit());
            number(connection)
        }));
        assert!(futures_util::poll!(&mut next).is_pending());
        end.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_log_stays_until_the_last_connection_is_closed_on_purpose() {
        let (_directory, path) = database();
        let log = log_of(&path);
        let connections = Connections::new(Options::writing(&path, false), 2);
        let add =
            |connection: &Connection| connection.execute("INSERT INTO numbers VALUES (3)", ());
        assert_eq!(connections.run(add).await.unwrap(), 1);
        drop(connections);
        assert!(log.exists());
        // A lease may end after that.
        let connections = Connections::new(Options::writing(&path, false), 2);
        let mut lease = connections.lease().await.unwrap();
        assert_eq!(lease.run(add).await.unwrap(), 1);
        connections.close().await;
        assert!(log.exists());
        drop(lease);
        assert!(!log.exists());
        let connections = Connections::new(Options::writing(&path, false), 2);
        connections.read(number).await.unwrap();
        connections.close().await;
        assert!(!log.exists());
        assert!(connections.read(number).await.is_err());
    }
}
