//! Room that is kept for deletions on a full disk.
//!
//! The record of a deletion has to be written before any data goes, and on a full disk nothing can be written. A
//! data directory therefore keeps a file of no use beside its database, which goes first.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use crate::config::{Database, Settings};
use crate::data::durable::{directory_of, give_to_owner};

/// Bytes of the file: more than the log of a database grows by in a deletion.
const BYTES: u64 = 512 * 1024;

/// Times its size that must be free for it to be made.
const SHARE: u64 = 4;

/// The file, which need not exist.
#[derive(Clone, Debug)]
pub(super) struct Reserve(PathBuf);

impl Reserve {
    /// The reserve of a deployment; only a data directory whose database is a file has one.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        settings.data_dir.as_ref()?;
        let Ok(Database::Sqlite(path)) = settings.require_database() else {
            return None;
        };
        let mut name = path.as_os_str().to_os_string();
        name.push(".reserve");
        Some(Self(PathBuf::from(name)))
    }

    /// Makes the file if it is not there and the disk is not nearly full. Nothing depends on it: what fails is
    /// tried again by the next upload.
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

    /// Removes the file if the disk is full without it.
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

/// Whether so many bytes are free on the file system of a directory; so it is where that is not known.
fn has_room(directory: &Path, bytes: u64) -> bool {
    rustix::fs::statvfs(directory).map_or(true, |found| {
        found.f_bavail.saturating_mul(found.f_frsize) >= bytes
    })
}
