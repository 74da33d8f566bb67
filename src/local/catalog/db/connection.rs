//! Connections to a catalogue.
//!
//! On SQLite, one task of the process writes at a time, in the order of the requests: there is one connection for
//! writes, separate from those for reads. Tasks of one process therefore do not poll for a lock that another of
//! them holds, and reads wait for no task.

use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sqlx::mysql::MySqlPool;
use sqlx::{AssertSqlSafe, Executor};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::{Database, MysqlServer, Secret, Setting, Settings};
use crate::data::blocking;
use crate::local::catalog::Sql;
use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::dialect::Dialect;
use crate::local::catalog::db::failure::{Transient, failed, is_locked, transient};
use crate::local::catalog::db::mysql;
use crate::local::catalog::db::mysql::Connections;
use crate::local::catalog::db::plans;
use crate::local::catalog::db::sqlite::{self, BUSY_TIMEOUT, Lingering, log_of};
use crate::local::catalog::db::transaction::{Inner, Run, Transaction, mysql_rows};
use crate::model::Timestamp;
use crate::{Error, Result};

/// The maximum time that the end of a command waits to empty a database's log.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum time that it waits after that until nothing is copied any more.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// The page cache of the connection for mass removals, in KiB as a negative number, so that pages changed several
/// times by a batch are written once.
const REMOVAL_CACHE: &str = "-65536";

/// The maximum number of connections that read an SQLite database, without those of lists.
const READERS: usize = 3;

/// The maximum number of retries of a transaction that was rolled back, or whose connection broke.
const MAX_RETRIES: usize = 12;

/// The maximum number of retries of a transaction because another process wrote the same data first.
const MAX_CONFLICT_RETRIES: u32 = 2;

/// The statements that begin a consistent snapshot on MySQL.
const SNAPSHOT: &str =
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// Returns the delays between retries.
fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(MAX_RETRIES)
}

/// The connections to a database, shared by clones.
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
    readers: sqlite::Connections,
    /// The connection for writes.
    writer: sqlite::Connections,
    /// The connection of the last list.
    lists: Arc<Lingering>,
}

impl SqlitePools {
    /// Connects to a database, and opens the first connection for reads.
    async fn connect(path: &Path, options: sqlite::Options) -> Result<Self> {
        Self {
            writer: sqlite::Connections::new(options.clone(), 1),
            readers: sqlite::Connections::new(options, READERS),
            lists: Arc::new(Lingering::new(path)),
        }
        .connected(path)
        .await
    }

    /// Connects to a database with one connection for reads and writes.
    async fn connect_once(path: &Path, options: sqlite::Options) -> Result<Self> {
        let once = sqlite::Connections::new(options, 1);
        Self {
            writer: once.clone(),
            readers: once,
            lists: Arc::new(Lingering::new(path)),
        }
        .connected(path)
        .await
    }

    async fn connected(self, path: &Path) -> Result<Self> {
        let opened = self.readers.run(|_| Ok(())).await;
        opened.map_err(|error| error.context(format_args!("database {}", path.display())))?;
        Ok(self)
    }

