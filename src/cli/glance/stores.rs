//! Stores of the service and what they hold: `glance stores-*` and `glance usage`.

use crate::Result;
use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::ui::inline;
use crate::ops::{Outcome, locations, stores};

/// Delete the copy of an image that one store holds.
#[derive(Debug, Clone, clap::Args)]
pub struct StoresDelete {
    /// ID of the image.
    pub image_id: String,
    /// Store to delete the copy from.
    #[arg(long, value_name = "STORE_ID")]
    pub store: String,
}

impl Leaf for StoresDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        locations::delete_copy(service, &self.image_id, &self.store, |error| {
            inline(session.grammar, error)
        })
        .await?;
        Ok(Outcome::nothing())
    }
}

/// Show the stores of the service.
#[derive(Debug, Clone, clap::Args)]
pub struct StoresInfo {
    /// Show how each store is set up too (administrators).
    #[arg(long)]
    pub detail: bool,
}

impl Leaf for StoresInfo {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::stores_info(session.service().await?, self.detail).await?,
        ))
    }
}

/// Show how much of its quotas the project uses.
#[derive(Debug, Clone, clap::Args)]
pub struct Usage {}

impl Leaf for Usage {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::usage(session.service().await?).await?,
        ))
    }
}

/// A model of the API.
#[derive(Debug, Clone, clap::Args)]
pub struct Explain {
    /// Name of the model: image, images.
    #[arg(value_name = "MODEL")]
    model: String,
}

impl Leaf for Explain {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::explain(session.service().await?, &self.model).await?,
        ))
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::of::<Explain>("explain", "Explain a model of the API", Output::Plain),
    Row::of::<StoresDelete>(
        "stores-delete",
        "Delete the copy of an image that one store holds",
        Output::Plain,
    ),
    Row::of::<StoresInfo>(
        "stores-info",
        "Show the stores of the service",
        Output::Plain,
    ),
    Row::of::<Usage>(
        "usage",
        "Show how much of its quotas the project uses",
        Output::Plain,
    ),
];
