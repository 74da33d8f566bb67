//! Holes: detecting them in a file that is read, creating them in one that is written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// A segment of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A segment with stored bytes.
    Data {
        /// Offset in bytes.
        start: u64,
        /// The length in bytes.
        length: u64,
    },
    /// A hole.
    Hole {
        /// Offset in bytes.
        start: u64,
        /// The length in bytes.
        length: u64,
    },
}

/// Returns the segments of the first `size` bytes of `file`, in order and without gaps.
///
/// If the file system does not report holes, all is data.
pub fn segments(file: &File, size: u64) -> impl Iterator<Item = io::Result<Segment>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let segment = segment_at(file, at, size).transpose()?;
        if let Ok(Segment::Data { length, .. } | Segment::Hole { length, .. }) = segment {
            at += length;
        }
        Some(segment)
    })
}

/// Returns the segment that begins at byte `at` of the first `size` bytes of `file`, as far as it reaches; None at
/// their end.
pub fn segment_at(file: &File, at: u64, size: u64) -> io::Result<Option<Segment>> {
    if at >= size {
        return Ok(None);
    }
    let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => start.min(size),
        Err(Errno::NXIO) => size,
        Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
        Err(e) => return Err(e.into()),
    };
    if start > at {
        let length = start - at;
        return Ok(Some(Segment::Hole { start: at, length }));
    }
    let end = match rustix::fs::seek(file, SeekFrom::Hole(at)) {
        Ok(end) if end > at => end.min(size),
        Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => size,
        Err(e) => return Err(e.into()),
    };
    let length = end - at;
    Ok(Some(Segment::Data { start: at, length }))
}

/// The granularity of holes in bytes: a page of every file system in use.
const PAGE: usize = 4096;

/// Writes `bytes` at `offset`, leaving out whole pages of zeros.
///
/// The file MUST have been empty. The caller sets its length at the end.
pub fn write_sparse(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    static ZEROS: [u8; PAGE] = [0; PAGE];
    let mut run = 0..0;
    for page in bytes.chunks(PAGE) {
        let end = run.end + page.len();
        if *page == ZEROS[..page.len()] {
            file.write_all_at(&bytes[run.clone()], offset + run.start as u64)?;
            run = end..end;
        } else {
            run.end = end;
        }
    }
    file.write_all_at(&bytes[run.clone()], offset + run.start as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cover_a_file_without_gaps() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 100], 1 << 20).unwrap();
        file.set_len(3 << 20).unwrap();
        let mut at = 0;
        for segment in segments(&file, 3 << 20) {
            let (Segment::Data { start, length } | Segment::Hole { start, length }) =
                segment.unwrap();
            assert_eq!(start, at);
            assert!(length > 0);
            at += length;
        }
        assert_eq!(at, 3 << 20);
    }

    #[test]
    fn an_empty_file_has_no_segments() {
        assert_eq!(segments(&tempfile::tempfile().unwrap(), 0).count(), 0);
    }

    #[test]
    fn pages_of_zeros_are_not_written() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; 64 * PAGE + 10];
        bytes[5] = 1;
        bytes[40 * PAGE + 7] = 2;
        write_sparse(&file, &bytes, 0).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        let mut read = vec![9; bytes.len()];
        file.read_exact_at(&mut read, 0).unwrap();
        assert!(read == bytes);
        assert!(file.metadata().unwrap().blocks() <= 16);
    }
}
