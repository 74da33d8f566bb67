//! Staged files, and files derived from them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::data::durable::{directory_of, give_to_owner};
use crate::local::directories::FILE_MODE;
use crate::{Error, Result};

/// Opens a file in the staging area, without following a link.
pub(super) fn open_staged(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|e| Error::io("open", path, e))
}

/// Creates a file next to a staged one, and replaces one of an earlier attempt. Does not follow links.
pub(super) fn create_derived(path: &Path) -> Result<File> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", path, e)),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|e| Error::io("create", path, e))?;
    give_to_owner(&file, directory_of(path));
    Ok(file)
}
