//! The commands in README.md and docs/ are run, and their output is compared with what is shown: see `page.rs` for the
//! conventions. `UPDATE_DOCUMENTS=1` writes the output that differs into the documents, `UPDATE_DOCUMENTS=all` all output.

pub mod page;
pub mod shell;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;

use crate::support::glance::{self, TOKEN};
use crate::support::keystone::{self, refusal, token_reply};
use crate::support::{GLANCE, files};
use shell::Shell;

/// The documents whose commands are run; each has a test below, and the one about the installation in
/// `real/install.rs`.
const DOCUMENTS: [&str; 14] = [
    "README.md",
    "docs/README.md",
    "docs/coming-from-the-clients.md",
    "docs/concepts.md",
    "docs/configuration.md",
    "docs/cookbook.md",
    "docs/departures.md",
    "docs/deployments.md",
    "docs/install.md",
    "docs/json.md",
    "docs/stores-and-imports.md",
    "docs/stores.md",
    "docs/troubleshooting.md",
    "docs/tutorial.md",
];

/// Runs the commands of a document.
#[track_caller]
fn check(document: &str) {
    let top = TempDir::new().unwrap();
    check_below(document, top.path(), None);
}

/// Runs the commands of a document in a root directory in which the programs are installed.
#[track_caller]
pub fn check_installed(document: &str, root: &Path) {
    check_below(document, &root.join("book"), Some(root));
}

/// Runs the commands of a document with their home and programs below `top`.
#[track_caller]
fn check_below(document: &str, top: &Path, root: Option<&Path>) {
    assert!(DOCUMENTS.contains(&document));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap();
    let page = page::read(&text);
    assert_eq!(page.wrong, [], "{document}");
    let programs = top.join("programs");
    fs::create_dir_all(&programs).unwrap();
    if root.is_none() {
        for name in ["", "-manage", "-cache-manage", "-scrubber"] {
            symlink(GLANCE, programs.join(format!("glance{name}"))).unwrap();
        }
    }
    let images = glance::Server::start();
    let address = images.url();
    let login = keystone::Server::new(move |_, asked| match asked.line.as_str() {
        "POST /v3/auth/tokens" => {
            let catalog = json!([{"id": "s", "name": "glance", "type": "image", "endpoints": [{
                "id": "e", "interface": "public", "region": "One", "region_id": "One", "url": address,
            }]}]);
            token_reply(TOKEN, 3600, &catalog)
        }
        _ => refusal(404, "Not found."),
    });
    let clouds = format!(
        "clouds:\n  mycloud:\n    auth:\n      auth_url: {}/v3\n      username: demo\n      \
         password: right\n      project_name: own\n",
        login.url
    );
    let terminal = nix::pty::openpty(None, None).unwrap();
    let done = Shell {
        home: top.join("home"),
        scripts: top.join("scripts"),
        programs,
        others: None,
        terminal: Stdio::from(terminal.slave),
        clouds,
        root: root.map(Path::to_path_buf),
    }
    .run(&page.steps);
    drop(terminal.master);
    if let Some(which) = std::env::var_os("UPDATE_DOCUMENTS") {
        let updated = shell::updated(&text, &page.steps, &done, which == "all");
        fs::write(&path, updated).unwrap();
    }
    let errors = shell::errors(Path::new(document), &page.steps, &done);
    assert!(errors.is_empty(), "{}", errors.join("\n\n"));
}

#[test]
fn every_block_of_commands_is_run_or_has_a_reason() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known: BTreeSet<String> = files(&top.join("docs"))
        .into_iter()
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    known.insert("README.md".to_string());
    assert_eq!(known, DOCUMENTS.map(str::to_string).into());
    let (mut run, mut not_run) = (0, 0);
    for document in DOCUMENTS {
        let page = page::read(&fs::read_to_string(top.join(document)).unwrap());
        assert_eq!(page.wrong, [], "{document}");
        run += page.run;
        not_run += page.not_run.len();
        for (line, reason) in page.not_run {
            println!("{document}:{line}: not run: {reason}");
        }
    }
    println!("{run} blocks are run, {not_run} are not");
    assert!(
        run > 3 * not_run,
        "{run} of {} blocks are run",
        run + not_run
    );
}

#[test]
fn commands_of_the_readme_print_what_it_shows() {
    check("README.md");
}

#[test]
fn commands_of_the_tutorial_print_what_it_shows() {
    check("docs/tutorial.md");
}

#[test]
fn commands_of_the_cookbook_print_what_it_shows_with_qemu_img() {
    check("docs/cookbook.md");
}

#[test]
fn commands_about_stores_and_imports_print_what_is_shown() {
    check("docs/stores-and-imports.md");
}

#[test]
fn commands_about_the_facts_of_stores_print_what_is_shown() {
    check("docs/stores.md");
}

#[test]
fn commands_of_the_troubleshooting_print_what_it_shows_with_qemu_img() {
    check("docs/troubleshooting.md");
}

#[test]
fn commands_for_users_of_the_clients_print_what_is_shown() {
    check("docs/coming-from-the-clients.md");
}

#[test]
fn commands_of_the_references_print_what_they_show() {
    for document in [
        "README",
        "concepts",
        "configuration",
        "departures",
        "deployments",
        "json",
    ] {
        check(&format!("docs/{document}.md"));
    }
}
