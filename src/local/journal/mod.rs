//! The journal of a node: the operations in progress, so that the next process can detect those that crashed.
//!
//! An entry is a file in `.journal/`: `ID.STORE.upload` (the store's ID percent-encoded), `ID.stage`, `ID.delete`
//! or `ID.import`. Its owner holds a lock (flock) on it during the operation. The kernel releases the lock when the
//! owner exits for any reason: an entry that can be locked is stale. Its content, one JSON object, never changes.
//!
//! An entry's name and content are durable before [`Journal::begin`] returns, and the operation starts after that.
//! The removal of an entry is not synced: an entry may reappear after a power failure, and clearing it again MUST
//! be harmless. An unreadable entry proves nothing, and nothing is removed because of it.
//!
//! A search for stale entries costs one read of a directory that is nearly always empty or missing.

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
use crate::local::directories::{DIRECTORY_MODE, FILE_MODE};
use crate::{Error, Result};

/// The maximum number of bytes read from an entry. The addresses of a deletion need far less.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// The extension of an unfinished entry on file systems without nameless files.
const UNFINISHED: &str = "new";

/// The characters of a store's ID that are not encoded in the name of an entry. A dot separates the parts of the
/// name.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The operation of an entry's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Storing the data of an image in a store.
    Upload {
        /// ID of the store.
        store: String,
    },
    /// Storing the data of an image in the staging area.
    Stage,
    /// Deleting an image, or some of its locations. The note has the addresses of the data.
    Delete,
    /// Importing the data of an image. The note has the task.
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

    /// Parses the name of an entry into the image's ID and the operation.
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
        // A name with a leading dot is not an ID, and may be a directory.
        (!id.is_empty() && !id.starts_with('.')).then(|| (id.to_string(), intent))
    }
}

/// The content of an entry: the details that its name does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The data to be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Datum>,
    /// The ID of the importing task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The ID of the image that the task will create.
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

/// An entry whose lock this process holds until it is dropped.
#[derive(Debug)]
pub struct Entry {
    /// The image's ID.
    pub id: String,
    /// The operation.
    pub intent: Intent,
    file: File,
    path: PathBuf,
}

/// The outcome of [`Journal::begin`].
#[derive(Debug)]
pub enum Begun {
    /// A new entry of this process.
    Started(Entry),
    /// Another process is doing the same.
    Busy,
    /// A crashed process left an entry. The caller MUST clear it before it begins again.
    Stale,
}

/// The serialized content of an entry.
#[derive(Serialize, Deserialize)]
struct Content {
    /// The version of the format.
    version: u32,
    #[serde(flatten)]
    note: Note,
}

/// The version of [`Content`] that is written, and the only one that is read.
const VERSION: u32 = 2;

impl Journal {
    /// Returns the journal in a directory.
    pub fn of(directory: &Path) -> Self {
        Self {
            directory: directory.join(".journal"),
            durable: true,
        }
    }

    /// Returns the journal of a cache directory. Its entries are not synced: the files may be lost in a power
    /// failure, and are checked themselves.
    pub fn of_cache(directory: &Path) -> Self {
        Self {
            durable: false,
            ..Self::of(directory)
        }
    }

    /// Records that this process begins `intent` on image `id`. Waits for another deletion of the image, which is
    /// short and leaves nothing to delete.
    ///
    /// On a full disk, the note of a deletion is omitted; the record of the image has the same facts.
    ///
    /// # Errors
    /// `Io` if the entry cannot be written and synced. No entry exists then.
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
                return Ok(Begun::Started(Entry {
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
                Held::Ours => return Ok(Begun::Stale),
                Held::Theirs => return Ok(Begun::Busy),
                // The owner finished between the open and the lock.
                Held::Gone => {}
            }
        }
    }

    /// Returns whether there is an entry, of a running process or a crashed one.
    pub fn has(&self, id: &str, intent: &Intent) -> bool {
        self.directory
            .join(intent.name(id))
            .symlink_metadata()
            .is_ok()
    }

