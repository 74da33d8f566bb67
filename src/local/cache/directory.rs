//! The files of a cache, in the layout of the reference implementation.
//!
//! - `ID`: the data of an image
//! - `incomplete/ID`: data that is being fetched
//! - `invalid/ID`: data that failed verification, or was not fetched completely
//! - `queue/ID`: an empty file: the image is to be fetched; oldest first
//! - `.journal/`: operations of this program; the reference implementation ignores directories
//!
//! Files whose names are not image IDs, such as `cache.db` and lock files, belong to other components.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::data::durable::create_directory;
pub(super) use crate::data::durable::remove;
use crate::local::directories::DIRECTORY_MODE;
use crate::local::journal::Journal;
use crate::model::schema::is_uuid;
use crate::{Error, Result};

/// The parts of a cache that are subdirectories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Incomplete,
    Invalid,
    Queue,
}

impl Part {
    const ALL: [Self; 3] = [Self::Incomplete, Self::Invalid, Self::Queue];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Invalid => "invalid",
            Self::Queue => "queue",
        }
    }
}

/// A file of a cache.
#[derive(Debug)]
pub(super) struct Found {
    /// The name.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    pub(super) accessed: SystemTime,
}

/// The directory of a cache, which need not exist.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    base: PathBuf,
}

impl Directory {
    pub(super) fn new(base: PathBuf) -> Self {
        Self { base }
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Creates the missing directories.
    pub(super) fn create_missing(&self) -> Result<()> {
        for part in Part::ALL {
            create_directory(&self.base.join(part.name()), DIRECTORY_MODE)?;
        }
        Ok(())
    }

    /// Returns the path of an image's data.
    ///
    /// # Errors
    /// `Invalid` for a string that is not an image ID; it may be a path.
    pub(super) fn path(&self, id: &str) -> Result<PathBuf> {
        Ok(self.base.join(checked(id)?))
    }

    /// Returns the path of an image in a part of the cache.
    pub(super) fn path_in(&self, part: Part, id: &str) -> Result<PathBuf> {
        Ok(self.base.join(part.name()).join(checked(id)?))
    }

    /// Returns whether the data of an image is in the cache.
    pub(super) fn has(&self, id: &str) -> Result<bool> {
        exists(&self.path(id)?)
    }

    /// Returns whether a part of the cache has an image.
    pub(super) fn has_in(&self, part: Part, id: &str) -> Result<bool> {
        exists(&self.path_in(part, id)?)
    }

    /// Returns the IDs of the cached images, unordered.
    pub(super) fn ids(&self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in entries(&self.base)? {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_uuid(name)) else {
                continue;
            };
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                ids.push(name.to_string());
            }
        }
        Ok(ids)
    }

    /// Returns the files of the cached images, unordered.
    pub(super) fn files(&self) -> Result<Vec<Found>> {
        Ok(list(&self.base)?
            .into_iter()
            .filter(|found| is_uuid(&found.name))
            .collect())
    }

    /// Returns the files in a part of the cache, unordered.
    pub(super) fn files_in(&self, part: Part) -> Result<Vec<Found>> {
        list(&self.base.join(part.name()))
    }

    /// Returns the IDs of the queued images, the oldest first.
    pub(super) fn queued(&self) -> Result<Vec<String>> {
        let mut found = self.files_in(Part::Queue)?;
        found.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
        Ok(found.into_iter().map(|found| found.name).collect())
    }

    /// Moves invalid data to `invalid/`, and returns whether there was any.
    pub(super) fn quarantine(&self, from: &Path, id: &str) -> Result<bool> {
        let to = self.path_in(Part::Invalid, id)?;
        match fs::rename(from, &to) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound && !from.exists() => Ok(false),
            Err(e) => Err(Error::io("move", from, e)),
        }
    }

    /// Returns the journal of the cache.
    pub(super) fn journal(&self) -> Journal {
        Journal::of_cache(&self.base)
    }

    /// Waits for the lock that one pruning process at a time holds.
    pub(super) fn lock_pruning(&self) -> Result<PruningLock> {
        let lock = File::open(&self.base).map_err(|e| Error::io("open", &self.base, e))?;
        lock.lock().map_err(|e| Error::io("lock", &self.base, e))?;
        Ok(PruningLock(lock))
    }
}

/// The lock of a pruning process, until it is dropped.
pub(super) struct PruningLock(
    #[expect(dead_code, reason = "holds the lock until it is dropped")] File,
);

/// Returns the ID if it is a UUID, and so a plain file name.
fn checked(id: &str) -> Result<&str> {
    if is_uuid(id) {
        return Ok(id);
    }
    Err(Error::invalid(format!(
        "Image ID '{id}' is not a valid UUID."
    )))
}

fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|e| Error::io("access", path, e))
}

/// Returns the entries of a directory, which need not exist.
fn entries(path: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| Error::io("read", path, e))?,
    };
    let entries: io::Result<Vec<fs::DirEntry>> = entries.collect();
    entries.map_err(|e| Error::io("read", path, e))
}

/// Returns the files in a directory, which need not exist. Skips files that are removed concurrently.
fn list(path: &Path) -> Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in entries(path)? {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_file() {
            files.push(found(name, &metadata));
        }
    }
    Ok(files)
}

fn found(name: String, metadata: &Metadata) -> Found {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Found {
        name,
        size: metadata.len(),
        modified,
        accessed: metadata.accessed().unwrap_or(modified),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5d1c5a5e-0000-4000-8000-000000000000";

    #[test]
    fn only_files_that_are_called_as_images_are_images() {
        let base = tempfile::tempdir().unwrap();
        let directory = Directory::new(base.path().to_path_buf());
        assert!(directory.ids().unwrap().is_empty());
        directory.create_missing().unwrap();
        for name in [ID, "cache.db", "image_cache_db_init", "queue/a", "queue/b"] {
            fs::write(base.path().join(name), name).unwrap();
        }
        fs::create_dir(base.path().join(ID.replace('5', "6"))).unwrap();
        assert_eq!(directory.ids().unwrap(), [ID]);
        let files = directory.files().unwrap();
        assert_eq!((files.len(), files[0].size), (1, 36));
        let older = SystemTime::UNIX_EPOCH;
        let b = File::options()
            .write(true)
            .open(base.path().join("queue/b"));
        b.unwrap().set_modified(older).unwrap();
        assert_eq!(directory.queued().unwrap(), ["b", "a"], "the oldest first");
    }

    #[test]
    fn what_is_no_id_is_no_path() {
        let directory = Directory::new(PathBuf::from("/cache"));
        let at = |id: &str| directory.path(id);
        assert_eq!(at(ID).unwrap(), Path::new("/cache").join(ID));
        for id in ["", ".", "..", "../x", "/etc/passwd", "queue", "cache.db"] {
            assert!(at(id).is_err(), "{id}");
            assert!(directory.path_in(Part::Queue, id).is_err(), "{id}");
        }
    }

    #[test]
    fn what_is_wrong_is_moved_out_of_the_way() {
        let base = tempfile::tempdir().unwrap();
        let directory = Directory::new(base.path().to_path_buf());
        directory.create_missing().unwrap();
        let path = directory.path(ID).unwrap();
        for content in ["first", "second"] {
            fs::write(&path, content).unwrap();
            assert!(directory.quarantine(&path, ID).unwrap());
            assert!(!directory.quarantine(&path, ID).unwrap());
            let invalid = directory.path_in(Part::Invalid, ID).unwrap();
            assert_eq!(fs::read_to_string(invalid).unwrap(), content);
        }
    }
}
