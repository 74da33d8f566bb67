//! The journal of a directory: what was begun there, so that the next process can tell the dead from the living.
//!
//! An entry is a file `.journal/ID.upload`, `ID.delete` or `ID.import`, locked (flock) by its owner while the work
//! goes on. The system drops the lock when the owner dies, however it dies: an entry that can be locked is
//! residue. Its content, one JSON object, never changes: a deletion's addresses, an import's task.
//!
//! An entry is durable, name and content, before [`Journal::begin`] returns: what it announces happens later.
//! Its removal is not synced: an entry may come back after a power cut, and clearing it again MUST be harmless.
//! An entry that cannot be read proves nothing, and nothing is removed because of it.
//!
//! Looking for residue costs one read of a directory that is nearly always empty or absent.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::data::durable::{
    create_directory, give_to_owner, link_nameless, remove, sync_directory,
};
use crate::{Error, Result};

/// Permission bits of entries, and of their directory.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// Bytes of an entry that are read at most: the addresses of a deletion need far less.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What an entry that has no name of its own yet is called where the file system knows no nameless files.
const UNFINISHED: &str = "new";

/// What an entry's owner is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Storing the data of an image. Notes nothing.
    Upload,
    /// Deleting an image, or some of its locations. Notes the addresses of the data.
    Delete,
    /// Importing the data of an image. Its entry is in the staging area, and notes the id of the task.
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
    /// Whether entries survive a power cut.
    durable: bool,
}

/// An entry that this process holds the lock of, until it is dropped.
#[derive(Debug)]
pub struct Entry {
    /// The image.
    pub id: String,
    /// What is being done.
    pub intent: Intent,
    file: File,
    path: PathBuf,
}

/// The outcome of [`Journal::begin`].
#[derive(Debug)]
pub enum Begun {
    /// A new entry.
    Ours(Entry),
    /// Another process is at the same work.
    Theirs,
    /// A dead process left an entry: what it left MUST be cleared before the same is begun again.
    Residue,
}

