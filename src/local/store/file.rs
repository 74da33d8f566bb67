//! The `file` store: one file per image, in one or more directories.
//!
//! Data is written to `ID.part` next to its final name and synced. The file is then renamed without replacing
//! another one, and the directory is synced.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rustix::fs::{CWD, RenameFlags};

use super::{CLOCK_SLACK, Removal, Store, Writer, file_path, full, storage_error};
use crate::data::durable::{
    create_directory, directory_of, give_to_owner, remove, remove_durably, sync_directory,
};
use crate::data::pump::{Sink, Target};
use crate::data::{Source, blocking};
use crate::local::directories::DIRECTORY_MODE;
use crate::model::{ByteRange, Space, StoreInfo, Timestamp};
use crate::{Error, Result};

/// The subdirectory that marks a directory as one of a store. A directory without any entry may be the mount point
/// of a file system that is not mounted.
const MARKER: &str = ".store";

/// A directory of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The path.
    pub path: PathBuf,
    /// The priority, higher first. Among equal priorities, the directory with the most free space is used.
    pub priority: i64,
}

/// How a store writes its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writing {
    /// The permission bits.
    pub mode: u32,
    /// Whether runs of zeros are written as holes.
    pub sparse: bool,
}

/// A store of files.
#[derive(Clone)]
pub struct FileStore {
    info: StoreInfo,
    directories: Vec<Directory>,
    writing: Writing,
    /// Whether an upload is refused at once if a file with its final name exists.
    refuses_existing: bool,
}

impl FileStore {
    /// Creates a store with `directories`, which MUST NOT be empty.
    pub fn new(info: StoreInfo, directories: Vec<Directory>, writing: Writing) -> Self {
        Self {
            info,
            directories,
            writing,
            refuses_existing: true,
        }
    }

    /// Returns the same store for data that is not recorded as an image's when it is committed. [`Store::create`]
    /// accepts an existing file at the final name; the caller removes it before it commits.
    #[must_use]
    pub fn tolerant(mut self) -> Self {
        self.refuses_existing = false;
        self
    }

    /// Returns the addresses of the files of image `id`, one in each directory.
    pub fn own_addresses(&self, id: &str) -> Vec<String> {
        let paths = self.directories.iter().map(|at| at.path.join(id));
        paths.map(|path| address_of(&path)).collect()
    }

    /// Returns the paths of the directories.
    fn paths(&self) -> Vec<PathBuf> {
        let paths = self.directories.iter().map(|at| at.path.clone());
        paths.collect()
    }

