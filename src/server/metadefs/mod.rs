//! Metadata definitions: a file per kind.
//!
//! *Source:* `glance/api/v2/metadef_*.py` of the reference implementation.

pub mod namespaces;
pub mod objects;
pub mod properties;
pub mod resource_types;
pub mod tags;

use serde_json::Value;

use super::call::Call;
use crate::model::metadef::Definition;
use crate::{Error, Result};

/// Reads the body of a request as a definition.
///
/// # Errors
/// `Invalid` for anything but a JSON object.
async fn definition(call: &mut Call) -> Result<Definition> {
    match call.json().await? {
        Value::Object(definition) => Ok(definition),
        _ => Err(Error::invalid("The body of a definition is a JSON object.")),
    }
}