    /// Creates a durable entry. It is locked before it is named, so that no search finds it without its owner's
    /// lock. None if another process created it first.
    fn create(&self, path: &Path, content: &[u8], is_optional: bool) -> Result<Option<File>> {
        let failed = |e: Errno| Error::io("create", path, e.into());
        create_directory(&self.directory, DIRECTORY_MODE)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let file = match rustix::fs::open(&self.directory, flags, mode) {
            Ok(file) => File::from(file),
            // The file system does not support nameless files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                return self.create_named(path, content, is_optional);
            }
            Err(e) => return Err(failed(e)),
        };
        self.fill(&file, path, content, is_optional)?;
        match link_nameless(&file, path) {
            Ok(()) => self.sync(path)?,
            Err(Errno::EXIST) => return Ok(None),
            // Without /proc, a nameless file may not be linkable.
            Err(Errno::NOENT) => return self.create_named(path, content, is_optional),
            Err(e) => return Err(failed(e)),
        }
        Ok(Some(file))
    }

    /// Creates the entry under a temporary name first. A search removes it if its owner has crashed.
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

    /// Locks an entry that has no name yet, and writes its content; omits the content if `is_optional` and the disk
    /// is full.
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

    /// Makes the name of a new entry durable. If that fails, the entry is removed.
    fn sync(&self, path: &Path) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        sync_directory(&self.directory).inspect_err(|_| {
            // Nothing has begun. If the entry stays, recovery finds nothing to undo and removes it.
            let _ = remove(path);
        })
    }

    /// Returns the entries whose owners have exited, now locked by this process.
    ///
    /// Ignores anything that is not a plain file or cannot be opened.
    ///
    /// # Errors
    /// `Io` if the directory cannot be read.
    pub fn stale_entries(&self) -> Result<Vec<Entry>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| Error::io("read", &self.directory, e))?,
        };
        let mut stale = Vec::new();
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
                stale.push(Entry {
                    id,
                    intent,
                    file,
                    path,
                });
            }
        }
        Ok(stale)
    }
}

impl Entry {
    /// Returns the note of the entry; None if it is damaged or of another version.
    ///
    /// # Errors
    /// `Io` if it cannot be read.
    pub fn note(&self) -> Result<Option<Note>> {
        let mut text = Vec::new();
        let read = (&self.file)
            .rewind()
            .and_then(|()| (&self.file).take(MAX_SIZE).read_to_end(&mut text));
        read.map_err(|e| Error::io("read", &self.path, e))?;
        let content: Option<Content> = serde_json::from_slice(&text).ok();
        let content = content.filter(|content| content.version == VERSION);
        Ok(content.map(|content| content.note))
    }

    /// Removes the entry: the operation is complete, or undone.
    ///
    /// # Errors
    /// `Io` if it cannot be removed; the next command clears it.
    pub fn finish(self) -> Result<()> {
        remove(&self.path).map(drop)
    }

    /// Removes the entry on a worker thread.
    ///
    /// # Errors
    /// Same as [`Entry::finish`].
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

/// Returns whether the disk was full.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Opens an entry if it exists. Does not follow links, and accepts only plain files.
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
        "{} is not a journal entry: not a plain file",
        path.display()
    )))
}

/// Removes an entry that was never named, if its owner has crashed.
fn remove_unfinished(path: &Path) {
    if let Ok(Some(file)) = open_plain(path)
        && matches!(lock(&file, path), Ok(Held::Ours))
    {
        // It stands for no operation, so a failed removal does not matter.
        let _ = remove(path);
    }
}

#[derive(PartialEq, Eq)]
enum Held {
    Ours,
    Theirs,
    Gone,
}

/// Locks an entry, and checks that its name still refers to it.
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
            Begun::Started(entry) => entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_of_running_processes_are_busy_and_those_of_crashed_ones_stale() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        assert!(journal.stale_entries().unwrap().is_empty());
        let entry = begin(&journal, &upload(), None);
        let second = journal.begin("a", &upload(), None).unwrap();
        assert!(matches!(second, Begun::Busy), "one at a time");
        assert!(
            journal.stale_entries().unwrap().is_empty(),
            "its owner is running"
        );
        drop(entry);
        for intent in [upload(), Intent::Delete] {
            drop(journal.begin("a", &intent, None).unwrap());
            let again = journal.begin("a", &intent, None).unwrap();
            assert!(matches!(again, Begun::Stale), "it has to be cleared first");
        }
        let mut stale = journal.stale_entries().unwrap();
        stale.sort_by_key(|entry| entry.path.clone());
        let found: Vec<_> = stale
            .iter()
            .map(|entry| (entry.id.as_str(), entry.intent.clone()))
            .collect();
        assert_eq!(found, [("a", upload()), ("a", Intent::Delete)]);
        for entry in stale {
            entry.finish().unwrap();
        }
        assert!(journal.stale_entries().unwrap().is_empty());
    }

    #[test]
    fn an_entry_is_never_found_without_its_owner() {
        let node = tempfile::tempdir().unwrap();
        let journal = Journal::of(node.path());
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    let stale = journal.stale_entries().unwrap();
                    assert!(stale.is_empty(), "it was found stale");
                }
            });
            for _ in 0..3000 {
                begin(&journal, &upload(), None).finish().unwrap();
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn a_note_is_read_back() {
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
            let entry = journal.stale_entries().unwrap().pop().unwrap();
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
            .stale_entries()
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
    fn a_damaged_entry_has_no_note() {
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
            let stale = journal.stale_entries().unwrap();
            assert_eq!(stale[0].note().unwrap(), None);
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
        assert!(journal.stale_entries().unwrap().is_empty());
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
        assert!(
            journal.stale_entries().unwrap().is_empty(),
            "its owner is running"
        );
        drop(first);
        fs::write(directory.join("b.new"), "").unwrap();
        let stale = journal.stale_entries().unwrap();
        assert_eq!(stale[0].note().unwrap(), Some(noted));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
