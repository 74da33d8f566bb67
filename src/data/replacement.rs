//! Output files of the user: replaced atomically if possible, otherwise written in place.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Gid, Mode, OFlags, StatxAttributes, StatxFlags, Uid};
use rustix::io::Errno;

use super::durable::{directory_of, link_nameless, sync_directory};
use crate::{Error, Result};

/// The directory in which open files have names that can be linked.
const OPEN_FILES: &str = "/proc/self/fd";

/// The number of bytes of a file's name that its temporary name repeats. With the additions it must not
/// exceed the 255 bytes that file systems allow.
const MAX_NAME_PREFIX: usize = 200;

/// The number of attempts to create a temporary file, in case another process removes it before it is
/// locked.
const ATTEMPTS: usize = 8;

/// The maximum number of symbolic links to follow.
const LINKS: usize = 40;

/// Extended attributes that the system sets on the replacement as well.
const COMMON_ATTRIBUTES: [&str; 2] = ["security.selinux", "security.ima"];

/// The method of writing the file.
#[derive(Debug)]
enum Way {
    /// An unnamed file, which is linked.
    Nameless,
    /// A file with this temporary name, which is renamed.
    Named(PathBuf),
    /// The file itself, for this reason.
    InPlace(String),
}

/// The new content of a file, which is not visible under the file's name before it is complete.
///
/// If the file system supports it, the new file has no name at all (`O_TMPFILE`), and a killed process
/// leaves nothing behind, unless it is killed between the two system calls that replace an existing file:
/// the link to a temporary name, and the rename. Otherwise the file has its temporary name from the
/// beginning. That name cannot be guessed, no existing file is opened under it, and the leftovers of a
/// killed process are removed by the next process that writes to the same name.
///
/// An existing file keeps its permissions and its owner. A file that cannot be replaced without a loss is
/// written in place: one in a directory that is not writable, one with other names (hard links), one of
/// another owner, one with an access control list, a mount point, an open file of a process
/// (`/dev/stdout`). [`Replacement::keep`] reports this.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    path: PathBuf,
    way: Way,
}

