//! What is under way in a store's directory, so that the next process can tell the dead from the living.
//!
//! An entry is a file `.journal/ID.upload`, `ID.delete` or `ID.import`, locked (flock) by its owner for as
//! long as the work goes on. The system drops the lock when the owner dies, however it dies: an entry
//! that can be locked is residue. Its content is what a deletion still has to remove, a path a line.
//! Looking for residue costs one read of a directory that is nearly always empty or absent.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// What an entry's owner is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Storing the data of an image.
    Upload,
    /// Deleting an image.
    Delete,
    /// Importing the data of an image. Its entry is in the staging area, and holds the task's id.
    Import,
}

impl Intent {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Delete => "delete",
            Self::Import => "import",
        }
    }
}

/// The journal of one directory.
#[derive(Clone, Debug)]
pub struct Journal {
    directory: PathBuf,
}

/// An entry that is ours: nobody else works on it until it is dropped.
#[derive(Debug)]
pub struct Entry {
    /// The image.
    pub id: String,
    /// What is being done.
    pub intent: Intent,
    file: File,
    path: PathBuf,
}

impl Journal {
    /// The journal kept in the directory of a store.
    pub fn of(store: &Path) -> Self {
        Self {
            directory: store.join(".journal"),
        }
    }

    /// Notes that this process begins `intent` on image `id`; None when another one uploads to it. Another
    /// deletion is waited for: it does not take long, and then there is nothing left to delete.
    ///
    /// An entry whose owner died is taken over: the caller MUST have cleared it before.
    pub fn begin(&self, id: &str, intent: Intent) -> Result<Option<Entry>> {
        let path = self.directory.join(format!("{id}.{}", intent.suffix()));
        loop {
            let existing = OpenOptions::new().read(true).write(true).open(&path);
            let file = match existing {
                Err(e) if e.kind() == io::ErrorKind::NotFound => match self.create(&path)? {
                    Created::Locked(file) => {
                        return Ok(Some(Entry {
                            id: id.to_string(),
                            intent,
                            file,
                            path,
                        }));
                    }
                    Created::Open(file) => file,
                    Created::Not => continue,
                },
                other => other.map_err(|e| Error::io("open", &path, e))?,
            };
            if intent == Intent::Delete {
                file.lock().map_err(|e| Error::io("lock", &path, e))?;
            }
            match lock(&file, &path)? {
                Held::Ours => {
                    return Ok(Some(Entry {
                        id: id.to_string(),
                        intent,
                        file,
                        path,
                    }));
                }
                Held::Theirs => return Ok(None),
                // Its owner finished between our opening and our locking it.
                Held::Gone => {}
            }
        }
    }

    /// Makes an entry, locked before it has its name: who looks for residue never finds it without its
    /// owner.
    fn create(&self, path: &Path) -> Result<Created> {
        let failed = |e: Errno| Error::io("create", path, e.into());
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(&self.directory, flags, Mode::from_raw_mode(0o640)) {
            Ok(file) => {
                let file = File::from(file);
                file.lock().map_err(|e| Error::io("lock", path, e))?;
                let open = format!("/proc/self/fd/{}", file.as_raw_fd());
                match rustix::fs::linkat(CWD, open.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW) {
                    Ok(()) => Ok(Created::Locked(file)),
                    Err(Errno::EXIST) => Ok(Created::Not),
                    Err(e) => Err(failed(e)),
                }
            }
            Err(Errno::NOENT) => {
                let made = fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o750)
                    .create(&self.directory);
                made.map_err(|e| Error::io("create", &self.directory, e))?;
                Ok(Created::Not)
            }
            // The file system knows no files without names.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let mut options = OpenOptions::new();
                options
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o640);
                let file = options.open(path);
                Ok(Created::Open(
                    file.map_err(|e| Error::io("create", path, e))?,
                ))
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// Entries of these intents whose owners are dead, now ours.
    pub fn residue(&self, intents: &[Intent]) -> Result<Vec<Entry>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| Error::io("read", &self.directory, e))?,
        };
        let mut residue = Vec::new();
        for entry in entries {
            let path = entry
                .map_err(|e| Error::io("read", &self.directory, e))?
                .path();
            let Some((id, intent)) = parse(&path).filter(|(_, intent)| intents.contains(intent))
            else {
                continue;
            };
            let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else {
                continue;
            };
            if lock(&file, &path)? == Held::Ours {
                residue.push(Entry {
                    id,
                    intent,
                    file,
                    path,
                });
            }
        }
        Ok(residue)
    }
}

