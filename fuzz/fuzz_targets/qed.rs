//! Data after the magic number of a QED image.

#![no_main]

use glance_tools_fuzz::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect("qed", chunk, &[(0, b"QED\0"), (4, data)]);
});
