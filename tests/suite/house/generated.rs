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
        "completions/fish",
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

/// What bash completes the last of these words to.
fn completed(words: &[&str]) -> Vec<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = top.join("completions/bash").join(words[0]);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let function = words[0].replace('-', "_");
    let text = format!(
        ". '{}'; COMP_WORDS=({}); COMP_CWORD={}; _{function}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        quoted.join(" "),
        words.len() - 1
    );
    let output = std::process::Command::new("/usr/bin/bash")
        .args(["--norc", "-c", &text])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words: Vec<String> = text.split_whitespace().map(str::to_string).collect();
    words.sort();
    words
}

#[test]
fn bash_completes_topics_and_commands_of_the_program() {
    assert_eq!(completed(&["glance", "help", "cl"]), ["cloud"]);
    assert_eq!(completed(&["openstack", "help", "lo"]), ["local"]);
    assert_eq!(completed(&["glance", "bash-"]), ["bash-completion"]);
    assert_eq!(completed(&["glance", "help", "bash-"]), ["bash-completion"]);
    assert_eq!(completed(&["openstack", "complete", "--sh"]), ["--shell"]);
    assert_eq!(
        completed(&["openstack", "complete", "--shell", ""]),
        ["bash", "none"]
    );
    assert_eq!(completed(&["openstack", "image", "sh"]), ["show"]);
    assert_eq!(completed(&["glance-manage", "db", "contr"]), ["contract"]);
    assert_eq!(
        completed(&["glance-cache-pruner", "--config-f"]),
        ["--config-file"]
    );
}

#[test]
fn words_of_help_texts_are_no_placeholders() {
    for file in generate::all() {
        let program = file.path.rsplit(['/', '_']).next().unwrap_or_default();
        assert!(
            !file.text.contains(&format!("OS_USER{program}")),
            "{}",
            file.path
        );
        for word in ["@NAME@", "@FUNCTION@", "@PLACES@", "@OURS@"] {
            assert!(!file.text.contains(word), "{}: {word}", file.path);
        }
    }
    let scripts = generate::all();
    let zsh = scripts
        .iter()
        .find(|file| file.path == "completions/zsh/_glance-cache-manage")
        .unwrap();
    assert!(zsh.text.contains("OS_USERNAME"), "as the help has it");
    let text = generate::model::fill("a @X@ @Y@ @", &[("X", "@Y@"), ("Y", "y")]);
    assert_eq!(text, "a @Y@ y @");
}
