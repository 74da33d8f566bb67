//! How metadata definitions look in each grammar.

use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::model::metadef::{
    Association, Definition, Namespace, NamespaceQuery, Object, Properties, ResourceType, Tag,
    written,
};
use crate::output::{Cell, Column, Record, Row, Table, View};
use crate::service::ImageService;

/// Characters of a description in the first grammar's lists.
const DESCRIPTION: usize = 50;

/// The attributes of a property that the second grammar shows: those whose name in openstacksdk is
/// that of the API.
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

/// A record of an object of the API.
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

/// The names of the namespaces that match; nothing for what is empty in the first grammar alone.
pub fn namespaces(service: &dyn ImageService, query: NamespaceQuery) -> Table<'_> {
    let rows = service.list_namespaces(query).map_ok(|namespaces| {
        let rows = namespaces.iter();
        rows.map(|namespace| row([json!(namespace.name)])).collect()
    });
    Table::new(vec!["namespace"], Box::pin(rows))
}

/// A namespace as the first grammar shows it: of what it holds, the names.
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

/// A namespace as the second grammar shows it: its own attributes, its types of resources, its tags.
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

/// The names of the types of resources that a namespace describes.
fn associated(namespace: &Namespace) -> Value {
    let names = namespace.resource_type_associations.iter();
    names.map(|held| held.name.as_str()).collect()
}

/// An object as the first grammar shows it: of its properties, the names.
pub fn glance_object(namespace: &str, object: &Object) -> View<'static> {
    let mut fields = object.to_api(namespace);
    fields.shift_remove("self");
    if let Some(properties) = &object.properties {
        let names: Vec<&String> = properties.keys().collect();
        fields.insert("properties".to_string(), json!(names));
    }
    record(fields)
}

/// An object as the second grammar shows it: the same rows whatever it has.
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

/// Objects, as both grammars list them.
pub fn objects(objects: &[Object]) -> Table<'static> {
    let columns = [
        Column::new("name"),
        Column::new("description").max_width(DESCRIPTION),
    ];
    let rows = objects.iter();
    let rows = rows.map(|object| row([json!(object.name), json!(object.description)]));
    Table::from_rows(columns, rows.collect())
}

/// A property as the first grammar shows it, `uniqueItems` in any case.
pub fn glance_property(mut property: Definition) -> View<'static> {
    property.entry("uniqueItems").or_insert(false.into());
    record(property)
}

/// A property as the second grammar shows it.
pub fn openstack_property(mut property: Definition) -> View<'static> {
    property.retain(|name, value| SHOWN.contains(&name.as_str()) && !value.is_null());
    record(property)
}

/// A property of an object, as both grammars show it.
pub fn object_property(property: Definition) -> View<'static> {
    record(property)
}

/// Properties, as both grammars list them.
pub fn properties(properties: &Properties) -> Table<'static> {
    let rows = properties.iter().map(|(name, property)| {
        let value = |name: &str| property.get(name).cloned().unwrap_or_default();
        row([json!(name), value("title"), value("type")])
    });
    Table::from_rows(vec!["name", "title", "type"], rows.collect())
}

/// A tag.
pub fn tag(tag: &Tag) -> View<'static> {
    record(written(tag))
}

/// The names of tags.
pub fn tags(tags: &[Tag]) -> Table<'static> {
    let rows = tags.iter().map(|tag| row([json!(tag.name)]));
    Table::from_rows(vec!["name"], rows.collect())
}

/// The names of types of resources; each grammar has a heading of its own.
pub fn resource_types(heading: &'static str, types: &[ResourceType]) -> Table<'static> {
    let rows = types.iter().map(|known| row([json!(known.name)]));
    Table::from_rows(vec![heading], rows.collect())
}

/// An association as the first grammar shows it.
pub fn glance_association(association: &Association) -> View<'static> {
    record(written(association))
}

/// An association as the second grammar shows it: the same rows whatever it has.
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

/// Associations as the first grammar lists them.
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

/// Associations as the second grammar lists them.
pub fn openstack_associations(associations: &[Association]) -> Table<'static> {
    let rows = associations.iter().map(|known| row([json!(known.name)]));
    Table::from_rows(vec!["Name"], rows.collect())
}
