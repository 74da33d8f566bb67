//! Transactions of a catalogue, and the execution of statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, MySql};
use tokio::sync::Mutex;

use crate::local::catalog::Sql;
use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::columns::Row;
use crate::local::catalog::db::dialect::Dialect;
use crate::local::catalog::db::failure::{Transient, failed, in_doubt, is_refusal, transient};
use crate::local::catalog::db::plans;
use crate::local::catalog::db::sqlite;
use crate::model::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A transaction that is rolled back unless committed.
pub struct Transaction {
    inner: Mutex<Inner>,
    dialect: Dialect,
    /// Whether it is a read-only snapshot, without locks. On SQLite its statements run on the thread of its task.
    is_snapshot: bool,
    /// Whether a statement has changed rows or the schema.
    has_changed: AtomicBool,
    has_written: Arc<AtomicBool>,
    cipher: AddressCipher,
    name: Arc<str>,
}

pub(in crate::local::catalog) enum Inner {
    Sqlite(sqlite::Lease),
    Mysql(sqlx::Transaction<'static, MySql>),
}

impl Transaction {
    /// Creates a transaction that has begun. `has_written` is set when it commits a change.
    pub(in crate::local::catalog) fn new(
        inner: Inner,
        dialect: Dialect,
        has_written: Arc<AtomicBool>,
        cipher: AddressCipher,
        name: Arc<str>,
    ) -> Self {
        Self {
            inner: Mutex::new(inner),
            dialect,
            is_snapshot: false,
            has_changed: AtomicBool::new(false),
            has_written,
            cipher,
            name,
        }
    }

    /// Returns the same transaction without row locks.
    pub(in crate::local::catalog) fn into_snapshot(self) -> Self {
        Self {
            is_snapshot: true,
            ..self
        }
    }

    /// Commits the changes.
    ///
    /// # Errors
    /// An error for which [`is_in_doubt`](crate::local::catalog::is_in_doubt) returns true if the commit may have succeeded: the
    /// response of a server was lost, or SQLite's disk failed when its log may have the whole transaction.
    pub async fn commit(self) -> Result<()> {
        let Self {
            inner,
            dialect,
            is_snapshot,
            has_changed,
            has_written,
            name,
            ..
        } = self;
        let committed = match inner.into_inner() {
            Inner::Sqlite(mut lease) if is_snapshot => {
                lease.run_here(|connection| connection.execute_batch("COMMIT"))
            }
            Inner::Sqlite(mut lease) => {
                let commit = |connection: &Connection| connection.execute_batch("COMMIT");
                lease.run(commit).await
            }
            Inner::Mysql(transaction) => transaction.commit().await.map_err(failed),
        };
        if committed.is_ok() && has_changed.into_inner() {
            has_written.store(true, Ordering::Relaxed);
        }
        let committed = committed.map_err(|error| error.context(name));
        committed.map_err(|error| match dialect {
            Dialect::Mysql if transient(&error) != Some(Transient::Disconnected) => error,
            Dialect::Mysql => in_doubt(Error::new(
                ErrorKind::Unavailable,
                "the connection to the database was lost while a change was committed",
            )),
            Dialect::Sqlite if is_refusal(&error) => error,
            Dialect::Sqlite => in_doubt(error),
        })
    }

    /// Serializes with other transactions that call this. Needed for invariants that no image row protects: project
    /// totals and unique names. On SQLite, all transactions that write are serialized. The row that is locked is in
    /// a table that always has one, and that only schema changes write to. Transactions that lock an image too MUST
    /// do that first.
    pub async fn lock_invariants(&self) -> Result<()> {
        if self.dialect == Dialect::Mysql {
            self.row(Sql::new("SELECT version_num FROM alembic_version").text(self.lock()))
                .await?;
        }
        Ok(())
    }

    /// Returns the SQL dialect of the database.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the current time with the database's precision.
    pub fn now(&self) -> Timestamp {
        self.dialect.now()
    }

    fn note_change(&self) {
        self.has_changed.store(true, Ordering::Relaxed);
    }
}

/// An executor of statements: a catalogue, which runs each on its own, or a transaction.
pub(in crate::local) trait Run {
    /// Returns the suffix of a query that locks its rows: empty on databases without row locks, and outside of a
    /// transaction.
    fn lock(&self) -> &'static str;

    /// Returns the cipher of the addresses of data.
    fn cipher(&self) -> &AddressCipher;

    /// Returns all rows of a query.
    async fn rows(&self, sql: Sql) -> Result<Vec<Row>>;

    /// Returns the first row of a query.
    async fn row(&self, sql: Sql) -> Result<Option<Row>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// Runs a statement, and returns the number of changed rows.
    async fn execute(&self, sql: Sql) -> Result<u64>;

    /// Runs statements without values in sequence.
    async fn batch(&self, text: &str) -> Result<()>;
}

impl Run for Transaction {
    fn lock(&self) -> &'static str {
        match self.dialect {
            Dialect::Mysql if !self.is_snapshot => " FOR UPDATE",
            Dialect::Sqlite | Dialect::Mysql => "",
        }
    }

    fn cipher(&self) -> &AddressCipher {
        &self.cipher
    }

    async fn rows(&self, sql: Sql) -> Result<Vec<Row>> {
        plans::check(&sql.text);
        let rows = match &mut *self.inner.lock().await {
            Inner::Sqlite(lease) if self.is_snapshot => {
                lease.run_here(|connection| sqlite::rows(connection, &sql))
            }
            Inner::Sqlite(lease) => {
                lease
                    .run(move |connection| sqlite::rows(connection, &sql))
                    .await
            }
            Inner::Mysql(on) => mysql_rows(sql.query().fetch_all(&mut **on).await),
        };
        rows.map_err(|error| error.context(&self.name))
    }

    async fn execute(&self, sql: Sql) -> Result<u64> {
        plans::check(&sql.text);
        let changed = match &mut *self.inner.lock().await {
            Inner::Sqlite(lease) => {
                lease
                    .run(move |connection| sqlite::execute(connection, &sql))
                    .await
            }
            Inner::Mysql(on) => {
                let done = sql.query().execute(&mut **on).await;
                done.map(|done| done.rows_affected()).map_err(failed)
            }
        };
        let changed = changed.map_err(|error| error.context(&self.name))?;
        if changed > 0 {
            self.note_change();
        }
        Ok(changed)
    }

    async fn batch(&self, text: &str) -> Result<()> {
        let text = text.to_string();
        let done = match &mut *self.inner.lock().await {
            Inner::Sqlite(lease) => {
                lease
                    .run(move |connection| connection.execute_batch(&text))
                    .await
            }
            Inner::Mysql(on) => {
                let done = (&mut **on).execute(AssertSqlSafe(text)).await;
                done.map(drop).map_err(failed)
            }
        };
        done.map_err(|error| error.context(&self.name))?;
        self.note_change();
        Ok(())
    }
}

/// Returns the rows of a query on MySQL.
pub(in crate::local::catalog) fn mysql_rows(rows: sqlx::Result<Vec<MySqlRow>>) -> Result<Vec<Row>> {
    Ok(rows.map_err(failed)?.into_iter().map(Row::Mysql).collect())
}
