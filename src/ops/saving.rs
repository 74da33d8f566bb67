//! Image data on its way out: verified while it is written, renamed when it is right.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::data::durable::{directory_of, link_nameless, sync_directory};
use crate::data::pump::{self, Blocks, Taken, take_in};
use crate::data::{Algorithm, Source, Watch};
use crate::model::Image;
use crate::output::StandardOutput;
use crate::{Error, Result};

/// Where open files have names that a link can be made of.
const OPEN_FILES: &str = "/proc/self/fd";

/// Bytes of a file's name that its temporary name repeats: with what is added it must not be longer than the
/// 255 bytes that file systems allow.
const KEPT_OF_NAME: usize = 200;

/// Times that a temporary file is made again after another process removed it before it was locked.
const ATTEMPTS: usize = 8;

/// Where image data goes.
pub enum Target {
    /// A file that does not exist, or is replaced once the data is whole and right.
    File {
        /// Its name.
        path: PathBuf,
        /// Whether runs of zeros become holes.
        sparse: bool,
    },
    /// Standard output.
    Output,
}

/// What the data was verified by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// A digest of that algorithm.
    By(&'static str),
    /// Nothing: the record has no digest.
    Unverified,
}

/// How the data of an image is verified: its secure hash; md5 where there is none, or where it is
/// unknown to us and the caller allows it.
fn expectation(image: &Image, allow_md5: bool) -> Result<Option<(Algorithm, String)>> {
    let checksum = image
        .checksum
        .clone()
        .map(|checksum| (Algorithm::Md5, checksum));
    let Some(hash) = &image.hash else {
        return Ok(checksum);
    };
    match Algorithm::parse(&hash.algorithm) {
        Ok(algorithm) => Ok(Some((algorithm, hash.value.clone()))),
        Err(_) if allow_md5 && checksum.is_some() => Ok(checksum),
        Err(_) => Err(Error::failed(format!(
            "hash algorithm {} of image {} is unknown",
            hash.algorithm, image.id
        ))
        .hint("Verify by md5 instead with --allow-md5-fallback.")),
    }
}

/// Writes the data of `image` to `target`, whole and verified or not at all.
///
/// Data on standard output cannot be taken back: that it was wrong is then told by the error.
///
/// # Errors
/// `Corrupt` when the data is not what the record says; those of reading and writing.
pub async fn save(
    image: &Image,
    source: Source,
    target: Target,
    allow_md5: bool,
    watch: Watch,
) -> Result<Verified> {
    let expected = expectation(image, allow_md5)?;
    let (id, size) = (image.id.clone(), image.size);
    let work = tokio::task::spawn_blocking(move || {
        let done = write_out(&id, size, source, target, expected.as_ref(), &watch);
        done.map(|()| {
            expected.map_or(Verified::Unverified, |(algorithm, _)| {
                Verified::By(algorithm.name())
            })
        })
    });
    work.await
        .map_err(|e| Error::internal("the writing thread failed").because(e))?
}

fn write_out(
    id: &str,
    size: Option<u64>,
    source: Source,
    target: Target,
    expected: Option<&(Algorithm, String)>,
    watch: &Watch,
) -> Result<()> {
    match target {
        Target::Output => {
            let mut output = StandardOutput::open()?;
            output.check()?;
            pass_on(id, size, source, expected, watch, |block| {
                output
                    .write_all(block)
                    .map_err(|e| Error::io("write to", "standard output", e))
            })?;
            output
                .flush()
                .map_err(|e| Error::io("write to", "standard output", e))
        }
        Target::File { path, sparse } => {
            if !is_replaceable(&path)? {
                // A pipe or a device takes the bytes as they come.
                let mut file = File::options()
                    .write(true)
                    .open(&path)
                    .map_err(|e| Error::io("open", &path, e))?;
                return pass_on(id, size, source, expected, watch, |block| {
                    file.write_all(block)
                        .map_err(|e| Error::io("write", &path, e))
                });
            }
            let part = Part::create(&path)?;
            let algorithms: Vec<Algorithm> =
                expected.iter().map(|(algorithm, _)| *algorithm).collect();
            let into = pump::Target {
                file: &part.file,
                path: &path,
                sparse,
            };
            let taken = take_in(source, into, &algorithms, watch, &mut |_| Ok(()))?;
            verify(id, size, expected, &taken)?;
            part.keep()
        }
    }
}

