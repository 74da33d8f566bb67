//! Data after the magic number of a QCOW2 image.

#![no_main]

use glance_tools_fuzz::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect("qcow2", chunk, &[(0, b"QFI\xfb"), (4, data)]);
});
