//! The catalogue of metadata definitions: `glance md-*`.

pub mod namespaces;
pub mod objects;
pub mod properties;
pub mod resource_types;
pub mod tags;

use crate::cli::values;
use crate::model::metadef::Definition;
use crate::ops::metadefs;
use crate::{Error, Result};

/// How wide a record may be drawn.
#[derive(Debug, Clone, clap::Args)]
struct ColumnWidth {
    /// Widest a column of the table may get, in characters.
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
    /// Refuses what is no number.
    fn check(&self) -> Result<()> {
        let text = &self.max_column_width;
        values::int(text).map(|_| ()).map_err(|_| {
            Error::failed(format!("invalid literal for int() with base 10: '{text}'"))
                .hint("Give --max-column-width a whole number.")
        })
    }
}

/// The JSON object that an option holds.
fn schema(text: &str) -> Result<Definition> {
    metadefs::parse(text.as_bytes()).map_err(no_json)
}

/// The refusal of a text that is no JSON object, for that reason.
fn no_json(why: String) -> Error {
    Error::failed("Schema is not a valid JSON object.").hint(why)
}
