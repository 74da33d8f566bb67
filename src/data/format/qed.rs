//! QED: detected only to be refused, because QEMU itself has deprecated it and no inspector here checks it.
//!
//! *Source:* QEMU's docs/interop/qed_spec; `QEDInspector` of oslo.utils' `format_inspector`.

use super::{Finding, Format};

const MAGIC: &[u8] = b"QED\0";

/// Returns the finding from the first bytes of the stream.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if !head.starts_with(MAGIC) {
        return None;
    }
    let mut finding = Finding::new(Format::Qed, 0);
    finding.add_unsafe("banned", 0, "is a format that is not allowed");
    Some(finding)
}
