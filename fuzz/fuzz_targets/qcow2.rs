//! Whatever follows the magic of a QCOW2 image.

#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::inspect;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect("qcow2", chunk, &[(0, b"QFI\xfb"), (4, data)]);
});
