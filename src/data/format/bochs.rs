//! A growing disk of Bochs: recognised in order to be refused, since QEMU would take it for more than raw data
//! and nothing here judges it.
//!
//! Header: magic at 0, type 32, subtype 48.
//!
//! *Source:* Bochs' `hdimage.h`, as read by QEMU's block/bochs.c.

use super::{Finding, Format};

const MAGIC: &[u8] = b"Bochs Virtual HD Image";
const TYPE: (usize, &[u8]) = (32, b"Redolog");

/// Returns what the first bytes of the stream say.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    let kind = head.get(TYPE.0..).unwrap_or_default();
    if !head.starts_with(MAGIC) || !kind.starts_with(TYPE.1) {
        return None;
    }
    let mut finding = Finding::new(Format::Bochs, 0);
    finding.add_unsafe("banned", 0, "is a format that is not allowed");
    Some(finding)
}
