//! The `file` store: a file an image, in one or several directories.
//!
//! Data is written to `ID.part` beside its final name, made durable, renamed without replacing, and
//! the directory made durable, in this order.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::{CWD, RenameFlags};

use super::{Delete, Doomed, Look, Put, Residue, Store, blocking, close, file_path};
use crate::data::pump::{Taken, Target, take_in};
use crate::data::{Algorithm, Source, Watch};
use crate::local::journal::{Entry, Intent, Journal};
use crate::model::{StoreInfo, Timestamp};
use crate::{Error, ErrorKind, Result};

/// What a store does.
const STORING: [Intent; 2] = [Intent::Upload, Intent::Delete];

/// How much later than its record says something may have happened: some databases cut the fractions of
/// seconds off.
const BLUR: Duration = Duration::from_secs(1);

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
}

impl FileStore {
    /// A store in `directories`, of which there MUST be one.
    pub fn new(info: StoreInfo, directories: Vec<Directory>, writing: Writing) -> Self {
        Self {
            info,
            directories,
            writing,
        }
    }

    /// The directory that the next `size` bytes go to.
    fn choose(&self, size: Option<u64>) -> Result<&Path> {
        let mut best: Option<(&Directory, u64)> = None;
        for directory in &self.directories {
            make_directory(&directory.path)?;
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

/// Makes a store's directory, 0750, if it is not there.
fn make_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let made = std::os::unix::fs::DirBuilderExt::mode(fs::DirBuilder::new().recursive(true), 0o750)
        .create(path);
    made.map_err(|e| Error::io("create", path, e))
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
    fn info(&self) -> StoreInfo {
        self.info.clone()
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

    async fn begin(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Put>> {
        let directory = self.choose(size)?.to_path_buf();
        let entry = Journal::of(&directory).begin(id, Intent::Upload)?;
        let entry = entry.ok_or_else(|| {
            Error::conflict(
                "Image status transition from saving to saving is not allowed".to_string(),
            )
            .hint("Another process is uploading data for this image.")
        })?;
        Ok(Box::new(FilePut::new(directory, entry, self.writing)))
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

    async fn begin_delete(&self, id: &str, urls: &[String]) -> Result<Box<dyn Delete>> {
        let paths: Vec<PathBuf> = urls.iter().filter_map(|url| file_path(url)).collect();
        let parent = paths.first().and_then(|path| path.parent());
        let ours = self
            .directories
            .iter()
            .find(|directory| Some(directory.path.as_path()) == parent);
        let directory = match ours {
            Some(directory) if directory.path.is_dir() => directory.path.clone(),
            _ => self.choose(None)?.to_path_buf(),
        };
        let (id, noted) = (id.to_string(), paths.clone());
        let entry = blocking(move || {
            let Some(mut entry) = Journal::of(&directory).begin(&id, Intent::Delete)? else {
                return Err(Error::conflict(format!(
                    "image {id} is being deleted by another process"
                )));
            };
            entry.note(&noted)?;
            Ok(entry)
        })
        .await?;
        Ok(Box::new(FileDelete { entry, paths }))
    }

    async fn remove(&self, doomed: Vec<Doomed>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let count = doomed.len();
        let removed = blocking(move || Ok(remove_all(&doomed, dry_run))).await;
        removed.unwrap_or_else(|error| {
            let why = error.message().to_string();
            (0..count)
                .map(|_| Err(Error::internal(why.clone())))
                .collect()
        })
    }

    async fn residue(&self) -> Result<Vec<Residue>> {
        let mut residue = Vec::new();
        for directory in &self.directories {
            for mut entry in Journal::of(&directory.path).residue(&STORING)? {
                let id = entry.id.clone();
                residue.push(match entry.intent {
                    Intent::Upload => {
                        let noted = entry.noted()?;
                        let mut put = FilePut::new(directory.path.clone(), entry, self.writing);
                        put.published =
                            inode(&put.path).is_some_and(|inode| noted.contains(&inode));
                        Residue::Upload {
                            id,
                            put: Box::new(put),
                        }
                    }
                    Intent::Delete | Intent::Import => {
                        let paths = entry.noted()?;
                        Residue::Delete {
                            id,
                            delete: Box::new(FileDelete { entry, paths }),
                        }
                    }
                });
            }
        }
        Ok(residue)
    }
}

struct FilePut {
    directory: PathBuf,
    part: PathBuf,
    path: PathBuf,
    entry: Entry,
    writing: Writing,
    file: Option<File>,
    /// Whether data may be under the final name.
    published: bool,
}

impl FilePut {
    fn new(directory: PathBuf, entry: Entry, writing: Writing) -> Self {
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
            published: false,
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
        let Writing { mode, sparse } = self.writing;
        let (taken, file) = blocking(move || {
            // What a dead process left there is ours now, by the lock on the journal's entry.
            remove(&part)?;
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&part);
            let file = file.map_err(|e| storage(Error::io("create", &part, e)))?;
            // The mode is the operator's, whatever the umask.
            let permissions = fs::Permissions::from_mode(mode);
            file.set_permissions(permissions)
                .map_err(|e| Error::io("create", &part, e))?;
            let target = Target {
                file: &file,
                path: &part,
                sparse,
            };
            let taken = take_in(source, target, &algorithms, &watch, &mut look).map_err(storage)?;
            Ok((taken, file))
        })
        .await?;
        self.file = Some(file);
        Ok(taken)
    }

    async fn publish(&mut self) -> Result<String> {
        let Some(file) = self.file.take() else {
            return Err(Error::internal("nothing was stored"));
        };
        let (part, path, directory) =
            (self.part.clone(), self.path.clone(), self.directory.clone());
        // Which file is ours, should this process die behind the renaming.
        self.entry.note(inode(&part).as_slice())?;
        let url = blocking(move || {
            file.sync_all()
                .map_err(|e| storage(Error::io("write", &part, e)))?;
            match rustix::fs::renameat_with(CWD, &part, CWD, &path, RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    rename_by_link(&part, &path)
                }
                other => other.map_err(io::Error::from),
            }
            .map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => Error::new(
                    ErrorKind::Conflict,
                    format!("{} exists already", path.display()),
                )
                .hint("It is no image's data; look at it, then move it away."),
                _ => Error::io("create", &path, e),
            })?;
            sync_directory(&directory)?;
            Ok(format!("file://{}", path.display()))
        })
        .await?;
        self.published = true;
        Ok(url)
    }

    fn is_at(&self, url: &str) -> bool {
        let there = file_path(url).and_then(|path| inode(&path));
        self.published && there.is_some() && there == inode(&self.path)
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let (part, entry) = (self.part, self.entry);
        blocking(move || remove(&part)).await?;
        close(entry).await
    }

    async fn discard(&mut self) -> Result<()> {
        let (part, path) = (self.part.clone(), self.path.clone());
        let published = self.published;
        self.file = None;
        blocking(move || {
            remove(&part)?;
            if published { remove(&path) } else { Ok(()) }
        })
        .await
    }
}

/// What tells a file from another of the same name; None where there is none.
fn inode(path: &Path) -> Option<PathBuf> {
    let metadata = fs::metadata(path).ok()?;
    Some(PathBuf::from(format!(
        "{}:{}",
        metadata.dev(),
        metadata.ino()
    )))
}

/// Renames without replacing where the file system has no such call.
fn rename_by_link(part: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(part, path)?;
    fs::remove_file(part)
}

fn sync_directory(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|e| Error::io("write", path, e))
}

