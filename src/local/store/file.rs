//! The `file` store: a file an image, in one or several directories.
//!
//! Data is written to `ID.part` beside its final name, made durable, renamed without replacing, and
//! the directory made durable, in this order.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::{CWD, RenameFlags};

use super::{Delete, Put, Removal, Residue, Store, blocking, close, file_path, ours, transfer};
use crate::data::durable::{
    create_directory, directory_of, give_to_owner, remove, remove_durably, sync_directory,
};
use crate::data::pump::{Look, Taken, Target, take_in, take_stream};
use crate::data::{Algorithm, Source, Watch};
use crate::local::engine::DIRECTORY_MODE;
use crate::local::journal::{Entry, Intent, Journal};
use crate::model::{StoreInfo, Timestamp};
use crate::{Error, Result};

/// What a store does.
const STORING: [Intent; 2] = [Intent::Upload, Intent::Delete];

/// Tolerance for databases that truncate timestamps to seconds.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// A directory of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where.
    pub path: PathBuf,
    /// Preference; higher first, and of equal ones the one with most room.
    pub priority: i64,
}

/// How a store writes its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Permission bits.
    pub mode: u32,
    /// Whether runs of zeros become holes.
    pub sparse: bool,
}

/// A store of files.
pub struct FileStore {
    info: StoreInfo,
    directories: Vec<Directory>,
    writing: Writing,
    /// Whether an upload is refused at once where there is a file of its final name.
    refuses_existing: bool,
}

impl FileStore {
    /// A store in `directories`, of which there MUST be one.
    pub fn new(info: StoreInfo, directories: Vec<Directory>, writing: Writing) -> Self {
        Self {
            info,
            directories,
            writing,
            refuses_existing: true,
        }
    }

    /// The same for files that belong to nobody before they are recorded: what an upload finds under its final
    /// name is the caller's to remove, before it publishes.
    #[must_use]
    pub fn tolerant(mut self) -> Self {
        self.refuses_existing = false;
        self
    }

    /// The paths of the directories.
    fn paths(&self) -> Vec<PathBuf> {
        let paths = self.directories.iter().map(|at| at.path.clone());
        paths.collect()
    }

    /// The directory that the next `size` bytes go to.
    fn choose(&self, size: Option<u64>) -> Result<&Path> {
        let mut best: Option<(&Directory, u64)> = None;
        for directory in &self.directories {
            create_directory(&directory.path, DIRECTORY_MODE)?;
            // With one directory and no promise there is nothing to choose or refuse.
            if self.directories.len() == 1 && size.is_none() {
                return Ok(&directory.path);
            }
            let room = room(&directory.path)?;
            if room < size.unwrap_or(0) {
                continue;
            }
            if best.is_none_or(|(other, most)| (directory.priority, room) > (other.priority, most))
            {
                best = Some((directory, room));
            }
        }
        match best {
            Some((directory, _)) => Ok(&directory.path),
            None => Err(full(&format!(
                "{} bytes do not fit into store '{}'",
                size.unwrap_or(0),
                self.info.id
            ))),
        }
    }
}

/// Bytes that an unprivileged process may still write there.
fn room(path: &Path) -> Result<u64> {
    let statistics = rustix::fs::statvfs(path).map_err(|e| Error::io("look at", path, e.into()))?;
    Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
}

fn missing(path: &Path) -> Error {
    Error::not_found(format!("image data {} is missing", path.display()))
}

fn full(why: &str) -> Error {
    Error::too_large(format!("Image storage media is full: {why}"))
        .hint("Make room in the store's directory, or name another store with --store.")
}

/// A full disk is the service's fault and has a status of its own.
fn storage(error: Error) -> Error {
    let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge,
        ) => full(error.message()),
        _ => error,
    }
}

