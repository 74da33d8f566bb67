//! The connections of a catalogue.
//!
//! On SQLite one task of the process writes at a time, in the order of asking: there is one connection for all that is
//! written, apart from those that read. Tasks of one process therefore do not poll for a lock that they hold
//! themselves, and reading waits for none of them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use rustix::fs::StatVfsMountFlags;
use sqlx::mysql::MySqlPool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySql, Sqlite};
use tokio::task::JoinHandle;

use crate::config::{Database, MysqlServer};
use crate::data::durable::directory_of;
use crate::local::catalog::Sql;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::failure::{Transient, failed, locked, transient};
use crate::local::catalog::db::mysql;
use crate::local::catalog::db::mysql::Connections;
use crate::local::catalog::db::plans;
use crate::local::catalog::db::transaction::{Inner, Run, Transaction, mysql_rows, sqlite_rows};
use crate::model::Timestamp;
use crate::{Error, Result};

/// How long a statement waits for the lock of another process.
pub(in crate::local::catalog) const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a task waits for a connection, and for the tasks of its process that write to an SQLite database.
const ACQUIRE_TIMEOUT: Duration = Duration::from_mins(2);

/// How long the end of a command waits until the log of a database is empty.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Pages of 4 KiB after which SQLite copies its log into the database: little for the next process to read, and
/// seldom enough.
const LOG_PAGES: &str = "256";

/// The cache of the connection that removes rows, in KiB below zero: what a batch changes is written once.
const REMOVAL_CACHE: &str = "-65536";

/// The largest number of connections that read an SQLite database, without those of lists.
const READERS: u32 = 3;

/// How often a transaction that was rolled back, or whose connection broke, is repeated.
const MAX_RETRIES: usize = 12;

/// How often a transaction is repeated because another process wrote the same before.
const MAX_CONFLICT_RETRIES: u32 = 2;

/// How a transaction of MySQL begins that sees one moment.
const SNAPSHOT: &str =
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// Returns the pauses between attempts.
fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(MAX_RETRIES)
}

/// A dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// That of MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// Returns the present moment as exactly as the database keeps it: MySQL knows whole seconds, and some of its
    /// versions would round where others cut.
    pub(in crate::local::catalog) fn now(self) -> Timestamp {
        match self {
            Self::Sqlite => Timestamp::now(),
            Self::Mysql => Timestamp::now().whole_second(),
        }
    }
}

/// The connections to a database. A clone shares them.
#[derive(Clone)]
enum Pool {
    /// Connections to an SQLite file.
    Sqlite(SqlitePools),
    /// Connections to a server.
    Mysql(MySqlPool),
}

/// The connections to an SQLite file.
#[derive(Clone)]
struct SqlitePools {
    readers: SqlitePool,
    /// One connection, which is made when something is written.
    writer: SqlitePool,
}

impl SqlitePools {
    /// Connects to a database; there is one connection that reads when this returns.
    async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<Self> {
        let writer = pool_options(1).connect_lazy_with(options.clone());
        let readers = pool_options(READERS).connect_with(options).await;
        let readers = readers.map_err(|e| failed(e).context(named(path)))?;
        Ok(Self { readers, writer })
    }

    /// Connects to a database with one connection for everything.
    async fn connect_once(path: &Path, options: SqliteConnectOptions) -> Result<Self> {
        let pool = pool_options(1).connect_with(options).await;
        let pool = pool.map_err(|e| failed(e).context(named(path)))?;
        Ok(Self {
            readers: pool.clone(),
            writer: pool,
        })
    }

    /// Closes the connections.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool_options(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
}

fn named(path: &Path) -> String {
    format!("database {}", path.display())
}

/// An open catalogue. A clone shares its connections.
#[derive(Clone)]
pub struct Catalog {
    pool: Pool,
    /// Whether this process has changed an SQLite database.
    has_written: Arc<AtomicBool>,
    database: Arc<Database>,
    /// The name of the database in messages.
    name: Arc<str>,
    /// Whether a connection that breaks is replaced: not where it holds a lock.
    reconnects: bool,
}

