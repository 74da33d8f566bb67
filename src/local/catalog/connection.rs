//! Opening a catalogue, and its transactions.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use rustix::fs::StatVfsMountFlags;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use sqlx::mysql::MySqlPool;

use super::columns::Columns;
use super::failure::{Mishap, failed, in_doubt, is_refusal, mishap};
use super::mysql::Connections;
use super::{Sql, mysql, plans};
use crate::config::{Database, MysqlServer};
use crate::data::durable::directory_of;
use crate::model::Timestamp;
use crate::{Error, ErrorKind, Result};

/// How long a statement waits for another process's lock.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Pages of 4 KiB after which the log is copied into the database: little to read for those who open
/// it next, and seldom enough.
const LOG_PAGES: &str = "256";

/// The cache of the connection that removes rows, in KiB below zero: what a batch changes is written once.
const REMOVAL_CACHE: &str = "-65536";

/// Connections a process opens at most, lists aside: what is written, and what is looked up beside it.
const CONNECTIONS: u32 = 4;

/// How often what a server undid, or what a broken connection left undone, is done again.
const AGAIN: usize = 12;

/// How often what another process was quicker to write is looked at again.
const OVERTAKEN: u32 = 2;

/// The pauses in between.
fn waits() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(AGAIN)
}

/// Whose SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// That of MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// The present moment as exactly as the database keeps it: MySQL knows whole seconds, and some of its
    /// versions would round where others cut.
    fn now(self) -> Timestamp {
        match self {
            Self::Sqlite => Timestamp::now(),
            Self::Mysql => Timestamp::now().whole_second(),
        }
    }
}

/// An open catalogue. A clone shares its connections.
#[derive(Clone)]
pub struct Catalog {
    connections: DatabaseConnection,
    database: Arc<Database>,
    /// The name of the database in messages.
    name: Arc<str>,
    /// Whether a connection that breaks is replaced: not where it holds a lock.
    reconnects: bool,
}

impl Catalog {
    /// Opens a database; makes a SQLite file when `create` is set.
    ///
    /// Commits are durable when they return (on SQLite: WAL, synchronous). Nothing is read yet.
    ///
    /// # Errors
    /// `Failed` when it cannot be opened; `Unreachable` when its server cannot be reached.
    pub async fn open(database: &Database, create: bool) -> Result<Self> {
        let connections = match database {
            Database::Sqlite(path) => open_sqlite(path, create, true).await?,
            Database::Mysql(server) => mysql::connect(server, Connections::Many).await?.into(),
        };
        Ok(Self::new(connections, database))
    }

    fn new(connections: DatabaseConnection, database: &Database) -> Self {
        Self {
            connections,
            database: Arc::new(database.clone()),
            name: format!("database {}", database.name()).into(),
            reconnects: true,
        }
    }

    /// Opens a database to be looked at: the journal of an SQLite file stays of the kind that it is.
    ///
    /// # Errors
    /// As for [`Catalog::open`].
    pub async fn open_to_look(database: &Database) -> Result<Self> {
        let connections = match database {
            Database::Sqlite(path) => {
                connect_sqlite(path, sqlite_options(path), CONNECTIONS).await?
            }
            Database::Mysql(server) => mysql::connect(server, Connections::Many).await?.into(),
        };
        Ok(Self::new(connections, database))
    }

    /// Opens a database on a server for one who does one thing after the other, on one connection.
    pub(super) async fn open_alone(server: &MysqlServer) -> Result<Self> {
        Ok(Self {
            reconnects: false,
            ..Self::new(
                mysql::connect(server, Connections::One).await?.into(),
                &Database::Mysql(Box::new(server.clone())),
            )
        })
    }

    /// The same database for changes of its schema: SQLite does not see to it there that what rows refer
    /// to exists, so that a table can be replaced by a copy.
    pub(super) async fn unchecked(&self) -> Result<Self> {
        Ok(match self.database() {
            Database::Sqlite(path) => Self {
                connections: open_sqlite(path, false, false).await?,
                ..self.clone()
            },
            Database::Mysql(_) => self.clone(),
        })
    }