/// Reads the data, hashes it, gives it to `write`, and compares.
fn pass_on(
    id: &str,
    size: Option<u64>,
    source: Source,
    expected: Option<&(Algorithm, String)>,
    watch: &Watch,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let algorithms: Vec<Algorithm> = expected.iter().map(|(algorithm, _)| *algorithm).collect();
    let mut blocks = Blocks::new(&algorithms);
    let mut reader = source.into_reader()?;
    let mut passed = 0;
    while let Some(block) = blocks.read(|buffer| reader.fill(buffer))? {
        write(&block)?;
        passed += block.len() as u64;
        watch.advance(block.len() as u64)?;
    }
    verify(
        id,
        size,
        expected,
        &Taken {
            size: passed,
            digests: blocks.finish()?,
        },
    )
}

/// Compares what came with what the record says.
fn verify(
    id: &str,
    size: Option<u64>,
    expected: Option<&(Algorithm, String)>,
    came: &Taken,
) -> Result<()> {
    let wrong = |what: String| {
        Err(
            Error::corrupt(format!("the data of image {id} is corrupt: {what}")).hint(
                "Nothing was kept of it. Try another store (--prefer), or upload the image anew.",
            ),
        )
    };
    if size.is_some_and(|size| size != came.size) {
        let size = size.unwrap_or_default();
        return wrong(format!("{} bytes came, its record says {size}", came.size));
    }
    if let (Some((algorithm, expected)), [digest]) = (expected, &came.digests[..])
        && !digest.eq_ignore_ascii_case(expected)
    {
        return wrong(format!(
            "its {} is {digest}, its record says {expected}",
            algorithm.name()
        ));
    }
    Ok(())
}

/// Whether a file of that name may be put there by renaming: there is none, or a regular one.
fn is_replaceable(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Error::io("write", path, io::ErrorKind::IsADirectory.into()))
        }
        Ok(metadata) => Ok(metadata.is_file()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(Error::io("write", path, e)),
    }
}

/// A file beside its final name that is not visible before it is whole.
///
/// Where the file system can, it has no name at all (`O_TMPFILE`), and a killed process leaves nothing;
/// unless it is killed between the two system calls that replace an existing file: a link under a temporary
/// name, and the renaming. Elsewhere the file has its temporary name from the beginning. That name cannot be
/// guessed, nothing that exists is opened under it, and what a killed process left under one is removed by
/// the next process that saves to the same name.
struct Part {
    file: File,
    path: PathBuf,
    /// The temporary name; None while there is none.
    named: Option<PathBuf>,
}

impl Part {
    fn create(path: &Path) -> Result<Self> {
        // A link is followed: what it points to is replaced, not the link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        remove_leftovers(&path);
        let mode = match std::fs::metadata(&path) {
            Ok(metadata) => Mode::from_raw_mode(metadata.permissions().mode()),
            Err(_) => Mode::from_raw_mode(0o666),
        };
        // A file without a name could not get one.
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
                // Under its temporary name it is no leftover. Where there are no locks, that name lasts for
                // one system call.
                let _ = file.try_lock();
                Ok(Self {
                    file,
                    path,
                    named: None,
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
            // Until it is locked, another process may take it for a leftover.
            let is_ours = match file.try_lock() {
                Ok(()) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 1),
                Err(std::fs::TryLockError::WouldBlock) => false,
                Err(std::fs::TryLockError::Error(_)) => true,
            };
            if is_ours {
                return Ok(Self {
                    file,
                    path,
                    named: Some(name),
                });
            }
        }
        Err(Error::failed(format!(
            "cannot create a temporary file beside {}: other processes remove it",
            path.display()
        )))
    }

