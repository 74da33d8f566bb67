//! The documents of the repository: their links lead somewhere, and every decision is listed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories that hold documents, relative to the repository.
const DIRECTORIES: [&str; 5] = ["", "contrib", "docs", "docs/decisions", "tests/conformance"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the Markdown files of a directory.
fn documents(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(directory)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// Returns the targets of the links in a Markdown text.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
}

/// Returns the anchors of the headings in a Markdown text.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn links_in_documents_lead_to_files_and_headings() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for document in DIRECTORIES.iter().flat_map(|at| documents(at)) {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let found = match (target.exists(), anchor) {
                (exists, "") => exists,
                (exists, anchor) => {
                    exists && anchors(&fs::read_to_string(&target).unwrap()).contains(anchor)
                }
            };
            checked += 1;
            if !found {
                wrong.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 20, "only {checked} links were found");
}

#[test]
fn every_decision_is_listed_in_the_architecture() {
    let architecture = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let listed: BTreeSet<&str> = links(&architecture).collect();
    for decision in documents("docs/decisions") {
        let name = decision.file_name().unwrap().to_str().unwrap();
        let link = format!("docs/decisions/{name}");
        assert!(listed.contains(link.as_str()), "{link} is not listed");
    }
}