/// What is written into an entry.
enum Note<'a> {
    /// Nothing: its name says all.
    None,
    /// These.
    Needed(&'a [String]),
    /// These, or nothing where the disk is full: the record of the image tells them as well.
    IfRoom(&'a [String]),
}

/// The content of an entry.
#[derive(Serialize, Deserialize)]
struct Content {
    /// Version of the format.
    version: u32,
    noted: Vec<String>,
}

/// The version of [`Content`] that this code writes, and the only one that it reads.
const VERSION: u32 = 1;

impl Journal {
    /// Returns the journal kept in the directory of a store or of the staging area.
    pub fn of(store: &Path) -> Self {
        Self {
            directory: store.join(".journal"),
            durable: true,
        }
    }

    /// Returns the journal of a directory whose files may be lost in a power cut, and whose residue is found by
    /// looking at the files: its entries are not synced.
    pub fn of_cache(directory: &Path) -> Self {
        Self {
            durable: false,
            ..Self::of(directory)
        }
    }

    /// Notes that this process begins `intent` on image `id`. Another deletion is waited for: it does not take
    /// long, and then there is nothing left to delete.
    ///
    /// # Errors
    /// `Io` when the entry cannot be written and synced; there is no entry then.
    pub fn begin(&self, id: &str, intent: Intent, noted: &[String]) -> Result<Begun> {
        let path = self.directory.join(format!("{id}.{}", intent.suffix()));
        loop {
            let Some(file) = open_plain(&path)? else {
                let note = match intent {
                    Intent::Upload => Note::None,
                    Intent::Delete => Note::IfRoom(noted),
                    Intent::Import => Note::Needed(noted),
                };
                let Some(file) = self.create(&path, &note)? else {
                    continue;
                };
                return Ok(Begun::Ours(Entry {
                    id: id.to_string(),
                    intent,
                    file,
                    path,
                }));
            };
            if intent == Intent::Delete {
                file.lock().map_err(|e| Error::io("lock", &path, e))?;
            }
            match lock(&file, &path)? {
                Held::Ours => return Ok(Begun::Residue),
                Held::Theirs => return Ok(Begun::Theirs),
                // Its owner finished between our opening and our locking it.
                Held::Gone => {}
            }
        }
    }

    /// Returns whether there is an entry, of this process, another, or a dead one.
    pub fn has(&self, id: &str, intent: Intent) -> bool {
        let name = format!("{id}.{}", intent.suffix());
        self.directory.join(name).symlink_metadata().is_ok()
    }

    /// Creates a durable entry, locked before it has its name: a search for residue never finds it without
    /// its owner. None where another process was faster.
    fn create(&self, path: &Path, note: &Note<'_>) -> Result<Option<File>> {
        let failed = |e: Errno| Error::io("create", path, e.into());
        create_directory(&self.directory, DIRECTORY_MODE)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let file = match rustix::fs::open(&self.directory, flags, mode) {
            Ok(file) => File::from(file),
            // The file system knows no nameless files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                return self.create_named(path, note);
            }
            Err(e) => return Err(failed(e)),
        };
        self.fill(&file, path, note)?;
        match link_nameless(&file, path) {
            Ok(()) => self.sync(path)?,
            Err(Errno::EXIST) => return Ok(None),
            // Without /proc a nameless file may get no name.
            Err(Errno::NOENT) => return self.create_named(path, note),
            Err(e) => return Err(failed(e)),
        }
        Ok(Some(file))
    }

    /// The same through a temporary name, which a search for residue removes if its owner dies.
    fn create_named(&self, path: &Path, note: &Note<'_>) -> Result<Option<File>> {
        let name = format!("{}.{UNFINISHED}", uuid::Uuid::new_v4());
        let temporary = self.directory.join(name);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE);
        let file = options.open(&temporary);
        let file = file.map_err(|e| Error::io("create", &temporary, e))?;
        let named = self.fill(&file, &temporary, note).and_then(|()| {
            match fs::hard_link(&temporary, path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                linked => linked
                    .map(|()| true)
                    .map_err(|e| Error::io("create", path, e)),
            }
        });
        remove(&temporary)?;
        if !named? {
            return Ok(None);
        }
        self.sync(path)?;
        Ok(Some(file))
    }

    /// Locks an entry that has no name yet, and writes its content.
    fn fill(&self, file: &File, path: &Path, note: &Note<'_>) -> Result<()> {
        file.lock().map_err(|e| Error::io("lock", path, e))?;
        give_to_owner(file, &self.directory);
        let (Note::Needed(noted) | Note::IfRoom(noted)) = note else {
            return Ok(());
        };
        let content = Content {
            version: VERSION,
            noted: noted.to_vec(),
        };
        let content = serde_json::to_vec(&content)
            .map_err(|e| Error::internal("a journal entry cannot be written").because(e))?;
        let mut writer = file;
        let written = match writer.write_all(&content) {
            Err(e) if is_full(&e) && matches!(note, Note::IfRoom(_)) => file.set_len(0),
            written => written,
        };
        written
            .and_then(|()| {
                if self.durable {
                    file.sync_all()
                } else {
                    Ok(())
                }
            })
            .map_err(|e| Error::io("write", path, e))
    }

    /// Makes the name of a new entry durable; where that fails there is no entry.
    fn sync(&self, path: &Path) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        sync_directory(&self.directory).inspect_err(|_| {
            // Nothing has begun. What stays all the same is residue of nothing, and cleared as such.
            let _ = remove(path);
        })
    }

    /// Returns the entries of these intents whose owners are dead, now locked by this process.
    ///
    /// What is not a plain file, or cannot be opened, is left alone.
    ///
    /// # Errors
    /// `Io` when the directory cannot be read.
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
            if path.extension().is_some_and(|suffix| suffix == UNFINISHED) {
                remove_unfinished(&path);
                continue;
            }
            let Some((id, intent)) = parse(&path).filter(|(_, intent)| intents.contains(intent))
            else {
                continue;
            };
            let Ok(Some(file)) = open_plain(&path) else {
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
    /// Returns what was noted when the work was begun; None where the entry cannot be understood: it was
    /// damaged, or written by another version.
    ///
    /// # Errors
    /// `Io` when it cannot be read.
    pub fn noted(&self) -> Result<Option<Vec<String>>> {
        let mut text = Vec::new();
        let read = (&self.file)
            .rewind()
            .and_then(|()| (&self.file).take(LARGEST).read_to_end(&mut text));
        read.map_err(|e| Error::io("read", &self.path, e))?;
        let content: Option<Content> = serde_json::from_slice(&text).ok();
        Ok(content
            .filter(|content| content.version == VERSION)
            .map(|content| content.noted))
    }

    /// Removes the entry: the work is done, or undone, and nothing is left of it.
    ///
    /// # Errors
    /// `Io` when it cannot be removed: the next command clears it.
    pub fn finish(self) -> Result<()> {
        remove(&self.path).map(drop)
    }
}

/// Whether there was no room for what was written.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Opens an entry, if there is one. Links are not followed, and only plain files are entries.
fn open_plain(path: &Path) -> Result<Option<File>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(flags.bits().cast_signed());
    let file = match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| Error::io("open", path, e))?,
    };
    let metadata = file.metadata().map_err(|e| Error::io("read", path, e))?;
    if metadata.is_file() {
        return Ok(Some(file));
    }
    Err(Error::failed(format!(
        "{} is not a journal entry: it is not a plain file",
        path.display()
    )))
}

/// Removes an entry that never got its name, if its owner is dead.
fn remove_unfinished(path: &Path) {
    if let Ok(Some(file)) = open_plain(path)
        && matches!(lock(&file, path), Ok(Held::Ours))
    {
        // It announces nothing; whether it can be removed does not matter.
        let _ = remove(path);
    }
}

