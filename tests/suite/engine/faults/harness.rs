//! The harness itself: it sees what small programs do, fails their calls, and finds what is broken.

use std::fs;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use tempfile::TempDir;

use super::injection::{self, Fault, Files};
use super::operations::Operation;
use super::power;
use crate::support::tracer::{Answer, Call, End, Observer, is_skipped, trace};

/// Fails a call of that name on a path that ends so, and remembers all calls.
struct Watcher {
    name: &'static str,
    ending: &'static str,
    answer: Answer,
    seen: Vec<String>,
}

impl Observer for Watcher {
    fn enter(&mut self, call: &Call) -> Answer {
        let path = call.paths.last().unwrap();
        assert_eq!(call.number, self.seen.len() as u64 + 1);
        let name = path.file_name().unwrap_or_default().to_str().unwrap();
        self.seen.push(format!("{} {name}", call.name));
        if call.name == self.name && name.ends_with(self.ending) {
            return self.answer;
        }
        Answer::Proceed
    }
}

/// Runs a script in a directory whose calls are watched; how it ended, what it said, and what was seen.
fn watched(script: &str, mut watcher: Watcher) -> (TempDir, End, String, Vec<String>) {
    let top = TempDir::new().unwrap();
    let root = fs::canonicalize(top.path()).unwrap();
    fs::write(root.join("a"), "data").unwrap();
    let said = TempDir::new().unwrap();
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| said.path().join(name));
    let outputs = [&stdout, &stderr].map(|path| Stdio::from(fs::File::create(path).unwrap()));
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script])
        .env("PATH", "/usr/bin:/bin")
        .current_dir(&root);
    let end = trace(&command, Stdio::null(), outputs, &[&root], &mut watcher).unwrap();
    let said = fs::read_to_string(stderr).unwrap();
    (top, end, said, watcher.seen)
}

fn watcher(name: &'static str, ending: &'static str, answer: Answer) -> Watcher {
    Watcher {
        name,
        ending,
        answer,
        seen: Vec::new(),
    }
}

#[test]
fn the_calls_of_every_child_are_seen_and_only_those_on_the_directory() {
    if is_skipped() {
        return;
    }
    let nothing = watcher("", "", Answer::Proceed);
    let script = "cat /etc/passwd >/dev/null; cp a b & wait; mkdir d; mv b d/c; exit 3";
    let (top, end, said, seen) = watched(script, nothing);
    assert_eq!((end, said.as_str()), (End::Exited(3), ""));
    assert_eq!(fs::read(top.path().join("d/c")).unwrap(), b"data");
    let has = |names: &[&str], file: &str| {
        let mut calls = names.iter().map(|name| format!("{name} {file}"));
        calls.any(|call| seen.contains(&call))
    };
    assert!(has(&["openat"], "a") && has(&["openat"], "b"), "{seen:?}");
    assert!(
        has(&["write", "copy_file_range", "sendfile", "ioctl"], "b"),
        "{seen:?}"
    );
    assert!(has(&["mkdir"], "d"), "{seen:?}");
    assert!(has(&["rename", "renameat", "renameat2"], "c"), "{seen:?}");
    assert!(!seen.iter().any(|call| call.contains("passwd")), "{seen:?}");
}

#[test]
fn a_call_that_is_failed_is_not_carried_out() {
    if is_skipped() {
        return;
    }
    let full = watcher("openat", "b", Answer::Fail(Errno::ENOSPC));
    let (top, end, said, _) = watched("exec cp a b", full);
    assert_eq!(end, End::Exited(1));
    assert!(said.contains("No space left on device"), "{said}");
    assert!(!top.path().join("b").exists());

    let broken = watcher("fsync", "b", Answer::Fail(Errno::EIO));
    let (_, end, said, seen) = watched("exec dd if=a of=b conv=fsync status=none", broken);
    assert_eq!(end, End::Exited(1), "{seen:?}");
    assert!(said.contains("Input/output error"), "{said}");
}

