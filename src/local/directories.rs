//! The directories of a deployment, and the permissions of what is in them.

use std::path::Path;

use crate::config::{Database, Settings, StoreKind};
use crate::data::durable::create_directory;
use crate::model::schema::is_uuid;
use crate::{Error, Operation, Result};

/// Returns the database of `settings`, and creates the other directories of a new data directory.
///
/// # Errors
/// `Failed` if no database is configured, or it is missing although there is image data.
pub(super) fn prepare(settings: &Settings) -> Result<&Database> {
    if let Some(lost) = lost_database(settings) {
        return Err(lost);
    }
    let database = database(settings)?;
    if settings.data_dir.is_some() && !is_made(database) {
        // A directory with an invalid setting is created after the setting is corrected.
        let cache = settings.cache.get().ok().and_then(Option::as_ref);
        let staging = settings.staging_dir.get().ok();
        for directory in staging
            .into_iter()
            .chain(cache.map(|cache| &cache.directory))
        {
            create_directory(directory, DIRECTORY_MODE)?;
        }
    }
    Ok(database)
}

/// Returns the database of `settings`, and creates the directory of an SQLite file in a data directory. The
/// directory of a database that a configuration file names must exist.
///
/// # Errors
/// `Failed` if no database is configured.
pub fn database(settings: &Settings) -> Result<&Database> {
    let database = settings.require_database()?;
    if let Database::Sqlite(path) = database
        && settings.data_dir.is_some()
        && let Some(parent) = path.parent()
    {
        create_directory(parent, DIRECTORY_MODE)?;
    }
    Ok(database)
}

/// Returns whether the database file exists and is not empty.
fn is_made(database: &Database) -> bool {
    match database {
        Database::Sqlite(path) => std::fs::metadata(path).is_ok_and(|file| file.len() > 0),
        Database::Mysql(_) => false,
    }
}

/// Returns the error for an SQLite database that is missing or empty although a directory of a store has data of
/// images. A new, empty database would hide that the records of the images were lost.
pub fn lost_database(settings: &Settings) -> Option<Error> {
    let Ok(Some(Database::Sqlite(path))) = settings.database.get() else {
        return None;
    };
    if std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return None;
    }
    let stores = settings.stores.get().ok()?;
    let directories = stores.list.iter().flat_map(|store| match store.kind.get() {
        Ok(StoreKind::File(file)) => &file.directories[..],
        _ => &[],
    });
    let holding = directories.map(|at| &at.path).find(|at| has_data(at))?;
    let message = format!(
        "database {} is missing or empty, but {} has data of images",
        path.display(),
        holding.display()
    );
    let error =
        Error::failed(message).hint("Restore the database from a backup, or create an empty one.");
    Some(error.hint(Operation::SyncDatabase))
}

/// Returns whether a directory of a store has a file that is named like an image.
fn has_data(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| is_uuid(&name))
}

/// The permission bits of a deployment's directories: writable by the owner, readable by the group.
pub(super) const DIRECTORY_MODE: u32 = 0o750;

/// The default permission bits of image files. In a data directory, image files have these; in other deployments,
/// those from the reference implementation's umask.
pub(super) const FILE_MODE: u32 = 0o640;
