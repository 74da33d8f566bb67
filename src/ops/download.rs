//! Image downloads: verified while written, and renamed into place when complete.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::data::pump::{self, Blocks, Taken, take_in};
use crate::data::replacement::Replacement;
use crate::data::{Algorithm, Source, Watch};
use crate::model::Image;
use crate::output::StandardOutput;
use crate::{Error, Parameter, Result};

/// Permission bits of a new file, before the umask.
const NEW_FILE_MODE: u32 = 0o666;

/// The destination of a download.
pub enum Target {
    /// A file. An existing one is replaced when the data is complete and verified.
    File {
        /// The path of the file.
        path: PathBuf,
        /// Whether to write runs of zeros as holes.
        sparse: bool,
    },
    /// Standard output.
    Output,
}

/// The method by which data was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// A digest of this algorithm.
    By(&'static str),
    /// Not verified: the record has no digest.
    Unverified,
}

/// The result of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Size in bytes.
    pub size: u64,
    /// The method of verification.
    pub verified: Verified,
    /// The time spent on reading, writing and verifying.
    pub elapsed: Duration,
    /// A notice that the file was written in place, with the reason.
    pub notice: Option<String>,
}

/// Returns the expected digest: the secure hash, or MD5 if there is none or if its algorithm is unknown and
/// `allow_md5` is set.
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
            "unknown hash algorithm {} of image {}",
            hash.algorithm, image.id
        ))
        .hint(Parameter::Md5)),
    }
}

/// Writes the data of `image` to `target`: complete and verified, or not at all.
///
/// Standard output cannot be undone, so an error reports bad data after the fact. A file that is written in
/// place is truncated on failure; see [`Replacement`].
///
/// # Errors
/// `Corrupt` if the data does not match the record; errors of reading and writing.
pub async fn save(
    image: &Image,
    source: Source,
    target: Target,
    allow_md5: bool,
    watch: Watch,
) -> Result<Downloaded> {
    let expected = expectation(image, allow_md5)?;
    let (id, size) = (image.id.clone(), image.size);
    let watch = watch.expecting(size);
    let work = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let (size, notice) = write_out(&id, size, source, target, expected.as_ref(), &watch)?;
        Ok(Downloaded {
            size,
            verified: expected.map_or(Verified::Unverified, |(algorithm, _)| {
                Verified::By(algorithm.name())
            }),
            elapsed: began.elapsed(),
            notice,
        })
    });
    work.await
        .map_err(|e| Error::internal("the writing thread failed").because(e))?
}

/// Writes the data. Returns its size in bytes and a notice about the file, if any.
fn write_out(
    id: &str,
    size: Option<u64>,
    source: Source,
    target: Target,
    expected: Option<&(Algorithm, String)>,
    watch: &Watch,
) -> Result<(u64, Option<String>)> {
    match target {
        Target::Output => {
            let mut output = StandardOutput::open()?;
            let passed = copy_verified(id, size, source, expected, watch, |block| {
                output
                    .write_all(block)
                    .map_err(|e| Error::io("write to", "standard output", e))
            })?;
            output
                .flush()
                .map_err(|e| Error::io("write to", "standard output", e))?;
            Ok((passed, None))
        }
        Target::File { path, sparse } => {
            if !is_regular(&path)? {
                // Pipes and devices are written in order, without holes.
                let mut file = File::options()
                    .write(true)
                    .open(&path)
                    .map_err(|e| Error::io("open", &path, e))?;
                let passed = copy_verified(id, size, source, expected, watch, |block| {
                    file.write_all(block)
                        .map_err(|e| Error::io("write", &path, e))
                })?;
                return Ok((passed, None));
            }
            let new = Replacement::create(&path, NEW_FILE_MODE)?;
            let algorithms: Vec<Algorithm> =
                expected.iter().map(|(algorithm, _)| *algorithm).collect();
            let into = pump::Target::of(new.file(), new.path(), sparse)?;
            let taken = take_in(source, &into, &algorithms, watch, &mut |_| Ok(()))
                .and_then(|taken| verify(id, size, expected, &taken).map(|()| taken.size));
            match taken {
                Ok(size) => Ok((size, new.keep()?)),
                Err(error) => Err(new.give_up(error)),
            }
        }
    }
}

/// Reads the data, hashes it, passes it to `write` and verifies it. Returns its size in bytes.
fn copy_verified(
    id: &str,
    size: Option<u64>,
    source: Source,
    expected: Option<&(Algorithm, String)>,
    watch: &Watch,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let algorithms: Vec<Algorithm> = expected.iter().map(|(algorithm, _)| *algorithm).collect();
    let mut blocks = Blocks::new(&algorithms);
    let mut reader = source.into_reader()?;
    let mut passed = 0;
    watch.begin(None);
    let mut pass_all = || {
        while let Some(block) = blocks.read(|buffer| reader.fill(buffer))? {
            write(&block)?;
            passed += block.len() as u64;
            watch.advance(block.len() as u64)?;
        }
        Ok(())
    };
    let done: Result<()> = pass_all();
    watch.end();
    done?;
    verify(
        id,
        size,
        expected,
        &Taken {
            size: passed,
            digests: blocks.finish()?,
        },
    )?;
    Ok(passed)
}

/// Compares size and digest with the record.
fn verify(
    id: &str,
    size: Option<u64>,
    expected: Option<&(Algorithm, String)>,
    came: &Taken,
) -> Result<()> {
    let wrong = |what: String| {
        Err(
            Error::corrupt(format!("the data of image {id} is corrupt: {what}"))
                .hint("The download was discarded.")
                .hint(Parameter::SourceStore)
                .hint("If the data is corrupt in all stores, upload the image again."),
        )
    };
    if size.is_some_and(|size| size != came.size) {
        let size = size.unwrap_or_default();
        return wrong(format!("received {} bytes, expected {size}", came.size));
    }
    if let (Some((algorithm, expected)), [digest]) = (expected, &came.digests[..])
        && !digest.eq_ignore_ascii_case(expected)
    {
        return wrong(format!(
            "{} is {digest}, expected {expected}",
            algorithm.name()
        ));
    }
    Ok(())
}

/// Returns whether the path is a regular file or does not exist.
fn is_regular(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Error::io("write", path, io::ErrorKind::IsADirectory.into()))
        }
        Ok(metadata) => Ok(metadata.is_file()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(Error::io("write", path, e)),
    }
}