    /// Returns the directory for the next `size` bytes.
    fn choose(&self, size: Option<u64>) -> Result<&Path> {
        let mut best: Option<(&Directory, u64)> = None;
        for directory in &self.directories {
            create_directory(&directory.path.join(MARKER), DIRECTORY_MODE)?;
            // With one directory and no known size, there is nothing to choose or refuse.
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

/// Returns the number of bytes that an unprivileged process may still write to a directory's file system.
fn room(path: &Path) -> Result<u64> {
    let statistics = rustix::fs::statvfs(path).map_err(|e| Error::io("access", path, e.into()))?;
    Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
}

fn missing(path: &Path) -> Error {
    Error::not_found(format!("image data {} is missing", path.display()))
}

/// Returns the space of the file systems of directories, each counted once; None if there are none, or one cannot be
/// accessed.
fn space<'p>(directories: impl Iterator<Item = &'p Path>) -> Option<Space> {
    let mut known = HashSet::new();
    let mut sum = None;
    for path in directories {
        let device = std::fs::metadata(path).ok()?.dev();
        if !known.insert(device) {
            continue;
        }
        let found = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        let all = sum.get_or_insert(Space { free: 0, total: 0 });
        all.free += bytes(found.f_bavail);
        all.total += bytes(found.f_blocks);
    }
    sum
}

#[async_trait]
impl Store for FileStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    async fn describe(&self) -> StoreInfo {
        let mut info = self.info.clone();
        if let Some(detail) = &mut info.detail {
            // The directory of a new data directory is created later.
            let directories = self.directories.iter().map(|at| at.path.as_path());
            let existing = directories.map(|path| {
                let mut above = path.ancestors();
                above.find(|path| path.exists()).unwrap_or(path)
            });
            detail.space = space(existing);
        }
        info
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

    async fn addresses(&self, id: &str) -> Result<Vec<String>> {
        Ok(self.own_addresses(id))
    }

    /// Returns whether the address is one of the image's, because no caller can add a `file` address.
    ///
    /// *Source:* `validate_external_location` in `glance/common/store_utils.py`, which refuses `file` addresses
    /// among others.
    fn is_exclusive(&self, url: &str, id: &str) -> bool {
        self.own_addresses(id).iter().any(|address| address == url)
    }

    fn size_of(&self, source: &Source) -> Option<u64> {
        source.stored_size()
    }

    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>> {
        let (store, id) = (self.clone(), id.to_string());
        let writer = blocking(move || {
            let directory = store.choose(size)?.to_path_buf();
            if store.refuses_existing {
                for directory in &store.directories {
                    let path = directory.path.join(&id);
                    if lookup(&path)?.is_some() {
                        return Err(taken(&path));
                    }
                }
            }
            Ok(FileWriter::new(directory, &id, store.writing))
        });
        Ok(Box::new(writer.await?))
    }

    async fn size(&self, url: &str) -> Result<u64> {
        let path = file_path(url)
            .ok_or_else(|| Error::invalid("a location of a file store is not a file:// address"))?;
        blocking(move || match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(missing(&path)),
            Err(e) => Err(Error::io("read", &path, e)),
        })
        .await
    }

    async fn open(&self, url: &str, range: ByteRange) -> Result<Source> {
        let path = file_path(url).ok_or_else(|| {
            Error::internal("a location of a file store is not a file:// address")
        })?;
        blocking(move || match Source::open(&path) {
            Err(_) if !path.exists() => Err(missing(&path)),
            other => other?.limited_to(range),
        })
        .await
    }

    async fn check_delete(&self, url: &str) -> Result<()> {
        let Some(path) = file_path(url) else {
            return Ok(());
        };
        blocking(move || find(&path).map(drop)).await
    }

    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let count = removals.len();
        let removed = blocking(move || Ok(remove_all(&removals, dry_run))).await;
        removed.unwrap_or_else(|error| {
            let why = error.message().to_string();
            (0..count)
                .map(|_| Err(Error::internal(why.clone())))
                .collect()
        })
    }

    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()> {
        let recorded: Vec<PathBuf> = recorded.iter().filter_map(|url| file_path(url)).collect();
        let (directories, id) = (self.paths(), id.to_string());
        blocking(move || {
            for directory in &directories {
                let (part, path) = (part_of(directory, &id), directory.join(&id));
                // Fails if the file system may not be mounted: its data would reappear when it is.
                let found = find(&path)?;
                let is_left =
                    !recorded.contains(&path) && found.is_some_and(|found| found.is_file());
                let path = is_left.then_some(path.as_path());
                remove_durably(directory, std::iter::once(part.as_path()).chain(path))?;
            }
            Ok(())
        })
        .await
    }
}

/// Returns the name of data that is not committed yet.
fn part_of(directory: &Path, id: &str) -> PathBuf {
    directory.join(format!("{id}.part"))
}

/// Returns the address of a file.
fn address_of(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// A writer of image data into a file.
struct FileWriter {
    directory: PathBuf,
    part: PathBuf,
    path: PathBuf,
    address: String,
    writing: Writing,
    /// Whether a file of this writer may exist.
    has_begun: bool,
    /// The file; None before it is created, and after an abort, because its space is freed only when it is closed.
    file: Option<Arc<File>>,
    /// The device and inode numbers of the file.
    identity: Option<(u64, u64)>,
}

impl FileWriter {
    fn new(directory: PathBuf, id: &str, writing: Writing) -> Self {
        let path = directory.join(id);
        Self {
            part: part_of(&directory, id),
            address: address_of(&path),
            directory,
            path,
            writing,
            has_begun: false,
            file: None,
            identity: None,
        }
    }
}

#[async_trait]
impl Writer for FileWriter {
    fn address(&self) -> &str {
        &self.address
    }

    async fn sink(&mut self) -> Result<Sink<'_>> {
        let (part, writing) = (self.part.clone(), self.writing);
        self.has_begun = true;
        let (target, identity) = blocking(move || {
            let target = create_part(&part, writing)?;
            let metadata = target.file.metadata();
            let metadata = metadata.map_err(|e| Error::io("read", &part, e))?;
            Ok((target, (metadata.dev(), metadata.ino())))
        })
        .await?;
        self.file = Some(Arc::clone(&target.file));
        self.identity = Some(identity);
        Ok(Sink::File(target))
    }

    async fn commit(&mut self) -> Result<()> {
        let file = self.file.clone();
        let file = file.ok_or_else(|| Error::internal("nothing was stored"))?;
        let (part, path, directory) =
            (self.part.clone(), self.path.clone(), self.directory.clone());
        blocking(move || {
            file.sync_all()
                .map_err(|e| storage_error(Error::io("write", &part, e)))?;
            match rustix::fs::renameat_with(CWD, &part, CWD, &path, RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    rename_by_link(&part, &path)
                }
                other => other.map_err(io::Error::from),
            }
            .map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => taken(&path),
                _ => storage_error(Error::io("create", &path, e)),
            })?;
            sync_directory(&directory)
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        if !self.has_begun {
            return Ok(());
        }
        self.file = None;
        let identity = self.identity;
        let (part, path, directory) =
            (self.part.clone(), self.path.clone(), self.directory.clone());
        blocking(move || {
            // If the rename or the sync failed, the data may already be under its final name.
            let found = lookup(&path)?.map(|found| (found.dev(), found.ino()));
            let is_ours = found.is_some() && found == identity;
            let path = is_ours.then_some(path.as_path());
            remove_durably(&directory, std::iter::once(part.as_path()).chain(path))
        })
        .await
    }
}

