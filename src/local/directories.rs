//! The directories of a deployment, and the permissions of what is in them.

use crate::Result;
use crate::config::{Database, Settings};
use crate::data::durable::create_directory;

/// Returns the database of `settings`, and creates the other directories of a new data directory.
pub(super) fn prepare(settings: &Settings) -> Result<&Database> {
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

/// Returns whether the database file exists.
fn is_made(database: &Database) -> bool {
    match database {
        Database::Sqlite(path) => path.exists(),
        Database::Mysql(_) => false,
    }
}

/// The permission bits of a deployment's directories: writable by the owner, readable by the group.
pub(super) const DIRECTORY_MODE: u32 = 0o750;

/// The default permission bits of image files. In a data directory, image files have these; in other deployments,
/// those from the reference implementation's umask.
pub(super) const FILE_MODE: u32 = 0o640;
