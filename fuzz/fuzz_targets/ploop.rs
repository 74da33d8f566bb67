//! Data after the magic number of a Parallels image, and the beginnings of Bochs disks and compressed loop devices.

#![no_main]

use glance_tools_fuzz::inspect;
use libfuzzer_sys::fuzz_target;

const MAGICS: [&[u8]; 4] = [
    b"WithoutFreeSpace\x02\0\0\0",
    b"WithouFreSpacExt\x02\0\0\0",
    b"Bochs Virtual HD Image",
    b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0",
];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (which, chunk, data) = input;
    let magic = MAGICS[usize::from(which) % MAGICS.len()];
    inspect("ploop", chunk, &[(0, magic), (magic.len(), data)]);
});
