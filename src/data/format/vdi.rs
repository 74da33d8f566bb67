//! VDI (VirtualBox).
//!
//! Little-endian header: signature at 0x40, version 0x44, image type 0x4c, virtual size 0x170, parent
//! image's UUID 0x1b8.
//!
//! *Source:* QEMU's block/vdi.c (layout); `VDIInspector` of oslo.utils' `format_inspector`, which has no
//! check of its own.

use super::region::{le_u32, le_u64};
use super::{Finding, Format};

const SIGNATURE: u32 = 0xbeda_107f;
const HEADER: usize = 512;
/// The types normal (growing) and fixed. 3 and 4 are undo and differencing images, which need another
/// image.
const WHOLE: [u32; 2] = [1, 2];

/// Returns the finding from the first bytes of the stream.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if le_u32(head, 0x40) != SIGNATURE {
        return None;
    }
    let mut finding = Finding::new(Format::Vdi, 0x40);
    if head.len() < HEADER {
        finding.add_cut_short(head.len() as u64, "header");
        return Some(finding);
    }
    let version = le_u32(head, 0x44);
    if version >> 16 != 1 {
        finding.add_unsafe(
            "version",
            0x44,
            format_args!(
                "version {}.{} is not supported",
                version >> 16,
                version & 0xffff
            ),
        );
        return Some(finding);
    }
    let image_type = le_u32(head, 0x4c);
    if !WHOLE.contains(&image_type) {
        finding.add_unsafe(
            "parent",
            0x4c,
            format_args!("of type {image_type} is not a whole image"),
        );
    }
    if le_u64(head, 0x1b8) != 0 || le_u64(head, 0x1c0) != 0 {
        finding.add_unsafe("parent", 0x1b8, "names a parent image");
    }
    finding.measure(le_u64(head, 0x170).into(), 0x170);
    Some(finding)
}