fn parse(path: &Path) -> Option<(String, Intent)> {
    let (id, suffix) = path.file_name()?.to_str()?.rsplit_once('.')?;
    let intent = [Intent::Upload, Intent::Delete, Intent::Import]
        .into_iter()
        .find(|intent| intent.suffix() == suffix)?;
    // What begins with a dot is no id, and might be a directory.
    (!id.is_empty() && !id.starts_with('.')).then(|| (id.to_string(), intent))
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
    match fs::symlink_metadata(path) {
        Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => Ok(Held::Ours),
        Ok(_) => Ok(Held::Gone),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Held::Gone),
        Err(e) => Err(Error::io("read", path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Intent; 3] = [Intent::Upload, Intent::Delete, Intent::Import];

    fn begin(journal: &Journal, intent: Intent, noted: &[String]) -> Entry {
        match journal.begin("a", intent, noted).unwrap() {
            Begun::Ours(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_of_the_living_are_theirs_and_those_of_the_dead_are_residue() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        assert!(journal.residue(&ALL).unwrap().is_empty());
        let entry = begin(&journal, Intent::Upload, &[]);
        let second = journal.begin("a", Intent::Upload, &[]).unwrap();
        assert!(matches!(second, Begun::Theirs), "one at a time");
        assert!(journal.residue(&ALL).unwrap().is_empty(), "its owner lives");
        drop(entry);
        for intent in [Intent::Upload, Intent::Delete] {
            drop(journal.begin("a", intent, &[]).unwrap());
            let again = journal.begin("a", intent, &[]).unwrap();
            assert!(
                matches!(again, Begun::Residue),
                "it has to be cleared first"
            );
        }
        let mut residue = journal.residue(&[Intent::Upload]).unwrap();
        assert_eq!(residue.len(), 1);
        let entry = residue.pop().unwrap();
        assert_eq!((entry.id.as_str(), entry.intent), ("a", Intent::Upload));
        entry.finish().unwrap();
        assert!(journal.residue(&[Intent::Upload]).unwrap().is_empty());
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
                begin(&journal, Intent::Upload, &[]).finish().unwrap();
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        let noted = ["file:///x/a b\n".to_string(), "file:///y/c".to_string()];
        drop(begin(&journal, Intent::Delete, &noted));
        let mut residue = journal.residue(&ALL).unwrap();
        assert_eq!(residue[0].noted().unwrap().unwrap(), noted);
        residue.pop().unwrap().finish().unwrap();
        drop(begin(&journal, Intent::Delete, &[]));
        let residue = journal.residue(&ALL).unwrap();
        assert_eq!(residue[0].noted().unwrap().unwrap(), noted[..0], "no data");
    }

    #[test]
    fn entries_that_were_damaged_note_nothing() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        drop(begin(&journal, Intent::Delete, &["file:///x".to_string()]));
        let path = store.path().join(".journal/a.delete");
        let whole = fs::read(&path).unwrap();
        let other = String::from_utf8(whole.clone())
            .unwrap()
            .replace(":1,", ":2,");
        for damaged in [
            &b""[..],
            &whole[..whole.len() - 1],
            b"/etc/passwd\n",
            other.as_bytes(),
        ] {
            fs::write(&path, damaged).unwrap();
            let residue = journal.residue(&ALL).unwrap();
            assert_eq!(residue[0].noted().unwrap(), None);
        }
    }

    #[test]
    fn links_and_hidden_names_are_not_entries() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        begin(&journal, Intent::Upload, &[]).finish().unwrap();
        let directory = store.path().join(".journal");
        let secret = store.path().join("secret");
        fs::write(&secret, "{}").unwrap();
        std::os::unix::fs::symlink(&secret, directory.join("a.delete")).unwrap();
        fs::write(directory.join("..upload"), "").unwrap();
        fs::write(directory.join(".upload"), "").unwrap();
        fs::create_dir(directory.join("b.delete")).unwrap();
        assert!(journal.residue(&ALL).unwrap().is_empty());
        assert!(journal.begin("a", Intent::Delete, &[]).is_err());
    }

    #[test]
    fn without_nameless_files_entries_are_the_same() {
        let store = tempfile::tempdir().unwrap();
        let journal = Journal::of(store.path());
        begin(&journal, Intent::Upload, &[]).finish().unwrap();
        let directory = store.path().join(".journal");
        let path = directory.join("a.delete");
        let noted = ["file:///x".to_string()];
        let first = journal.create_named(&path, &Note::Needed(&noted)).unwrap();
        assert!(first.is_some());
        let second = journal.create_named(&path, &Note::Needed(&noted)).unwrap();
        assert!(second.is_none());
        assert!(journal.residue(&ALL).unwrap().is_empty(), "its owner lives");
        drop(first);
        fs::write(directory.join("b.new"), "").unwrap();
        let residue = journal.residue(&ALL).unwrap();
        assert_eq!(residue[0].noted().unwrap().unwrap(), noted);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