    /// Gives the file its final name, durably.
    fn keep(mut self) -> Result<()> {
        let path = self.path.clone();
        let failed = |e: io::Error| Error::io("write", &path, e);
        self.file.sync_all().map_err(failed)?;
        if self.named.is_none() {
            match link_nameless(&self.file, &path) {
                Ok(()) => return sync_name(&path),
                // What is there is replaced at once, by a renaming.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(missing_directory(&path, e.into())),
            }
            let name = temporary_name(&path);
            link_nameless(&self.file, &name).map_err(|e| failed(e.into()))?;
            self.named = Some(name);
        }
        if let Some(name) = &self.named {
            std::fs::rename(name, &path).map_err(failed)?;
        }
        self.named = None;
        sync_name(&path)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(name) = &self.named {
            // No caller is left to report to; the next process that saves there removes it.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// Makes the name of a file durable, where this user may read its directory: else there is nothing that could
/// be waited for.
fn sync_name(path: &Path) -> Result<()> {
    let synced = sync_directory(directory_of(path));
    let is_denied = |error: &Error| {
        let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
    };
    match synced {
        Err(error) if is_denied(&error) => Ok(()),
        synced => synced,
    }
}

/// What a temporary name of `path` begins with.
fn temporary_prefix(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut prefix = OsString::from(".");
    prefix.push(OsStr::from_bytes(&name[..name.len().min(KEPT_OF_NAME)]));
    prefix.push(".");
    prefix
}

/// What a temporary name ends with.
const SUFFIX: &str = ".part";

/// A name beside `path` that its data has before it is whole: `.NAME.` with 32 random hexadecimal digits.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = temporary_prefix(path);
    name.push(uuid::Uuid::new_v4().simple().to_string());
    name.push(SUFFIX);
    path.with_file_name(name)
}

/// Whether a file in the directory of `path` is called as [`temporary_name`] calls its.
fn is_temporary_name(path: &Path, name: &OsStr) -> bool {
    let prefix = temporary_prefix(path).into_vec();
    let digits = name
        .as_bytes()
        .strip_prefix(prefix.as_slice())
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == 32 && digits.iter().all(is_digit))
}

/// Removes what killed processes left that were saving to `path`. What cannot be removed stays: it harms
/// nothing but its room on the disk.
fn remove_leftovers(path: &Path) {
    let entries = std::fs::read_dir(directory_of(path));
    for entry in entries.into_iter().flatten().flatten() {
        if is_temporary_name(path, &entry.file_name()) {
            let _ = remove_leftover(&entry.path());
        }
    }
}

/// Removes a temporary file, if it is one: a regular file of this user without another name, that no process
/// works on.
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
    use super::*;

    #[test]
    fn a_file_is_there_only_when_it_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        drop(Part::create(&path).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        for content in ["first", "second"] {
            let part = Part::create(&path).unwrap();
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
        drop(Part::create_named(path.clone(), mode).unwrap());
        assert!(names(directory.path()).is_empty());
        for content in ["first", "second"] {
            let part = Part::create_named(path.clone(), mode).unwrap();
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
        let first = Part::create_named(path.clone(), mode).unwrap();
        (&first.file).write_all(b"first").unwrap();
        let second = Part::create(&path).unwrap();
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
        // Not ours: other names, a link, a second name, a file that a process works on.
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
        let busy = Part::create_named(path.clone(), Mode::from_raw_mode(0o600)).unwrap();
        let before = names(directory.path()).len();
        drop(Part::create(&path).unwrap());
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
            Part::create_named(path.clone(), mode).unwrap(),
            Part::create(&path).unwrap(),
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
        let part = Part::create_named(path.clone(), Mode::from_raw_mode(0o600)).unwrap();
        part.keep().unwrap();
        assert_eq!(names(directory.path()).len(), 1);
    }
}
