//! Transactions of a catalogue, and what runs statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{AssertSqlSafe, Executor, MySql, Sqlite};
use tokio::sync::Mutex;

use crate::local::catalog::Sql;
use crate::local::catalog::db::columns::Row;
use crate::local::catalog::db::connection::Dialect;
use crate::local::catalog::db::failure::{Transient, failed, in_doubt, is_refusal, transient};
use crate::local::catalog::db::plans;
use crate::model::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A transaction that is rolled back unless committed.
pub struct Transaction {
    inner: Mutex<Inner>,
    dialect: Dialect,
    /// Whether it only reads: what one moment was like, without locks.
    is_snapshot: bool,
    /// Whether a statement has changed rows or the schema.
    has_changed: AtomicBool,
    has_written: Arc<AtomicBool>,
    name: Arc<str>,
}

pub(in crate::local::catalog) enum Inner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Mysql(sqlx::Transaction<'static, MySql>),
}

impl Transaction {
    /// Returns a transaction that has begun; `has_written` is set once it has changed something and is committed.
    pub(in crate::local::catalog) fn new(
        inner: Inner,
        dialect: Dialect,
        has_written: Arc<AtomicBool>,
        name: Arc<str>,
    ) -> Self {
        Self {
            inner: Mutex::new(inner),
            dialect,
            is_snapshot: false,
            has_changed: AtomicBool::new(false),
            has_written,
            name,
        }
    }

    /// Returns the same transaction, in which queries lock nothing.
    pub(in crate::local::catalog) fn into_snapshot(self) -> Self {
        Self {
            is_snapshot: true,
            ..self
        }
    }

    /// Commits the changes.
    ///
    /// # Errors
    /// One that [`is_in_doubt`](crate::local::catalog::is_in_doubt) where they may be committed nevertheless: the answer of a server
    /// was lost, or the disk failed SQLite once its log may hold the whole transaction.
    pub async fn commit(self) -> Result<()> {
        let Self {
            inner,
            dialect,
            has_changed,
            has_written,
            name,
            ..
        } = self;
        let committed = match inner.into_inner() {
            Inner::Sqlite(transaction) => transaction.commit().await,
            Inner::Mysql(transaction) => transaction.commit().await,
        };
        if committed.is_ok() && has_changed.into_inner() {
            has_written.store(true, Ordering::Relaxed);
        }
        let committed = committed.map_err(|e| failed(e).context(name));
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

    /// Waits until no other transaction that took the turn is under way: for what no row of an image stands
    /// for, such as what a project has in all, or that a name is free. On SQLite every transaction has waited for
    /// that. The row that is locked is of a table that always has one, and that only changes of the schema write
    /// to; those who lock an image as well do that first.
    pub async fn take_turn(&self) -> Result<()> {
        if self.dialect == Dialect::Mysql {
            self.row(Sql::new("SELECT version_num FROM alembic_version").text(self.lock()))
                .await?;
        }
        Ok(())
    }

    /// Returns the dialect of SQL that the database speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the present moment as exactly as the database keeps it.
    pub fn now(&self) -> Timestamp {
        self.dialect.now()
    }

    fn note_change(&self) {
        self.has_changed.store(true, Ordering::Relaxed);
    }
}

/// A runner of statements: a catalogue, which runs each on its own, or a transaction.
pub(in crate::local) trait Run {
    /// Returns what is appended to a query for one row to keep others from changing it: nothing where none can, and
    /// nothing outside of a transaction.
    fn lock(&self) -> &'static str;

    /// Returns every row of a query.
    async fn rows(&self, sql: Sql) -> Result<Vec<Row>>;

    /// Returns the first row of a query.
    async fn row(&self, sql: Sql) -> Result<Option<Row>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// Runs a statement; returns the number of rows it changed.
    async fn execute(&self, sql: Sql) -> Result<u64>;

    /// Runs statements without values, one after the other.
    async fn batch(&self, text: &str) -> Result<()>;
}

impl Run for Transaction {
    fn lock(&self) -> &'static str {
        match self.dialect {
            Dialect::Mysql if !self.is_snapshot => " FOR UPDATE",
            Dialect::Sqlite | Dialect::Mysql => "",
        }
    }

    async fn rows(&self, sql: Sql) -> Result<Vec<Row>> {
        plans::check(&sql.text);
        let rows = match &mut *self.inner.lock().await {
            Inner::Sqlite(on) => sql
                .query::<Sqlite>()
                .fetch_all(&mut **on)
                .await
                .map(sqlite_rows),
            Inner::Mysql(on) => sql
                .query::<MySql>()
                .fetch_all(&mut **on)
                .await
                .map(mysql_rows),
        };
        rows.map_err(|e| failed(e).context(&self.name))
    }

    async fn execute(&self, sql: Sql) -> Result<u64> {
        plans::check(&sql.text);
        let changed = match &mut *self.inner.lock().await {
            Inner::Sqlite(on) => {
                let done = sql.query::<Sqlite>().execute(&mut **on).await;
                done.map(|done| done.rows_affected())
            }
            Inner::Mysql(on) => {
                let done = sql.query::<MySql>().execute(&mut **on).await;
                done.map(|done| done.rows_affected())
            }
        };
        let changed = changed.map_err(|e| failed(e).context(&self.name))?;
        if changed > 0 {
            self.note_change();
        }
        Ok(changed)
    }

    async fn batch(&self, text: &str) -> Result<()> {
        let text = AssertSqlSafe(text.to_string());
        let done = match &mut *self.inner.lock().await {
            Inner::Sqlite(on) => (&mut **on).execute(text).await.map(drop),
            Inner::Mysql(on) => (&mut **on).execute(text).await.map(drop),
        };
        done.map_err(|e| failed(e).context(&self.name))?;
        self.note_change();
        Ok(())
    }
}

pub(in crate::local::catalog) fn sqlite_rows(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Sqlite).collect()
}

pub(in crate::local::catalog) fn mysql_rows(rows: Vec<sqlx::mysql::MySqlRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Mysql).collect()
}