impl Catalog {
    /// Opens a database; makes an SQLite file when `create` is set.
    ///
    /// Commits are durable when they return (on SQLite: WAL, synchronous). Nothing is read yet.
    ///
    /// # Errors
    /// `Failed` when it cannot be opened; `Unreachable` when its server cannot be reached.
    pub async fn open(database: &Database, create: bool) -> Result<Self> {
        let pool = match database {
            Database::Sqlite(path) => {
                let options = writing_options(path, create);
                Pool::Sqlite(SqlitePools::connect(path, options).await?)
            }
            Database::Mysql(server) => {
                Pool::Mysql(mysql::connect(server, Connections::Many).await?)
            }
        };
        Ok(Self::new(pool, database))
    }

    fn new(pool: Pool, database: &Database) -> Self {
        Self {
            pool,
            has_written: Arc::default(),
            database: Arc::new(database.clone()),
            name: format!("database {}", database.name()).into(),
            reconnects: true,
        }
    }

    /// Opens a database that is only read: the journal of an SQLite file keeps its mode.
    ///
    /// # Errors
    /// As for [`Catalog::open`].
    pub async fn open_to_look(database: &Database) -> Result<Self> {
        let pool = match database {
            Database::Sqlite(path) => {
                Pool::Sqlite(SqlitePools::connect(path, sqlite_options(path)).await?)
            }
            Database::Mysql(server) => {
                Pool::Mysql(mysql::connect(server, Connections::Many).await?)
            }
        };
        Ok(Self::new(pool, database))
    }

    /// Opens a database on a server for one task, on one connection.
    pub(in crate::local::catalog) async fn open_alone(server: &MysqlServer) -> Result<Self> {
        let pool = Pool::Mysql(mysql::connect(server, Connections::One).await?);
        Ok(Self {
            reconnects: false,
            ..Self::new(pool, &Database::Mysql(Box::new(server.clone())))
        })
    }

    /// Returns the same database for changes of its schema: SQLite does not check references there, so that a table
    /// can be replaced by a copy.
    pub(in crate::local::catalog) async fn unchecked(&self) -> Result<Self> {
        Ok(match self.database() {
            Database::Sqlite(path) => {
                let options = writing_options(path, false).foreign_keys(false);
                Self {
                    pool: Pool::Sqlite(SqlitePools::connect_once(path, options).await?),
                    ..self.clone()
                }
            }
            Database::Mysql(_) => self.clone(),
        })
    }

