//! Stores and their usage: `glance stores-*` and `glance usage`.

use indicatif::HumanBytes;
use serde_json::{Map, Value, json};

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::screen;
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::model::StoreInfo;
use crate::ops::{Outcome, locations};
use crate::output::{Cell, Table, View};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// Delete the copy of an image in one store.
#[derive(Debug, Clone, clap::Args)]
pub struct StoresDelete {
    /// ID of the image.
    pub image_id: String,
    /// Store to delete the copy from.
    #[arg(long, value_name = "STORE_ID")]
    pub store: String,
}

impl Leaf<Session> for StoresDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        locations::delete_copy(service, &self.image_id, &self.store, |error| {
            inline(session.grammar, error)
        })
        .await?;
        Ok(Outcome::nothing())
    }
}

/// Show the available stores.
#[derive(Debug, Clone, clap::Args)]
pub struct StoresInfo {
    /// Include the configuration of each store (administrators only).
    #[arg(long)]
    pub detail: bool,
}

impl Leaf<Session> for StoresInfo {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let stores = session.service().await?.list_stores(self.detail).await?;
        if self.detail && screen::is_terminal() {
            return Ok(Outcome::from(stores_table(&stores)).with_data(stores_record(&stores)));
        }
        Ok(Outcome::from(stores_record(&stores)))
    }
}

/// Show quota usage of the project.
#[derive(Debug, Clone, clap::Args)]
pub struct Usage {}

impl Leaf<Session> for Usage {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(usage(session.service().await?).await?))
    }
}

/// Arguments of `explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct Explain {
    /// Name of the model, such as image or images.
    #[arg(value_name = "MODEL")]
    model: String,
}

impl Leaf<Session> for Explain {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            explain(session.service().await?, &self.model).await?,
        ))
    }
}

/// Returns a store by the field names of the API.
fn store(info: &StoreInfo) -> Map<String, Value> {
    let mut store = Map::new();
    store.insert("id".to_string(), json!(info.id));
    if let Some(description) = &info.description {
        store.insert("description".to_string(), json!(description));
    }
    if info.is_default {
        store.insert("default".to_string(), json!("true"));
    }
    if info.read_only {
        store.insert("read-only".to_string(), json!("true"));
    }
    if let Some(detail) = &info.detail {
        store.insert("type".to_string(), json!(detail.kind));
        store.insert("properties".to_string(), json!(detail.properties));
        store.insert("weight".to_string(), json!(detail.weight));
        if let Some(space) = &detail.space {
            let bytes = json!({"free_bytes": space.free, "total_bytes": space.total});
            store.insert("space".to_string(), bytes);
        }
    }
    store
}

/// Returns the stores as upstream prints them.
fn stores_record(stores: &[StoreInfo]) -> View<'static> {
    let stores: Vec<Value> = stores.iter().map(|info| json!(store(info))).collect();
    let record = [("stores".to_string(), Cell::new(stores))];
    View::Record(record.into_iter().collect())
}

/// Returns the stores with their properties for people.
fn stores_table(stores: &[StoreInfo]) -> View<'static> {
    let rows = stores.iter().map(|info| {
        let detail = info.detail.as_ref();
        let space = detail.and_then(|detail| detail.space);
        let used = space.filter(|space| space.total > 0).map(|space| {
            let used = space.total.saturating_sub(space.free);
            let total = HumanBytes(space.total);
            format!("{}\nof {total}", bar(used, space.total))
        });
        let properties = detail.map(|detail| {
            let known = detail.properties.iter();
            let lines = known.map(|(name, value)| match value {
                Value::String(text) => format!("{name}: {text}"),
                other => format!("{name}: {other}"),
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        let name = if info.is_default {
            format!("{} (default)", info.id)
        } else {
            info.id.clone()
        };
        vec![
            Cell::new(name),
            Cell::new(detail.map(|detail| detail.kind.clone())),
            Cell::new(detail.map(|detail| detail.weight)),
            Cell::new(used),
            Cell::new(properties),
        ]
    });
    View::Table(Table::from_rows(
        vec!["Store", "Type", "Weight", "Used", "Properties"],
        rows.collect(),
    ))
}

/// Lists the quota usage.
async fn usage(service: &dyn ImageService) -> Result<View<'static>> {
    let rows = service.usage().await?.into_iter().map(|usage| {
        let used = match (u64::try_from(usage.limit), u64::try_from(usage.usage)) {
            (Ok(limit), Ok(used)) if screen::is_terminal() && limit > 0 => {
                Cell::shown(usage.usage, format!("{} {}", usage.usage, bar(used, limit)))
            }
            _ => Cell::new(usage.usage),
        };
        vec![Cell::new(usage.quota), Cell::new(usage.limit), used]
    });
    Ok(View::Table(Table::from_rows(
        vec!["Quota", "Limit", "Usage"],
        rows.collect(),
    )))
}

/// Returns a bar of how much of a limit is used.
fn bar(used: u64, limit: u64) -> String {
    const WIDTH: u128 = 20;
    let percent = u128::from(used) * 100 / u128::from(limit);
    let filled = (u128::from(used) * WIDTH)
        .div_ceil(u128::from(limit))
        .min(WIDTH);
    let filled = usize::try_from(filled).unwrap_or_default();
    format!("[{:20}] {percent} %", "#".repeat(filled))
}

/// Describes a model of the API.
async fn explain(service: &dyn ImageService, model: &str) -> Result<View<'static>> {
    let schema = service
        .schema(model)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::failed(format!("Unable to find requested model '{model}'")).hint(
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

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<Explain>("explain", "Describe a model of the API", Output::Plain),
    Row::of::<StoresDelete>(
        "stores-delete",
        "Delete the copy of an image in one store",
        Output::Plain,
    ),
    Row::of::<StoresInfo>("stores-info", "Show the available stores", Output::Plain),
    Row::of::<Usage>("usage", "Show quota usage of the project", Output::Plain),
];
