//! Opening a catalogue, and its transactions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};

use super::{Sql, failed};
use crate::Result;

/// How long a statement waits for another process's lock.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Pages of 4 KiB after which the log is copied into the database: little to read for those who open
/// it next, and seldom enough.
const LOG_PAGES: &str = "256";

/// Connections a process opens at most, lists aside: what is written, and what is looked up beside it.
const CONNECTIONS: u32 = 4;

/// Shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite
    Sqlite,
    /// MySQL
    Mysql,
}

/// An open catalogue. A clone shares its connections.
#[derive(Clone)]
pub struct Catalog {
    database: DatabaseConnection,
    path: PathBuf,
}

impl Catalog {
    /// Opens the SQLite database at `path`; makes the file when `create` is set.
    ///
    /// Commits are durable when they return (WAL, synchronous). Nothing is read yet.
    ///
    /// # Errors
    /// `Failed` when it cannot be opened.
    pub async fn open_sqlite(path: &Path, create: bool) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .pragma("wal_autocheckpoint", LOG_PAGES);
        let options = sea_orm::sqlx::ConnectOptions::disable_statement_logging(options);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE * 2)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|e| {
                failed(sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(
                    e.into(),
                )))
            })?;
        Ok(Self {
            database: pool.into(),
            path: path.to_path_buf(),
        })
    }

    /// The database file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    /// What the database is called in messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Which SQL the database speaks.
    #[expect(clippy::unused_self, reason = "shim")]
    pub fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    /// Begins a transaction that writes: it waits for its turn now, so that what it reads stays true
    /// until it commits.
    pub async fn begin(&self) -> Result<Transaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Transaction {
            inner: self
                .database
                .begin_with_options(options)
                .await
                .map_err(failed)?,
        })
    }

    /// Closes every connection; what is not closed is closed by the end of the process as well.
    pub async fn close(self) -> Result<()> {
        self.database.close().await.map_err(failed)
    }
}

/// A transaction that is rolled back unless committed.
pub struct Transaction {
    inner: DatabaseTransaction,
}

impl Transaction {
    /// Makes what was written last.
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await.map_err(failed)
    }
}

/// What can run statements: a catalogue, each on its own, or a transaction.
pub(in crate::local) trait Run {
    /// What the database abstraction runs statements on.
    type On: ConnectionTrait;

    /// It.
    fn on(&self) -> &Self::On;

    /// Every row of a query.
    async fn rows(&self, sql: Sql) -> Result<Vec<QueryResult>> {
        let statement = statement(self.on(), sql);
        self.on().query_all_raw(statement).await.map_err(failed)
    }

    /// The first row of a query.
    async fn row(&self, sql: Sql) -> Result<Option<QueryResult>> {
        let statement = statement(self.on(), sql);
        self.on().query_one_raw(statement).await.map_err(failed)
    }

    /// Runs a statement; the number of rows it changed.
    async fn execute(&self, sql: Sql) -> Result<u64> {
        let statement = statement(self.on(), sql);
        Ok(self
            .on()
            .execute_raw(statement)
            .await
            .map_err(failed)?
            .rows_affected())
    }

    /// Runs statements without values, one after the other.
    async fn batch(&self, text: &str) -> Result<()> {
        self.on().execute_unprepared(text).await.map_err(failed)?;
        Ok(())
    }
}

impl Run for Catalog {
    type On = DatabaseConnection;

    fn on(&self) -> &DatabaseConnection {
        &self.database
    }
}

impl Run for Transaction {
    type On = DatabaseTransaction;

    fn on(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

fn statement(on: &impl ConnectionTrait, sql: Sql) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), sql.text, sql.values)
}
