//! The catalogue: what the engine knows, in SQL.
//!
//! SeaORM is used for what it abstracts of a database (connections, transactions, values); statements
//! are written out, since their placeholders and words are the same on every database that Glance runs
//! on. What is not the same (the schema, text and native timestamps) has one place here. Lists leave a
//! SQLite database by a door of their own, the `reader`; `columns` is what both doors' rows have.

mod cache;
mod columns;
mod connection;
mod exclusive;
mod failure;
mod holders;
mod images;
mod locations;
mod members;
mod metadefs;
mod migration;
mod mysql;
mod plans;
mod purge;
mod query;
mod reader;
mod revision;
mod rows;
mod scrub;
mod tasks;

pub use connection::{Catalog, Dialect, Transaction};
pub use exclusive::{Held, in_use};
pub use failure::is_in_doubt;
pub use holders::Strangers;
pub use images::StoredImage;
pub use locations::NewLocation;
pub use metadefs::Merge;
pub(in crate::local) use metadefs::{Content, StoredNamespace};
pub use migration::{Due, EXPANDED, HEAD, check_revisions, superseded};
#[cfg(debug_assertions)]
pub use plans::{unselective_steps, watch as watch_plans};
pub use purge::{Purged, Scope};
pub use query::{UsageCounts, is_property};
pub use revision::{State, Turn};
pub(in crate::local) use scrub::{Place, Restorable, StrayLocation, WaitingLocation};

use sea_orm::{QueryResult, Value};

use crate::Result;
use failure::failed;

/// A statement being put together: text with `?` for every bound value.
#[derive(Default)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// A statement that begins with `text`.
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

    /// Appends `text`, in which every `?` stands for one of `values`.
    #[must_use]
    pub fn with(mut self, text: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.text.push_str(text);
        self.values.extend(values);
        self
    }

    /// Appends the condition of the rows of `table` that come behind the one whose id is `marker`, which MUST
    /// be there: each key, a term of columns of the table, with the sign of its direction.
    ///
    /// The keys are not fetched and sent back: what a database gives of a moment need not be what it compares.
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

    /// Asks something of all that this selects: `text` is a query up to where it names its table.
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
            // No value is in an empty list.
            self.text.push_str("(NULL");
        }
        self.text.push(')');
        self
    }
}

/// A column of a row, by its place.
fn column<T: sea_orm::TryGetable>(row: &QueryResult, index: usize) -> Result<T> {
    row.try_get_by_index(index).map_err(failed)
}
