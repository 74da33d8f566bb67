//! A VDI: what stands before and behind its signature.

#![no_main]

use glance_tools_fuzz::{halves, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    let (front, back) = halves(data);
    inspect(
        "vdi",
        chunk,
        &[
            (0, front),
            (0x40, &0xbeda_107f_u32.to_le_bytes()),
            (0x44, back),
        ],
    );
});
