//! Storage for rows until the widths of all rows are known: a small part in memory, the rest in a temporary
//! file.

use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::error::{Error, Result};

/// The maximum size of the part in memory, in bytes.
const IN_MEMORY: usize = 2 << 20;
const BUFFER: usize = 64 << 10;

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::io(what, "a temporary file", error)
}

/// A row in progress: texts with their widths, one after the other.
///
/// A width of None marks a text with several lines.
#[derive(Default)]
pub(super) struct RowBuffer(Vec<u8>);

impl RowBuffer {
    pub(super) fn push(&mut self, text: &str, width: Option<usize>) {
        self.push_number(width.map_or(0, |w| w + 1));
        self.push_number(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Appends a number: seven bits per byte, the lowest first, with the high bit set in all bytes but the
    /// last.
    #[expect(clippy::cast_possible_truncation, reason = "masked to seven bits")]
    fn push_number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

/// The texts of a row with their widths.
#[derive(Clone)]
pub(super) struct RowTexts<'r>(&'r [u8]);

impl RowTexts<'_> {
    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

impl<'r> Iterator for RowTexts<'r> {
    type Item = (&'r str, Option<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let width = self.number()?.checked_sub(1);
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some((std::str::from_utf8(text).unwrap_or_default(), width))
    }
}

/// Rows that are being written.
pub(super) struct Spool {
    file: BufWriter<SpooledTempFile>,
    rows: usize,
}

impl Spool {
    pub(super) fn new() -> Self {
        let file = tempfile::spooled_tempfile(IN_MEMORY);
        Self {
            file: BufWriter::with_capacity(BUFFER, file),
            rows: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Stores the row and empties its buffer.
    pub(super) fn push(&mut self, row: &mut RowBuffer) -> Result<()> {
        let mut write = || {
            self.file.write_all(&row.0.len().to_le_bytes())?;
            self.file.write_all(&row.0)
        };
        write().map_err(failed("write"))?;
        row.0.clear();
        self.rows += 1;
        Ok(())
    }

    /// Rewinds to the first row.
    pub(super) fn read(self) -> Result<SpoolReader> {
        let rows = self.rows;
        let mut file = self
            .file
            .into_inner()
            .map_err(|error| failed("write")(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
        Ok(SpoolReader {
            file: BufReader::with_capacity(BUFFER, file),
            rows,
            buffer: Vec::new(),
        })
    }
}

/// Rows that are being read.
pub(super) struct SpoolReader {
    file: BufReader<SpooledTempFile>,
    rows: usize,
    buffer: Vec<u8>,
}

impl SpoolReader {
    /// Returns the next row.
    pub(super) fn next_row(&mut self) -> Result<Option<RowTexts<'_>>> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.rows -= 1;
        let mut length = [0; size_of::<usize>()];
        self.file.read_exact(&mut length).map_err(failed("read"))?;
        self.buffer.resize(usize::from_le_bytes(length), 0);
        self.file
            .read_exact(&mut self.buffer)
            .map_err(failed("read"))?;
        Ok(Some(RowTexts(&self.buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_disk_as_they_were() {
        let mut spool = Spool::new();
        let mut row = RowBuffer::default();
        let long = "x".repeat(300);
        for index in 0..20_000 {
            row.push(&long, Some(300));
            row.push(&index.to_string(), None);
            row.push("", Some(0));
            spool.push(&mut row).unwrap();
        }
        let mut reader = spool.read().unwrap();
        for index in 0..20_000 {
            let texts: Vec<_> = reader.next_row().unwrap().unwrap().collect();
            let number = index.to_string();
            assert_eq!(
                texts,
                [(long.as_str(), Some(300)), (&number, None), ("", Some(0))]
            );
        }
        assert!(reader.next_row().unwrap().is_none());
    }
}