#[async_trait]
impl Store for FileStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn reads(&self, url: &str) -> bool {
        file_path(url).is_some()
    }

    fn owns(&self, url: &str) -> bool {
        file_path(url).is_some_and(|path| {
            let mut known = self.directories.iter();
            known.any(|directory| path.parent() == Some(directory.path.as_path()))
        })
    }

    /// *Source:* `validate_external_location` in `glance/common/store_utils.py`: of all kinds, addresses of files
    /// are refused.
    fn is_exclusive(&self, url: &str, id: &str) -> bool {
        let path = file_path(url).filter(|_| self.owns(url));
        path.is_some_and(|path| path.file_name().is_some_and(|name| name == id))
    }

    async fn begin(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Put>> {
        let directory = self.choose(size)?.to_path_buf();
        let (at, id, refuses) = (directory.clone(), id.to_string(), self.refuses_existing);
        let entry = blocking(move || {
            let (path, journal) = (at.join(&id), Journal::of(&at));
            // Once this upload is noted, a file of that name would pass for what it published.
            if refuses && lookup(&path)?.is_some() && !journal.has(&id, Intent::Upload) {
                return Err(taken(&path));
            }
            ours(journal.begin(&id, Intent::Upload, &[])?, &id, || {
                Error::conflict("Image status transition from saving to saving is not allowed")
                    .hint("Another process is uploading data for this image.")
            })
        });
        let entry = entry.await?;
        Ok(Box::new(FilePut::new(
            directory,
            entry,
            self.writing,
            false,
        )))
    }

    async fn size(&self, url: &str) -> Result<u64> {
        let path = file_path(url)
            .ok_or_else(|| Error::invalid("a location of a file store is no file:// address"))?;
        blocking(move || match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(missing(&path)),
            Err(e) => Err(Error::io("read", &path, e)),
        })
        .await
    }

    async fn open(&self, url: &str) -> Result<Source> {
        let path = file_path(url)
            .ok_or_else(|| Error::internal("a location of a file store is no file:// address"))?;
        blocking(move || match Source::open(&path) {
            Err(_) if !path.exists() => Err(missing(&path)),
            other => other,
        })
        .await
    }

    async fn check_delete(&self, url: &str) -> Result<()> {
        let Some(path) = file_path(url) else {
            return Ok(());
        };
        blocking(move || find(&path).map(drop)).await
    }

    async fn begin_delete(&self, id: &str, urls: &[String]) -> Result<Box<dyn Delete>> {
        let owned = |directory: &&Directory| urls.iter().any(|url| is_in(url, &directory.path));
        let directory = self.directories.iter().find(owned);
        let directory = directory.or(self.directories.first());
        let directory = directory.ok_or_else(|| Error::internal("a store has no directory"))?;
        let (id, noted, at) = (id.to_string(), urls.to_vec(), directory.path.clone());
        let entry = blocking(move || {
            let begun = Journal::of(&at).begin(&id, Intent::Delete, &noted)?;
            let busy =
                || Error::conflict(format!("image {id} is being deleted by another process"));
            ours(begun, &id, busy)
        });
        Ok(Box::new(FileDelete {
            entry: entry.await?,
            noted: Some(urls.to_vec()),
            directories: self.paths(),
        }))
    }

    async fn remove(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let count = removals.len();
        let removed = blocking(move || Ok(remove_all(&removals, dry_run))).await;
        removed.unwrap_or_else(|error| {
            let why = error.message().to_string();
            (0..count)
                .map(|_| Err(Error::internal(why.clone())))
                .collect()
        })
    }

    async fn residue(&self) -> Result<Vec<Residue>> {
        let (directories, writing) = (self.paths(), self.writing);
        blocking(move || {
            let mut residue = Vec::new();
            for directory in &directories {
                for entry in Journal::of(directory).residue(&STORING)? {
                    let id = entry.id.clone();
                    residue.push(match entry.intent {
                        Intent::Upload => Residue::Upload {
                            id,
                            put: Box::new(FilePut::new(directory.clone(), entry, writing, true)),
                        },
                        Intent::Delete | Intent::Import => Residue::Delete {
                            id,
                            delete: Box::new(FileDelete {
                                noted: entry.noted().unwrap_or_default(),
                                entry,
                                directories: directories.clone(),
                            }),
                        },
                    });
                }
            }
            Ok(residue)
        })
        .await
    }
}

/// Whether an address is that of a file directly in a directory.
fn is_in(url: &str, directory: &Path) -> bool {
    file_path(url).is_some_and(|path| path.parent() == Some(directory))
}

struct FilePut {
    directory: PathBuf,
    part: PathBuf,
    path: PathBuf,
    entry: Entry,
    writing: Writing,
    /// What was written; None before.
    file: Option<Arc<File>>,
    /// Whether it is what a dead process left, which may have published it.
    is_residue: bool,
}

