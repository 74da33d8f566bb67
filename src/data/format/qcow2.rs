//! QCOW2, versions 2 and 3.
//!
//! Big-endian header: magic at 0, version 4, backing file offset 8, cluster bits 20, virtual size 24,
//! incompatible features 72 (version 3), header length 100 (version 3).
//!
//! *Source:* QEMU's docs/interop/qcow2; checks as `QcowInspector` of oslo.utils' `format_inspector`.

use super::region::{be_u32, be_u64};
use super::{Finding, Format};

const MAGIC: &[u8] = b"QFI\xfb";
/// The smallest cluster, and so the smallest image, in bytes.
const SMALLEST: usize = 512;
/// The incompatible feature bit for data in another file.
const EXTERNAL_DATA_FILE: u64 = 1 << 2;
/// The bits for dirty, corrupt, external data file, and compression type. Extended L2 entries (bit 4) are
/// unknown to the reference implementation, like undefined bits.
const KNOWN_FEATURES: u64 = 0b1111;

/// Returns the finding from the first bytes of the stream; `head` is shorter than 512 only if the stream
/// is.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if !head.starts_with(MAGIC) {
        return None;
    }
    let mut finding = Finding::new(Format::Qcow2, 0);
    if head.len() < SMALLEST {
        finding.add_cut_short(head.len() as u64, "header");
    }
    if be_u64(head, 8) != 0 {
        finding.add_unsafe("backing_file", 8, "names a backing file");
    }
    match be_u32(head, 4) {
        2 => {}
        3 => {
            let features = be_u64(head, 72);
            if features & EXTERNAL_DATA_FILE != 0 {
                finding.add_unsafe("data_file", 72, "stores its data in an external file");
            }
            let unknown = features & !KNOWN_FEATURES;
            if unknown != 0 {
                finding.add_unsafe(
                    "unknown_features",
                    72,
                    format_args!("needs unknown features {unknown:#x}"),
                );
            }
            let length = be_u32(head, 100);
            if head.len() >= SMALLEST && length < 104 {
                finding.add_malformed(
                    100,
                    format_args!("has a header of {length} bytes, less than 104"),
                );
            }
        }
        version => finding.add_unsafe(
            "unknown_features",
            4,
            format_args!("version {version} is not supported"),
        ),
    }
    let cluster_bits = be_u32(head, 20);
    if head.len() >= SMALLEST && !(9..=21).contains(&cluster_bits) {
        finding.add_malformed(20, format_args!("has clusters of 2^{cluster_bits} bytes"));
    }
    finding.measure(be_u64(head, 24).into(), 24);
    Some(finding)
}
