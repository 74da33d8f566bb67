//! Writes the images of the tests into the given directory, as initial inputs of the fuzz targets.

use std::fs;
use std::path::Path;

#[path = "../src/data/format/testing.rs"]
#[allow(dead_code, reason = "the unit tests use the rest")]
mod testing;

/// The maximum size of an image in bytes: a larger one makes each run slow.
const MAX_IMAGE: usize = 64 * 1024;

/// The targets whose input is the data after a magic number.
const MAGICS: [(&str, &[u8]); 4] = [
    ("raw", b""),
    ("qcow2", b"QFI\xfb"),
    ("qed", b"QED\0"),
    ("luks", b"LUKS\xba\xbe"),
];

fn main() -> std::io::Result<()> {
    let top = std::env::args_os().nth(1).unwrap_or_default();
    let sound = testing::sound_images().into_iter();
    let hostile = testing::hostile_images().into_iter();
    let images = sound
        .map(|(_, image, _, _)| image)
        .chain(hostile.map(|image| image.bytes))
        .filter(|image| image.len() <= MAX_IMAGE);
    for (number, image) in images.enumerate() {
        for (target, magic) in MAGICS {
            let Some(rest) = image.strip_prefix(magic) else {
                continue;
            };
            let directory = Path::new(&top).join(target);
            fs::create_dir_all(&directory)?;
            // The first byte chooses the size of the chunks.
            let input = [&[255], rest].concat();
            fs::write(directory.join(format!("seed-{number}")), input)?;
        }
    }
    Ok(())
}