impl FilePut {
    fn new(directory: PathBuf, entry: Entry, writing: Writing, is_residue: bool) -> Self {
        let (part, path) = (
            directory.join(format!("{}.part", entry.id)),
            directory.join(&entry.id),
        );
        Self {
            directory,
            part,
            path,
            entry,
            writing,
            file: None,
            is_residue,
        }
    }
}

#[async_trait]
impl Put for FilePut {
    async fn take(
        &mut self,
        source: Source,
        algorithms: Vec<Algorithm>,
        watch: Watch,
        mut look: Look,
    ) -> Result<Taken> {
        let part = self.part.clone();
        let writing = self.writing;
        let target = blocking(move || create_part(&part, writing)).await?;
        self.file = Some(Arc::clone(&target.file));
        let taken = match source.stopping_with(&watch) {
            Source::Stream(stream) => {
                take_stream(stream, Some(target), &algorithms, &watch, look).await
            }
            source => {
                transfer(move || take_in(source, &target, &algorithms, &watch, &mut look)).await
            }
        };
        taken.map_err(storage)
    }

    async fn publish(&mut self) -> Result<String> {
        let file = self
            .file
            .clone()
            .ok_or_else(|| Error::internal("nothing was stored"))?;
        let (part, path, directory) =
            (self.part.clone(), self.path.clone(), self.directory.clone());
        blocking(move || {
            file.sync_all()
                .map_err(|e| storage(Error::io("write", &part, e)))?;
            match rustix::fs::renameat_with(CWD, &part, CWD, &path, RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    rename_by_link(&part, &path)
                }
                other => other.map_err(io::Error::from),
            }
            .map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => taken(&path),
                _ => storage(Error::io("create", &path, e)),
            })?;
            sync_directory(&directory)
        })
        .await?;
        Ok(self.address())
    }

    fn address(&self) -> String {
        format!("file://{}", self.path.display())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Self {
            part,
            directory,
            entry,
            ..
        } = *self;
        blocking(move || remove_durably(&directory, [part.as_path()])).await?;
        close(entry).await
    }

    async fn discard(&mut self) -> Result<()> {
        let (part, path, directory) =
            (self.part.clone(), self.path.clone(), self.directory.clone());
        let (written, is_residue) = (self.file.take(), self.is_residue);
        blocking(move || {
            // Whether the renaming happened is not known where it, or what followed, failed.
            let published = match (lookup(&path)?, written) {
                (Some(found), Some(written)) => {
                    let ours = written
                        .metadata()
                        .map_err(|e| Error::io("read", &part, e))?;
                    (found.dev(), found.ino()) == (ours.dev(), ours.ino())
                }
                // Nothing had that name when the dead process began.
                (Some(found), None) => is_residue && found.is_file(),
                (None, _) => false,
            };
            let path = published.then_some(path.as_path());
            remove_durably(&directory, std::iter::once(part.as_path()).chain(path))
        })
        .await
    }
}

/// Creates the file that data is taken into: a new one, and no link of another user's.
fn create_part(part: &Path, writing: Writing) -> Result<Target> {
    // What a dead process left there is ours now, by the lock on the journal's entry.
    remove(part)?;
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(writing.mode)
        .open(part);
    let file = file.map_err(|e| storage(Error::io("create", part, e)))?;
    give_to_owner(&file, directory_of(part));
    // The mode is the operator's, whatever the umask.
    let permissions = fs::Permissions::from_mode(writing.mode);
    file.set_permissions(permissions)
        .map_err(|e| Error::io("create", part, e))?;
    Ok(Target {
        file: Arc::new(file),
        path: part.into(),
        sparse: writing.sparse,
    })
}

/// Renames without replacing where the file system has no such call.
fn rename_by_link(part: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(part, path)?;
    fs::remove_file(part)
}

