//! Output of metadata definitions in each grammar.

use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::model::metadef::{
    Association, Definition, Namespace, NamespaceQuery, Object, Properties, ResourceType, Tag,
    written,
};
use crate::output::{Cell, Column, Record, Row, Table, View};
use crate::service::ImageService;

/// Maximum length of a description in the first grammar's lists, in characters.
const MAX_DESCRIPTION: usize = 50;

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

/// Returns a record from an object of the API.
fn record(fields: Map<String, Value>) -> View<'static> {
    let mut fields: Vec<(String, Cell)> = fields
        .into_iter()
        .map(|(name, value)| (name, Cell::new(value)))
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    View::Record(fields.into_iter().collect::<Record>())
}

fn row<const N: usize>(values: [Value; N]) -> Row {
    values.map(Cell::new).into()
}

/// Returns the names of matching namespaces. An empty list prints nothing in the first grammar.
pub fn namespaces(service: &dyn ImageService, query: NamespaceQuery) -> Table<'_> {
    let rows = service.list_namespaces(query).map_ok(|namespaces| {
        let rows = namespaces.iter();
        rows.map(|namespace| row([json!(namespace.name)])).collect()
    });
    Table::new(vec!["namespace"], Box::pin(rows))
}

/// Returns a namespace as the first grammar prints it: names only for its contents.
pub fn glance_namespace(namespace: &Namespace) -> View<'static> {
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

/// Returns a namespace as the second grammar prints it: attributes, resource types and tags.
pub fn openstack_namespace(namespace: &Namespace) -> View<'static> {
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

/// Returns the names of a namespace's resource types.
fn associated(namespace: &Namespace) -> Value {
    let names = namespace.resource_type_associations.iter();
    names.map(|held| held.name.as_str()).collect()
}

/// Returns an object as the first grammar prints it: names only for its properties.
pub fn glance_object(namespace: &str, object: &Object) -> View<'static> {
    let mut fields = object.to_api(namespace);
    fields.shift_remove("self");
    if let Some(properties) = &object.properties {
        let names: Vec<&String> = properties.keys().collect();
        fields.insert("properties".to_string(), json!(names));
    }
    record(fields)
}

/// Returns an object as the second grammar prints it: always the same fields.
pub fn openstack_object(namespace: &str, object: &Object) -> View<'static> {
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

/// Returns the table of objects, as both grammars print it.
pub fn objects(objects: &[Object]) -> Table<'static> {
    let columns = [
        Column::new("name"),
        Column::new("description").max_width(MAX_DESCRIPTION),
    ];
    let rows = objects.iter();
    let rows = rows.map(|object| row([json!(object.name), json!(object.description)]));
    Table::from_rows(columns, rows.collect())
}

/// Returns a property as the first grammar prints it, always with `uniqueItems`.
pub fn glance_property(mut property: Definition) -> View<'static> {
    property.entry("uniqueItems").or_insert(false.into());
    record(property)
}

/// Returns a property as the second grammar prints it.
pub fn openstack_property(mut property: Definition) -> View<'static> {
    property.retain(|name, value| SHOWN.contains(&name.as_str()) && !value.is_null());
    record(property)
}

/// Returns a property of an object, as both grammars print it.
pub fn object_property(property: Definition) -> View<'static> {
    record(property)
}

/// Returns the table of properties, as both grammars print it.
pub fn properties(properties: &Properties) -> Table<'static> {
    let rows = properties.iter().map(|(name, property)| {
        let value = |name: &str| property.get(name).cloned().unwrap_or_default();
        row([json!(name), value("title"), value("type")])
    });
    Table::from_rows(vec!["name", "title", "type"], rows.collect())
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

/// Returns the table of resource type names; `heading` depends on the grammar.
pub fn resource_types(heading: &'static str, types: &[ResourceType]) -> Table<'static> {
    let rows = types.iter().map(|known| row([json!(known.name)]));
    Table::from_rows(vec![heading], rows.collect())
}

/// Returns an association as the first grammar prints it.
pub fn glance_association(association: &Association) -> View<'static> {
    record(written(association))
}

/// Returns an association as the second grammar prints it: always the same fields.
pub fn openstack_association(association: &Association) -> View<'static> {
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

/// Returns the table of associations, as the first grammar prints it.
pub fn glance_associations(associations: &[Association]) -> Table<'static> {
    let rows = associations.iter().map(|known| {
        row([
            json!(known.name),
            json!(known.prefix),
            json!(known.properties_target),
        ])
    });
    Table::from_rows(vec!["name", "prefix", "properties_target"], rows.collect())
}

/// Returns the table of associations, as the second grammar prints it.
pub fn openstack_associations(associations: &[Association]) -> Table<'static> {
    let rows = associations.iter().map(|known| row([json!(known.name)]));
    Table::from_rows(vec!["Name"], rows.collect())
}
