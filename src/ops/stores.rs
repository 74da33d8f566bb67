//! Stores and other information about a deployment.

use serde_json::{Value, json};

use super::views;
use crate::Result;
use crate::output::{Cell, Record, Table, View};
use crate::service::ImageService;

/// Returns a record with one field.
fn one(name: &str, cell: Cell) -> View<'static> {
    let mut record = Record::new();
    record.push(name, cell);
    View::Record(record)
}

/// Lists the stores (`glance stores-info`).
pub async fn stores_info(service: &dyn ImageService, detail: bool) -> Result<View<'static>> {
    let stores: Vec<Value> = service
        .list_stores(detail)
        .await?
        .iter()
        .map(|info| json!(views::store(info)))
        .collect();
    Ok(one("stores", Cell::new(stores)))
}

/// Lists the stores (`openstack image stores list`).
pub async fn stores_list(service: &dyn ImageService, detail: bool) -> Result<View<'static>> {
    let mut columns = vec!["ID", "Description", "Default"];
    if detail {
        columns.push("Properties");
    }
    let stores = service.list_stores(detail).await?;
    let rows = stores.iter().map(|info| {
        let default = if info.is_default {
            json!(true)
        } else {
            Value::Null
        };
        let mut row = vec![json!(info.id), json!(info.description), default];
        if detail {
            row.push(json!(info.detail.as_ref().map(|detail| &detail.properties)));
        }
        row.into_iter().map(Cell::new).collect()
    });
    Ok(View::Table(Table::from_rows(columns, rows.collect())))
}

/// Lists the import methods (`glance import-info`).
pub async fn import_info(service: &dyn ImageService) -> Result<View<'static>> {
    let methods = json!({
        "description": "Import methods available.",
        "type": "array",
        "value": service.import_methods().await?,
    });
    Ok(one("import-methods", Cell::new(methods)))
}

/// Lists the import methods (`openstack image import info`).
pub async fn import_methods(service: &dyn ImageService) -> Result<View<'static>> {
    let methods = json!(service.import_methods().await?);
    Ok(one("import-methods", Cell::list(methods)))
}

/// Lists the quota usage (`glance usage`).
pub async fn usage(service: &dyn ImageService) -> Result<View<'static>> {
    let rows = service.usage().await?.into_iter().map(|usage| {
        [json!(usage.quota), json!(usage.limit), json!(usage.usage)]
            .into_iter()
            .map(Cell::new)
            .collect()
    });
    Ok(View::Table(Table::from_rows(
        vec!["Quota", "Limit", "Usage"],
        rows.collect(),
    )))
}

/// Describes a model of the API (`glance explain MODEL`).
pub async fn explain(service: &dyn ImageService, model: &str) -> Result<View<'static>> {
    let schema = service
        .schema(model)
        .await
        .map_err(|error| match error.kind() {
            crate::ErrorKind::NotFound => {
                crate::Error::failed(format!("Unable to find requested model '{model}'")).hint(
                    "Models: image, images, member, members, metadefs/namespace, …/object, \
                         …/property, …/tag, …/resource_type.",
                )
            }
            _ => error,
        })?;
    let properties = schema.get("properties").and_then(Value::as_object);
    let rows = properties.into_iter().flatten().map(|(name, property)| {
        let about = property.get("description").cloned().unwrap_or(json!(""));
        [json!(name), about].into_iter().map(Cell::new).collect()
    });
    Ok(View::Table(
        Table::from_rows(vec!["Attribute", "Description"], rows.collect()).blank_falsy(),
    ))
}
