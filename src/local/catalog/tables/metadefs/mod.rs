//! Rows of metadata definitions. Deletion removes the rows.

mod contents;
mod load;
mod namespaces;
mod resource_types;

pub use contents::Content;
pub use load::Merge;
pub use namespaces::StoredNamespace;

use serde_json::Value;

use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::{Catalog, Transaction};
use crate::model::metadef::{Definition, property};
use crate::{Error, Result};

/// Access to the rows of metadata definitions from a catalogue or a transaction.
pub(in crate::local) struct MetadefRows<'r, R>(&'r R);

impl Catalog {
    /// Returns the rows of metadata definitions.
    pub(in crate::local) fn metadefs(&self) -> MetadefRows<'_, Self> {
        MetadefRows(self)
    }
}

impl Transaction {
    /// Returns the rows of metadata definitions.
    pub(in crate::local) fn metadefs(&self) -> MetadefRows<'_, Self> {
        MetadefRows(self)
    }
}

/// Parses the object in a JSON column. Other values, such as the `null` that the reference implementation loads for
/// an object without properties, become an empty object.
fn json_object(row: &impl Columns, column: &'static str) -> Result<Definition> {
    let text = row.some_text(column)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Definition::new()),
        Err(e) => Err(
            Error::internal("the catalogue has a metadata definition with invalid JSON").because(e),
        ),
    }
}

/// Returns the API form of a property's definition.
fn shown(definition: Value) -> Value {
    match definition {
        Value::Object(fields) => Value::Object(property::shown(fields)),
        other => other,
    }
}
