//! Writes what is generated from the command table: shell completions and manual pages.
//!
//! `cargo run --example generate` writes them into `completions/` and `man/`, which are checked in;
//! `tests/suite/house/generated.rs` fails when they drift.

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
    let mut add = |path: String, text: String| files.push(Generated { path, text });
    let programs = model::programs();
    for program in &programs {
        add(format!("man/{}.1", program.name), man::page(program));
    }
    for program in programs.iter().chain(&model::old_programs()) {
        let name = program.name;
        add(format!("completions/bash/{name}"), bash::script(program));
        add(
            format!("completions/fish/{name}.fish"),
            fish::script(program),
        );
        add(format!("completions/zsh/_{name}"), zsh::script(program));
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
