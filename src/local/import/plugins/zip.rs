//! The single file in a zip archive, read with bounded memory.
//!
//! The end record and the position of the directory are determined as by Python's `zipfile`, which the reference
//! implementation uses. The directory is read only if it has exactly one entry.
//!
//! *Source:* PKWARE's APPNOTE 6.3.10, 4.3 and 4.5.3; `zipfile` of Python.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END_LENGTH: u64 = 22;
const END_64_LENGTH: u64 = 56;
const LOCATOR_64_LENGTH: u64 = 20;
const ENTRY_LENGTH: u64 = 46;
const LOCAL_LENGTH: u64 = 30;
/// The maximum number of bytes of a name, an extra field or a comment.
const MAX_FIELD: u64 = 0xffff;
/// The flags for encryption, patch data and strong encryption.
const UNSUPPORTED_FLAGS: u16 = 1 | 1 << 5 | 1 << 6;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// The placeholder for a number that is in the extra field.
const IN_EXTRA: u64 = 0xffff_ffff;
/// The ID of the extra field for 64-bit numbers.
const EXTRA_64: u16 = 1;

/// The properties of the directory according to the end record.
struct Directory {
    entries: u64,
    start: u64,
    size: u64,
    /// The number of bytes before the archive.
    prefix: u64,
}

/// The single entry of an archive.
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    /// The offset of its local header from the beginning of the archive.
    offset: u64,
}

/// Opens the single file in an archive. Its content is checked against the recorded size and checksum, and a
/// mismatch is an error.
///
/// # Errors
/// The defect of the archive, and errors of the reader.
pub(super) fn open<R: Read + Seek>(mut reader: R) -> io::Result<impl Read> {
    let length = reader.seek(SeekFrom::End(0))?;
    let directory = read_end(&mut reader, length)?;
    if directory.entries != 1 {
        let entries = directory.entries;
        return Err(wrong(format!(
            "the archive contains {entries} files instead of one"
        )));
    }
    let entry = read_entry(&mut reader, &directory)?;
    if entry.flags & UNSUPPORTED_FLAGS != 0 {
        return Err(wrong("the file in the archive is encrypted or a patch"));
    }
    if entry.name.ends_with(b"/") {
        return Err(wrong("the archive contains a directory instead of a file"));
    }
    let header = directory.prefix.checked_add(entry.offset);
    let header = header.ok_or_else(|| wrong("the archive's file begins after its end"))?;
    let local = read_at(&mut reader, header, LOCAL_LENGTH)?;
    if !local.starts_with(LOCAL) {
        return Err(wrong("the archive's file has no header"));
    }
    let name = u64::from(number_16(&local, 26));
    if read_at(&mut reader, header + LOCAL_LENGTH, name)? != entry.name {
        return Err(wrong("the archive's file has two names"));
    }
    let start = header + LOCAL_LENGTH + name + u64::from(number_16(&local, 28));
    if start
        .checked_add(entry.compressed)
        .is_none_or(|end| end > length)
    {
        return Err(wrong("the archive's file is truncated"));
    }
    reader.seek(SeekFrom::Start(start))?;
    let data = BufReader::new(reader.take(entry.compressed));
    let content: Content<_> = match entry.method {
        STORED => Content::Stored(data),
        DEFLATED => Content::Deflated(DeflateDecoder::new(data)),
        method => {
            return Err(wrong(format!(
                "the archive's file is compressed by method {method}, which is not supported"
            )));
        }
    };
    Ok(Checked {
        content,
        left: entry.size,
        expected: entry.crc,
        crc: Crc::new(),
    })
}

/// Finds the end record of an archive, and reads it.
fn read_end<R: Read + Seek>(reader: &mut R, length: u64) -> io::Result<Directory> {
    let start = length.saturating_sub(END_LENGTH + MAX_FIELD);
    let tail = read_at(reader, start, length - start)?;
    let least = usize::try_from(END_LENGTH).unwrap_or(usize::MAX);
    let at = tail
        .windows(least)
        .rposition(|window| window.starts_with(END))
        .ok_or_else(|| wrong("the archive has no end record"))?;
    let end = tail.get(at..).unwrap_or_default();
    let position = start + at as u64;
    let mut after_directory = position;
    let mut entries = u64::from(number_16(end, 10));
    let mut size = u64::from(number_32(end, 12));
    let mut offset = u64::from(number_32(end, 16));
    if let Some(at) = position.checked_sub(LOCATOR_64_LENGTH + END_64_LENGTH) {
        let longer = read_at(reader, at, LOCATOR_64_LENGTH + END_64_LENGTH)?;
        let locator = longer.get(56..).unwrap_or_default();
        if longer.starts_with(END_64) && locator.starts_with(LOCATOR_64) {
            after_directory = at;
            entries = number_64(&longer, 32);
            size = number_64(&longer, 40);
            offset = number_64(&longer, 48);
        }
    }
    let start = after_directory.checked_sub(size);
    let prefix = start.and_then(|start| start.checked_sub(offset));
    let (Some(start), Some(prefix)) = (start, prefix) else {
        return Err(wrong(
            "the archive's directory is not at its recorded position",
        ));
    };
    Ok(Directory {
        entries,
        start,
        size,
        prefix,
    })
}

