//! Loading and exporting metadata definitions: `glance-manage db load_metadefs` and related commands.

use std::path::PathBuf;
use std::process::ExitCode;

use super::manage::LoadMetadefs;
use super::ui;
use crate::config::{Database, Settings};
use crate::local::catalog::Catalog;
use crate::local::metadefs::{self, Merge};
use crate::{Error, Result, local};

/// Loads files. Invalid options and files are reported, and the exit code is 0, which scripts rely on.
pub(super) async fn load(settings: &Settings, wanted: LoadMetadefs) -> Result<ExitCode> {
    let merge = match (wanted.merge, wanted.prefer_new, wanted.overwrite) {
        (false, false, false) => Merge::Skip,
        (false, ..) => {
            ui::notice(
                "To use --prefer_new or --overwrite you need to combine of these options with --merge \
                 option.",
            );
            return Ok(ExitCode::SUCCESS);
        }
        (true, true, true) => {
            ui::notice(
                "Please provide no more than one option from this list: --prefer_new, --overwrite",
            );
            return Ok(ExitCode::SUCCESS);
        }
        (true, true, false) => Merge::PreferNew,
        (true, false, true) => Merge::Overwrite,
        (true, false, false) => Merge::Keep,
    };
    let catalog = open(settings).await?;
    let path = match &wanted.path {
        Some(path) => path,
        None => settings.metadef_dir.get()?,
    };
    let left_out = metadefs::load(&catalog, path, merge).await;
    catalog.finish().await;
    for why in left_out? {
        ui::notice(why.message());
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes all metadata definitions.
pub(super) async fn unload(settings: &Settings) -> Result<ExitCode> {
    let catalog = open(settings).await?;
    let unloaded = metadefs::unload(&catalog).await;
    catalog.finish().await;
    unloaded.map(|()| ExitCode::SUCCESS)
}

/// Exports each namespace to a file.
pub(super) async fn export(settings: &Settings, path: Option<PathBuf>) -> Result<ExitCode> {
    let path = match &path {
        Some(path) => path,
        None => settings.metadef_dir.get()?,
    };
    for notice in metadefs::export(&open(settings).await?, path).await? {
        ui::notice(&notice);
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the database, which MUST exist and be up to date.
pub(super) async fn open(settings: &Settings) -> Result<Catalog> {
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
