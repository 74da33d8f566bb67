//! Disk space that is reserved for deletions on a full disk.
//!
//! The record of a deletion must be written before any data is removed, which is impossible on a full disk. A data
//! directory therefore has an unused file next to its database, which is removed first.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use crate::config::{Database, Settings};
use crate::data::durable::{directory_of, give_to_owner};

/// The size of the file in bytes: more than a database's log grows in a deletion.
const BYTES: u64 = 512 * 1024;

/// The file is only created if the free space is this many times its size.
const SHARE: u64 = 4;

/// The file, which need not exist.
#[derive(Clone, Debug)]
pub(super) struct Reserve(PathBuf);

impl Reserve {
    /// Returns the reserve of a deployment. Only a data directory with an SQLite database has one.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        settings.data_dir.as_ref()?;
        let Ok(Database::Sqlite(path)) = settings.require_database() else {
            return None;
        };
        let mut name = path.as_os_str().to_os_string();
        name.push(".reserve");
        Some(Self(PathBuf::from(name)))
    }

    /// Creates the file if it does not exist and the disk is not nearly full. Failures are ignored; the next upload
    /// tries again.
    pub(super) fn keep(&self) {
        let path = &self.0;
        if path.exists() || !has_room(directory_of(path), SHARE * BYTES) {
            return;
        }
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(path);
        let Ok(file) = made else { return };
        give_to_owner(&file, directory_of(path));
        if allocate(&file).is_err() {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Removes the file if the disk is full.
    pub(super) fn release_if_full(&self) {
        if !has_room(directory_of(&self.0), BYTES) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

fn allocate(file: &File) -> std::io::Result<()> {
    rustix::fs::fallocate(file, FallocateFlags::empty(), 0, BYTES)?;
    Ok(())
}

/// Returns whether at least `bytes` are free on the file system of a directory; true if unknown.
fn has_room(directory: &Path, bytes: u64) -> bool {
    rustix::fs::statvfs(directory).map_or(true, |found| {
        found.f_bavail.saturating_mul(found.f_frsize) >= bytes
    })
}
