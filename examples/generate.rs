//! Generates files from the command table: shell completions and manual pages.
//!
//! `cargo run --example generate` writes them to `completions/` and `man/`, which are checked in.
//! `tests/suite/house/generated.rs` fails if they are outdated.

use std::path::Path;

use anyhow::Context;
use glance_tools::cli::command::grammar::Grammar;
use glance_tools::cli::complete::scripts::{PROGRAMS, Target, script};
use glance_tools::cli::complete::shells::Shell;

#[path = "generate/concepts.rs"]
mod concepts;
#[path = "generate/configuration.rs"]
mod configuration;
#[path = "generate/man.rs"]
mod man;
#[path = "generate/markdown.rs"]
mod markdown;
#[path = "generate/model.rs"]
pub mod model;
#[path = "generate/roff.rs"]
mod roff;
#[path = "generate/texts.rs"]
mod texts;

/// A generated file.
pub struct Generated {
    /// The path, relative to the project's directory.
    pub path: String,
    /// The content.
    pub text: String,
}

/// Returns all generated files in the order of their paths.
pub fn all() -> Vec<Generated> {
    let mut files = Vec::new();
    let mut add = |path: String, text: String| files.push(Generated { path, text });
    let programs = model::programs();
    for program in &programs {
        add(
            format!("man/man1/{}.1", program.name),
            man::program(program),
        );
    }
    // The first program has the commands of both grammars.
    let of_both = programs.first().into_iter();
    for (program, command) in
        of_both.flat_map(|program| program.commands.iter().map(move |it| (program, it)))
    {
        if let Some(grammar) = command.grammar {
            let name = man::page_name(grammar, &command.name);
            add(format!("man/man1/{name}.1"), man::command(program, command));
        }
    }
    add(
        format!("man/man5/{}.5", configuration::NAME),
        configuration::page(),
    );
    add(format!("man/man7/{}.7", concepts::NAME), concepts::page());
    let directories = [
        (Shell::Bash, "bash/", ""),
        (Shell::Fish, "fish/", ".fish"),
        (Shell::Zsh, "zsh/_", ""),
    ];
    for (shell, before, after) in directories {
        for program in PROGRAMS.iter().chain(&["openstack"]) {
            let path = format!("completions/{before}{program}{after}");
            add(path, script(shell, Target::named(program, Grammar::Glance)));
        }
    }
    let whole = |shell| script(shell, Target::All);
    add(
        "completions/elvish/glance.elv".to_string(),
        whole(Shell::Elvish),
    );
    add(
        "completions/powershell/glance.ps1".to_string(),
        whole(Shell::PowerShell),
    );
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn main() -> anyhow::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in all() {
        let path = top.join(&file.path);
        let directory = path.parent().unwrap_or(top);
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        std::fs::write(&path, file.text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
