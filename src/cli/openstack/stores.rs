//! Stores of the service: `openstack image stores list`.

use serde_json::{Value, json};

use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::ops::Outcome;
use crate::output::{Cell, Table, View};
use crate::service::ImageService;

/// List the available stores.
#[derive(Debug, Clone, clap::Args)]
pub struct StoresList {
    /// Include the configuration of each store (administrators only).
    #[arg(long)]
    pub detail: bool,
}

impl Leaf<Session> for StoresList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores_list(session.service().await?, self.detail).await?,
        ))
    }
}

/// Lists the stores.
async fn stores_list(service: &dyn ImageService, detail: bool) -> Result<View<'static>> {
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

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[Row::of::<StoresList>(
    "image stores list",
    "List the available stores",
    Output::List,
)];
