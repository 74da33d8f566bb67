//! Decompression of gzip, zip and LHA data.
//!
//! Errors in the data (`UnsupportedMedia`) are distinguished from errors of the file (`Io`). Decoders wrap,
//! translate and ignore errors, so the reader records its own.
//!
//! *Source:* `glance/async_/flows/plugins/image_decompression.py` of the reference implementation, and the Python
//! modules that it uses.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::GzDecoder;

use super::BLOCK;
use super::zip;
use crate::data::Watch;
use crate::local::import::derived::{create_derived, open_staged};
use crate::local::quota::Cap;
use crate::{Error, Result};

/// The maximum number of bytes read for an LHA header. Only headers of level 3, which no program writes, could be
/// longer.
const MAX_LHA_HEADER: u64 = 128 * 1024;

/// A compressed format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    Gzip,
    Zip,
    Lha,
}

impl Wrapping {
    /// Detects the format of a file from its first bytes.
    pub fn of(path: &Path) -> Result<Option<Self>> {
        let mut head = Vec::new();
        open_staged(path)?
            .take(5)
            .read_to_end(&mut head)
            .map_err(|e| Error::io("read", path, e))?;
        Ok(match head.as_slice() {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            [_, _, b'-', b'l', b'h'] => Some(Self::Lha),
            _ => None,
        })
    }

    /// Decompresses the single file in an archive to `to`, which is created.
    ///
    /// # Errors
    /// `UnsupportedMedia` if the archive is damaged or does not contain exactly one file; `TooLarge` if its content
    /// is too large; `Io` if one of the files cannot be read or written.
    pub fn unwrap(self, from: &Path, to: &Path, cap: Cap, watch: &Watch) -> Result<()> {
        let source = open_staged(from)?;
        let mut target = create_derived(to)?;
        let mut count = cap.counter();
        self.decode(source, from, watch, |block| {
            count(block)?;
            target
                .write_all(block)
                .map_err(|e| Error::io("write", to, e))
        })
    }

    /// Decodes `source`, whose path is `from`, and passes on the output in blocks.
    fn decode(
        self,
        source: impl Read + Seek,
        from: &Path,
        watch: &Watch,
        put: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let state = Rc::new(State {
            failure: RefCell::new(None),
            allowance: Cell::new(u64::MAX),
        });
        let reader = Staged {
            source,
            from,
            watch,
            state: Rc::clone(&state),
        };
        let outcome = match self {
            Self::Gzip => pump(Members::new(BufReader::with_capacity(BLOCK, reader)), put),
            Self::Zip => match zip::open(reader) {
                Ok(file) => pump(file, put),
                Err(e) => Err(refused(e)),
            },
            Self::Lha => decode_lha(reader, &state, put),
        };
        // An error of the file is not reported as an error in the data.
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => outcome,
        }
    }
}

fn decode_lha<R: Read>(
    reader: R,
    state: &State,
    put: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    state.allowance.set(MAX_LHA_HEADER);
    let mut file = delharc::LhaDecodeReader::new(reader).map_err(refused)?;
    state.allowance.set(u64::MAX);
    if !file.is_decoder_supported() {
        return Err(refused("unknown compression method"));
    }
    pump(&mut file, put)?;
    file.crc_check().map_err(refused)?;
    state.allowance.set(MAX_LHA_HEADER);
    match file.next_file() {
        Ok(false) => Ok(()),
        _ => Err(refused("the archive contains more than one file")),
    }
}

/// Passes on the output of a decoder. Its errors are errors in the data.
fn pump(mut decoder: impl Read, mut put: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        match decoder.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => put(block.get(..count).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(refused(e)),
        }
    }
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::unsupported_media(format!("the data cannot be decompressed: {why}"))
}

/// The state that a reader shares with its creator.
struct State {
    /// The first error of the file, or an interruption.
    failure: RefCell<Option<Error>>,
    /// The number of bytes that may still be read.
    allowance: Cell<u64>,
}

/// A staged file as read by a decoder.
struct Staged<'a, R> {
    source: R,
    from: &'a Path,
    watch: &'a Watch,
    state: Rc<State>,
}

impl<R> Staged<'_, R> {
    /// Records an error, and returns one for the decoder.
    fn fail(&self, error: Error) -> io::Error {
        let shown = io::Error::other(error.message().to_string());
        self.state.failure.borrow_mut().get_or_insert(error);
        shown
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|e| match e.kind() {
            io::ErrorKind::Interrupted => e,
            _ => self.fail(Error::io("read", self.from, e)),
        })
    }
}

impl<R: Read> Read for Staged<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watch.check().map_err(|error| self.fail(error))?;
        let result = self.source.read(buffer);
        let count = self.noted(result)?;
        let left = self.state.allowance.get().checked_sub(count as u64);
        let left =
            left.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a header has no end"))?;
        if self.state.allowance.get() != u64::MAX {
            self.state.allowance.set(left);
        }
        Ok(count)
    }
}

impl<R: Seek> Seek for Staged<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let result = self.source.seek(to);
        self.noted(result)
    }
}

/// The members of a gzip file in sequence. Zeros between and after them are skipped.
///
/// *Source:* `_GzipReader._read_eof` in Python's `gzip`.
struct Members<R: BufRead> {
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(reader: R) -> Self {
        Self {
            decoder: Some(GzDecoder::new(reader)),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut decoder) = self.decoder.take() {
            let count = match decoder.read(buffer) {
                Ok(count) => count,
                Err(e) => {
                    self.decoder = Some(decoder);
                    return Err(e);
                }
            };
            if count > 0 || buffer.is_empty() {
                self.decoder = Some(decoder);
                return Ok(count);
            }
            let mut rest = decoder.into_inner();
            if skip_zeros(&mut rest)? {
                self.decoder = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Skips zeros, and returns whether other data follows.
fn skip_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = match reader.fill_buf() {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if bytes.is_empty() {
            return Ok(false);
        }
        let zeros = bytes.iter().position(|byte| *byte != 0);
        let passed = zeros.unwrap_or(bytes.len());
        reader.consume(passed);
        if zeros.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
