//! VHD (Connectix, Virtual PC).
//!
//! A big-endian footer of 512 bytes ends the image; dynamic images carry a copy in front. Cookie at 0,
//! data offset 16, original size 40, current size 48, disk type 60, checksum 64.
//!
//! *Source:* Microsoft's Virtual Hard Disk Image Format Specification; for dynamic images
//! `VHDInspector` of oslo.utils' `format_inspector`, which never sees fixed ones.

use super::region::{be_u32, be_u64};
use super::{Finding, Format};

const COOKIE: &[u8] = b"conectix";
/// The size of a footer in bytes.
pub(super) const FOOTER: usize = 512;
const FIXED: u32 = 2;
const DIFFERENCING: u32 = 4;

/// Returns the finding from the first bytes of the stream; `head` is shorter than 512 only if the stream
/// is.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if !head.starts_with(COOKIE) {
        return None;
    }
    let mut finding = Finding::new(Format::Vhd, 0);
    if head.len() < FOOTER {
        finding.add_cut_short(head.len() as u64, "header");
        return Some(finding);
    }
    if be_u32(head, 60) == DIFFERENCING {
        finding.add_unsafe(
            "parent",
            60,
            "is a differencing disk, which names a parent file",
        );
    }
    finding.measure(be_u64(head, 40).into(), 40);
    Some(finding)
}

/// Returns the finding from the last 512 bytes of a whole stream of `size` bytes: a fixed image, or
/// nothing.
///
/// Guest data may end in anything, so a footer counts only if its checksum is right and the disk that it
/// describes fits before it.
pub(super) fn examine_end(footer: &[u8], size: u64) -> Option<Finding> {
    let offset = size.checked_sub(FOOTER as u64)?;
    let bytes = be_u64(footer, 48);
    let is_fixed = footer.len() == FOOTER
        && footer.starts_with(COOKIE)
        && be_u32(footer, 60) == FIXED
        && be_u32(footer, 64) == checksum(footer)
        && bytes <= offset;
    if !is_fixed {
        return None;
    }
    let mut finding = Finding::new(Format::Vhd, offset);
    finding.measure(bytes.into(), offset.saturating_add(48));
    Some(finding)
}

/// Returns the one's complement of the sum of all bytes of a footer except the checksum.
pub(super) fn checksum(footer: &[u8]) -> u32 {
    let sum = footer
        .iter()
        .enumerate()
        .filter(|(at, _)| !(64..68).contains(at))
        .fold(0_u32, |sum, (_, byte)| sum.wrapping_add(u32::from(*byte)));
    !sum
}
