//! Whatever follows the magic of an encrypted container.

#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::inspect;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect("luks", chunk, &[(0, b"LUKS\xba\xbe"), (6, data)]);
});