impl Replacement {
    /// Prepares new content for `path`, which is a regular file or does not exist; links are followed.
    /// `mode` is the permission bits of a new file, to which the process's umask applies.
    ///
    /// # Errors
    /// `Io` for a file or directory that cannot be written to.
    pub fn create(path: &Path, mode: u32) -> Result<Self> {
        let (path, is_open_file) = resolve(path);
        let before = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::io(
                    "write",
                    &path,
                    io::ErrorKind::IsADirectory.into(),
                ));
            }
            Ok(metadata) => Some(metadata),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io("write", &path, e)),
        };
        let Some(before) = before else {
            return Self::create_new(path, Mode::from_raw_mode(mode));
        };
        rustix::fs::accessat(CWD, &path, Access::WRITE_OK, AtFlags::EACCESS)
            .map_err(|e| Error::io("write", &path, e.into()))?;
        if let Some(reason) = reason_to_keep(&path, &before, is_open_file) {
            return Self::open_in_place(path, reason.to_string());
        }
        let mode = Mode::from_raw_mode(before.permissions().mode());
        let part = match Self::create_new(path.clone(), mode) {
            Ok(part) => part,
            Err(error) if is_denied(&error) => {
                return Self::open_in_place(path, "its directory is not writable".to_string());
            }
            Err(error) => return Err(error),
        };
        if part.inherit(&before).is_err() {
            let reason = "a new file cannot have its owner and permissions";
            return Self::open_in_place(path, reason.to_string());
        }
        Ok(part)
    }

    /// Prepares new content as [`Replacement::create`] does, with permission bits that the process's umask
    /// does not change: for files that other users read.
    ///
    /// # Errors
    /// The errors of [`Replacement::create`].
    pub fn create_readable(path: &Path, mode: u32) -> Result<Self> {
        let exists = path.exists();
        let new = Self::create(path, mode)?;
        if !exists {
            let permissions = std::fs::Permissions::from_mode(mode);
            let set = new.file.set_permissions(permissions);
            set.map_err(|e| Error::io("write", &new.path, e))?;
        }
        Ok(new)
    }

    /// Creates the temporary file.
    fn create_new(path: PathBuf, mode: Mode) -> Result<Self> {
        remove_leftovers(&path);
        // An unnamed file could not be linked.
        if !Path::new(OPEN_FILES).exists() {
            return Self::create_named(path, mode);
        }
        match rustix::fs::open(
            directory_of(&path),
            OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
            mode,
        ) {
            Ok(file) => {
                let file = File::from(file);
                // The lock shows that the temporary name is not a leftover. Without locks, that name lasts
                // for one system call.
                let _ = file.try_lock();
                Ok(Self {
                    file,
                    path,
                    way: Way::Nameless,
                })
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Self::create_named(path, mode),
            Err(e) => Err(missing_directory(&path, e.into())),
        }
    }

    fn create_named(path: PathBuf, mode: Mode) -> Result<Self> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            let name = temporary_name(&path);
            let file = match rustix::fs::open(&name, flags, mode) {
                Ok(file) => File::from(file),
                Err(Errno::EXIST) => continue,
                Err(e) => return Err(missing_directory(&path, e.into())),
            };
            // Until it is locked, another process may treat it as a leftover.
            let is_ours = match file.try_lock() {
                Ok(()) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 1),
                Err(std::fs::TryLockError::WouldBlock) => false,
                Err(std::fs::TryLockError::Error(_)) => true,
            };
            if is_ours {
                return Ok(Self {
                    file,
                    path,
                    way: Way::Named(name),
                });
            }
        }
        Err(Error::failed(format!(
            "cannot create a temporary file next to {}: other processes remove it",
            path.display()
        )))
    }

    /// Opens the file itself and truncates it.
    fn open_in_place(path: PathBuf, reason: String) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .truncate(true)
            .open(&path)
            .map_err(|e| Error::io("write", &path, e))?;
        Ok(Self {
            file,
            path,
            way: Way::InPlace(reason),
        })
    }

    /// Sets the owner and the permissions of the temporary file to those of the file that it replaces.
    fn inherit(&self, before: &Metadata) -> io::Result<()> {
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
            let (user, group) = (Uid::from_raw(before.uid()), Gid::from_raw(before.gid()));
            rustix::fs::fchown(&self.file, Some(user), Some(group))?;
        }
        self.file.set_permissions(before.permissions())
    }

    /// Returns the open file, empty at first.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the final name; links are followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the content visible under its name, durably. Returns a message for the user if the file was
    /// written in place, with the reason.
    ///
    /// # Errors
    /// `Io`.
    pub fn keep(mut self) -> Result<Option<String>> {
        let path = self.path.clone();
        let failed = |e: io::Error| Error::io("write", &path, e);
        self.file.sync_all().map_err(failed)?;
        if let Way::InPlace(reason) = &self.way {
            return Ok(Some(in_place(&path, reason)));
        }
        if matches!(self.way, Way::Nameless) {
            match link_nameless(&self.file, &path) {
                Ok(()) => return sync_name(&path).map(|()| None),
                // An existing file is replaced atomically, by a rename.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(missing_directory(&path, e.into())),
            }
            let name = temporary_name(&path);
            link_nameless(&self.file, &name).map_err(|e| failed(e.into()))?;
            self.way = Way::Named(name);
        }
        if let Way::Named(name) = &self.way {
            match rustix::fs::rename(name, &path) {
                Ok(()) => {}
                Err(e @ (Errno::BUSY | Errno::PERM | Errno::ACCESS)) => {
                    let reason = format!("it cannot be replaced: {}", io::Error::from(e).kind());
                    return self.copy_in_place(&reason).map(Some);
                }
                Err(e) => return Err(failed(e.into())),
            }
        }
        self.way = Way::Nameless;
        sync_name(&path).map(|()| None)
    }

    /// Copies the content into the file that cannot be replaced.
    fn copy_in_place(mut self, reason: &str) -> Result<String> {
        let failed = |e: io::Error| Error::io("write", &self.path, e);
        let mut options = File::options();
        let mut target = options
            .write(true)
            .truncate(true)
            .open(&self.path)
            .map_err(failed)?;
        self.file.rewind().map_err(failed)?;
        io::copy(&mut self.file, &mut target).map_err(failed)?;
        target.sync_all().map_err(failed)?;
        Ok(in_place(&self.path, reason))
    }

    /// Discards the content after `error`, which is returned. A file that is written in place is truncated,
    /// and the error reports that.
    #[must_use]
    pub fn give_up(self, error: Error) -> Error {
        let Way::InPlace(reason) = &self.way else {
            return error;
        };
        let path = self.path.display();
        match self.file.set_len(0) {
            Ok(()) => error.hint(format!(
                "{path} was written in place because {reason}, and is now empty."
            )),
            Err(_) => error.hint(format!(
                "{path} was written in place because {reason}: its content is damaged."
            )),
        }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Way::Named(name) = &self.way {
            // There is no caller to report to. The next process that writes to the same name removes it.
            let _ = std::fs::remove_file(name);
        }
    }
}

