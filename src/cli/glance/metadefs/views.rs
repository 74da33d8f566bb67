//! Metadata definitions as the first grammar prints them.

use serde_json::json;

use crate::cli::views::metadefs::{associated, record, row};
use crate::model::metadef::{Association, Definition, Namespace, Object, Tag, written};
use crate::output::{Table, View};

/// Returns a namespace as the first grammar prints it: names only for its contents.
pub fn namespace(namespace: &Namespace) -> View<'static> {
    let mut fields = namespace.to_api();
    fields.shift_remove("self");
    let names = |names: Vec<&String>| json!(names);
    let held = [
        ("properties", names(namespace.properties.keys().collect())),
        (
            "objects",
            names(namespace.objects.iter().map(|held| &held.name).collect()),
        ),
        (
            "tags",
            names(namespace.tags.iter().map(|held| &held.name).collect()),
        ),
        ("resource_type_associations", associated(namespace)),
    ];
    for (name, names) in held {
        if fields.contains_key(name) {
            fields.insert(name.to_string(), names);
        }
    }
    record(fields)
}

/// Returns an object as the first grammar prints it: names only for its properties.
pub fn object(namespace: &str, object: &Object) -> View<'static> {
    let mut fields = object.to_api(namespace);
    fields.shift_remove("self");
    if let Some(properties) = &object.properties {
        let names: Vec<&String> = properties.keys().collect();
        fields.insert("properties".to_string(), json!(names));
    }
    record(fields)
}

/// Returns a property as the first grammar prints it, always with `uniqueItems`.
pub fn property(mut property: Definition) -> View<'static> {
    property.entry("uniqueItems").or_insert(false.into());
    record(property)
}

/// Returns a tag.
pub fn tag(tag: &Tag) -> View<'static> {
    record(written(tag))
}

/// Returns the table of tag names.
pub fn tags(tags: &[Tag]) -> Table<'static> {
    let rows = tags.iter().map(|tag| row([json!(tag.name)]));
    Table::from_rows(vec!["name"], rows.collect())
}

/// Returns an association as the first grammar prints it.
pub fn association(association: &Association) -> View<'static> {
    record(written(association))
}

/// Returns the table of associations, as the first grammar prints it.
pub fn associations(associations: &[Association]) -> Table<'static> {
    let rows = associations.iter().map(|known| {
        row([
            json!(known.name),
            json!(known.prefix),
            json!(known.properties_target),
        ])
    });
    Table::from_rows(vec!["name", "prefix", "properties_target"], rows.collect())
}
