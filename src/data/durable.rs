//! Durable changes of a file system: the names of files as well as their content.
//!
//! A synced file may still be lost with the directory entry that names it. Functions here sync the entry
//! too, before anything relies on it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Uid};
use rustix::io::Errno;

use crate::{Error, Result};

/// Creates a directory with permission bits `mode`, and its missing parents. All new directory entries are
/// durable on return.
///
/// # Errors
/// `Io` if one cannot be created or synced.
pub fn create_directory(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && !directory_of(path).is_dir() => {
            create_directory(directory_of(path), mode)?;
            return create_directory(path, mode);
        }
        // Another process created it first and may not have synced its entry yet.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => {
            created.map_err(|e| Error::io("create", path, e))?;
            if let Ok(directory) = File::open(path) {
                give_to_owner(&directory, directory_of(path));
            }
        }
    }
    sync_directory(directory_of(path))
}

/// Changes the owner of a file that root created to the owner of `like`: the directory that it is in or the
/// file that it belongs to. The next process to open it may not run as root. Other users cannot change
/// owners, and need not.
///
/// If the file system refuses, as network file systems may, root stays the owner.
pub fn give_to_owner(file: &File, like: &Path) {
    if let Some((owner, group)) = owner_of(like) {
        let _ = rustix::fs::fchown(file, Some(owner), Some(group));
    }
}

/// Changes the owner by the file's name, for a file that must not be opened: closing it would release
/// SQLite's locks on it.
pub fn give_name_to_owner(path: &Path, like: &Path) {
    if let Some((owner, group)) = owner_of(like) {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let _ = rustix::fs::chownat(CWD, path, Some(owner), Some(group), flags);
    }
}

/// Returns the owner for new files next to `like`, if this process is root and the owner is not.
fn owner_of(like: &Path) -> Option<(Uid, Gid)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let metadata = fs::metadata(like).ok()?;
    let owner = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    (!owner.0.is_root()).then_some(owner)
}

/// Returns the directory of a file: the current one for a bare name, `/` for itself.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// Makes the entries of a directory durable.
///
/// A file system that cannot sync directories is not an error.
///
/// # Errors
/// `Io` if the directory cannot be opened or synced.
pub fn sync_directory(path: &Path) -> Result<()> {
    let directory = File::open(path).map_err(|e| Error::io("open", path, e))?;
    match rustix::fs::fsync(&directory) {
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::ROFS) => Ok(()),
        synced => synced.map_err(|e| Error::io("sync", path, e.into())),
    }
}

/// Removes a file if it exists, and returns whether it did. The removal is not durable yet.
///
/// # Errors
/// `Io` if it cannot be removed.
pub fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io("remove", path, e)),
    }
}

/// Removes files of one directory, and syncs the directory if any of them existed.
///
/// # Errors
/// `Io` if one cannot be removed, or the directory cannot be synced.
pub fn remove_durably<'a>(
    directory: &Path,
    files: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    let mut any = false;
    for file in files {
        any |= remove(file)?;
    }
    if any {
        sync_directory(directory)
    } else {
        Ok(())
    }
}

/// Links a file that was opened with `O_TMPFILE` to a name, which MUST NOT exist.
///
/// # Errors
/// `EEXIST` if the name exists; `ENOENT` if the kernel cannot link a file by its descriptor and `/proc` is
/// not mounted.
pub fn link_nameless(file: &File, path: &Path) -> Result<(), Errno> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::linkat(CWD, open.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Err(Errno::NOENT) => rustix::fs::linkat(file.as_fd(), "", CWD, path, AtFlags::EMPTY_PATH),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_that_cannot_be_created_is_an_error() {
        // The file system answers "not found", although the directory above exists.
        for path in ["/proc/none", "/proc/none/x", "/proc/1/none/x"] {
            assert!(create_directory(Path::new(path), 0o700).is_err(), "{path}");
        }
    }

    #[test]
    fn directories_are_created_with_those_above_them() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("a/b/c");
        create_directory(&path, 0o750).unwrap();
        create_directory(&path, 0o750).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        let file = top.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(create_directory(&file, 0o750).is_err());
        assert!(create_directory(&file.join("x"), 0o750).is_err());
    }

    #[test]
    fn missing_files_are_removed_already() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
        fs::write(&path, "").unwrap();
        remove_durably(top.path(), [path.as_path()]).unwrap();
        assert!(!path.exists());
    }
}