fn in_place(path: &Path, reason: &str) -> String {
    format!("{} was written in place: {reason}.", path.display())
}

/// Resolves the links in `path`. Returns the name of the file itself, which need not exist, and whether one
/// of the links is one of procfs, which refers to an open file rather than to a name.
fn resolve(path: &Path) -> (PathBuf, bool) {
    let mut name = path.to_path_buf();
    for _ in 0..LINKS {
        let Ok(target) = std::fs::read_link(&name) else {
            return (name, false);
        };
        let directory = std::fs::canonicalize(directory_of(&name));
        let directory = directory.unwrap_or_else(|_| directory_of(&name).to_path_buf());
        if directory.starts_with("/proc") {
            return (path.to_path_buf(), true);
        }
        name = directory.join(target);
    }
    (path.to_path_buf(), false)
}

/// Returns why the existing file at `path` should not be replaced: the property that would be lost.
fn reason_to_keep(path: &Path, before: &Metadata, is_open_file: bool) -> Option<&'static str> {
    if is_open_file {
        return Some("it is an open file of a process");
    }
    if before.nlink() > 1 {
        return Some("it has other names (hard links)");
    }
    let user = rustix::process::geteuid();
    if !user.is_root() && before.uid() != user.as_raw() {
        return Some("it belongs to another user");
    }
    if is_mount_point(path) {
        return Some("it is a mount point");
    }
    has_attributes(path).then_some("it has extended attributes or an access control list")
}

/// Returns whether another file system, or a file of one, is mounted at `path`; false if the kernel does
/// not report it.
fn is_mount_point(path: &Path) -> bool {
    let found = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::empty());
    found.is_ok_and(|found| {
        let known = found.stx_attributes_mask & found.stx_attributes;
        known.contains(StatxAttributes::MOUNT_ROOT)
    })
}

/// Returns whether a file has extended attributes that a new one would not have.
fn has_attributes(path: &Path) -> bool {
    let mut names = vec![0; 64 << 10];
    match rustix::fs::listxattr(path, &mut names) {
        Ok(length) => names[..length]
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .any(|name| {
                !COMMON_ATTRIBUTES
                    .iter()
                    .any(|common| common.as_bytes() == name)
            }),
        // More attributes than fit into the buffer.
        Err(Errno::RANGE) => true,
        Err(_) => false,
    }
}

/// Returns whether an error is a lack of permission, for this user or for all.
fn is_denied(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        )
    })
}

/// Makes the name of a file durable, if this user may read its directory. Otherwise the directory cannot be
/// synced.
fn sync_name(path: &Path) -> Result<()> {
    match sync_directory(directory_of(path)) {
        Err(error) if is_denied(&error) => Ok(()),
        synced => synced,
    }
}

/// Returns the prefix of temporary names of `path`.
fn temporary_prefix(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut prefix = OsString::from(".");
    prefix.push(OsStr::from_bytes(&name[..name.len().min(MAX_NAME_PREFIX)]));
    prefix.push(".");
    prefix
}

/// The suffix of temporary names.
const SUFFIX: &str = ".part";

/// Returns a temporary name next to `path` for incomplete data: `.NAME.` with 32 random hexadecimal digits.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = temporary_prefix(path);
    name.push(uuid::Uuid::new_v4().simple().to_string());
    name.push(SUFFIX);
    path.with_file_name(name)
}

/// Returns whether a file in the directory of `path` has a name of the form of [`temporary_name`].
fn is_temporary_name(path: &Path, name: &OsStr) -> bool {
    let prefix = temporary_prefix(path).into_vec();
    let digits = name
        .as_bytes()
        .strip_prefix(prefix.as_slice())
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == 32 && digits.iter().all(is_digit))
}

/// Removes the leftovers of killed processes that were saving to `path`. Files that cannot be removed stay;
/// they only use disk space.
fn remove_leftovers(path: &Path) {
    let entries = std::fs::read_dir(directory_of(path));
    for entry in entries.into_iter().flatten().flatten() {
        if is_temporary_name(path, &entry.file_name()) {
            let _ = remove_leftover(&entry.path());
        }
    }
}