    /// Returns the same database for the removal of many rows, on one connection: SQLite does not check references
    /// there, keeps the pages that one batch changes in memory, and copies its log into the database only in
    /// [`Catalog::copy_log`]. A batch whose commit has returned is whole or undone after a power cut, and certain to
    /// be there once the log was copied.
    pub(super) async fn for_removal(&self) -> Result<Self> {
        Ok(match self.database() {
            Database::Sqlite(path) => {
                let options = sqlite_options(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .foreign_keys(false)
                    .pragma("cache_size", REMOVAL_CACHE)
                    .pragma("wal_autocheckpoint", "0");
                Self {
                    connections: connect_sqlite(path, options, 1).await?,
                    ..self.clone()
                }
            }
            Database::Mysql(_) => self.clone(),
        })
    }

    /// Copies the log of SQLite into the database as far as no reader needs it, while others may write; the pages of
    /// the log, which were the log since it was last copied whole.
    pub(super) async fn copy_log(&self) -> Result<u64> {
        let row = self.row(Sql::new("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        let pages = row.map(|row| row.some_integer(1)).transpose()?;
        Ok(pages
            .and_then(|pages| u64::try_from(pages).ok())
            .unwrap_or(0))
    }

    /// Which database this is.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The connections to a server.
    pub(super) fn pool(&self) -> &MySqlPool {
        self.connections.get_mysql_connection_pool()
    }

    /// What messages call the database: no secret is in it.
    pub fn name(&self) -> String {
        self.database.name()
    }

    /// Whose SQL the database speaks.
    pub fn dialect(&self) -> Dialect {
        dialect(&self.connections)
    }

    /// The present moment as exactly as the database keeps it.
    pub fn now(&self) -> Timestamp {
        self.dialect().now()
    }

    /// Begins a transaction that writes, in which what has to be is looked at again.
    ///
    /// On SQLite it waits for its turn now, so that all it reads stays true until it commits. On MySQL
    /// what it reads is what is committed by then, and what [`Transaction::load_image`] gives stays true:
    /// the row of the image is locked, and whoever changes anything of an image locks that first.
    pub async fn begin(&self) -> Result<Transaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Transaction {
            inner: self
                .connections
                .begin_with_options(options)
                .await
                .map_err(|e| failed(e).about(&self.name))?,
            name: Arc::clone(&self.name),
        })
    }

    /// Does `work`, one transaction from [`Catalog::begin`] to its commit. Where a server undid it in favour
    /// of another one, or the connection broke before the commit was sent, all of it is done again: `work`
    /// MUST be such that nothing else notices.
    ///
    /// # Errors
    /// Those of `work`; `Unavailable` where others were in the way too often, and where the answer to the
    /// commit was lost.
    pub async fn insist<T, W>(&self, work: impl Fn() -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        let mut overtaken = 0;
        work.retry(waits())
            .sleep(tokio::time::sleep)
            .when(|error| match mishap(error) {
                // Who was overtaken looks again, and then knows.
                Some(Mishap::Overtaken) => {
                    overtaken += 1;
                    overtaken <= OVERTAKEN
                }
                Some(Mishap::Undone | Mishap::Lost) => true,
                None => false,
            })
            .await
    }

    /// Makes sure that the record is what it says, whatever became of a commit that was in doubt.
    ///
    /// On SQLite a transaction whose commit failed may lie in the log behind all that counts, and count once the
    /// log is read anew. What is committed here takes its place. On a server the locks of a transaction say
    /// whether it is decided.
    pub async fn settle(&self) -> Result<()> {
        if self.dialect() == Dialect::Mysql {
            return Ok(());
        }
        let transaction = self.begin().await?;
        // A row that is put back is written, one that is set to what it is may not be.
        let rows = transaction
            .rows(Sql::new("SELECT version_num FROM alembic_version"))
            .await?;
        transaction
            .execute(Sql::new("DELETE FROM alembic_version"))
            .await?;
        for row in &rows {
            let version = row.some_text(0)?.into_owned();
            let sql = Sql::new("INSERT INTO alembic_version (version_num)");
            transaction
                .execute(sql.with(" VALUES (?)", [version.into()]))
                .await?;
        }
        transaction.commit().await
    }

    /// Closes every connection; what is not closed is closed by the end of the process as well.
    pub async fn close(self) -> Result<()> {
        let closed = self.connections.close().await;
        closed.map_err(|e| failed(e).about(&self.name))
    }
}

async fn open_sqlite(path: &Path, create: bool, references: bool) -> Result<DatabaseConnection> {
    if is_frozen(path) {
        return connect_sqlite(path, sqlite_options(path), CONNECTIONS).await;
    }
    let options = sqlite_options(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(references)
        .pragma("wal_autocheckpoint", LOG_PAGES);
    connect_sqlite(path, options, CONNECTIONS).await
}

/// Whether a database can only be read, and nobody can be writing to it: it is on a read-only file system and has no
/// log. SQLite then has to be told so, since it cannot create the index of a log.
pub(super) fn is_frozen(path: &Path) -> bool {
    let flags = rustix::fs::statvfs(directory_of(path)).map(|found| found.f_flag);
    if !flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::RDONLY)) {
        return false;
    }
    let mut log = path.as_os_str().to_os_string();
    log.push("-wal");
    std::fs::metadata(log).map_or(true, |log| log.len() == 0)
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE);
    if is_frozen(path) {
        options = options.read_only(true).immutable(true);
    }
    sea_orm::sqlx::ConnectOptions::disable_statement_logging(options)
}

