//! A disk with a boot record: its partition entries, and what follows.

#![no_main]

use glance_tools_fuzz::{halves, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    let (front, back) = halves(data);
    inspect(
        "raw",
        chunk,
        &[(446, front), (510, &[0x55, 0xaa]), (512, back)],
    );
});
