//! Values of a row by their places, whichever door of the database the row came through.

use std::borrow::Cow;

use sea_orm::QueryResult;
use sqlx::Row;
use sqlx::mysql::MySqlRow;
use sqlx::types::chrono::NaiveDateTime;

use super::column;
use super::failure::failed;
use crate::model::Timestamp;
use crate::{Error, Result};

/// A row that was read; its columns are counted from 0.
pub(super) trait Columns {
    /// A text, if there is one.
    fn text(&self, index: usize) -> Result<Option<Cow<'_, str>>>;

    /// A whole number, if there is one.
    fn integer(&self, index: usize) -> Result<Option<i64>>;

    /// A truth value; none is false.
    fn flag(&self, index: usize) -> Result<bool>;

    /// A moment, if there is one.
    fn moment(&self, index: usize) -> Result<Option<Timestamp>>;

    /// A text of the caller's own, if there is one.
    fn owned(&self, index: usize) -> Result<Option<String>> {
        Ok(self.text(index)?.map(Cow::into_owned))
    }

    /// A text that MUST be there.
    fn some_text(&self, index: usize) -> Result<Cow<'_, str>> {
        self.text(index)?.ok_or_else(|| missing(index))
    }

    /// A whole number that MUST be there.
    fn some_integer(&self, index: usize) -> Result<i64> {
        self.integer(index)?.ok_or_else(|| missing(index))
    }
}

fn missing(index: usize) -> Error {
    Error::internal(format!("the catalogue holds nothing in column {index}"))
}

/// A moment as SQLite has it: a text.
pub(super) fn moment_of_text(text: Option<&str>) -> Result<Option<Timestamp>> {
    let read = |text| {
        Timestamp::parse(text)
            .ok_or_else(|| Error::internal(format!("the catalogue holds a bad time '{text}'")))
    };
    text.map(read).transpose()
}

impl Columns for QueryResult {
    fn text(&self, index: usize) -> Result<Option<Cow<'_, str>>> {
        match self.try_as_mysql_row() {
            Some(row) => row.text(index),
            None => Ok(column::<Option<String>>(self, index)?.map(Cow::Owned)),
        }
    }

    fn integer(&self, index: usize) -> Result<Option<i64>> {
        column(self, index)
    }

    fn flag(&self, index: usize) -> Result<bool> {
        Ok(column::<Option<bool>>(self, index)?.unwrap_or_default())
    }

    fn moment(&self, index: usize) -> Result<Option<Timestamp>> {
        match self.try_as_mysql_row() {
            Some(row) => row.moment(index),
            None => moment_of_text(self.text(index)?.as_deref()),
        }
    }
}

impl Columns for MySqlRow {
    fn text(&self, index: usize) -> Result<Option<Cow<'_, str>>> {
        let text: Option<&str> = self.try_get(index).map_err(failed)?;
        Ok(text.map(Cow::Borrowed))
    }

    fn integer(&self, index: usize) -> Result<Option<i64>> {
        self.try_get(index).map_err(failed)
    }

    fn flag(&self, index: usize) -> Result<bool> {
        let flag: Option<bool> = self.try_get(index).map_err(failed)?;
        Ok(flag.unwrap_or_default())
    }

    /// DATETIME there, in whole seconds.
    fn moment(&self, index: usize) -> Result<Option<Timestamp>> {
        let moment: Option<NaiveDateTime> = self.try_get(index).map_err(failed)?;
        moment_of_text(moment.map(|moment| moment.to_string()).as_deref())
    }
}