impl Entry {
    /// Notes the files that a deletion will have to remove once it is committed.
    pub fn note(&mut self, paths: &[PathBuf]) -> Result<()> {
        let mut text = Vec::new();
        for path in paths {
            text.extend_from_slice(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
            text.push(b'\n');
        }
        // What an owner who died noted is of no use any more.
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .map_err(|e| Error::io("write", &self.path, e))?;
        self.file
            .write_all(&text)
            .map_err(|e| Error::io("write", &self.path, e))
    }

    /// The files that were noted.
    pub fn noted(&mut self) -> Result<Vec<PathBuf>> {
        let mut text = Vec::new();
        self.file
            .read_to_end(&mut text)
            .map_err(|e| Error::io("read", &self.path, e))?;
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        Ok(lines
            .map(|line| {
                PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(line))
            })
            .collect())
    }

    /// The work is done, or undone: nothing is left of it.
    pub fn finish(self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path, e))
            }
            _ => Ok(()),
        }
    }
}

fn parse(path: &Path) -> Option<(String, Intent)> {
    let (id, suffix) = path.file_name()?.to_str()?.rsplit_once('.')?;
    let intent = [Intent::Upload, Intent::Delete, Intent::Import]
        .into_iter()
        .find(|intent| intent.suffix() == suffix)?;
    Some((id.to_string(), intent))
}

/// What came of making an entry.
enum Created {
    /// It is ours.
    Locked(File),
    /// It is there, and anybody's.
    Open(File),
    /// There is one already, or its directory was missing.
    Not,
}

#[derive(PartialEq, Eq)]
enum Held {
    Ours,
    Theirs,
    Gone,
}

/// Locks an entry, and makes sure that it is still the one under its name.
fn lock(file: &File, path: &Path) -> Result<Held> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Held::Theirs),
        Err(TryLockError::Error(e)) => return Err(Error::io("lock", path, e)),
    }
    let ours = file.metadata().map_err(|e| Error::io("read", path, e))?;
    match fs::metadata(path) {
        Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => Ok(Held::Ours),
        Ok(_) => Ok(Held::Gone),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Held::Gone),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_living_are_theirs_and_those_of_the_dead_are_residue() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        assert!(
            journal
                .residue(&[Intent::Upload, Intent::Delete])
                .unwrap()
                .is_empty()
        );
        let entry = journal.begin("a", Intent::Upload).unwrap().unwrap();
        assert!(
            journal.begin("a", Intent::Upload).unwrap().is_none(),
            "one at a time"
        );
        assert!(
            journal
                .residue(&[Intent::Upload, Intent::Delete])
                .unwrap()
                .is_empty(),
            "its owner lives"
        );
        drop(entry);
        let mut residue = journal.residue(&[Intent::Upload, Intent::Delete]).unwrap();
        assert_eq!(residue.len(), 1);
        let entry = residue.pop().unwrap();
        assert_eq!((entry.id.as_str(), entry.intent), ("a", Intent::Upload));
        entry.finish().unwrap();
        assert!(
            journal
                .residue(&[Intent::Upload, Intent::Delete])
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_entry_is_never_found_without_its_owner() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    let residue = journal.residue(&[Intent::Upload]).unwrap();
                    assert!(residue.is_empty(), "it was taken for residue");
                }
            });
            for _ in 0..3000 {
                let entry = journal.begin("a", Intent::Upload).unwrap();
                entry.expect("nobody else is at it").finish().unwrap();
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        let paths = [PathBuf::from("/x/a b"), PathBuf::from("/y/c")];
        journal
            .begin("a", Intent::Delete)
            .unwrap()
            .unwrap()
            .note(&paths)
            .unwrap();
        assert_eq!(
            journal.residue(&[Intent::Upload, Intent::Delete]).unwrap()[0]
                .noted()
                .unwrap(),
            paths
        );
    }
}
