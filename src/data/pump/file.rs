//! Transfers of a file into another, on a thread that reads and writes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::hashing::ZEROS;
use super::writeback::Writeback;
use super::{Blocks, Taken, Target};
use crate::data::source::{Stamp, changed, known_size};
use crate::data::sparse::{Segment, segments};
use crate::data::{Algorithm, BLOCK, Source, Watch};
use crate::model::ByteRange;
use crate::{Error, Result};

/// Copies a source into a new file and hashes it.
///
/// The digests are those of the written bytes: for a cloned file the clone is read. Holes are preserved.
/// `look` receives every byte in order, and may refuse the data. A file is read to its end, independent of
/// the size that the system reports.
///
/// # Errors
/// The errors of reading, of writing and of `look`; `Failed` for a file that changed while it was read;
/// `Interrupted` after `watch` was asked to stop. The file is neither removed nor synced.
pub fn take_in(
    source: Source,
    target: &Target,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Taken> {
    watch.begin(source.size());
    let blocks = Blocks::new(algorithms);
    let mut intake = Intake {
        blocks,
        target,
        writeback: Writeback::new(&target.file)?,
        watch,
        look,
    };
    let size = match source {
        Source::File {
            file,
            path,
            range: ByteRange::ALL,
        } => intake.take_file(file, path),
        other => intake.take_read(other),
    };
    watch.end();
    Ok(Taken {
        size: size?,
        digests: intake.blocks.finish()?,
    })
}

/// A transfer into a file.
struct Intake<'a> {
    blocks: Blocks,
    target: &'a Target,
    writeback: Writeback,
    watch: &'a Watch,
    look: &'a mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Intake<'_> {
    fn take_read(&mut self, source: Source) -> Result<u64> {
        let mut reader = source.into_reader()?;
        let mut size = 0;
        while let Some(block) = self.blocks.read(|buffer| reader.fill(buffer))? {
            (self.look)(&block)?;
            self.target.write(&block, size)?;
            self.writeback.wrote(block.len());
            size += block.len() as u64;
            self.watch.advance(block.len() as u64)?;
        }
        self.set_length(size)
    }

    fn take_file(&mut self, file: File, from: PathBuf) -> Result<u64> {
        let begun = Stamp::of(&file, &from)?;
        if rustix::fs::ioctl_ficlone(&*self.target.file, &file).is_ok() {
            // The clone is a snapshot that may have been taken in the middle of a write.
            begun.check(&file, &from)?;
            let (clone, name) = (&*self.target.file, &*self.target.path);
            let size = clone
                .metadata()
                .map_err(|e| Error::io("read", name, e))?
                .len();
            self.take_segments(clone, name, size, true)?;
            return self.set_length(size);
        }
        let size = known_size(&file).map_err(|e| Error::io("read", &from, e))?;
        let Some(size) = size else {
            return self.take_read(Source::File {
                file,
                path: from,
                range: ByteRange::ALL,
            });
        };
        self.take_segments(&file, &from, size, false)?;
        begun.check(&file, &from)?;
        // A file may be longer than the reported size.
        let beyond = read_full(&file, &mut [0], size);
        if beyond.map_err(|e| Error::io("read", &from, e))? > 0 {
            return Err(changed(&from));
        }
        self.set_length(size)
    }

    /// Copies the first `size` bytes of `data`, which is the target itself if that is a clone.
    fn take_segments(&mut self, data: &File, name: &Path, size: u64, cloned: bool) -> Result<()> {
        for segment in segments(data, size) {
            match segment.map_err(|e| Error::io("read", name, e))? {
                Segment::Hole { length, .. } => self.take_hole(length)?,
                Segment::Data { start, length } => {
                    let mut at = start;
                    while at < start + length {
                        at += self.take_block(data, name, at, start + length - at, cloned)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn take_hole(&mut self, mut length: u64) -> Result<()> {
        while length > 0 {
            let step = length.min(64 * BLOCK as u64);
            self.blocks.zeros(step)?;
            for _ in 0..step / BLOCK as u64 {
                (self.look)(&ZEROS)?;
            }
            (self.look)(&ZEROS[..usize::try_from(step % BLOCK as u64).unwrap_or(0)])?;
            self.watch.advance(step)?;
            length -= step;
        }
        Ok(())
    }

    /// Copies one block of a file, at most `left` bytes from `at` on; returns its length.
    fn take_block(
        &mut self,
        data: &File,
        name: &Path,
        at: u64,
        left: u64,
        cloned: bool,
    ) -> Result<u64> {
        let want = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let block = self.blocks.read(|buffer| {
            read_full(data, &mut buffer[..want], at).map_err(|e| Error::io("read", name, e))
        })?;
        let Some(block) = block.filter(|block| block.len() == want) else {
            return Err(changed(name));
        };
        (self.look)(&block)?;
        if !cloned {
            self.target.write(&block, at)?;
            self.writeback.wrote(block.len());
        }
        self.watch.advance(block.len() as u64)?;
        Ok(block.len() as u64)
    }

    fn set_length(&self, size: u64) -> Result<u64> {
        self.target.set_length(size).map(|()| size)
    }
}

pub(super) fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
