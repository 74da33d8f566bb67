//! The journal of a node: what was begun there, so that the next process can tell crashed processes from running ones.
//!
//! An entry is a file in `.journal/`: `ID.STORE.upload` (the store's ID percent-encoded), `ID.stage`, `ID.delete` or
//! `ID.import`. It is locked (flock) by its owner while the work goes on. The system drops the lock when the owner ends,
//! however it ends: an entry that can be locked is residue. Its content, one JSON object, never changes.
//!
//! An entry is durable, name and content, before [`Journal::begin`] returns: what it announces happens later.
//! Its removal is not synced: an entry may come back after a power cut, and clearing it again MUST be harmless.
//! An entry that cannot be read proves nothing, and nothing is removed because of it.
//!
//! Looking for residue costs one read of a directory that is nearly always empty or absent.

mod recovery;

pub(super) use recovery::explained;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::data::blocking;
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

/// Characters of a store's ID that the name of an entry holds as they are. A dot separates its parts.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// What an entry's owner is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Storing the data of an image in a store.
    Upload {
        /// ID of the store.
        store: String,
    },
    /// Storing the data of an image in the staging area.
    Stage,
    /// Deleting an image, or some of its locations. Its note has the addresses of the data.
    Delete,
    /// Importing the data of an image. Its note has the task.
    Import,
    /// Storing the data of an image in the cache, in the cache's own journal.
    Fill,
}

impl Intent {
    /// Returns the name of the entry of image `id`.
    fn name(&self, id: &str) -> String {
        match self {
            Self::Upload { store } => {
                format!("{id}.{}.upload", utf8_percent_encode(store, PLAIN))
            }
            Self::Stage => format!("{id}.stage"),
            Self::Delete => format!("{id}.delete"),
            Self::Import => format!("{id}.import"),
            Self::Fill => format!("{id}.fill"),
        }
    }

    /// Reads the name of an entry: the image and what is done to it.
    fn parse(name: &str) -> Option<(String, Self)> {
        let (rest, word) = name.rsplit_once('.')?;
        let (id, intent) = match word {
            "upload" => {
                let (id, store) = rest.rsplit_once('.')?;
                let store = percent_decode_str(store).decode_utf8().ok()?.into_owned();
                (id, Self::Upload { store })
            }
            "stage" => (rest, Self::Stage),
            "delete" => (rest, Self::Delete),
            "import" => (rest, Self::Import),
            "fill" => (rest, Self::Fill),
            _ => return None,
        };
        // What begins with a dot is not an ID, and might be a directory.
        (!id.is_empty() && !id.starts_with('.')).then(|| (id.to_string(), intent))
    }
}

/// The content of an entry, as far as its name does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The data that is going to be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Datum>,
    /// ID of the task that imports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// ID of the image that the task is going to create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// Data in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datum {
    /// The address of the data.
    pub url: String,
    /// ID of the store.
    pub store: String,
}

/// The journal of a node, or of a cache.
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
    /// The work on it.
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
    /// A crashed process left an entry: what it left MUST be cleared before the same is begun again.
    Residue,
}

/// The content of an entry as it is written.
#[derive(Serialize, Deserialize)]
struct Content {
    /// Version of the format.
    version: u32,
    #[serde(flatten)]
    note: Note,
}

/// The version of [`Content`] that this code writes, and the only one that it reads.
const VERSION: u32 = 2;

