//! What is generated and checked in is what would be generated now.

use std::collections::BTreeSet;
use std::path::Path;

#[path = "../../../examples/generate.rs"]
#[expect(dead_code, reason = "the part that writes is the example's own")]
mod generate;

const COMMAND: &str = "cargo run --example generate";

#[test]
fn completions_and_manual_pages_are_those_of_the_command_table() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut expected = BTreeSet::new();
    for file in generate::all() {
        if std::fs::read_to_string(top.join(&file.path))
            .ok()
            .as_deref()
            != Some(&file.text)
        {
            wrong.push(format!("{} is not what would be generated", file.path));
        }
        expected.insert(file.path);
    }
    for directory in [
        "completions/bash",
        "completions/elvish",
        "completions/fish",
        "completions/powershell",
        "completions/zsh",
        "man/man1",
        "man/man5",
        "man/man7",
    ] {
        for entry in std::fs::read_dir(top.join(directory)).into_iter().flatten() {
            let path = format!(
                "{directory}/{}",
                entry.unwrap().file_name().to_string_lossy()
            );
            if !expected.contains(&path) {
                wrong.push(format!("{path} is generated no more: remove it"));
            }
        }
    }
    assert!(wrong.is_empty(), "run: {COMMAND}\n{}", wrong.join("\n"));
}

#[test]
fn generation_is_the_same_each_time() {
    let text = || {
        generate::all()
            .into_iter()
            .map(|file| file.path + &file.text)
            .collect::<String>()
    };
    assert_eq!(text(), text());
}

#[test]
fn a_script_is_small() {
    for file in generate::all() {
        if file.path.starts_with("completions/") {
            assert!(file.text.len() < 3000, "{}: {}", file.path, file.text.len());
        }
    }
}
