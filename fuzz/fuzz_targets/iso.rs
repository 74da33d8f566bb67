//! A CD: its system area, its first volume descriptor.

#![no_main]

use glance_tools_fuzz::{halves, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    let (front, back) = halves(data);
    inspect(
        "iso",
        chunk,
        &[(0, front), (32768, b"\x01CD001"), (32774, back)],
    );
});
