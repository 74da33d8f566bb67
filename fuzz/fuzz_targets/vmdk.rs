//! A VMDK: its sparse header, its descriptor and footer; every other header leads to the descriptor.

#![no_main]

use glance_tools_fuzz::{halves, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk, data) = input;
    let (front, back) = halves(data);
    let (version, place) = (1_u32.to_le_bytes(), 1_u64.to_le_bytes());
    let sound: &[(usize, &[u8])] = &[(4, &version), (28, &place), (36, &place)];
    let mut pieces: Vec<(usize, &[u8])> = vec![(0, b"KDMV"), (4, front), (512, back)];
    if chunk.is_multiple_of(2) {
        pieces.extend(sound);
    }
    inspect("vmdk", chunk, &pieces);
});
