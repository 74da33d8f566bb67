//! Writes what is generated from the command table: shell completions and manual pages.
//!
//! `cargo run --example generate` writes them into `completions/` and `man/`, which are checked in;
//! `tests/suite/generated.rs` fails when they drift.

use std::io;
use std::path::Path;

#[path = "generate/bash.rs"]
mod bash;
#[path = "generate/fish.rs"]
mod fish;
#[path = "generate/man.rs"]
mod man;
#[path = "generate/model.rs"]
pub mod model;
#[path = "generate/zsh.rs"]
mod zsh;

/// A generated file.
pub struct Generated {
    /// Where it belongs, below the top of the project.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Every generated file, in the order of their paths.
pub fn all() -> Vec<Generated> {
    let mut files = Vec::new();
    for program in model::programs() {
        let name = program.name;
        for (path, text) in [
            (format!("completions/bash/{name}"), bash::script(&program)),
            (
                format!("completions/fish/{name}.fish"),
                fish::script(&program),
            ),
            (format!("completions/zsh/_{name}"), zsh::script(&program)),
            (format!("man/{name}.1"), man::page(&program)),
        ] {
            files.push(Generated { path, text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn main() -> io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in all() {
        let path = top.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap_or(top))?;
        std::fs::write(path, file.text)?;
    }
    Ok(())
}
