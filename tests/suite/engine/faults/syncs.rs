//! How often a command waits for the disk.

use std::fs::File;
use std::process::Stdio;

use super::deployment::Deployment;
use crate::support::GLANCE;
use crate::support::tracer::{Answer, Call, End, Observer, is_skipped, trace};

/// The files that a command syncs, in their order.
#[derive(Default)]
struct Syncs(Vec<String>);

impl Observer for Syncs {
    fn enter(&mut self, call: &Call) -> Answer {
        if matches!(call.name, "fsync" | "fdatasync") {
            self.0.push(call.named());
        }
        Answer::Proceed
    }
}

/// Runs `glance` with these words, which MUST succeed; returns what it synced.
fn syncs(deployment: &Deployment, words: &[&str]) -> Vec<String> {
    let mut syncs = Syncs::default();
    let outputs = ["stdout", "stderr"].map(|name| deployment.output(name));
    let outputs = outputs.map(|path| Stdio::from(File::create(path).unwrap()));
    let command = deployment.command(GLANCE, words);
    let roots = [&*deployment.root()];
    let end = trace(&command, Stdio::null(), outputs, &roots, &mut syncs).unwrap();
    assert_eq!(end, End::Exited(0), "{words:?}");
    syncs.0
}

#[test]
fn only_a_command_that_changes_the_database_waits_for_the_disk_when_it_ends() {
    if is_skipped() {
        return;
    }
    let deployment = Deployment::new();
    deployment.clear();
    deployment.glance(&["image", "create", "a"]);
    let log = "data/glance.db-wal";
    for words in [
        &["image", "list", "--long"][..],
        &["image", "show", "a"],
        &["image-list"],
    ] {
        let synced = syncs(&deployment, words);
        assert_eq!(synced, [""; 0], "{words:?}");
    }
    let synced = syncs(&deployment, &["image", "set", "a", "--property", "a=b"]);
    // The header of the log with its directory, and the commit; then, as it is emptied, the log again and the
    // database.
    let expected = [log, "data", log, log, "data/glance.db"].map(str::to_string);
    assert_eq!(synced, expected);
    // The log is emptied on the connection that has written, which has synced the directory before.
    let synced = syncs(&deployment, &["image", "delete", "a"]);
    let of_directory = synced.iter().filter(|path| *path == "data").count();
    assert_eq!(
        (of_directory, synced.ends_with(&expected[3..])),
        (1, true),
        "{synced:?}"
    );
}
