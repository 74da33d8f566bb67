//! Data after the magic number of an encrypted container.

#![no_main]

use glance_tools_fuzz::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect("luks", chunk, &[(0, b"LUKS\xba\xbe"), (6, data)]);
});
