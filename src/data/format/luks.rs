//! LUKS, version 1; version 2 is recognised and refused.
//!
//! Big-endian header of 592 bytes: magic at 0, version 6, payload offset in sectors of 512 bytes 104.
//!
//! *Source:* LUKS On-Disk Format Specification 1.2; `LUKSInspector` of oslo.utils' `format_inspector`.

use super::region::{be_u16, be_u32};
use super::{Finding, Format};

const MAGIC: &[u8] = b"LUKS\xba\xbe";
/// The size in bytes of a version 1 header with its eight key slots.
pub(super) const HEADER: usize = 592;
const SECTOR: u64 = 512;

/// Returns the finding from the first 592 bytes of the stream; `head` is shorter only if the stream is.
///
/// `size` is the length of the whole stream in bytes once it is known; the virtual size is the part of it
/// after the header.
pub(super) fn examine(head: &[u8], size: Option<u64>) -> Option<Finding> {
    if !head.starts_with(MAGIC) {
        return None;
    }
    let mut finding = Finding::new(Format::Luks, 0);
    if head.len() < HEADER {
        finding.add_cut_short(head.len() as u64, "header");
        return Some(finding);
    }
    let version = be_u16(head, 6);
    if version != 1 {
        finding.add_unsafe(
            "version",
            6,
            format_args!("version {version} is not supported"),
        );
        return Some(finding);
    }
    let payload = u64::from(be_u32(head, 104)) * SECTOR;
    match size.map(|size| size.checked_sub(payload)) {
        Some(Some(bytes)) => finding.measure(bytes.into(), 104),
        Some(None) => finding.add_malformed(
            104,
            format_args!("payload begins at byte {payload}, after the end"),
        ),
        None => {}
    }
    Some(finding)
}
