//! Fields of an image by the names of the second grammar.

use serde_json::Value;

use crate::model::Image;

/// Returns the text of a field, by which the second grammar sorts and filters; `None` if the image lacks it.
pub fn field_text(image: &Image, name: &str) -> Option<String> {
    if let Some(value) = image.property(name) {
        return Some(value.to_string());
    }
    let name = match name {
        "is_hidden" => "os_hidden",
        "is_protected" => "protected",
        "hash_algo" => "os_hash_algo",
        "hash_value" => "os_hash_value",
        "owner_id" => "owner",
        other => other,
    };
    match image.to_api().get(name)? {
        Value::Null => None,
        Value::Bool(true) => Some("True".to_string()),
        Value::Bool(false) => Some("False".to_string()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
