//! Metadata definitions: `glance md-*`.

pub mod namespaces;
pub mod objects;
pub mod properties;
pub mod resource_types;
pub mod tags;
mod views;

use crate::cli::command::values;
use crate::model::metadef::Definition;
use crate::ops::metadefs;
use crate::{Error, Result};

/// The maximum column width of a table.
#[derive(Debug, Clone, clap::Args)]
struct ColumnWidth {
    /// Maximum width of a column, in characters.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    max_column_width: String,
}

impl ColumnWidth {
    /// Rejects a value that is not a number.
    fn check(&self) -> Result<()> {
        let text = &self.max_column_width;
        values::int(text).map(|_| ()).map_err(|_| {
            Error::failed(format!("invalid literal for int() with base 10: '{text}'"))
                .hint("Pass a whole number to --max-column-width.")
        })
    }
}

/// Parses the JSON object in an option's value.
fn schema(text: &str) -> Result<Definition> {
    metadefs::parse(text.as_bytes()).map_err(invalid_json)
}

/// Returns the error for text that is not a JSON object, with the reason as a hint.
fn invalid_json(why: String) -> Error {
    Error::failed("Schema is not a valid JSON object.").hint(why)
}
