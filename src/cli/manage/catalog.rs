//! The database of a deployment.

use std::path::Path;

use crate::config::{Database, Settings};
use crate::local::catalog::Catalog;
use crate::{Error, Result, local};

/// Opens the database without changing it; `None` if it does not exist yet.
pub async fn open_unchanged(settings: &Settings) -> Result<Option<Catalog>> {
    if let Database::Sqlite(path) = settings.require_database()? {
        let absent = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len() == 0,
            // The directory of a local deployment is created on demand; a missing one in a configuration is an
            // error.
            Err(_) => settings.data_dir.is_some() || path.parent().is_some_and(Path::is_dir),
        };
        if absent {
            return Ok(None);
        }
    }
    let catalog = Catalog::open_read_only(settings.require_database()?).await?;
    Ok(Some(catalog))
}

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
