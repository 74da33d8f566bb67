//! The inspectors of disk formats, and what every target does with an image.
//!
//! They need nothing but the standard library and are compiled here by themselves: the whole of the programs would take
//! minutes.

#[path = "../../src/data/format/mod.rs"]
pub mod format;

use format::{Declared, Inspector, Policy, Verdict};

/// Lays pieces out at their offsets in bytes, a later one over an earlier one, and inspects the image:
/// whole, and in chunks of 1 to 256 bytes (longer ones where the image is large), with the same result, within
/// the memory it is allowed.
pub fn inspect(disk_format: &str, chunk: u8, pieces: &[(usize, &[u8])]) {
    let mut image = Vec::new();
    for (offset, piece) in pieces {
        let end = offset + piece.len();
        if image.len() < end {
            image.resize(end, 0);
        }
        image[*offset..end].copy_from_slice(piece);
    }
    let declared = Declared {
        disk_format,
        container_format: "bare",
    };
    let whole = push(declared, &image, image.len().max(1));
    let size = (usize::from(chunk) + 1).max(image.len() / 256);
    let cut = push(declared, &image, size);
    assert_eq!(whole, cut);
}

/// Returns the two halves of the data.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    data.split_at(data.len() / 2)
}

fn push(declared: Declared<'_>, image: &[u8], size: usize) -> Verdict {
    let policy = Policy::default();
    let mut inspector = Inspector::new();
    let mut is_refused = false;
    for chunk in image.chunks(size) {
        inspector.push(chunk);
        assert!(inspector.memory() <= Inspector::MAX_MEMORY);
        is_refused = is_refused || policy.refuse_early(declared, &inspector).is_some();
    }
    let verdict = inspector.finish();
    let decision = policy.decide(declared, &verdict);
    assert!(
        !is_refused || decision.is_err(),
        "an early refusal was taken back"
    );
    if let Ok(accepted) = decision {
        let size = accepted.virtual_size;
        assert!(size.is_none_or(|size| size > 0 && i64::try_from(size).is_ok()));
    }
    verdict
}