#[test]
fn a_command_is_killed_before_a_call_with_all_its_children() {
    if is_skipped() {
        return;
    }
    let kill = watcher("openat", "c", Answer::Kill);
    let (top, end, _, seen) = watched("cp a b; (cp a c; cp a d); cp a e", kill);
    assert_eq!(end, End::Killed);
    assert_eq!(seen.last().unwrap(), "openat c");
    let there = |name: &str| top.path().join(name).exists();
    assert!(there("b") && !there("c") && !there("d") && !there("e"));
}

#[test]
fn a_signal_of_its_own_ends_a_command_as_without_a_tracer() {
    if is_skipped() {
        return;
    }
    let nothing = watcher("", "", Answer::Proceed);
    let (_, end, _, _) = watched("kill -ABRT $$", nothing);
    assert_eq!(end, End::Signaled(nix::sys::signal::Signal::SIGABRT));
    let nothing = watcher("", "", Answer::Proceed);
    let script = "trap 'exit 7' TERM; kill -TERM $$; exit 8";
    let (_, end, _, _) = watched(script, nothing);
    assert_eq!(end, End::Exited(7), "a handler is called");
}

/// Replaces a file, by a script.
fn replacing(script: &'static str) -> Operation {
    fn words(script: &str, new: String) -> Vec<String> {
        ["-c".to_string(), script.to_string(), "sh".to_string(), new].to_vec()
    }
    let mut operation = match script {
        CARELESS => Operation::new("careless", |at| words(CARELESS, at.input_word("new"))),
        UNSYNCED => Operation::new("unsynced", |at| words(UNSYNCED, at.input_word("new"))),
        _ => Operation::new("careful", |at| words(CAREFUL, at.input_word("new"))),
    };
    operation.program = "/bin/sh";
    operation.residue = Some("out/.part");
    operation.has_bystanders = false;
    operation.prepare = |deployment| {
        fs::write(deployment.root().join("out/old.img"), "old").unwrap();
    };
    operation
}

/// Writes over the file.
const CARELESS: &str = "cat \"$1\" >old.img || { echo it failed >&2; exit 1; }";
/// Renames, but makes nothing durable.
const UNSYNCED: &str = "cat \"$1\" >.part && mv .part old.img || { echo it failed >&2; exit 1; }";
/// Makes the file durable, then its name.
const CAREFUL: &str = "cat \"$1\" >.part && sync .part && mv .part old.img && sync . \
    || { echo it failed >&2; exit 1; }";

#[test]
fn a_file_that_is_written_over_is_reported_by_every_kind_of_fault() {
    if is_skipped() {
        return;
    }
    let operation = replacing(CARELESS);
    let report = injection::walk(&operation, &injection::Choice::All, 2).unwrap();
    for fault in [Fault::Full(Files::All), Fault::Once, Fault::KillAfter] {
        let line = format!("careless {fault} ");
        let found = report.bad.iter().find(|bad| bad.starts_with(&line));
        let found = found.unwrap_or_else(|| panic!("{fault}: {:?}", report.bad));
        assert!(found.contains("a state in between"), "{found}");
    }
    let cuts = power::walk(&operation, &power::Choice::All, 2).unwrap();
    let found = |text: &str| cuts.bad.iter().any(|bad| bad.contains(text));
    assert!(found("careless names-only"), "{:?}", cuts.bad);
}

#[test]
fn what_was_not_made_durable_is_reported_and_what_was_is_not() {
    if is_skipped() {
        return;
    }
    let unsynced = power::walk(&replacing(UNSYNCED), &power::Choice::All, 2).unwrap();
    let lost = "[its end]: exit 0, and the state is";
    let found = unsynced.bad.iter().any(|bad| bad.contains(lost));
    assert!(found, "{:?}", unsynced.bad);
    let careful = power::walk(&replacing(CAREFUL), &power::Choice::All, 2).unwrap();
    assert_eq!(careful.bad, Vec::<String>::new());
    assert!(careful.points >= 5, "{careful:?}");
}

#[test]
fn what_is_done_carefully_passes_every_kill() {
    if is_skipped() {
        return;
    }
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        let choice = injection::Choice::Of(fault);
        let report = injection::walk(&replacing(CAREFUL), &choice, 2).unwrap();
        assert_eq!(report.bad, Vec::<String>::new());
        assert!(report.points >= 5, "{report:?}");
    }
}
