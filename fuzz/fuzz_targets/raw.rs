//! Any bytes at all.

#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::inspect;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect("raw", chunk, &[(0, data)]);
});
