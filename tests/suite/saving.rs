//! Saving image data: whole and durable or not at all, and never through what others put in the way.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{GLANCE, Place, Run, files};

/// Runs `glance` under strace with these options; None where nothing can be traced.
#[expect(
    clippy::print_stdout,
    reason = "figures and reasons of a test are for its output"
)]
fn traced(place: &Place, options: &[&str], words: &[&str]) -> Option<(Run, String)> {
    let trace = place.file("trace");
    let mut command = place.command("/usr/bin/strace");
    let run = Run::of(
        command
            .args(["-f", "-y", "-o", trace.to_str().unwrap()])
            .args(options)
            .arg(GLANCE)
            .args(words)
            .output()
            .ok()?,
    );
    let text = std::fs::read_to_string(&trace).unwrap_or_default();
    std::fs::remove_file(&trace).ok();
    if text.is_empty() {
        println!("skipped: strace cannot trace here: {}", run.stderr);
        return None;
    }
    Some((run, text))
}

const SAVE: [&str; 5] = ["image", "save", "x", "--file", "out"];

#[test]
fn a_saved_file_and_its_name_are_durable_before_the_exit() {
    let place = Place::new();
    place.image("x", b"some data");
    for round in ["new", "replaced"] {
        let calls = "trace=fsync,linkat,rename,renameat,renameat2";
        let Some((run, trace)) = traced(&place, &["-e", calls], &SAVE) else {
            return;
        };
        assert_eq!(run.code, 0, "{}", run.stderr);
        let of = |what: &str| {
            trace
                .lines()
                .collect::<Vec<_>>()
                .iter()
                .rposition(|line| line.contains(what))
        };
        let directory = place.file("").canonicalize().unwrap();
        let directory = directory
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_string();
        let named = of("linkat(").max(of("rename")).unwrap();
        let synced = of(&format!("{directory}>)")).expect(&trace);
        let data = trace
            .lines()
            .position(|line| line.contains("fsync("))
            .unwrap();
        assert!(data < named && named < synced, "{round}: {trace}");
        assert_eq!(std::fs::read(place.file("out")).unwrap(), b"some data");
    }
}

#[test]
fn a_directory_that_cannot_be_synced_is_an_error_unless_it_never_can() {
    let place = Place::new();
    place.image("x", b"some data");
    for (error, code) in [("EIO", 1), ("ENOSPC", 1), ("EINVAL", 0), ("EOPNOTSUPP", 0)] {
        // The first one is that of the data.
        let inject = format!("inject=fsync:error={error}:when=2");
        let Some((run, _)) = traced(&place, &["-e", &inject], &SAVE) else {
            return;
        };
        assert_eq!(run.code, code, "{error}: {}", run.stderr);
        if code != 0 {
            assert!(run.stderr.starts_with("cannot sync "), "{}", run.stderr);
            assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        }
        assert_eq!(files(&place.file("")).len(), 1, "{error}: nothing is left");
    }
    let inject = ["-e", "inject=fsync:error=EIO:when=1"];
    std::fs::write(place.file("out"), "before").unwrap();
    let (run, _) = traced(&place, &inject, &SAVE).unwrap();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(std::fs::read(place.file("out")).unwrap(), b"before");
    assert_eq!(files(&place.file("")).len(), 1, "nothing is left");
}

#[test]
fn what_a_kill_leaves_over_an_existing_file_goes_with_the_next_save() {
    let place = Place::new();
    place.image("x", b"some data");
    std::fs::write(place.file("out"), "before").unwrap();
    let inject = ["-e", "inject=rename,renameat,renameat2:signal=KILL:when=1"];
    let Some((run, trace)) = traced(&place, &inject, &SAVE) else {
        return;
    };
    assert_eq!(run.code, -1, "{}: {trace}", run.stderr);
    // Whether the renaming was done or not: the file is the old one or the new one.
    let kept = std::fs::read(place.file("out")).unwrap();
    assert!(kept == b"before" || kept == b"some data");
    let leftover = place.file(".out.0123456789abcdef0123456789abcdef.part");
    std::fs::write(&leftover, "left by a killed process").unwrap();
    place.glance(&SAVE).ok();
    assert_eq!(std::fs::read(place.file("out")).unwrap(), b"some data");
    assert_eq!(files(&place.file("")).len(), 1, "nothing is left");
}

#[test]
fn a_planted_link_is_not_followed_without_unnamed_files() {
    let place = Place::new();
    place.image("x", b"some data");
    let victim = place.write("victim", "mine");
    symlink(&victim, place.file(".out.part")).unwrap();
    // Without /proc no unnamed file is used, as on a file system that has none.
    let script =
        format!("mount -t tmpfs none /proc && exec '{GLANCE}' image save x --file out; exit 99");
    let mut command: Command = place.command("/usr/bin/unshare");
    match command.args(["-m", "/bin/sh", "-c", &script]).output() {
        Ok(output) if output.status.success() => {}
        _ => place.glance(&SAVE).ok().clear(),
    }
    assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
    assert_eq!(std::fs::read_link(place.file(".out.part")).unwrap(), victim);
    assert_eq!(std::fs::read(place.file("out")).unwrap(), b"some data");
}

#[test]
fn without_proc_a_file_is_saved_all_the_same() {
    let place = Place::new();
    place.image("x", b"some data");
    for _ in 0..2 {
        let script = format!(
            "mount -t tmpfs none /proc || exit 99; exec '{GLANCE}' image save x --file out"
        );
        let mut command: Command = place.command("/usr/bin/unshare");
        let output = command.args(["-m", "/bin/sh", "-c", &script]).output();
        let Ok(output) = output else {
            println!("skipped: no unshare");
            return;
        };
        let run = Run::of(output);
        if run.code == 99 || run.stderr.contains("unshare") {
            println!("skipped: {}", run.stderr);
            return;
        }
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(std::fs::read(place.file("out")).unwrap(), b"some data");
        assert_eq!(files(&place.file("")).len(), 1, "nothing is left");
    }
}
