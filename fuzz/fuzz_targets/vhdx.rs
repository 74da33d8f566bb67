//! A VHDX: what follows the metadata region in its region table, its metadata table, its virtual size.

#![no_main]

use glance_tools_fuzz::{halves, inspect};
use libfuzzer_sys::fuzz_target;

const REGIONS: usize = 192 * 1024;
const METADATA: usize = 256 * 1024;
const METADATA_REGION: &[u8] = b"\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e";
const DISK_SIZE: &[u8] = b"\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8";

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    let (front, back) = halves(data);
    inspect(
        "vhdx",
        chunk,
        &[
            (0, b"vhdxfile"),
            (REGIONS, b"regi"),
            (REGIONS + 32, &(METADATA as u64).to_le_bytes()),
            (REGIONS + 8, front),
            (REGIONS + 16, METADATA_REGION),
            (METADATA, b"metadata"),
            (METADATA + 8, back),
            (METADATA + 32, DISK_SIZE),
            (METADATA + 65536, back),
        ],
    );
});
