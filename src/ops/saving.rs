//! Image data on its way out: verified while it is written, renamed when it is right.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::data::pump::{self, Blocks, Taken, take_in};
use crate::data::replacement::Replacement;
use crate::data::{Algorithm, Source, Watch};
use crate::model::Image;
use crate::output::StandardOutput;
use crate::{Error, Result};

/// Permission bits of a file that data is saved to and that does not exist, before the process's mask.
const MODE: u32 = 0o666;

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

/// The result of saving the data of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Bytes.
    pub size: u64,
    /// What the data was verified by.
    pub verified: Verified,
    /// How long reading, writing and verifying took.
    pub elapsed: Duration,
    /// What the user should know of the file: that it was written in place, and why.
    pub notice: Option<String>,
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
/// Data on standard output cannot be taken back: that it was wrong is then told by the error. So it is with a
/// file that is written in place, which is empty then: see [`Replacement`].
///
/// # Errors
/// `Corrupt` when the data is not what the record says; those of reading and writing.
pub async fn save(
    image: &Image,
    source: Source,
    target: Target,
    allow_md5: bool,
    watch: Watch,
) -> Result<Saved> {
    let expected = expectation(image, allow_md5)?;
    let (id, size) = (image.id.clone(), image.size);
    let watch = watch.expecting(size);
    let work = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let (size, notice) = write_out(&id, size, source, target, expected.as_ref(), &watch)?;
        Ok(Saved {
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

/// Writes the data; returns its size in bytes, and what the user should know of the file.
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
            let passed = pass_on(id, size, source, expected, watch, |block| {
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
                // A pipe or a device takes the bytes as they come.
                let mut file = File::options()
                    .write(true)
                    .open(&path)
                    .map_err(|e| Error::io("open", &path, e))?;
                let passed = pass_on(id, size, source, expected, watch, |block| {
                    file.write_all(block)
                        .map_err(|e| Error::io("write", &path, e))
                })?;
                return Ok((passed, None));
            }
            let new = Replacement::create(&path, MODE)?;
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

/// Reads the data, hashes it, passes it to `write`, and compares; returns its size in bytes.
fn pass_on(
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
                "Nothing of it was kept. Try another store (--prefer), or upload the image again.",
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

/// Whether a file of that name is a regular one, or does not exist.
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