/// Removes files, and makes that last: each of their directories is written to the disk once. Only looks,
/// if `dry_run`.
fn remove_all(doomed: &[Doomed], dry_run: bool) -> Vec<Result<Option<u64>>> {
    let paths: Vec<Option<PathBuf>> = doomed.iter().map(|data| file_path(&data.url)).collect();
    let mut directories = BTreeMap::new();
    let mut removed = Vec::with_capacity(doomed.len());
    for (path, data) in paths.iter().zip(doomed) {
        let directory = path.as_deref().and_then(Path::parent);
        removed.push(match (path, directory) {
            (Some(path), Some(directory)) => {
                let measured = measure(path, directory, data.unless_later);
                match measured {
                    Ok(Some(_)) if !dry_run => {
                        directories.entry(directory).or_insert(Ok(()));
                        remove(path).and(measured)
                    }
                    _ => measured,
                }
            }
            _ => Err(Error::failed("its address is none of a file")),
        });
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

/// Bytes of a file that is to be removed, None where there is none. A directory that is not there is no
/// proof that the file is not: it may not be mounted.
fn measure(path: &Path, directory: &Path, unless_later: Option<Timestamp>) -> Result<Option<u64>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound && directory.is_dir() => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Error::io("open", directory, e));
        }
        Err(e) => return Err(Error::io("look at", path, e)),
    };
    if let Some(moment) = unless_later {
        let written = metadata.modified();
        let written = written.map_err(|e| Error::io("look at", path, e))?;
        let late = |written: Timestamp| written.before(BLUR) > moment;
        if Timestamp::from_system(written).is_none_or(late) {
            return Err(Error::failed(format!(
                "{} was written after that",
                path.display()
            )));
        }
    }
    Ok(Some(metadata.len()))
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}

struct FileDelete {
    entry: Entry,
    paths: Vec<PathBuf>,
}

#[async_trait]
impl Delete for FileDelete {
    async fn finish(self: Box<Self>, kept: &[String]) -> Result<()> {
        let Self { entry, mut paths } = *self;
        let kept: Vec<PathBuf> = kept.iter().filter_map(|url| file_path(url)).collect();
        paths.retain(|path| !kept.contains(path));
        blocking(move || paths.iter().try_for_each(|path| remove(path))).await?;
        close(entry).await
    }

    async fn abandon(self: Box<Self>) -> Result<()> {
        close(self.entry).await
    }
}