    /// Closes all connections.
    async fn close(&self) {
        self.lists.close();
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// An open catalogue. Clones share its connections.
#[derive(Clone)]
pub struct Catalog {
    pool: Pool,
    /// Whether this process has changed an SQLite database.
    has_written: Arc<AtomicBool>,
    cipher: AddressCipher,
    database: Arc<Database>,
    /// The name of the database in messages.
    name: Arc<str>,
    /// Whether a broken connection is replaced. False if the connection holds a lock.
    reconnects: bool,
}

impl Catalog {
    /// Opens a database; creates an SQLite file if `create` is set.
    ///
    /// Commits are durable when they return (on SQLite: WAL, synchronous). Nothing is read yet.
    ///
    /// # Errors
    /// `Failed` if the database cannot be opened; `Unreachable` if its server cannot be reached.
    pub async fn open(database: &Database, create: bool) -> Result<Self> {
        let pool = match database {
            Database::Sqlite(path) => {
                let options = sqlite::Options::writing(path, create);
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
            cipher: AddressCipher::default(),
            database: Arc::new(database.clone()),
            name: format!("database {}", database.name()).into(),
            reconnects: true,
        }
    }

    /// Returns the same catalogue, whose addresses of data are encrypted with the `metadata_encryption_key` of a
    /// deployment.
    #[must_use]
    pub fn with_address_key(self, key: &Setting<Option<Secret>>) -> Self {
        Self {
            cipher: AddressCipher::new(key.clone()),
            ..self
        }
    }

    /// Opens a database for reading only: the journal mode of an SQLite file is not changed.
    ///
    /// # Errors
    /// Same as [`Catalog::open`].
    pub async fn open_read_only(database: &Database) -> Result<Self> {
        let pool = match database {
            Database::Sqlite(path) => {
                Pool::Sqlite(SqlitePools::connect(path, sqlite::Options::new(path)).await?)
            }
            Database::Mysql(server) => {
                Pool::Mysql(mysql::connect(server, Connections::Many).await?)
            }
        };
        Ok(Self::new(pool, database))
    }

    /// Opens the database of a deployment for reading only; None if it does not exist yet.
    ///
    /// # Errors
    /// Same as [`Catalog::open`]; `Failed` if no database is configured, or the directory of the file that a
    /// configuration names is missing.
    pub async fn open_unchanged(settings: &Settings) -> Result<Option<Self>> {
        let database = settings.require_database()?;
        if let Database::Sqlite(path) = database {
            let absent = match std::fs::metadata(path) {
                Ok(metadata) => metadata.len() == 0,
                // The directory of a local deployment is created on demand; a missing one in a configuration is an
                // error.
                Err(_) => settings.data_dir.is_some() || path.parent().is_some_and(Path::is_dir),
            };
            if absent {
                return Ok(None);
            }
        }
        let catalog = Self::open_read_only(database).await?;
        Ok(Some(catalog.with_address_key(&settings.address_key)))
    }

    /// Opens a database on a server with a single connection, for one task.
    pub(in crate::local::catalog) async fn open_alone(server: &MysqlServer) -> Result<Self> {
        let pool = Pool::Mysql(mysql::connect(server, Connections::One).await?);
        Ok(Self {
            reconnects: false,
            ..Self::new(pool, &Database::Mysql(Box::new(server.clone())))
        })
    }

    /// Returns the same database for changes of its schema, without SQLite's check of foreign keys, so that a table
    /// can be replaced by a copy.
    pub(in crate::local::catalog) async fn unchecked(&self) -> Result<Self> {
        Ok(match self.database() {
            Database::Sqlite(path) => {
                let options = sqlite::Options::writing(path, false).pragma("foreign_keys", "OFF");
                Self {
                    pool: Pool::Sqlite(SqlitePools::connect_once(path, options).await?),
                    ..self.clone()
                }
            }
            Database::Mysql(_) => self.clone(),
        })
    }

    /// Returns the same database for the removal of many rows, on one connection. On SQLite, foreign keys are not
    /// checked, the pages that a batch changes stay in memory, and the log is copied into the database only by
    /// [`Catalog::copy_log`]. After a power failure a committed batch is complete or undone, and certainly complete
    /// once the log was copied.
    pub(in crate::local::catalog) async fn for_removal(&self) -> Result<Self> {
        Ok(match self.database() {
            Database::Sqlite(path) => {
                let options = sqlite::Options::writing(path, false)
                    .pragma("synchronous", "NORMAL")
                    .pragma("foreign_keys", "OFF")
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

    /// Copies SQLite's log into the database as far as no reader needs it, without blocking writers. Returns the
    /// number of pages in the log since it was last copied completely.
    pub(in crate::local::catalog) async fn copy_log(&self) -> Result<u64> {
        let row = self.row(Sql::new("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        let pages = row.map(|row| row.some_integer("log")).transpose()?;
        Ok(pages
            .and_then(|pages| u64::try_from(pages).ok())
            .unwrap_or(0))
    }

    /// Starts a sync of SQLite's log, so that the next process that commits does not wait for all of it. A failure
    /// occurs again, and is reported, when the log is copied.
    pub(in crate::local::catalog) fn start_log_sync(&self) -> Option<JoinHandle<()>> {
        let Database::Sqlite(path) = self.database() else {
            return None;
        };
        let log = log_of(path);
        let sync = move || drop(File::open(log).and_then(|log| log.sync_data()));
        Some(tokio::task::spawn_blocking(sync))
    }

    /// Returns the database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the connection pool of a server.
    ///
    /// # Errors
    /// `Internal` for an SQLite database.
    pub(in crate::local::catalog) fn server_pool(&self) -> Result<&MySqlPool> {
        match &self.pool {
            Pool::Mysql(pool) => Ok(pool),
            Pool::Sqlite(_) => Err(Error::internal(format!("{} is not on a server", self.name))),
        }
    }

    /// Returns the connection that reads the lists of an SQLite database.
    pub(in crate::local::catalog) fn lists(&self) -> Option<&Arc<Lingering>> {
        match &self.pool {
            Pool::Sqlite(pools) => Some(&pools.lists),
            Pool::Mysql(_) => None,
        }
    }

    /// Returns the name of the database for messages, without secrets.
    pub fn name(&self) -> String {
        self.database.name()
    }

    /// Returns the SQL dialect of the database.
    pub fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Sqlite(_) => Dialect::Sqlite,
            Pool::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Returns the current time with the database's precision.
    pub fn now(&self) -> Timestamp {
        self.dialect().now()
    }

    /// Begins a transaction that writes. Everything that a decision depends on MUST be read in it again.
    ///
    /// On SQLite it waits for the write lock now, so that all it reads stays valid until the commit. On MySQL each
    /// read returns what is committed at that time, and only what [`Transaction::load_image`] returns stays valid:
    /// the image's row is locked, and all changes of an image lock that row first.
    ///
    /// [`Catalog::write`] is preferred for changes of the catalogue alone. A transaction is used directly if files
    /// are changed before the commit, which must not be repeated: by the index of a cache, and by the recovery of
    /// an upload.
    pub async fn begin(&self) -> Result<Transaction> {
        let inner = match &self.pool {
            Pool::Sqlite(pools) => begin_writing(&pools.writer).await.map(Inner::Sqlite),
            Pool::Mysql(pool) => pool.begin().await.map(Inner::Mysql).map_err(failed),
        };
        Ok(self.transaction(inner.map_err(|error| error.context(&self.name))?))
    }

    /// Runs `work`, which reads with several statements and MUST NOT change anything, on a snapshot of the
    /// database. Retries it if the connection broke.
    ///
    /// On SQLite all of it runs on one thread; see `db/sqlite.rs`.
    ///
    /// # Errors
    /// Errors of `work`, and of the connection.
    pub async fn read<T, W>(
        &self,
        work: impl Fn(Arc<Transaction>) -> W + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>>,
    {
        let pool = match &self.pool {
            Pool::Sqlite(pools) => return self.read_sqlite(&pools.readers, work).await,
            Pool::Mysql(pool) => pool,
        };
        let attempt = || {
            Box::pin(async {
                let begun = pool.begin_with(SNAPSHOT).await;
                let begun = begun.map_err(|error| failed(error).context(&self.name))?;
                self.on_snapshot(Inner::Mysql(begun), &work).await
            })
        };
        self.retry(attempt).await
    }

    async fn read_sqlite<T, W>(
        &self,
        readers: &sqlite::Connections,
        work: impl Fn(Arc<Transaction>) -> W + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>>,
    {
        let mut lease = readers.lease().await?;
        if lease.stay_here() {
            match self.on_snapshot(Inner::Sqlite(lease), &work).await {
                Err(error) if is_locked(&error) => lease = readers.lease().await?,
                read => return read,
            }
        }
        let (catalog, runtime) = (self.clone(), Handle::current());
        let read = async move || catalog.on_snapshot(Inner::Sqlite(lease), &work).await;
        blocking(move || runtime.block_on(read())).await
    }

    /// Runs `work` on a snapshot, and ends that.
    async fn on_snapshot<T, W>(
        &self,
        mut inner: Inner,
        work: impl Fn(Arc<Transaction>) -> W,
    ) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        if let Inner::Sqlite(lease) = &mut inner {
            let begun = lease.run_here(|connection| connection.execute_batch("BEGIN"));
            begun.map_err(|error| error.context(&self.name))?;
        }
        let snapshot = Arc::new(self.transaction(inner).into_snapshot());
        let value = work(Arc::clone(&snapshot)).await;
        // Otherwise the connection ends the transaction at its next use.
        if let Some(snapshot) = Arc::into_inner(snapshot) {
            let _ = snapshot.commit().await;
        }
        value
    }

    fn transaction(&self, inner: Inner) -> Transaction {
        Transaction::new(
            inner,
            self.dialect(),
            Arc::clone(&self.has_written),
            self.cipher.clone(),
            Arc::clone(&self.name),
        )
    }

    /// Runs `work` in a transaction and commits it; an error of `work` rolls it back. If the database rolled it
    /// back because of another transaction, or the connection broke before the commit was sent, all of it is
    /// retried: `work` MUST NOT change anything else, and MUST NOT keep the transaction.
    ///
    /// The transaction is passed by value, because futures of closures that borrow their argument cannot be sent to
    /// other threads.
    ///
    /// # Errors
    /// Errors of `work`; `Unavailable` if other transactions conflicted too often, or if the response to the commit
    /// was lost (see [`is_in_doubt`](crate::local::catalog::is_in_doubt)). Such a commit is not retried.
    pub async fn write<T, W>(&self, work: impl Fn(Arc<Transaction>) -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        // Boxed, because the callers' futures would be large otherwise.
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

    /// Runs `work`, a statement or a transaction from [`Catalog::begin`], and retries it as [`Catalog::write`]
    /// does.
    ///
    /// # Errors
    /// Same as [`Catalog::write`].
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

    /// Resolves all in-doubt commits: later reads return the final state.
    ///
    /// On SQLite, a transaction whose commit failed may be at the end of the log, and become valid when the log is
    /// read again. A commit here overwrites it. On a server, a transaction holds its locks until it is resolved.
    pub async fn settle(&self) -> Result<()> {
        if self.dialect() == Dialect::Mysql {
            return Ok(());
        }
        self.write(async |transaction| {
            // An inserted row is always written; an update to the same value may not be.
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

    /// Closes all connections. The end of the process closes any that are left.
    pub async fn close(self) -> Result<()> {
        match &self.pool {
            Pool::Sqlite(pools) => pools.close().await,
            Pool::Mysql(pool) => pool.close().await,
        }
        Ok(())
    }

    /// Ends the use of the database by a command. If this process has changed an SQLite database, its log is copied
    /// into it and emptied, unless another process is reading or writing. The database is in one file then. This
    /// waits for at most two syncs. Other databases, and later calls, need nothing.
    ///
    /// Failures are ignored: every change was durable when it was committed, and stays in the log.
    pub async fn finish(&self) {
        let Pool::Sqlite(pools) = &self.pool else {
            return;
        };
        if self.has_written.swap(false, Ordering::Relaxed) {
            // An abandoned task may still hold the connection.
            let limit = FINISH_TIMEOUT + 2 * STOP_TIMEOUT;
            let _ = timeout(limit, empty_log(&pools.writer)).await;
        }
    }
}

/// Begins a transaction that writes.
async fn begin_writing(writer: &sqlite::Connections) -> Result<sqlite::Lease> {
    let mut lease = writer.lease().await?;
    lease
        .run(|connection| connection.execute_batch("BEGIN IMMEDIATE"))
        .await?;
    Ok(lease)
}

/// Copies SQLite's log into the database and empties it, unless other processes use it. Stops after a time limit.
async fn empty_log(writer: &sqlite::Connections) -> Result<()> {
    let mut lease = writer.lease().await?;
    let handle = lease.run(|connection| Ok(connection.get_interrupt_handle()));
    let handle = handle.await?;
    let empty = |connection: &rusqlite::Connection| {
        // Does not wait for other processes.
        connection.busy_timeout(Duration::ZERO)?;
        let emptied = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        connection.busy_timeout(BUSY_TIMEOUT)?;
        emptied
    };
    let mut emptied = pin!(lease.run(empty));
    if let Ok(emptied) = timeout(FINISH_TIMEOUT, &mut emptied).await {
        return emptied;
    }
    // It stops before the next page, unless a sync does not end.
    handle.interrupt();
    timeout(STOP_TIMEOUT, emptied).await.unwrap_or(Ok(()))
}

impl Run for Catalog {
    fn lock(&self) -> &'static str {
        ""
    }

    fn cipher(&self) -> &AddressCipher {
        &self.cipher
    }

    async fn rows(&self, sql: Sql) -> Result<Vec<Row>> {
        plans::check(&sql.text);
        let pool = match &self.pool {
            Pool::Sqlite(pools) => {
                let rows = pools
                    .readers
                    .read(move |connection| sqlite::rows(connection, &sql));
                return rows.await.map_err(|error| error.context(&self.name));
            }
            Pool::Mysql(pool) => pool,
        };
        let attempt = || async {
            let rows = mysql_rows(sql.query().fetch_all(pool).await);
            rows.map_err(|error| error.context(&self.name))
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
                let execute = move |connection: &_| sqlite::execute(connection, &sql);
                pools.writer.run(execute).await
            }
            Pool::Mysql(pool) => {
                let done = sql.query().execute(pool).await;
                done.map(|done| done.rows_affected()).map_err(failed)
            }
        };
        let changed = changed.map_err(|error| error.context(&self.name))?;
        if changed > 0 {
            self.has_written.store(true, Ordering::Relaxed);
        }
        Ok(changed)
    }

    async fn batch(&self, text: &str) -> Result<()> {
        let text = text.to_string();
        let done = match &self.pool {
            Pool::Sqlite(pools) => {
                let batch =
                    move |connection: &rusqlite::Connection| connection.execute_batch(&text);
                pools.writer.run(batch).await
            }
            Pool::Mysql(pool) => {
                let done = pool.execute(AssertSqlSafe(text)).await;
                done.map(drop).map_err(failed)
            }
        };
        done.map_err(|error| error.context(&self.name))?;
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
        assert!(wrong.message().ends_with("in column t"), "{wrong}");
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
