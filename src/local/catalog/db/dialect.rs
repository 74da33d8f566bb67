//! The differences of the databases in one value.

use crate::model::Timestamp;

/// A dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// Returns the current time with the database's precision: MySQL stores whole seconds, and some versions round
    /// instead of truncating.
    pub(in crate::local::catalog) fn now(self) -> Timestamp {
        match self {
            Self::Sqlite => Timestamp::now(),
            Self::Mysql => Timestamp::now().whole_second(),
        }
    }
}