impl Journal {
    /// Returns the journal that is kept in a directory.
    pub fn of(directory: &Path) -> Self {
        Self {
            directory: directory.join(".journal"),
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
    /// The note of a deletion is left out where the disk is full: the record of the image has it as well.
    ///
    /// # Errors
    /// `Io` when the entry cannot be written and synced; there is no entry then.
    pub fn begin(&self, id: &str, intent: &Intent, note: Option<&Note>) -> Result<Begun> {
        let path = self.directory.join(intent.name(id));
        let content = match note {
            Some(note) => serialize(note)?,
            None => Vec::new(),
        };
        loop {
            let Some(file) = open_plain(&path)? else {
                let is_optional = *intent == Intent::Delete;
                let Some(file) = self.create(&path, &content, is_optional)? else {
                    continue;
                };
                return Ok(Begun::Ours(Entry {
                    id: id.to_string(),
                    intent: intent.clone(),
                    file,
                    path,
                }));
            };
            if *intent == Intent::Delete {
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

    /// Whether there is an entry, of a running process or a crashed one.
    pub fn has(&self, id: &str, intent: &Intent) -> bool {
        self.directory
            .join(intent.name(id))
            .symlink_metadata()
            .is_ok()
    }

    /// Creates a durable entry, locked before it has its name: a search for residue never finds it without
    /// its owner. None where another process was faster.
    fn create(&self, path: &Path, content: &[u8], is_optional: bool) -> Result<Option<File>> {
        let failed = |e: Errno| Error::io("create", path, e.into());
        create_directory(&self.directory, DIRECTORY_MODE)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let file = match rustix::fs::open(&self.directory, flags, mode) {
            Ok(file) => File::from(file),
            // The file system knows no nameless files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                return self.create_named(path, content, is_optional);
            }
            Err(e) => return Err(failed(e)),
        };
        self.fill(&file, path, content, is_optional)?;
        match link_nameless(&file, path) {
            Ok(()) => self.sync(path)?,
            Err(Errno::EXIST) => return Ok(None),
            // Without /proc a nameless file may get no name.
            Err(Errno::NOENT) => return self.create_named(path, content, is_optional),
            Err(e) => return Err(failed(e)),
        }
        Ok(Some(file))
    }

    /// The same through a temporary name, which a search for residue removes if its owner dies.
    fn create_named(&self, path: &Path, content: &[u8], is_optional: bool) -> Result<Option<File>> {
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
        let named = self
            .fill(&file, &temporary, content, is_optional)
            .and_then(|()| match fs::hard_link(&temporary, path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                linked => linked
                    .map(|()| true)
                    .map_err(|e| Error::io("create", path, e)),
            });
        remove(&temporary)?;
        if !named? {
            return Ok(None);
        }
        self.sync(path)?;
        Ok(Some(file))
    }

    /// Locks an entry that has no name yet, and writes its content; without it, if `is_optional` and the disk is full.
    fn fill(&self, file: &File, path: &Path, content: &[u8], is_optional: bool) -> Result<()> {
        file.lock().map_err(|e| Error::io("lock", path, e))?;
        give_to_owner(file, &self.directory);
        if content.is_empty() {
            return Ok(());
        }
        let mut writer = file;
        let written = match writer.write_all(content) {
            Err(e) if is_full(&e) && is_optional => file.set_len(0),
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

    /// Returns the entries whose owners have ended, now locked by this process.
    ///
    /// What is not a plain file, or cannot be opened, is left alone.
    ///
    /// # Errors
    /// `Io` when the directory cannot be read.
    pub fn residue(&self) -> Result<Vec<Entry>> {
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
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((id, intent)) = name.and_then(Intent::parse) else {
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
    /// Returns the note of the entry; None where the entry cannot be understood: it was damaged, or written by another
    /// version.
    ///
    /// # Errors
    /// `Io` when it cannot be read.
    pub fn note(&self) -> Result<Option<Note>> {
        let mut text = Vec::new();
        let read = (&self.file)
            .rewind()
            .and_then(|()| (&self.file).take(LARGEST).read_to_end(&mut text));
        read.map_err(|e| Error::io("read", &self.path, e))?;
        let content: Option<Content> = serde_json::from_slice(&text).ok();
        let content = content.filter(|content| content.version == VERSION);
        Ok(content.map(|content| content.note))
    }

    /// Removes the entry: the work is done, or undone, and nothing is left of it.
    ///
    /// # Errors
    /// `Io` when it cannot be removed: the next command clears it.
    pub fn finish(self) -> Result<()> {
        remove(&self.path).map(drop)
    }

    /// Removes the entry, on a thread that may wait for the disk.
    ///
    /// # Errors
    /// The errors of [`Entry::finish`].
    pub async fn close(self) -> Result<()> {
        blocking(move || self.finish()).await
    }
}

fn serialize(note: &Note) -> Result<Vec<u8>> {
    let content = Content {
        version: VERSION,
        note: note.clone(),
    };
    serde_json::to_vec(&content)
        .map_err(|e| Error::internal("a journal entry cannot be written").because(e))
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

    fn upload() -> Intent {
        Intent::Upload {
            store: "a store.1".to_string(),
        }
    }

    fn note(urls: &[&str]) -> Note {
        let datum = |url: &&str| Datum {
            url: (*url).to_string(),
            store: "file".to_string(),
        };
        Note {
            data: urls.iter().map(datum).collect(),
            ..Note::default()
        }
    }

    fn begin(journal: &Journal, intent: &Intent, note: Option<&Note>) -> Entry {
        match journal.begin("a", intent, note).unwrap() {
            Begun::Ours(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_of_the_living_are_theirs_and_those_of_the_dead_are_residue() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        assert!(journal.residue().unwrap().is_empty());
        let entry = begin(&journal, &upload(), None);
        let second = journal.begin("a", &upload(), None).unwrap();
        assert!(matches!(second, Begun::Theirs), "one at a time");
        assert!(journal.residue().unwrap().is_empty(), "its owner lives");
        drop(entry);
        for intent in [upload(), Intent::Delete] {
            drop(journal.begin("a", &intent, None).unwrap());
            let again = journal.begin("a", &intent, None).unwrap();
            assert!(
                matches!(again, Begun::Residue),
                "it has to be cleared first"
            );
        }
        let mut residue = journal.residue().unwrap();
        residue.sort_by_key(|entry| entry.path.clone());
        let found: Vec<_> = residue
            .iter()
            .map(|entry| (entry.id.as_str(), entry.intent.clone()))
            .collect();
        assert_eq!(found, [("a", upload()), ("a", Intent::Delete)]);
        for entry in residue {
            entry.finish().unwrap();
        }
        assert!(journal.residue().unwrap().is_empty());
    }

    #[test]
    fn an_entry_is_never_found_without_its_owner() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    let residue = journal.residue().unwrap();
                    assert!(residue.is_empty(), "it was taken for residue");
                }
            });
            for _ in 0..3000 {
                begin(&journal, &upload(), None).finish().unwrap();
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        for (intent, note) in [
            (
                Intent::Delete,
                note(&["file:///x/a b\n", "rbd://f/p/i/snap"]),
            ),
            (Intent::Delete, note(&[])),
            (
                Intent::Import,
                Note {
                    task: Some("t".to_string()),
                    image: Some("i".to_string()),
                    ..Note::default()
                },
            ),
        ] {
            drop(begin(&journal, &intent, Some(&note)));
            let entry = journal.residue().unwrap().pop().unwrap();
            assert_eq!(entry.note().unwrap(), Some(note));
            entry.finish().unwrap();
        }
    }

    #[test]
    fn uploads_into_several_stores_have_an_entry_each() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        let stores = ["file", "a store.1", "../x/é", ""];
        for store in stores {
            let store = store.to_string();
            drop(begin(&journal, &Intent::Upload { store }, None));
        }
        let mut found: Vec<_> = journal
            .residue()
            .unwrap()
            .into_iter()
            .map(|entry| match entry.intent {
                Intent::Upload { store } => (entry.id, store),
                other => panic!("{other:?}"),
            })
            .collect();
        found.sort();
        let mut expected = stores.map(|store| ("a".to_string(), store.to_string()));
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn entries_that_were_damaged_note_nothing() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        drop(begin(
            &journal,
            &Intent::Delete,
            Some(&note(&["file:///x"])),
        ));
        let path = node.path().join(".journal/a.delete");
        let whole = fs::read(&path).unwrap();
        let other = String::from_utf8(whole.clone()).unwrap();
        let other = other.replace("\"version\":2", "\"version\":3");
        assert_ne!(other.as_bytes(), whole);
        for damaged in [
            &b""[..],
            &whole[..whole.len() - 1],
            b"/etc/passwd\n",
            other.as_bytes(),
        ] {
            fs::write(&path, damaged).unwrap();
            let residue = journal.residue().unwrap();
            assert_eq!(residue[0].note().unwrap(), None);
        }
    }

    #[test]
    fn links_and_hidden_names_are_not_entries() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        begin(&journal, &upload(), None).finish().unwrap();
        let directory = node.path().join(".journal");
        let secret = node.path().join("secret");
        fs::write(&secret, "{}").unwrap();
        std::os::unix::fs::symlink(&secret, directory.join("a.delete")).unwrap();
        fs::write(directory.join("..upload"), "").unwrap();
        fs::write(directory.join(".file.upload"), "").unwrap();
        fs::write(directory.join("a.upload"), "").unwrap();
        fs::create_dir(directory.join("b.delete")).unwrap();
        assert!(journal.residue().unwrap().is_empty());
        assert!(journal.begin("a", &Intent::Delete, None).is_err());
    }

    #[test]
    fn without_nameless_files_entries_are_the_same() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        begin(&journal, &upload(), None).finish().unwrap();
        let directory = node.path().join(".journal");
        let path = directory.join("a.delete");
        let noted = note(&["file:///x"]);
        let content = serialize(&noted).unwrap();
        let first = journal.create_named(&path, &content, false).unwrap();
        assert!(first.is_some());
        let second = journal.create_named(&path, &content, false).unwrap();
        assert!(second.is_none());
        assert!(journal.residue().unwrap().is_empty(), "its owner lives");
        drop(first);
        fs::write(directory.join("b.new"), "").unwrap();
        let residue = journal.residue().unwrap();
        assert_eq!(residue[0].note().unwrap(), Some(noted));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
