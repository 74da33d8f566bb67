//! A compressed loop device of Linux: recognised in order to be refused, since QEMU would take it for more
//! than raw data and nothing here judges it.
//!
//! It begins with a script that mounts it.
//!
//! *Source:* QEMU's block/cloop.c.

use super::{Finding, Format};

const SCRIPT: &[u8] = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0";

/// Returns what the first bytes of the stream say.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if !head.starts_with(SCRIPT) {
        return None;
    }
    let mut finding = Finding::new(Format::Cloop, 0);
    finding.add_unsafe("banned", 0, "is a format that is not allowed");
    Some(finding)
}
