//! Linux compressed loop devices: detected only to be refused, because QEMU would not treat them as raw
//! data and no inspector here checks them.
//!
//! The image begins with a script that mounts it.
//!
//! *Source:* QEMU's block/cloop.c.

use super::{Finding, Format};

const SCRIPT: &[u8] = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0";

/// Returns the finding from the first bytes of the stream.
pub(super) fn examine(head: &[u8]) -> Option<Finding> {
    if !head.starts_with(SCRIPT) {
        return None;
    }
    let mut finding = Finding::new(Format::Cloop, 0);
    finding.add_unsafe("banned", 0, "is a format that is not allowed");
    Some(finding)
}