/// Creates the file for new data. Never opens an existing file or link, which may be another user's.
fn create_part(part: &Path, writing: Writing) -> Result<Target> {
    // The lock on the journal entry is held, so a leftover is a crashed process's.
    remove(part)?;
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(writing.mode)
        .open(part);
    let file = file.map_err(|e| storage_error(Error::io("create", part, e)))?;
    give_to_owner(&file, directory_of(part));
    // The mode is the configured one, regardless of the umask.
    let permissions = fs::Permissions::from_mode(writing.mode);
    file.set_permissions(permissions)
        .map_err(|e| Error::io("create", part, e))?;
    Ok(Target {
        file: Arc::new(file),
        path: part.into(),
        sparse: writing.sparse,
    })
}

/// Renames without replacing on file systems that lack `RENAME_NOREPLACE`.
fn rename_by_link(part: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(part, path)?;
    fs::remove_file(part)
}

/// Removes files durably; each directory is synced once. Only checks them if `dry_run`.
fn remove_all(removals: &[Removal], dry_run: bool) -> Vec<Result<Option<u64>>> {
    let paths: Vec<Option<PathBuf>> = removals.iter().map(|data| file_path(&data.url)).collect();
    let no_file = || Error::failed("its address is not that of a file");
    // All files are checked before the first removal, after which a directory may be empty.
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

/// Returns a path's metadata, without following a link.
fn lookup(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("access", path, e)),
    }
}

/// Returns the metadata of image data that is to be removed. None if it certainly does not exist: its directory
/// exists and is not empty.
///
/// # Errors
/// `Io` if the directory does not exist; `Failed` if it is empty: it may be the mount point of a file system that
/// is not mounted.
fn find(path: &Path) -> Result<Option<Metadata>> {
    let found = lookup(path)?;
    if found.is_some() {
        return Ok(found);
    }
    let directory = path.parent().unwrap_or(path);
    let mut entries = fs::read_dir(directory).map_err(|e| unmounted(directory, e))?;
    if entries.next().is_none() {
        return Err(Error::failed(format!(
            "directory {} is empty; its file system may not be mounted",
            directory.display()
        ))
        .hint("Mount it, or create a file in it if the data is permanently lost."));
    }
    Ok(None)
}

/// Returns the error for a missing directory.
fn unmounted(directory: &Path, error: io::Error) -> Error {
    Error::io("open", directory, error).hint("Is its file system mounted? Nothing was deleted.")
}

/// Returns the error for a name that is already in use by a file without a record.
fn taken(path: &Path) -> Error {
    Error::conflict(format!("{} already exists", path.display()))
        .hint("It is not the data of an image. Check it, then move it to another place.")
}

/// Returns the size in bytes of a file that is to be removed; None if it does not exist.
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
        let written = written.map_err(|e| Error::io("access", path, e))?;
        let late = |written: Timestamp| written.before(CLOCK_SLACK) > moment;
        if Timestamp::from_system(written).is_none_or(late) {
            return Err(Error::failed(format!(
                "{} was written after the location was deleted",
                path.display()
            )));
        }
    }
    Ok(Some(metadata.len()))
}
