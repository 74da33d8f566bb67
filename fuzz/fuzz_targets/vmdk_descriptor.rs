//! A VMDK that is nothing but text.

#![no_main]

use glance_tools_fuzz::inspect;
use libfuzzer_sys::fuzz_target;

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