    /// Returns the same database for the removal of many rows, on one connection: SQLite does not check references
    /// there, keeps the pages that one batch changes in memory, and copies its log into the database only in
    /// [`Catalog::copy_log`]. A batch whose commit has returned is whole or undone after a power cut, and certain to
    /// be there once the log was copied.
    pub(in crate::local::catalog) async fn for_removal(&self) -> Result<Self> {
        Ok(match self.database() {
            Database::Sqlite(path) => {
                let options = sqlite_options(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .foreign_keys(false)
                    .pragma("cache_size", REMOVAL_CACHE)
                    .pragma("wal_autocheckpoint", "0");
                Self {
                    pool: Pool::Sqlite(SqlitePools::connect_once(path, options).await?),
                    ..self.clone()
                }
            }
            Database::Mysql(_) => self.clone(),
        })
    }

    /// Copies the log of SQLite into the database as far as no reader needs it, while others may write; the pages of
    /// the log, which were the log since it was last copied whole.
    pub(in crate::local::catalog) async fn copy_log(&self) -> Result<u64> {
        let row = self.row(Sql::new("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        let pages = row.map(|row| row.some_integer("log")).transpose()?;
        Ok(pages
            .and_then(|pages| u64::try_from(pages).ok())
            .unwrap_or(0))
    }

    /// Starts to sync the log of SQLite, so that the next process that commits does not wait for all of it. A failure
    /// shows again, and is reported, when the log is copied.
    pub(in crate::local::catalog) fn start_log_sync(&self) -> Option<JoinHandle<()>> {
        let Database::Sqlite(path) = self.database() else {
            return None;
        };
        let log = log_of(path);
        let sync = move || drop(File::open(log).and_then(|log| log.sync_data()));
        Some(tokio::task::spawn_blocking(sync))
    }

    /// Returns which database this is.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the connections to a server.
    ///
    /// # Errors
    /// `Internal` for an SQLite database.
    pub(in crate::local::catalog) fn server_pool(&self) -> Result<&MySqlPool> {
        match &self.pool {
            Pool::Mysql(pool) => Ok(pool),
            Pool::Sqlite(_) => Err(Error::internal(format!("{} is not on a server", self.name))),
        }
    }

    /// Returns the name of the database in messages: no secret is in it.
    pub fn name(&self) -> String {
        self.database.name()
    }

    /// Returns the dialect of SQL that the database speaks.
    pub fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Sqlite(_) => Dialect::Sqlite,
            Pool::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Returns the present moment as exactly as the database keeps it.
    pub fn now(&self) -> Timestamp {
        self.dialect().now()
    }

    /// Begins a transaction that writes, in which whatever a decision depends on is read again.
    ///
    /// On SQLite it waits for its turn now, so that all it reads stays true until it commits. On MySQL
    /// what it reads is what is committed by then, and what [`Transaction::load_image`] returns stays true:
    /// the row of the image is locked, and whoever changes anything of an image locks that first.
    ///
    /// [`Catalog::write`] is for changes of the catalogue alone. A transaction is held by hand where files are
    /// changed before it is committed, which is not to be repeated: by the accounts of a cache, and by the recovery
    /// of an upload.
    pub async fn begin(&self) -> Result<Transaction> {
        let inner = match &self.pool {
            Pool::Sqlite(pools) => {
                let begun = pools.writer.begin_with("BEGIN IMMEDIATE").await;
                begun.map(Inner::Sqlite)
            }
            Pool::Mysql(pool) => pool.begin().await.map(Inner::Mysql),
        };
        Ok(Transaction::new(
            inner.map_err(|e| self.write_failed(e))?,
            self.dialect(),
            Arc::clone(&self.has_written),
            Arc::clone(&self.name),
        ))
    }

    /// Runs `work`, which reads with several statements and MUST NOT change anything: all of it sees the database as it
    /// was at one moment. Repeated where the connection broke.
    ///
    /// # Errors
    /// The errors of `work`, and of the connection.
    pub async fn read<T, W>(&self, work: impl Fn(Arc<Transaction>) -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        let attempt = || {
            Box::pin(async {
                let snapshot = Arc::new(self.begin_snapshot().await?);
                let value = work(Arc::clone(&snapshot)).await;
                // Otherwise the connection ends the transaction when it is used again.
                if let Some(snapshot) = Arc::into_inner(snapshot) {
                    let _ = snapshot.commit().await;
                }
                value
            })
        };
        self.retry(attempt).await
    }

    async fn begin_snapshot(&self) -> Result<Transaction> {
        let inner = match &self.pool {
            Pool::Sqlite(pools) => pools.readers.begin().await.map(Inner::Sqlite),
            Pool::Mysql(pool) => pool.begin_with(SNAPSHOT).await.map(Inner::Mysql),
        };
        let inner = inner.map_err(|e| failed(e).context(&self.name))?;
        let (written, name) = (Arc::clone(&self.has_written), Arc::clone(&self.name));
        Ok(Transaction::new(inner, self.dialect(), written, name).into_snapshot())
    }

    /// Returns the error of what could not be written, or not begun.
    fn write_failed(&self, error: sqlx::Error) -> Error {
        let failure = match (&self.pool, &error) {
            // Others have written since: what they waited for is the lock of another process.
            (Pool::Sqlite(_), sqlx::Error::PoolTimedOut) => locked().because(error),
            _ => failed(error),
        };
        failure.context(&self.name)
    }

    /// Runs `work` in a transaction and commits it; an error of `work` rolls it back. Where the database rolled it
    /// back in favour of another one, or the connection broke before the commit was sent, all of it is done again:
    /// `work` MUST NOT change anything else, and MUST NOT keep the transaction.
    ///
    /// It is given by value, since futures of closures that borrow their argument cannot be sent to other threads.
    ///
    /// # Errors
    /// Those of `work`; `Unavailable` where others were in the way too often, and where the answer to the
    /// commit was lost (see [`is_in_doubt`](crate::local::catalog::is_in_doubt)): such a commit is not repeated.
    pub async fn write<T, W>(&self, work: impl Fn(Arc<Transaction>) -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        // In a box: the futures of all who write would be large.
        let attempt = || {
            Box::pin(async {
                let transaction = Arc::new(self.begin().await?);
                let value = work(Arc::clone(&transaction)).await?;
                let transaction = Arc::into_inner(transaction)
                    .ok_or_else(|| Error::internal("a transaction is in use when it ends"))?;
                transaction.commit().await?;
                Ok(value)
            })
        };
        self.retry(attempt).await
    }

    /// Runs `work`, a statement or a transaction from [`Catalog::begin`], and repeats it as [`Catalog::write`] does.
    ///
    /// # Errors
    /// As for [`Catalog::write`].
    pub async fn retry<T, W>(&self, work: impl Fn() -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        let mut conflicts = 0;
        work.retry(backoff())
            .sleep(tokio::time::sleep)
            .when(|error| match transient(error) {
                // The next attempt sees what the other process wrote.
                Some(Transient::Conflict) => {
                    conflicts += 1;
                    conflicts <= MAX_CONFLICT_RETRIES
                }
                Some(Transient::RolledBack) => true,
                Some(Transient::Disconnected) => self.reconnects,
                None => false,
            })
            .await
    }

    /// Decides every commit that was in doubt: what is read afterwards is the record.
    ///
    /// On SQLite a transaction whose commit failed may lie in the log after everything that counts, and count once the
    /// log is read again. What is committed here takes its place. On a server the locks of a transaction show
    /// whether it is decided.
    pub async fn settle(&self) -> Result<()> {
        if self.dialect() == Dialect::Mysql {
            return Ok(());
        }
        self.write(async |transaction| {
            // A row that is inserted again is written; one that is set to the value that it has may not be.
            let rows = transaction
                .rows(Sql::new("SELECT version_num FROM alembic_version"))
                .await?;
            transaction
                .execute(Sql::new("DELETE FROM alembic_version"))
                .await?;
            for row in &rows {
                let version = row.some_owned("version_num")?;
                let sql = Sql::new("INSERT INTO alembic_version (version_num)");
                transaction
                    .execute(sql.with(" VALUES (?)", [version.into()]))
                    .await?;
            }
            Ok(())
        })
        .await
    }

    /// Closes every connection; the end of the process closes those that are left open as well.
    pub async fn close(self) -> Result<()> {
        match &self.pool {
            Pool::Sqlite(pools) => pools.close().await,
            Pool::Mysql(pool) => pool.close().await,
        }
        Ok(())
    }

    /// Ends the use of the database by a command. Where this process has changed an SQLite database, its log is copied
    /// into it and made empty, unless another process is reading or writing: all of it is in one file then. That waits
    /// for the disk twice at most. Nothing is done for any other database, nor a second time.
    ///
    /// The files of the log and of its index stay: without them a full disk could not be read.
    ///
    /// No failure is reported: every change was durable when it was committed, and stays in the log.
    pub async fn finish(&self) {
        if let Pool::Sqlite(pools) = &self.pool
            && self.has_written.swap(false, Ordering::Relaxed)
        {
            // A task that was left alone may still hold the connection.
            let emptied = empty_log(&pools.writer);
            let _ = tokio::time::timeout(FINISH_TIMEOUT, emptied).await;
        }
    }
}

/// Copies the log of SQLite into the database, and makes it empty, unless others use it at this moment.
async fn empty_log(writer: &SqlitePool) -> sqlx::Result<()> {
    let mut connection = writer.acquire().await?;
    // Others are not waited for.
    connection.execute("PRAGMA busy_timeout = 0").await?;
    let emptied = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let timeout = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    connection.execute(AssertSqlSafe(timeout)).await?;
    emptied.map(drop)
}

/// Returns how a database is opened that may be written to.
fn writing_options(path: &Path, create: bool) -> SqliteConnectOptions {
    let options = sqlite_options(path);
    if is_frozen(path) {
        return options;
    }
    options
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("wal_autocheckpoint", LOG_PAGES)
}

/// Whether a database can only be read, and no process can write to it: it is on a read-only file system and has no
/// log. SQLite has to know that, since it cannot create the index of a log.
pub(in crate::local::catalog) fn is_frozen(path: &Path) -> bool {
    let flags = rustix::fs::statvfs(directory_of(path)).map(|found| found.f_flag);
    if !flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::RDONLY)) {
        return false;
    }
    std::fs::metadata(log_of(path)).map_or(true, |log| log.len() == 0)
}

/// Returns the name of the log of a database file.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_os_string();
    log.push("-wal");
    log.into()
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT);
    if is_frozen(path) {
        options = options.read_only(true).immutable(true);
    }
    options.disable_statement_logging()
}

