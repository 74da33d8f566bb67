//! Parallels, called ploop by Virtuozzo and OpenVZ: detected so that it does not pass as raw. It stores all
//! of its data in one file and refers to no other.
//!
//! Little-endian header of 64 bytes: magic at 0, version 16.
//!
//! *Source:* QEMU's docs/interop/parallels.

use super::region::le_u32;
use super::{Finding, Format};

const MAGICS: [&[u8]; 2] = [b"WithoutFreeSpace", b"WithouFreSpacExt"];
const VERSION: u32 = 2;

/// Returns the finding from the first bytes of the stream. It has no virtual size: the reference
/// implementation, which does not know the format, stores none.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    let is_marked = MAGICS.iter().any(|magic| head.starts_with(magic));
    (is_marked && le_u32(head, 16) == VERSION).then(|| Finding::new(Format::Ploop, 0))
}
