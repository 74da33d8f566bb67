//! A VMDK that is nothing but text.

#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use shared::inspect;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    inspect(
        "vmdk",
        chunk,
        &[
            (
                0,
                b"# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n",
            ),
            (66, data),
        ],
    );
});
