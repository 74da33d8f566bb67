//! Image data on its way out: verified while it is written, renamed when it is right.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::data::pump::{self, Blocks, Taken, take_in};
use crate::data::{Algorithm, Source, Watch};
use crate::model::Image;
use crate::{Error, Result};

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
            let mut output = io::stdout().lock();
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

/// A file beside its final name that nobody sees before it is whole.
///
/// Where the file system can, it has no name at all (`O_TMPFILE`): a killed process leaves nothing.
/// Elsewhere it is called `.NAME.part`, and the next one that saves to NAME takes it over.
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
        let mode = match std::fs::metadata(&path) {
            Ok(metadata) => Mode::from_raw_mode(metadata.permissions().mode()),
            Err(_) => Mode::from_raw_mode(0o666),
        };
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        match rustix::fs::open(
            directory,
            OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
            mode,
        ) {
            Ok(file) => Ok(Self {
                file: File::from(file),
                path,
                named: None,
            }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Self::create_named(path, mode),
            Err(e) => Err(missing_directory(&path, e.into())),
        }
    }

    fn create_named(path: PathBuf, mode: Mode) -> Result<Self> {
        let name = temporary_name(&path);
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let file =
            rustix::fs::open(&name, flags, mode).map_err(|e| missing_directory(&path, e.into()))?;
        let file = File::from(file);
        if file.try_lock().is_err() {
            return Err(Error::failed(format!(
                "another process is saving to {}",
                path.display()
            )));
        }
        file.set_len(0).map_err(|e| Error::io("write", &name, e))?;
        Ok(Self {
            file,
            path,
            named: Some(name),
        })
    }

    /// Gives the file its final name, durably.
    fn keep(mut self) -> Result<()> {
        let path = self.path.clone();
        let failed = |e: io::Error| Error::io("write", &path, e);
        self.file.sync_all().map_err(failed)?;
        let name = if let Some(name) = self.named.take() {
            name
        } else {
            let open = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            let link = |to: &Path| {
                rustix::fs::linkat(CWD, open.as_str(), CWD, to, AtFlags::SYMLINK_FOLLOW)
            };
            match link(&path) {
                Ok(()) => return Ok(()),
                // What is there is replaced at once, by a renaming.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(failed(e.into())),
            }
            let name = temporary_name(&path);
            match std::fs::remove_file(&name) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
                _ => {}
            }
            link(&name).map_err(|e| failed(e.into()))?;
            name
        };
        let renamed = std::fs::rename(&name, &path).map_err(failed);
        if renamed.is_err() {
            self.named = Some(name);
        }
        renamed
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(name) = &self.named {
            // There is nobody left to tell; the next one that saves there takes it over.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// The name beside `path` that its data has before it is whole.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
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

    #[test]
    fn without_nameless_files_a_named_one_does_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mode = Mode::from_raw_mode(0o600);
        let part = Part::create_named(path.clone(), mode).unwrap();
        assert!(
            Part::create_named(path.clone(), mode).is_err(),
            "one at a time"
        );
        drop(part);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        std::fs::write(temporary_name(&path), "left by a killed process").unwrap();
        let part = Part::create_named(path.clone(), mode).unwrap();
        (&part.file).write_all(b"new").unwrap();
        part.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
