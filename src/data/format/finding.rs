//! The result of an inspector: a format, its size, and its offences.

use std::fmt;

use super::Format;

/// The maximum number of offences recorded for a format.
const MAX_OFFENCES: usize = 8;

/// The severity of an offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The image refers to data outside itself, or uses features that cannot be checked. Never allowed by
    /// configuration; `SafetyCheckFailed` of the reference implementation.
    Unsafe,
    /// The image is broken: truncated, overflowing or inconsistent. Allowed only where format mismatches
    /// are; `ImageFormatError` of the reference implementation.
    Malformed,
}

/// A reason to refuse an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// The format of the inspector.
    pub format: Format,
    /// The severity.
    pub weight: Weight,
    /// The name of the failed check in the reference implementation (`backing_file`, `data_file`,
    /// `unknown_features`, `banned`, `descriptor`, `footer`, `mbr`, `version`), or an additional one
    /// (`parent`, `header`, `virtual_size`).
    pub check: &'static str,
    /// A lowercase fragment that names the format and the offence.
    pub message: String,
    /// The position in bytes from the beginning of the image.
    pub offset: u64,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (offset {})", self.message, self.offset)
    }
}

/// A format whose signature the data contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The format.
    pub format: Format,
    /// The position of its signature in bytes from the beginning of the image.
    pub offset: u64,
    /// The size in bytes of the disk that a guest sees, from the header; never zero, never above 2^63 − 1.
    /// None if it is unknown, or not known yet.
    pub virtual_size: Option<u64>,
    /// The offences in the order of detection; at most eight.
    pub offences: Vec<Offence>,
}

impl Finding {
    pub(super) fn new(format: Format, offset: u64) -> Self {
        Self {
            format,
            offset,
            virtual_size: None,
            offences: Vec::new(),
        }
    }

    /// Records that check `check` failed because of the data at `offset`.
    pub(super) fn add_unsafe(
        &mut self,
        check: &'static str,
        offset: u64,
        message: impl fmt::Display,
    ) {
        self.add(Weight::Unsafe, check, offset, message);
    }

    /// Records that the data at `offset` is invalid.
    pub(super) fn add_malformed(&mut self, offset: u64, message: impl fmt::Display) {
        self.add(Weight::Malformed, "header", offset, message);
    }

    /// Records that the stream ended before the data at `offset`.
    pub(super) fn add_cut_short(&mut self, offset: u64, what: &str) {
        self.add_malformed(offset, format_args!("is cut short in its {what}"));
    }

    /// Records a virtual size of `bytes`, which the image has at `offset`.
    ///
    /// Catalogues store signed 64-bit numbers. For a larger size the reference implementation responds with
    /// 500 and leaves the image `saving` forever.
    pub(super) fn measure(&mut self, bytes: u128, offset: u64) {
        match i64::try_from(bytes) {
            Ok(bytes) => self.virtual_size = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0),
            Err(_) => self.add(
                Weight::Malformed,
                "virtual_size",
                offset,
                format_args!("claims a virtual size of {bytes} bytes, 2^63 or more"),
            ),
        }
    }

    fn add(
        &mut self,
        weight: Weight,
        check: &'static str,
        offset: u64,
        message: impl fmt::Display,
    ) {
        if self.offences.len() < MAX_OFFENCES {
            self.offences.push(Offence {
                format: self.format,
                weight,
                check,
                message: format!("{} {message}", self.format),
                offset,
            });
        }
    }
}
