//! A statement and its bound values, for each driver.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Params, ToSql, params_from_iter};
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql};

/// A value that is bound to a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A string.
    Text(String),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value {
    /// Returns a number of rows to return or to skip, limited to the largest value that databases accept.
    pub fn rows(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

/// A statement: text with a `?` for each bound value.
#[derive(Default)]
pub struct Sql {
    /// The text.
    pub(in crate::local::catalog) text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Creates a statement that begins with `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
        }
    }

    /// Appends `text`.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Appends `text`, in which each `?` stands for one of `values`.
    #[must_use]
    pub fn with(mut self, text: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.text.push_str(text);
        self.values.extend(values);
        self
    }

    /// Appends the condition for the rows of `table` that follow the row with the ID `marker`, which MUST exist.
    /// Each key is an expression of columns of the table, with the comparison operator of its direction.
    ///
    /// The keys are not read and sent back, because a returned timestamp may differ from the stored value that a
    /// database compares.
    #[must_use]
    pub fn behind(mut self, table: &str, keys: &[(&str, &str)], marker: &str) -> Self {
        let compared = |key: &str, sign: &str| {
            let of_marker = key.replace(&format!("{table}."), "marker.");
            format!("{key} {sign} (SELECT {of_marker} FROM {table} AS marker WHERE marker.id = ?)")
        };
        for (place, (key, sign)) in keys.iter().enumerate() {
            self.text.push_str(if place == 0 { "((" } else { " OR (" });
            for (equal, _) in &keys[..place] {
                self = self.with(&(compared(equal, "=") + " AND "), [marker.into()]);
            }
            self = self.with(&(compared(key, sign) + ")"), [marker.into()]);
        }
        self.text(")")
    }

    /// Makes this the subquery of another query: `text` is the query up to its table name.
    #[must_use]
    pub fn within(mut self, text: &str) -> Self {
        self.text = format!("{text}({}) AS selected", self.text);
        self
    }

    /// Appends the values as a list in parentheses.
    #[must_use]
    pub fn list(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        let mut separator = "(";
        for value in values {
            self.text.push_str(separator);
            self.text.push('?');
            self.values.push(value);
            separator = ", ";
        }
        if separator == "(" {
            // An empty list matches no value.
            self.text.push_str("(NULL");
        }
        self.text.push(')');
        self
    }

    /// Returns the statement for MySQL.
    pub(in crate::local::catalog) fn query(&self) -> Query<'_, MySql, MySqlArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.as_str()));
        for value in &self.values {
            query = match value {
                Value::Null => query.bind(None::<String>),
                Value::Bool(value) => query.bind(*value),
                Value::Integer(value) => query.bind(*value),
                Value::Text(value) => query.bind(value.as_str()),
            };
        }
        query
    }

    /// Returns the bound values for SQLite.
    pub(in crate::local::catalog) fn params(&self) -> impl Params {
        params_from_iter(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_value_is_null_and_a_present_one_is_itself() {
        assert_eq!(Value::from(None::<String>), Value::Null);
        assert_eq!(Value::from(Some("a")), Value::Text("a".to_string()));
        assert_eq!(Value::from(Some(1_i64)), Value::Integer(1));
        assert_eq!(Value::rows(u64::MAX), Value::Integer(i64::MAX));
    }

    #[test]
    fn a_list_has_a_mark_for_each_value_and_an_empty_one_matches_nothing() {
        let sql = Sql::new("x IN ").list([1_i64.into(), 2_i64.into()]);
        assert_eq!((sql.text.as_str(), sql.values.len()), ("x IN (?, ?)", 2));
        assert_eq!(Sql::new("x IN ").list([]).text, "x IN (NULL)");
    }
}
