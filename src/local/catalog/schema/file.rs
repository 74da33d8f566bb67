//! The file of an SQLite database.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::data::durable::{directory_of, give_to_owner};
use crate::local::directories::FILE_MODE;
use crate::{Error, Result};

/// Creates an empty database file, readable by its owner and group, if it is missing.
pub(in crate::local::catalog) fn make_file(path: &Path) -> Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path);
    let made = made.map_err(|e| Error::io("create", path, e))?;
    give_to_owner(&made, directory_of(path));
    Ok(())
}
