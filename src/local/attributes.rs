//! Attributes and properties of an image, set by name.

use serde_json::Value;

use crate::model::schema::as_integer;
use crate::model::{Image, ImageStatus, Visibility};
use crate::{Error, Operation, Result};

/// Returns a string; None for another type.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}

/// Sets an attribute or property to a value that fits the schema.
pub(super) fn set(image: &mut Image, name: &str, value: &Value) -> Result<()> {
    let number = |least: &str| -> Result<i64> {
        let number = as_integer(value).filter(|number| i32::try_from(*number).is_ok());
        let number = number.ok_or_else(|| {
            Error::invalid(format!(
                "'{name}' value out of range, must be less than 2147483648"
            ))
        })?;
        if number < 0 {
            return Err(Error::invalid(format!(
                "Invalid value '{number}' for parameter '{name}': {least}"
            )));
        }
        Ok(number)
    };
    let formats_open = matches!(image.status, ImageStatus::Queued | ImageStatus::Importing);
    match name {
        "name" => image.name = text(value),
        "visibility" => {
            if let Some(visibility) = value.as_str().and_then(Visibility::parse) {
                image.visibility = visibility;
            }
        }
        "protected" => image.protected = value.as_bool().unwrap_or(image.protected),
        "os_hidden" => image.hidden = value.as_bool().unwrap_or(image.hidden),
        "owner" => image.owner = text(value).filter(|owner| !owner.is_empty()),
        "min_disk" => image.min_disk = number("Cannot be a negative value")?,
        "min_ram" => image.min_ram = number("Cannot be a negative value")?,
        "disk_format" | "container_format" if !formats_open => {
            return Err(Error::forbidden(format!(
                "Attribute {name} can be only replaced for a queued image."
            )));
        }
        "disk_format" => image.disk_format = text(value),
        "container_format" => image.container_format = text(value),
        "tags" => {
            let mut tags: Vec<String> = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(text)
                .collect();
            tags.sort();
            tags.dedup();
            image.tags = tags;
        }
        "locations" => {
            return Err(
                Error::forbidden("locations cannot be set with other attributes")
                    .hint(Operation::AddLocation),
            );
        }
        property => {
            let value = text(value).unwrap_or_default();
            match image
                .properties
                .iter_mut()
                .find(|(name, _)| name == property)
            {
                Some((_, old)) => *old = value,
                None => image.properties.push((property.to_string(), value)),
            }
        }
    }
    Ok(())
}
