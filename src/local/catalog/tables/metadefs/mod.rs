//! Rows of metadata definitions, which are deleted for good: nothing is only marked.

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

/// The rows of metadata definitions, as a catalogue or a transaction meets them.
pub(in crate::local) struct MetadefRows<'r, R>(&'r R);

impl Catalog {
    /// The rows of metadata definitions.
    pub(in crate::local) fn metadefs(&self) -> MetadefRows<'_, Self> {
        MetadefRows(self)
    }
}

impl Transaction {
    /// The rows of metadata definitions.
    pub(in crate::local) fn metadefs(&self) -> MetadefRows<'_, Self> {
        MetadefRows(self)
    }
}

/// The object of a column that holds JSON; what is none, such as the `null` that the reference
/// implementation loads for an object without properties, is empty.
fn json_object(row: &impl Columns, column: &'static str) -> Result<Definition> {
    let text = row.some_text(column)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Definition::new()),
        Err(e) => Err(
            Error::internal("the catalogue holds a metadata definition that is no JSON").because(e),
        ),
    }
}

/// The definition of a property as it is shown.
fn shown(definition: Value) -> Value {
    match definition {
        Value::Object(fields) => Value::Object(property::shown(fields)),
        other => other,
    }
}