impl Run for Catalog {
    fn lock(&self) -> &'static str {
        ""
    }

    async fn rows(&self, sql: Sql) -> Result<Vec<Row>> {
        plans::check(&sql.text);
        let attempt = || async {
            let rows = match &self.pool {
                Pool::Sqlite(pools) => {
                    let rows = sql.query::<Sqlite>().fetch_all(&pools.readers).await;
                    rows.map(sqlite_rows)
                }
                Pool::Mysql(pool) => sql.query::<MySql>().fetch_all(pool).await.map(mysql_rows),
            };
            rows.map_err(|e| failed(e).context(&self.name))
        };
        attempt
            .retry(backoff())
            .sleep(tokio::time::sleep)
            .when(|error| self.reconnects && transient(error) == Some(Transient::Disconnected))
            .await
    }

    async fn execute(&self, sql: Sql) -> Result<u64> {
        plans::check(&sql.text);
        let changed = match &self.pool {
            Pool::Sqlite(pools) => {
                let done = sql.query::<Sqlite>().execute(&pools.writer).await;
                done.map(|done| done.rows_affected())
            }
            Pool::Mysql(pool) => {
                let done = sql.query::<MySql>().execute(pool).await;
                done.map(|done| done.rows_affected())
            }
        };
        let changed = changed.map_err(|e| self.write_failed(e))?;
        if changed > 0 {
            self.has_written.store(true, Ordering::Relaxed);
        }
        Ok(changed)
    }

    async fn batch(&self, text: &str) -> Result<()> {
        let text = AssertSqlSafe(text.to_string());
        let done = match &self.pool {
            Pool::Sqlite(pools) => pools.writer.execute(text).await.map(drop),
            Pool::Mysql(pool) => pool.execute(text).await.map(drop),
        };
        done.map_err(|e| self.write_failed(e))?;
        self.has_written.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::ErrorKind;
    use crate::local::catalog::Value;

    /// Returns a catalogue in a directory of its own, and its file.
    async fn catalogue() -> (tempfile::TempDir, PathBuf, Catalog) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("glance.db");
        let catalog = Catalog::open_current(&Database::Sqlite(path.clone()))
            .await
            .unwrap();
        (directory, path, catalog)
    }

    /// Returns the log of a database, if there is one with content.
    fn log_of(path: &Path) -> Option<u64> {
        let log = std::fs::metadata(path.with_extension("db-wal")).ok()?;
        Some(log.len()).filter(|length| *length > 0)
    }

    fn insert_node(url: &str) -> Sql {
        Sql::new("INSERT INTO node_reference (node_reference_url) VALUES ").list([url.into()])
    }

    async fn nodes(on: &impl Run) -> Vec<String> {
        let sql = "SELECT node_reference_url FROM node_reference ORDER BY node_reference_id";
        let rows = on.rows(Sql::new(sql)).await.unwrap();
        let urls = rows.iter().map(|row| row.some_owned("node_reference_url"));
        urls.collect::<Result<_>>().unwrap()
    }

    /// Checks a row of the values of the next test.
    fn check(row: &impl Columns) {
        assert_eq!(row.owned("n").unwrap(), None);
        assert_eq!(row.integer("n").unwrap(), None);
        assert!(row.flag("b").unwrap() && !row.flag("n").unwrap());
        assert_eq!(row.some_integer("i").unwrap(), i64::MIN);
        assert_eq!(row.some_text("t").unwrap(), "é 💿 '\"?");
        let wrong = row.some_integer("t").unwrap_err();
        assert!(wrong.message().ends_with("than column t has"), "{wrong}");
        assert!(row.some_text("n").unwrap_err().message().ends_with(" n"));
        assert!(row.some_text("none").is_err());
    }

    #[tokio::test]
    async fn values_come_back_as_they_were_bound_through_either_driver() {
        let (_directory, path, catalog) = catalogue().await;
        catalog
            .batch("CREATE TABLE metadef_values (n TEXT, b BOOLEAN, i BIGINT, t TEXT)")
            .await
            .unwrap();
        let values = [
            Value::Null,
            true.into(),
            i64::MIN.into(),
            "é 💿 '\"?".into(),
        ];
        let sql = Sql::new("INSERT INTO metadef_values (n, b, i, t) VALUES ").list(values.clone());
        assert_eq!(catalog.execute(sql).await.unwrap(), 1);
        // Each value equals itself in a condition, too.
        let find = || {
            Sql::new("SELECT n, b, i, t FROM metadef_values WHERE ").with(
                "n IS ? AND b = ? AND i = ? AND t = ?",
                values.iter().cloned(),
            )
        };
        check(&catalog.row(find()).await.unwrap().unwrap());
        let transaction = catalog.begin().await.unwrap();
        check(&transaction.row(find()).await.unwrap().unwrap());
        let read = |row: &rusqlite::Row<'_>| {
            check(row);
            Ok(())
        };
        let read = crate::local::catalog::tables::reader::collect(&path, find(), read).await;
        assert_eq!(read.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn tasks_write_in_the_order_of_asking_while_others_read() {
        const TASKS: usize = 12;
        let (_directory, _path, catalog) = catalogue().await;
        let first = catalog.begin().await.unwrap();
        first.execute(insert_node("first")).await.unwrap();
        let mut tasks = Vec::new();
        for number in 0..TASKS {
            let catalog = catalog.clone();
            let url = format!("{number:02}");
            tasks.push(tokio::spawn(async move {
                if number % 2 == 0 {
                    let work = async |on: Arc<Transaction>| on.execute(insert_node(&url)).await;
                    catalog.write(work).await
                } else {
                    catalog.execute(insert_node(&url)).await
                }
            }));
            // It asks before the next one is there.
            tokio::task::yield_now().await;
        }
        // More tasks wait to write than there are connections: those who read are not among them.
        let reads = async {
            for _ in 0..20 {
                assert_eq!(nodes(&catalog).await, [""; 0]);
            }
        };
        let read = tokio::time::timeout(BUSY_TIMEOUT / 4, reads).await;
        read.expect("a task that reads waits for one that writes");
        first.commit().await.unwrap();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), 1);
        }
        let mut expected = vec!["first".to_string()];
        expected.extend((0..TASKS).map(|number| format!("{number:02}")));
        assert_eq!(nodes(&catalog).await, expected);
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_is_undone_and_lets_the_next_one_write() {
        let (_directory, _path, catalog) = catalogue().await;
        let dropped = catalog.begin().await.unwrap();
        dropped.execute(insert_node("dropped")).await.unwrap();
        drop(dropped);
        let failed: Result<()> = catalog
            .write(async |transaction| {
                transaction.execute(insert_node("failed")).await?;
                Err(Error::conflict("no"))
            })
            .await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Conflict);
        catalog
            .write(async |transaction| transaction.execute(insert_node("kept")).await)
            .await
            .unwrap();
        assert_eq!(nodes(&catalog).await, ["kept"]);
    }

    #[tokio::test]
    async fn a_database_that_was_changed_is_one_file_when_it_is_finished() {
        let (_directory, path, catalog) = catalogue().await;
        // Another process that has it open, and does nothing.
        let second = Catalog::open(catalog.database(), false).await.unwrap();
        assert_eq!(nodes(&second).await, [""; 0]);
        catalog.execute(insert_node("kept")).await.unwrap();
        assert!(log_of(&path).is_some());
        catalog.finish().await;
        assert_eq!(log_of(&path), None);
        let copy = path.with_file_name("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        let copy = Catalog::open(&Database::Sqlite(copy), false).await.unwrap();
        assert_eq!(nodes(&copy).await, ["kept"]);
        // It can be used as before.
        catalog.execute(insert_node("more")).await.unwrap();
        assert_eq!(nodes(&second).await, ["kept", "more"]);
    }

    #[tokio::test]
    async fn a_database_that_was_only_read_or_that_another_process_reads_keeps_its_log() {
        let (_directory, path, catalog) = catalogue().await;
        let reading = Catalog::open(catalog.database(), false).await.unwrap();
        let read = reading
            .write(async |transaction| Ok(nodes(&*transaction).await.is_empty()))
            .await;
        assert!(read.unwrap());
        let length = log_of(&path);
        assert!(length.is_some());
        reading.finish().await;
        assert_eq!(log_of(&path), length);
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        let snapshot = connection.transaction().unwrap();
        let count = "SELECT count(*) FROM node_reference";
        let count = || snapshot.query_row(count, (), |row| row.get::<_, i64>(0));
        assert_eq!(count().unwrap(), 0);
        catalog.execute(insert_node("new")).await.unwrap();
        catalog.finish().await;
        assert!(log_of(&path).is_some());
        assert_eq!(count().unwrap(), 0);
        assert_eq!(nodes(&reading).await, ["new"]);
    }
}
