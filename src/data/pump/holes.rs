//! Transfers of a file to a receiver that keeps its holes. Holes are hashed, but not read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;

use super::file::read_full;
use super::hashing::ZEROS;
use super::{BlockSink, Blocks, Look, Taken};
use crate::data::source::{Stamp, changed};
use crate::data::sparse::{Segment, segment_at};
use crate::data::{Algorithm, BLOCK, Watch, blocking};
use crate::{Error, Result};

/// The number of bytes of a hole that are hashed at once.
const STEP: u64 = 64 * BLOCK as u64;

/// Transfers a file of `size` bytes; see [`transfer`](super::transfer).
pub(super) async fn take_file(
    file: File,
    path: PathBuf,
    size: u64,
    sink: &mut dyn BlockSink,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: Look,
) -> Result<Taken> {
    let mut blocks = Blocks::new(algorithms);
    let mut input = blocking(move || Input::begin(file, path, size, look)).await?;
    loop {
        let buffer = blocks.buffer();
        let (piece, back) = blocking(move || {
            let piece = input.next(buffer)?;
            Ok((piece, input))
        })
        .await?;
        input = back;
        let length = match piece {
            Piece::Data(buffer, filled) => {
                let block = blocks.share_filled(buffer, filled).await?;
                let shared = block.clone();
                input = blocking(move || {
                    (input.look)(&shared)?;
                    Ok(input)
                })
                .await?;
                sink.write(Bytes::from_owner(block)).await?;
                filled as u64
            }
            Piece::Hole(length) => {
                blocks.zeros_from_task(length).await?;
                input = blocking(move || {
                    input.look_at_zeros(length)?;
                    Ok(input)
                })
                .await?;
                sink.skip(length).await?;
                length
            }
            Piece::End => break,
        };
        watch.advance(length)?;
    }
    blocking(move || input.finish()).await?;
    Ok(Taken {
        size,
        digests: blocks.finish_from_task().await?,
    })
}

/// A piece of a file.
enum Piece {
    /// A buffer, and the number of its bytes that were read.
    Data(Vec<u8>, usize),
    /// The length of a hole, or of a part of it, in bytes.
    Hole(u64),
    /// The end of the file.
    End,
}

/// The file, and the position in it.
struct Input {
    file: File,
    path: PathBuf,
    size: u64,
    begun: Stamp,
    at: u64,
    /// The rest of the current segment.
    segment: Option<Segment>,
    look: Look,
}

impl Input {
    fn begin(file: File, path: PathBuf, size: u64, look: Look) -> Result<Self> {
        Ok(Self {
            begun: Stamp::of(&file, &path)?,
            file,
            path,
            size,
            at: 0,
            segment: None,
            look,
        })
    }

    /// Reads the next piece.
    fn next(&mut self, mut buffer: Vec<u8>) -> Result<Piece> {
        let segment = match self.segment.take() {
            Some(segment) => Some(segment),
            None => segment_at(&self.file, self.at, self.size)
                .map_err(|e| Error::io("read", &self.path, e))?,
        };
        let Some(segment) = segment else {
            return Ok(Piece::End);
        };
        let (Segment::Data { length, .. } | Segment::Hole { length, .. }) = segment;
        let most = match segment {
            Segment::Data { .. } => buffer.len() as u64,
            Segment::Hole { .. } => STEP,
        };
        let step = length.min(most);
        let (start, length) = (self.at + step, length - step);
        let rest = match segment {
            Segment::Data { .. } => Segment::Data { start, length },
            Segment::Hole { .. } => Segment::Hole { start, length },
        };
        self.segment = (length > 0).then_some(rest);
        let at = std::mem::replace(&mut self.at, start);
        if matches!(segment, Segment::Hole { .. }) {
            return Ok(Piece::Hole(step));
        }
        let wanted = usize::try_from(step).unwrap_or(buffer.len());
        let read = read_full(&self.file, &mut buffer[..wanted], at);
        match read.map_err(|e| Error::io("read", &self.path, e))? {
            filled if filled == wanted => Ok(Piece::Data(buffer, filled)),
            _ => Err(changed(&self.path)),
        }
    }

    fn look_at_zeros(&mut self, mut length: u64) -> Result<()> {
        while length > 0 {
            let zeros = usize::try_from(length).unwrap_or(BLOCK).min(BLOCK);
            (self.look)(&ZEROS[..zeros])?;
            length -= zeros as u64;
        }
        Ok(())
    }

    /// Checks that the file did not change, and is not longer than its size.
    fn finish(self) -> Result<()> {
        self.begun.check(&self.file, &self.path)?;
        let beyond = self.file.read_at(&mut [0], self.size);
        if beyond.map_err(|e| Error::io("read", &self.path, e))? > 0 {
            return Err(changed(&self.path));
        }
        Ok(())
    }
}
