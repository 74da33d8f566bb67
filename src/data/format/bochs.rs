//! Bochs growing disks: detected only to be refused, because QEMU would not treat them as raw data and no
//! inspector here checks them.
//!
//! Header: magic at 0, type 32, subtype 48.
//!
//! *Source:* Bochs' `hdimage.h`, as read by QEMU's block/bochs.c.

use super::{Finding, Format};

const MAGIC: &[u8] = b"Bochs Virtual HD Image";
const TYPE: (usize, &[u8]) = (32, b"Redolog");

/// Returns the finding from the first bytes of the stream.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    let kind = head.get(TYPE.0..).unwrap_or_default();
    if !head.starts_with(MAGIC) || !kind.starts_with(TYPE.1) {
        return None;
    }
    let mut finding = Finding::new(Format::Bochs, 0);
    finding.add_unsafe("banned", 0, "is a format that is not allowed");
    Some(finding)
}
