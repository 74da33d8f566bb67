//! Metadata definitions as both grammars print them.

use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::model::metadef::{
    Definition, Namespace, NamespaceQuery, Object, Properties, ResourceType,
};
use crate::output::{Cell, Column, Record, Row, Table, View};
use crate::service::ImageService;

/// Maximum length of a description in the first grammar's lists, in characters.
const MAX_DESCRIPTION: usize = 50;

/// Returns a record from an object of the API.
pub fn record(fields: Map<String, Value>) -> View<'static> {
    let mut fields: Vec<(String, Cell)> = fields
        .into_iter()
        .map(|(name, value)| (name, Cell::new(value)))
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    View::Record(fields.into_iter().collect::<Record>())
}

pub fn row<const N: usize>(values: [Value; N]) -> Row {
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

/// Returns the names of a namespace's resource types.
pub fn associated(namespace: &Namespace) -> Value {
    let names = namespace.resource_type_associations.iter();
    names.map(|held| held.name.as_str()).collect()
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

/// Returns the table of resource type names; `heading` depends on the grammar.
pub fn resource_types(heading: &'static str, types: &[ResourceType]) -> Table<'static> {
    let rows = types.iter().map(|known| row([json!(known.name)]));
    Table::from_rows(vec![heading], rows.collect())
}
