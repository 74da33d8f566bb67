//! Images as the first grammar prints them.

use serde_json::json;

use crate::model::Image;
use crate::output::{Cell, Record};

/// Returns an image as `glance image-show` prints it.
pub fn image(image: &Image, human_readable: bool) -> Record {
    let mut fields = Vec::new();
    for (name, value) in image.to_api() {
        let value = match name.as_str() {
            "self" | "access" | "file" | "schema" => continue,
            "virtual_size" if value.as_u64().unwrap_or(0) == 0 => json!("Not available"),
            _ => value,
        };
        let cell = match name.as_str() {
            "size" if human_readable => Cell::binary_size(image.size),
            _ => Cell::new(value),
        };
        fields.push((name, cell));
    }
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().collect()
}

/// Returns an image as the location commands of the first grammar print it: with all attributes.
pub fn whole_image(image: &Image) -> Record {
    let mut fields: Vec<(String, Cell)> = image
        .to_api()
        .into_iter()
        .filter(|(name, _)| name != "self")
        .map(|(name, value)| (name, Cell::new(value)))
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().collect()
}
