//! Metadata definitions as the second grammar prints them.

use serde_json::{Value, json};

use crate::cli::views::metadefs::{associated, record, row};
use crate::model::metadef::{Association, Definition, Namespace, Object, written};
use crate::output::{Cell, Table, View};

/// The attributes of a property that the second grammar prints: those with the same name in openstacksdk and
/// the API.
///
/// *Source:* `_format_property` in `openstackclient/image/v2/metadef_properties.py`.
const SHOWN: [&str; 11] = [
    "name",
    "type",
    "title",
    "description",
    "operators",
    "default",
    "minimum",
    "maximum",
    "enum",
    "pattern",
    "items",
];

/// Returns a namespace as the second grammar prints it: attributes, resource types and tags.
pub fn namespace(namespace: &Namespace) -> View<'static> {
    let mut fields = written(namespace);
    for name in ["properties", "objects"] {
        fields.shift_remove(name);
    }
    let tags: Vec<Value> = namespace
        .tags
        .iter()
        .map(|tag| json!(written(tag)))
        .collect();
    fields.insert("tags".to_string(), tags.into());
    if fields.contains_key("resource_type_associations") {
        let name = "resource_type_associations".to_string();
        fields.insert(name, associated(namespace));
    }
    record(fields)
}

/// Returns an object as the second grammar prints it: always the same fields.
pub fn object(namespace: &str, object: &Object) -> View<'static> {
    let fields = [
        ("created_at", json!(object.created_at)),
        ("description", json!(object.description)),
        ("name", json!(object.name)),
        ("namespace_name", json!(namespace)),
        ("properties", json!(object.properties)),
        ("required", json!(object.required)),
        ("updated_at", json!(object.updated_at)),
    ];
    let fields = fields.map(|(name, value)| (name.to_string(), Cell::new(value)));
    View::Record(fields.into_iter().collect())
}

/// Returns a property as the second grammar prints it.
pub fn property(mut property: Definition) -> View<'static> {
    property.retain(|name, value| SHOWN.contains(&name.as_str()) && !value.is_null());
    record(property)
}

/// Returns an association as the second grammar prints it: always the same fields.
pub fn association(association: &Association) -> View<'static> {
    let fields = [
        ("created_at", json!(association.created_at)),
        ("id", json!(association.name)),
        ("name", json!(association.name)),
        ("prefix", json!(association.prefix)),
        ("properties_target", json!(association.properties_target)),
        ("updated_at", json!(association.updated_at)),
    ];
    let fields = fields.map(|(name, value)| (name.to_string(), Cell::new(value)));
    View::Record(fields.into_iter().collect())
}

/// Returns the table of associations, as the second grammar prints it.
pub fn associations(associations: &[Association]) -> Table<'static> {
    let rows = associations.iter().map(|known| row([json!(known.name)]));
    Table::from_rows(vec!["Name"], rows.collect())
}
