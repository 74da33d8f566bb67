//! The pictures of the documents are what the program shows now.

#[path = "../../../examples/pictures.rs"]
#[allow(
    dead_code,
    reason = "the test draws the pictures, but does not write them"
)]
mod drawing;

use std::fs;
use std::path::Path;

use crate::support::GLANCE;

#[test]
fn pictures_are_what_would_be_drawn() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, svg) in drawing::all(Path::new(GLANCE)).unwrap() {
        let drawn = fs::read_to_string(top.join(&path)).unwrap_or_default();
        assert!(
            drawn == svg,
            "{path} is outdated: cargo run --example pictures"
        );
    }
}
