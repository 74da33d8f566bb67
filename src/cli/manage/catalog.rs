//! The database of a deployment.

use crate::config::{Database, Settings};
use crate::local::catalog::Catalog;
use crate::{Error, Result, local};

/// Opens the database, which MUST exist and be up to date.
pub async fn open(settings: &Settings) -> Result<Catalog> {
    let database = local::database(settings)?;
    let is_there = match database {
        Database::Sqlite(path) => path.exists(),
        Database::Mysql(_) => true,
    };
    if is_there {
        let catalog = Catalog::open(database, false).await?;
        if catalog.state().await?.is_expanded() {
            return Ok(catalog);
        }
    }
    Err(
        Error::failed(format!("database {} is not up to date", database.name()))
            .hint("Run \"glance-manage db sync\" first."),
    )
}
