//! Stores and their usage: `glance stores-*` and `glance usage`.

use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::ops::{Outcome, locations, stores};

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
        Ok(Outcome::from(
            stores::stores_info(session.service().await?, self.detail).await?,
        ))
    }
}

/// Show quota usage of the project.
#[derive(Debug, Clone, clap::Args)]
pub struct Usage {}

impl Leaf<Session> for Usage {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::usage(session.service().await?).await?,
        ))
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
            stores::explain(session.service().await?, &self.model).await?,
        ))
    }
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