/// Reads the single entry of a directory.
fn read_entry<R: Read + Seek>(reader: &mut R, directory: &Directory) -> io::Result<Entry> {
    let more = || wrong("the archive's directory does not have exactly one entry");
    if directory.size > ENTRY_LENGTH + 3 * MAX_FIELD {
        return Err(more());
    }
    let bytes = read_at(reader, directory.start, directory.size)?;
    if !bytes.starts_with(ENTRY) {
        return Err(more());
    }
    let lengths = [28, 30, 32].map(|at| usize::from(number_16(&bytes, at)));
    let extra_start = 46 + lengths[0];
    let extra_end = extra_start + lengths[1];
    let (Some(name), Some(extra)) = (
        bytes.get(46..extra_start),
        bytes.get(extra_start..extra_end),
    ) else {
        return Err(more());
    };
    if extra_end + lengths[2] != bytes.len() {
        return Err(more());
    }
    let mut longer = numbers_64(extra).into_iter();
    let mut widen = |number: u32| -> io::Result<u64> {
        match u64::from(number) {
            IN_EXTRA => longer
                .next()
                .ok_or_else(|| wrong("a size is missing in the archive's directory")),
            number => Ok(number),
        }
    };
    Ok(Entry {
        name: name.to_vec(),
        flags: number_16(&bytes, 8),
        method: number_16(&bytes, 10),
        crc: number_32(&bytes, 16),
        // In the order of the extra field.
        size: widen(number_32(&bytes, 24))?,
        compressed: widen(number_32(&bytes, 20))?,
        offset: widen(number_32(&bytes, 42))?,
    })
}

/// Returns the 64-bit numbers in an extra field.
fn numbers_64(mut extra: &[u8]) -> Vec<u64> {
    while extra.len() >= 4 {
        let length = usize::from(number_16(extra, 2));
        let content = extra.get(4..4 + length).unwrap_or_default();
        if number_16(extra, 0) == EXTRA_64 {
            return content
                .chunks_exact(8)
                .map(|chunk| number_64(chunk, 0))
                .collect();
        }
        extra = extra.get(4 + length..).unwrap_or_default();
    }
    Vec::new()
}

/// Reads `length` bytes at `offset`, at most 256 KiB.
fn read_at<R: Read + Seek>(reader: &mut R, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = length.min(256 * 1024);
    reader.seek(SeekFrom::Start(offset.min(i64::MAX.unsigned_abs())))?;
    let mut bytes = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(wrong("the archive is truncated"));
    }
    Ok(bytes)
}

/// The compression of a file in an archive.
enum Content<R> {
    Stored(BufReader<io::Take<R>>),
    Deflated(DeflateDecoder<BufReader<io::Take<R>>>),
}

/// A file in an archive, verified against its recorded size and checksum.
struct Checked<R> {
    content: Content<R>,
    /// The number of remaining bytes.
    left: u64,
    expected: u32,
    crc: Crc,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.content {
            Content::Stored(reader) => reader.read(buffer)?,
            Content::Deflated(reader) => reader.read(buffer)?,
        };
        self.crc.update(buffer.get(..count).unwrap_or_default());
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| wrong("the archive's file is longer than recorded"))?;
        if count == 0 && self.left > 0 {
            return Err(wrong("the archive's file is shorter than recorded"));
        }
        if count == 0 && self.crc.sum() != self.expected {
            return Err(wrong(
                "the archive's file does not match its recorded checksum",
            ));
        }
        Ok(count)
    }
}

fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Returns the bytes of a number in a header; zeros if the header is too short.
fn bytes_at<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let bytes = at
        .checked_add(N)
        .and_then(|end| header.get(at..end))
        .and_then(|bytes| bytes.try_into().ok());
    bytes.unwrap_or([0; N])
}

fn number_16(header: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(header, at))
}

fn number_32(header: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(header, at))
}

fn number_64(header: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(header, at))
}
