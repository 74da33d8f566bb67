//! Stores of the service: `openstack image stores list`.

use crate::Result;
use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::ops::{Outcome, stores};

/// List the stores of the service.
#[derive(Debug, Clone, clap::Args)]
pub struct StoresList {
    /// Show how each store is set up too (administrators).
    #[arg(long)]
    pub detail: bool,
}

impl Leaf for StoresList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::stores_list(session.service().await?, self.detail).await?,
        ))
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[Row::of::<StoresList>(
    "image stores list",
    "List the stores of the service",
    Output::List,
)];
