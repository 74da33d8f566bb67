//! Stores of the service: `openstack image stores list`.

use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::ops::{Outcome, stores};

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
            stores::stores_list(session.service().await?, self.detail).await?,
        ))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[Row::of::<StoresList>(
    "image stores list",
    "List the available stores",
    Output::List,
)];
