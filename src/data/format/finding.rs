//! What an inspector found: a format, its size, and what speaks against it.

use std::fmt;

use super::Format;

/// Offences recorded of one format; what comes after is not worth a line.
const MOST_OFFENCES: usize = 8;

/// How an offence weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The image reaches outside itself, or uses what cannot be judged: never allowed, whatever is
    /// configured, as `SafetyCheckFailed` of the reference implementation.
    Unsafe,
    /// The image is broken: cut short, overflowing, contradicting itself. Allowed only where format
    /// mismatches are, as `ImageFormatError` of the reference implementation.
    Malformed,
}

/// One thing that speaks against an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// The format that was being read.
    pub format: Format,
    /// How it weighs.
    pub weight: Weight,
    /// The name of the failed check as the reference implementation has it (`backing_file`,
    /// `data_file`, `unknown_features`, `banned`, `descriptor`, `footer`, `mbr`, `version`), or ours
    /// (`parent`, `header`, `virtual_size`).
    pub check: &'static str,
    /// A lowercase fragment that names the format and the offence.
    pub message: String,
    /// Where it stands, in bytes from the beginning of the image.
    pub offset: u64,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (offset {})", self.message, self.offset)
    }
}

/// A format that the data carries the marks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The format.
    pub format: Format,
    /// Where its mark stands, in bytes from the beginning of the image.
    pub offset: u64,
    /// Size in bytes of the disk that a guest would see, as the header has it; never zero, never
    /// above 2^63 − 1. None where it is not known, or not known yet.
    pub virtual_size: Option<u64>,
    /// What speaks against it, in the order it was met; at most eight.
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

    /// Records that check `check` failed because of what stands at `offset`.
    pub(super) fn add_unsafe(
        &mut self,
        check: &'static str,
        offset: u64,
        message: impl fmt::Display,
    ) {
        self.add(Weight::Unsafe, check, offset, message);
    }

    /// Records that what stands at `offset` cannot be right.
    pub(super) fn add_malformed(&mut self, offset: u64, message: impl fmt::Display) {
        self.add(Weight::Malformed, "header", offset, message);
    }

    /// Records that the stream ended before what stands at `offset`.
    pub(super) fn add_cut_short(&mut self, offset: u64, what: &str) {
        self.add_malformed(offset, format_args!("is cut short in its {what}"));
    }

    /// Takes a virtual size of `bytes` that the image states at `offset`.
    ///
    /// Catalogues keep signed 64-bit numbers; the reference implementation answers 500 to more and
    /// leaves the image `saving` forever.
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
        if self.offences.len() < MOST_OFFENCES {
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