/// Removes a temporary file, if it is a regular file of this user without another name that no process has
/// locked.
fn remove_leftover(name: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(name, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    let is_ours = metadata.is_file()
        && metadata.nlink() == 1
        && metadata.uid() == rustix::process::geteuid().as_raw();
    if is_ours && file.try_lock().is_ok() {
        std::fs::remove_file(name)?;
    }
    Ok(())
}

fn missing_directory(path: &Path, error: io::Error) -> Error {
    let error = Error::io("create", path, error);
    let missing = path
        .parent()
        .is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.exists());
    if missing {
        error.hint("Its directory does not exist.")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_there_only_when_it_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        drop(Replacement::create(&path, 0o666).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        for content in ["first", "second"] {
            let part = Replacement::create(&path, 0o666).unwrap();
            (&part.file).write_all(content.as_bytes()).unwrap();
            part.keep().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn without_nameless_files_a_named_one_does_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mode = Mode::from_raw_mode(0o600);
        drop(Replacement::create_named(path.clone(), mode).unwrap());
        assert!(names(directory.path()).is_empty());
        for content in ["first", "second"] {
            let part = Replacement::create_named(path.clone(), mode).unwrap();
            (&part.file).write_all(content.as_bytes()).unwrap();
            part.keep().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            assert_eq!(names(directory.path()), ["out"]);
        }
    }

    #[test]
    fn two_savings_to_one_name_do_not_meet() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mode = Mode::from_raw_mode(0o600);
        let first = Replacement::create_named(path.clone(), mode).unwrap();
        (&first.file).write_all(b"first").unwrap();
        let second = Replacement::create(&path, 0o666).unwrap();
        (&second.file).write_all(b"second").unwrap();
        first.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        second.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(names(directory.path()), ["out"]);
    }

    #[test]
    fn leftovers_of_the_same_name_are_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let beside = |name: &str| directory.path().join(name);
        let leftover = temporary_name(&path);
        std::fs::write(&leftover, "left by a killed process").unwrap();
        // Not leftovers: other names, a link, a second name, a file that a process has locked.
        let digits = "0123456789abcdef0123456789abcdef";
        let others = [
            ".out.part".to_string(),
            format!(".out.{}.part", &digits[1..]),
            format!(".out.{}.part", digits.to_uppercase()),
            format!(".other.{digits}.part"),
            format!("out.{digits}.part"),
        ];
        for other in &others {
            std::fs::write(beside(other), "mine").unwrap();
        }
        std::fs::write(beside("precious"), "mine").unwrap();
        std::os::unix::fs::symlink("precious", temporary_name(&path)).unwrap();
        std::fs::hard_link(beside("precious"), temporary_name(&path)).unwrap();
        let busy = Replacement::create_named(path.clone(), Mode::from_raw_mode(0o600)).unwrap();
        let before = names(directory.path()).len();
        drop(Replacement::create(&path, 0o666).unwrap());
        assert!(!leftover.exists());
        assert_eq!(names(directory.path()).len(), before - 1);
        assert_eq!(std::fs::read_to_string(beside("precious")).unwrap(), "mine");
        (&busy.file).write_all(b"whole").unwrap();
        busy.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
    }

    #[test]
    fn a_planted_link_is_neither_followed_nor_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let victim = directory.path().join("victim");
        std::fs::write(&victim, "mine").unwrap();
        let planted = directory.path().join(".out.part");
        std::os::unix::fs::symlink(&victim, &planted).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        for part in [
            Replacement::create_named(path.clone(), mode).unwrap(),
            Replacement::create(&path, 0o666).unwrap(),
        ] {
            (&part.file).write_all(b"data").unwrap();
            part.keep().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
            assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
            assert_eq!(std::fs::read_link(&planted).unwrap(), victim);
        }
    }

    #[test]
    fn the_longest_name_has_a_temporary_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("é".repeat(127));
        let part = Replacement::create_named(path.clone(), Mode::from_raw_mode(0o600)).unwrap();
        part.keep().unwrap();
        assert_eq!(names(directory.path()).len(), 1);
    }

    fn replace(path: &Path, content: &[u8]) -> Result<Option<String>> {
        let new = Replacement::create(path, 0o666)?;
        new.file().write_all(content).unwrap();
        new.keep()
    }

    fn inode(path: &Path) -> u64 {
        std::fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions_and_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        for mode in [0o600, 0o644, 0o666, 0o6755] {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let before = std::fs::metadata(&path).unwrap();
            assert_eq!(replace(&path, b"new").unwrap(), None);
            let after = std::fs::metadata(&path).unwrap();
            assert_ne!(before.ino(), after.ino(), "replaced as a whole");
            assert_eq!(after.permissions().mode() & 0o7777, mode);
        }
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(7), Some(8)).unwrap();
            assert_eq!(replace(&path, b"newer").unwrap(), None);
            let after = std::fs::metadata(&path).unwrap();
            assert_eq!((after.uid(), after.gid()), (7, 8));
        }
        assert_eq!(names(directory.path()), ["out"]);
    }

    #[test]
    fn a_link_stays_and_what_it_names_is_replaced_or_created() {
        let directory = tempfile::tempdir().unwrap();
        let beside = |name: &str| directory.path().join(name);
        std::fs::create_dir(beside("sub")).unwrap();
        for target in ["sub/there", "sub/not-there"] {
            let link = beside("link");
            std::os::unix::fs::symlink(target, &link).unwrap();
            if target == "sub/there" {
                std::fs::write(beside(target), "old").unwrap();
            }
            assert_eq!(replace(&link, b"new").unwrap(), None);
            assert_eq!(std::fs::read_link(&link).unwrap(), Path::new(target));
            assert_eq!(std::fs::read(beside(target)).unwrap(), b"new");
            std::fs::remove_file(&link).unwrap();
        }
        // A loop has no target.
        std::os::unix::fs::symlink("loop", beside("loop")).unwrap();
        assert!(replace(&beside("loop"), b"new").is_err());
    }

    #[test]
    fn a_file_with_other_names_is_written_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let beside = |name: &str| directory.path().join(name);
        std::fs::write(beside("one"), "old and longer").unwrap();
        std::fs::hard_link(beside("one"), beside("two")).unwrap();
        let said = replace(&beside("two"), b"new").unwrap().unwrap();
        assert!(
            said.contains("in place") && said.contains("hard links"),
            "{said}"
        );
        assert_eq!(std::fs::read(beside("one")).unwrap(), b"new");
        assert_eq!(inode(&beside("one")), inode(&beside("two")));
        assert_eq!(names(directory.path()).len(), 2);
    }

    #[test]
    fn what_is_given_up_leaves_the_old_content_or_an_empty_file() {
        let directory = tempfile::tempdir().unwrap();
        let beside = |name: &str| directory.path().join(name);
        std::fs::write(beside("one"), "old").unwrap();
        let new = Replacement::create(&beside("one"), 0o666).unwrap();
        new.file().write_all(b"half").unwrap();
        let error = new.give_up(Error::failed("cut off"));
        assert_eq!(error.hints(), []);
        assert_eq!(std::fs::read(beside("one")).unwrap(), b"old");
        std::fs::hard_link(beside("one"), beside("two")).unwrap();
        let new = Replacement::create(&beside("one"), 0o666).unwrap();
        new.file().write_all(b"half").unwrap();
        let error = new.give_up(Error::failed("cut off"));
        let hints = format!("{:?}", error.hints());
        assert!(hints.contains("is now empty"), "{hints}");
        assert_eq!(std::fs::read(beside("one")).unwrap(), b"");
    }

    #[test]
    fn an_open_file_of_a_process_is_written_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let open = File::create(&path).unwrap();
        let before = inode(&path);
        let link = {
            use std::os::fd::AsRawFd;
            format!("/proc/self/fd/{}", open.as_raw_fd())
        };
        let said = replace(Path::new(&link), b"new").unwrap().unwrap();
        assert!(said.contains("open file"), "{said}");
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(inode(&path), before);
    }

    #[test]
    fn content_that_cannot_be_renamed_is_copied_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        std::fs::write(&path, "old and longer").unwrap();
        let before = inode(&path);
        let new = Replacement::create(&path, 0o666).unwrap();
        new.file().write_all(b"new").unwrap();
        let said = new.copy_in_place("it cannot be replaced").unwrap();
        assert!(said.contains("in place"), "{said}");
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(inode(&path), before);
        assert_eq!(names(directory.path()), ["out"]);
    }
}
