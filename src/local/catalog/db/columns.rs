//! The values of a row by column name, for all drivers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rusqlite::types::{FromSqlError, Value, ValueRef};
use sqlx::mysql::MySqlRow;
use sqlx::types::chrono::NaiveDateTime;
use sqlx::{ColumnIndex, Decode, Type};

use crate::model::Timestamp;
use crate::{Error, Result};

/// A column of a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::local) struct Column {
    name: &'static str,
    /// The position in the row, counted from 0; None if the column is looked up by its name.
    position: Option<usize>,
}

impl Column {
    /// Creates a column with a known position: see [`columns!`].
    pub(in crate::local::catalog) const fn at(position: usize, name: &'static str) -> Self {
        Self {
            name,
            position: Some(position),
        }
    }
}

impl From<&'static str> for Column {
    fn from(name: &'static str) -> Self {
        Self {
            name,
            position: None,
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares an enum of the columns of a query in their order, and `SELECTED`, the list of columns for the query.
/// Positions are compile-time constants, so that reading long lists needs no lookup per value. If a semicolon
/// follows some of the columns, `SUMMARY` is the list of these alone.
macro_rules! columns {
    (
        $(#[$doc:meta])*
        $name:ident {
            $first:ident = $first_text:literal $(, $column:ident = $text:literal)*;
            $($more:ident = $more_text:literal),+ $(,)?
        }
    ) => {
        columns! {
            $(#[$doc])*
            $name {
                $first = $first_text
                $(, $column = $text)*
                $(, $more = $more_text)+
            }
        }

        impl $name {
            /// The columns of a summary in a query.
            const SUMMARY: &'static str = concat!($first_text $(, ", ", $text)*);
        }
    };
    (
        $(#[$doc:meta])*
        $name:ident { $first:ident = $first_text:literal $(, $column:ident = $text:literal)* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        enum $name {
            $first,
            $($column,)*
        }

        impl $name {
            /// The columns in a query.
            const SELECTED: &'static str = concat!($first_text $(, ", ", $text)*);
        }

        impl From<$name> for $crate::local::catalog::db::columns::Column {
            #[inline]
            fn from(column: $name) -> Self {
                match column {
                    $name::$first => Self::at($name::$first as usize, $first_text),
                    $($name::$column => Self::at($name::$column as usize, $text),)*
                }
            }
        }
    };
}

pub(in crate::local::catalog) use columns;

/// A row of a query's result.
pub(in crate::local::catalog) trait Columns {
    /// Returns a string, if there is one.
    fn text(&self, column: impl Into<Column>) -> Result<Option<Cow<'_, str>>>;

    /// Returns an integer, if there is one.
    fn integer(&self, column: impl Into<Column>) -> Result<Option<i64>>;

    /// Returns a boolean; NULL is false.
    fn flag(&self, column: impl Into<Column>) -> Result<bool>;

    /// Returns a timestamp, if there is one.
    fn moment(&self, column: impl Into<Column>) -> Result<Option<Timestamp>>;

    /// Returns an owned string, if there is one.
    fn owned(&self, column: impl Into<Column>) -> Result<Option<String>> {
        Ok(self.text(column)?.map(Cow::into_owned))
    }

    /// Returns a string. NULL is an error.
    fn some_text(&self, column: impl Into<Column>) -> Result<Cow<'_, str>> {
        let column = column.into();
        self.text(column)?.ok_or_else(|| missing(column))
    }

    /// Returns an owned string. NULL is an error.
    fn some_owned(&self, column: impl Into<Column>) -> Result<String> {
        Ok(self.some_text(column)?.into_owned())
    }

    /// Returns an integer. NULL is an error.
    fn some_integer(&self, column: impl Into<Column>) -> Result<i64> {
        let column = column.into();
        self.integer(column)?.ok_or_else(|| missing(column))
    }
}

fn missing(column: Column) -> Error {
    Error::internal(format!("the catalogue has no value in column {column}"))
}

/// Returns the error for a missing column, or a value of another type.
fn unreadable(column: Column, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal(format!(
        "the catalogue has a value of the wrong type in column {column}"
    ))
    .because(error)
}

/// Parses a timestamp in SQLite's text format.
fn moment_of_text(text: Option<&str>) -> Result<Option<Timestamp>> {
    let read = |text| {
        Timestamp::parse(text).ok_or_else(|| {
            Error::internal(format!("the catalogue has an invalid timestamp '{text}'"))
        })
    };
    text.map(read).transpose()
}

/// A row of either database, without its connection.
pub(in crate::local) enum Row {
    /// A row of SQLite.
    Sqlite(PlainRow),
    /// A row of MySQL or MariaDB.
    Mysql(MySqlRow),
}

impl Columns for Row {
    fn text(&self, column: impl Into<Column>) -> Result<Option<Cow<'_, str>>> {
        match self {
            Self::Sqlite(row) => row.text(column),
            Self::Mysql(row) => row.text(column),
        }
    }

    fn integer(&self, column: impl Into<Column>) -> Result<Option<i64>> {
        match self {
            Self::Sqlite(row) => row.integer(column),
            Self::Mysql(row) => row.integer(column),
        }
    }

    fn flag(&self, column: impl Into<Column>) -> Result<bool> {
        match self {
            Self::Sqlite(row) => row.flag(column),
            Self::Mysql(row) => row.flag(column),
        }
    }

    fn moment(&self, column: impl Into<Column>) -> Result<Option<Timestamp>> {
        match self {
            Self::Sqlite(row) => row.moment(column),
            Self::Mysql(row) => row.moment(column),
        }
    }
}

/// Returns the value of a column in a row of sqlx.
fn get<'r, R, T>(row: &'r R, column: Column) -> Result<T>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    &'static str: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    let value = match column.position {
        Some(position) => row.try_get(position),
        None => row.try_get(column.name),
    };
    value.map_err(|error| unreadable(column, error))
}

impl Columns for MySqlRow {
    fn text(&self, column: impl Into<Column>) -> Result<Option<Cow<'_, str>>> {
        let text: Option<&str> = get(self, column.into())?;
        Ok(text.map(Cow::Borrowed))
    }

    fn integer(&self, column: impl Into<Column>) -> Result<Option<i64>> {
        get(self, column.into())
    }

    fn flag(&self, column: impl Into<Column>) -> Result<bool> {
        let flag: Option<bool> = get(self, column.into())?;
        Ok(flag.unwrap_or_default())
    }

    /// Returns a timestamp from a DATETIME column, which has whole seconds.
    fn moment(&self, column: impl Into<Column>) -> Result<Option<Timestamp>> {
        let moment: Option<NaiveDateTime> = get(self, column.into())?;
        moment_of_text(moment.map(|moment| moment.to_string()).as_deref())
    }
}

