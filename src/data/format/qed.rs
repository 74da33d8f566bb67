//! QED: recognised in order to be refused; its only user gave it up, and nothing here judges it.
//!
//! *Source:* QEMU's docs/interop/qed_spec; `QEDInspector` of oslo.utils' `format_inspector`.

use super::{Finding, Format};

const MAGIC: &[u8] = b"QED\0";

/// What the first bytes of the stream say.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if !head.starts_with(MAGIC) {
        return None;
    }
    let mut finding = Finding::new(Format::Qed, 0);
    finding.add_unsafe("banned", 0, "is a format that is not allowed");
    Some(finding)
}