async fn connect_sqlite(
    path: &Path,
    options: SqliteConnectOptions,
    connections: u32,
) -> Result<DatabaseConnection> {
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE * 2)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|e| failed(e).about(format_args!("database {}", path.display())))?;
    Ok(pool.into())
}

/// A transaction that is rolled back unless committed.
pub struct Transaction {
    inner: DatabaseTransaction,
    name: Arc<str>,
}

impl Transaction {
    /// Makes what was written last.
    ///
    /// # Errors
    /// One that [`is_in_doubt`](super::is_in_doubt) where it may be written all the same: the answer of a server was
    /// lost, or the disk failed SQLite once its log may hold the whole transaction.
    pub async fn commit(self) -> Result<()> {
        let Self { inner, name } = self;
        let dialect = dialect(&inner);
        let committed = inner.commit().await;
        let committed = committed.map_err(|e| failed(e).about(name));
        committed.map_err(|error| match dialect {
            Dialect::Mysql if mishap(&error) != Some(Mishap::Lost) => error,
            Dialect::Mysql => in_doubt(Error::new(
                ErrorKind::Unavailable,
                "the connection to the database was lost while a change was committed",
            )),
            Dialect::Sqlite if is_refusal(&error) => error,
            Dialect::Sqlite => in_doubt(error),
        })
    }

    /// Waits until no other transaction that took the turn is under way: for what no row of an image stands
    /// for, such as what a project has in all, or that there is nothing of a name. On SQLite every
    /// transaction has waited for that. The row that is locked is of a table which is always there, and which
    /// nobody writes to but who changes the schema; those who lock an image as well do that first.
    pub async fn take_turn(&self) -> Result<()> {
        if self.dialect() == Dialect::Mysql {
            self.row(Sql::new("SELECT version_num FROM alembic_version").text(self.lock()))
                .await?;
        }
        Ok(())
    }

    /// Whose SQL the database speaks.
    pub fn dialect(&self) -> Dialect {
        dialect(&self.inner)
    }

    /// The present moment as exactly as the database keeps it.
    pub fn now(&self) -> Timestamp {
        self.dialect().now()
    }
}

fn dialect(on: &impl ConnectionTrait) -> Dialect {
    match on.get_database_backend() {
        DatabaseBackend::MySql => Dialect::Mysql,
        _ => Dialect::Sqlite,
    }
}

/// What can run statements: a catalogue, each on its own, or a transaction.
pub(in crate::local) trait Run {
    /// What the database abstraction runs statements on.
    type On: ConnectionTrait;

    /// Returns the underlying connection.
    fn on(&self) -> &Self::On;

    /// Returns the name of the database in messages.
    fn label(&self) -> &str;

    /// What behind a query for one row keeps others from changing it: nothing where nobody can, and
    /// nothing outside of a transaction.
    fn lock(&self) -> &'static str;

    /// Whether a query whose connection broke is asked again: in a transaction it is all of that.
    fn asks_again(&self) -> bool;

    /// Every row of a query.
    async fn rows(&self, sql: Sql) -> Result<Vec<QueryResult>> {
        plans::check(&sql.text);
        let statement = statement(self.on(), sql);
        let ask = || async {
            let rows = self.on().query_all_raw(statement.clone()).await;
            rows.map_err(|e| failed(e).about(self.label()))
        };
        let again = |error: &Error| self.asks_again() && mishap(error) == Some(Mishap::Lost);
        ask.retry(waits())
            .sleep(tokio::time::sleep)
            .when(again)
            .await
    }

    /// The first row of a query.
    async fn row(&self, sql: Sql) -> Result<Option<QueryResult>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// Runs a statement; the number of rows it changed.
    async fn execute(&self, sql: Sql) -> Result<u64> {
        plans::check(&sql.text);
        let statement = statement(self.on(), sql);
        Ok(self
            .on()
            .execute_raw(statement)
            .await
            .map_err(|e| failed(e).about(self.label()))?
            .rows_affected())
    }

    /// Runs statements without values, one after the other.
    async fn batch(&self, text: &str) -> Result<()> {
        let run = self.on().execute_unprepared(text).await;
        run.map_err(|e| failed(e).about(self.label()))?;
        Ok(())
    }
}

impl Run for Catalog {
    type On = DatabaseConnection;

    fn on(&self) -> &DatabaseConnection {
        &self.connections
    }

    fn label(&self) -> &str {
        &self.name
    }

    fn lock(&self) -> &'static str {
        ""
    }

    fn asks_again(&self) -> bool {
        self.reconnects
    }
}

impl Run for Transaction {
    type On = DatabaseTransaction;

    fn on(&self) -> &DatabaseTransaction {
        &self.inner
    }

    fn label(&self) -> &str {
        &self.name
    }

    fn lock(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "",
            Dialect::Mysql => " FOR UPDATE",
        }
    }

    fn asks_again(&self) -> bool {
        false
    }
}

fn statement(on: &impl ConnectionTrait, sql: Sql) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), sql.text, sql.values)
}