/// Removes files, and makes that last: each of their directories is written to the disk once. Only looks,
/// if `dry_run`.
fn remove_all(removals: &[Removal], dry_run: bool) -> Vec<Result<Option<u64>>> {
    let paths: Vec<Option<PathBuf>> = removals.iter().map(|data| file_path(&data.url)).collect();
    let no_file = || Error::failed("its address is none of a file");
    // All are looked at before the first one goes: a directory may be empty then.
    let mut removed: Vec<Result<Option<u64>>> = paths
        .iter()
        .zip(removals)
        .map(|(path, data)| measure(path.as_deref().ok_or_else(no_file)?, data.unless_later))
        .collect();
    if dry_run {
        return removed;
    }
    let mut directories = BTreeMap::new();
    for (path, outcome) in paths.iter().zip(&mut removed) {
        if let (Some(path), Ok(Some(_))) = (path, &outcome) {
            if let Some(directory) = path.parent() {
                directories.entry(directory).or_insert(Ok(()));
            }
            if let Err(error) = remove(path) {
                *outcome = Err(error);
            }
        }
    }
    for (directory, synced) in &mut directories {
        *synced = sync_directory(directory);
    }
    for (path, outcome) in paths.iter().zip(&mut removed) {
        let directory = path.as_deref().and_then(Path::parent);
        if let Some(Err(error)) = directory.and_then(|directory| directories.get(directory))
            && outcome.is_ok()
        {
            *outcome = Err(Error::failed(error.message()));
        }
    }
    removed
}

/// Looks up a path, without following a link.
fn lookup(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("look at", path, e)),
    }
}

/// Looks up image data that is to be removed. None where it is certain that there is none: its directory is
/// there and holds something.
///
/// # Errors
/// `Io` where the directory is not there, `Failed` where it is empty: it may be the place where a file system is
/// not mounted at the moment.
fn find(path: &Path) -> Result<Option<Metadata>> {
    let found = lookup(path)?;
    if found.is_some() {
        return Ok(found);
    }
    let directory = path.parent().unwrap_or(path);
    let mut entries = fs::read_dir(directory).map_err(|e| {
        Error::io("open", directory, e).hint("Is its file system mounted? Nothing was deleted.")
    })?;
    if entries.next().is_none() {
        return Err(Error::failed(format!(
            "directory {} is empty, and may be one whose file system is not mounted",
            directory.display()
        ))
        .hint("Mount it; or put a file into it if the data is lost for good."));
    }
    Ok(None)
}

/// A name that is taken by a file that is not an image's data.
fn taken(path: &Path) -> Error {
    Error::conflict(format!("{} exists already", path.display()))
        .hint("It is no image's data; look at it, then move it away.")
}

/// Bytes of a file that is to be removed, None where there is none.
fn measure(path: &Path, unless_later: Option<Timestamp>) -> Result<Option<u64>> {
    let Some(metadata) = find(path)? else {
        return Ok(None);
    };
    if metadata.is_dir() {
        return Err(Error::io(
            "remove",
            path,
            io::ErrorKind::IsADirectory.into(),
        ));
    }
    if let Some(moment) = unless_later {
        let written = metadata.modified();
        let written = written.map_err(|e| Error::io("look at", path, e))?;
        let late = |written: Timestamp| written.before(CLOCK_SLACK) > moment;
        if Timestamp::from_system(written).is_none_or(late) {
            return Err(Error::failed(format!(
                "{} was written after that",
                path.display()
            )));
        }
    }
    Ok(Some(metadata.len()))
}

struct FileDelete {
    entry: Entry,
    noted: Option<Vec<String>>,
    /// Those of the store.
    directories: Vec<PathBuf>,
}

#[async_trait]
impl Delete for FileDelete {
    fn noted(&self) -> Option<&[String]> {
        self.noted.as_deref()
    }

    fn is_own(&self, url: &str, id: &str) -> bool {
        let owned = self.directories.iter().any(|at| is_in(url, at));
        let path = file_path(url).filter(|_| owned);
        path.is_some_and(|path| path.file_name().is_some_and(|name| name == id))
    }

    async fn finish(self: Box<Self>, removals: &[String]) -> Result<()> {
        let removals: Vec<Removal> = removals
            .iter()
            .filter(|url| file_path(url).is_some())
            .map(|url| Removal {
                url: url.clone(),
                unless_later: None,
            })
            .collect();
        blocking(move || {
            remove_all(&removals, false)
                .into_iter()
                .try_for_each(|one| one.map(drop))
        })
        .await?;
        close(self.entry).await
    }

    async fn abandon(self: Box<Self>) -> Result<()> {
        close(self.entry).await
    }
}
