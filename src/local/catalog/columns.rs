//! Values of a row by their places, whichever door of the database the row came through.

use std::borrow::Cow;

use sea_orm::QueryResult;

use super::column;
use crate::{Error, Result};

/// A row that was read; its columns are counted from 0.
pub(super) trait Columns {
    /// A text, if there is one.
    fn text(&self, index: usize) -> Result<Option<Cow<'_, str>>>;

    /// A whole number, if there is one.
    fn integer(&self, index: usize) -> Result<Option<i64>>;

    /// A truth value; none is false.
    fn flag(&self, index: usize) -> Result<bool>;

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

impl Columns for QueryResult {
    fn text(&self, index: usize) -> Result<Option<Cow<'_, str>>> {
        Ok(column::<Option<String>>(self, index)?.map(Cow::Owned))
    }

    fn integer(&self, index: usize) -> Result<Option<i64>> {
        column(self, index)
    }

    fn flag(&self, index: usize) -> Result<bool> {
        Ok(column::<Option<bool>>(self, index)?.unwrap_or_default())
    }
}