/// The values of a row of SQLite.
pub(in crate::local) struct PlainRow {
    /// The names of the columns, shared by the rows of a query.
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl PlainRow {
    /// Copies a row whose columns have these names.
    pub(in crate::local::catalog) fn read(
        row: &rusqlite::Row<'_>,
        names: &Arc<[String]>,
    ) -> rusqlite::Result<Self> {
        let values = (0..names.len()).map(|position| row.get(position));
        Ok(Self {
            values: values.collect::<rusqlite::Result<_>>()?,
            names: Arc::clone(names),
        })
    }
}

/// A row with values of SQLite's types.
trait Values {
    /// Returns the value of a column.
    fn value(&self, column: Column) -> rusqlite::Result<ValueRef<'_>>;
}

impl Values for PlainRow {
    fn value(&self, column: Column) -> rusqlite::Result<ValueRef<'_>> {
        let position = match column.position {
            Some(position) => Some(position),
            None => self.names.iter().position(|name| name == column.name),
        };
        let value = position.and_then(|position| self.values.get(position));
        value
            .map(ValueRef::from)
            .ok_or_else(|| rusqlite::Error::InvalidColumnName(column.name.to_string()))
    }
}

impl Values for rusqlite::Row<'_> {
    fn value(&self, column: Column) -> rusqlite::Result<ValueRef<'_>> {
        match column.position {
            Some(position) => self.get_ref(position),
            None => self.get_ref(column.name),
        }
    }
}

/// Returns the value of a column that `read` converts.
fn read_value<'r, T>(
    row: &'r impl Values,
    column: Column,
    read: impl FnOnce(ValueRef<'r>) -> Result<T, FromSqlError>,
) -> Result<T> {
    let value = row
        .value(column)
        .map_err(|error| unreadable(column, error))?;
    read(value).map_err(|error| unreadable(column, error))
}

impl<R: Values> Columns for R {
    fn text(&self, column: impl Into<Column>) -> Result<Option<Cow<'_, str>>> {
        let text = read_value(self, column.into(), |value| value.as_str_or_null())?;
        Ok(text.map(Cow::Borrowed))
    }

    fn integer(&self, column: impl Into<Column>) -> Result<Option<i64>> {
        read_value(self, column.into(), |value| value.as_i64_or_null())
    }

    fn flag(&self, column: impl Into<Column>) -> Result<bool> {
        Ok(self.integer(column)?.is_some_and(|flag| flag != 0))
    }

    fn moment(&self, column: impl Into<Column>) -> Result<Option<Timestamp>> {
        moment_of_text(self.text(column)?.as_deref())
    }
}
