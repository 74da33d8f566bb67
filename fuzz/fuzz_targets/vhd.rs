//! A VHD: its header, and the last bytes, where the footer of a fixed one stands.

#![no_main]

use glance_tools_fuzz::{halves, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    let (front, back) = halves(data);
    inspect(
        "vhd",
        chunk,
        &[
            (0, b"conectix"),
            (8, front),
            (4096, b"conectix"),
            (4104, back),
        ],
    );
});
