//! Programs at the limits of their process: an error in one line, and a deployment that goes on.

use std::process::Stdio;

use crate::support::{GLANCE, Place, Run, assert_consistent, block_on, files};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");
const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

/// A command line of each program.
const LINES: [(&str, &str); 7] = [
    (GLANCE, "image list"),
    (GLANCE, "image create at-a-limit --file data"),
    (GLANCE, "image save keep --file out"),
    (GLANCE, "image set keep --property a=b --tag t"),
    (MANAGE, "db version"),
    (SCRUBBER, ""),
    (CACHE_MANAGE, "list-cached"),
];

/// Runs a program in a shell that sets limits first.
fn limited(place: &Place, limits: &str, program: &str, words: &str) -> (Run, Option<i32>) {
    use std::os::unix::process::ExitStatusExt;
    let mut command = place.command("/bin/bash");
    let script = format!("ulimit -c 0; {limits} || exit 99; exec '{program}' {words}");
    let output = command
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let signal = output.status.signal();
    (Run::of(output), signal)
}

const ABORT: i32 = 6;
const KILL: i32 = 9;
const SEGMENT: i32 = 11;

/// What no limit may do: a panic, a crash, an error without words.
#[expect(
    clippy::print_stdout,
    reason = "figures and reasons of a test are for its output"
)]
fn assert_clean(what: &str, run: &Run, signal: Option<i32>) {
    // The system, the loader and the allocator have nobody to ask: they end the process.
    let fatal = ["memory allocation of", "Fatal glibc error"];
    let is_allocator =
        signal == Some(ABORT) && fatal.iter().any(|text| run.stderr.starts_with(text));
    let is_loader =
        run.code == 127 || run.code == 126 || run.stderr.contains("error while loading");
    let is_system = matches!(signal, Some(KILL | SEGMENT)) && run.stderr.is_empty();
    if is_allocator || is_loader || is_system || run.code == 99 {
        println!("{what}: {:?} {}", signal, run.stderr.trim_end());
        return;
    }
    assert_eq!(signal, None, "{what}: {}", run.stderr);
    assert!(
        matches!(run.code, 0..=2),
        "{what}: {} {}",
        run.code,
        run.stderr
    );
    assert!(!run.stderr.contains("panicked"), "{what}: {}", run.stderr);
    assert!(
        !run.stderr.contains("internal error"),
        "{what}: {}",
        run.stderr
    );
    if run.code == 1 {
        // The program of the cache says on standard output what failed, as the real one does.
        let said = format!("{}{}", run.stderr, run.text());
        assert!(!said.trim().is_empty(), "{what}: not a word");
        let lines = run.stderr.lines();
        let lines = lines.filter(|line| !line.starts_with("Hint: ")).count();
        assert!(lines <= 2, "{what}: {}", run.stderr);
    }
}

fn climb(limits: impl Iterator<Item = String>) {
    let place = Place::new();
    place.image("keep", &vec![7; 300_000]);
    place.write("data", vec![5; 600_000]);
    let mut done = 0;
    for limit in limits {
        for (program, words) in LINES {
            let (run, signal) = limited(&place, &limit, program, words);
            let name = program.rsplit('/').next().unwrap();
            assert_clean(&format!("{limit}; {name} {words}"), &run, signal);
            done += usize::from(run.code == 0);
            let left = files(&place.file(""));
            let left: Vec<&String> = left.iter().filter(|name| name.contains(".part")).collect();
            assert!(left.is_empty(), "{limit}; {words}: {left:?}");
        }
    }
    assert!(done > 0, "some limit is high enough");
    place.glance(&["image", "show", "keep"]).ok();
    block_on(assert_consistent(&place));
}

#[test]
fn few_open_files_are_an_error() {
    climb(
        (3..17)
            .chain([20, 24, 32])
            .map(|files| format!("ulimit -n {files}")),
    );
}

#[test]
fn a_small_stack_is_no_crash() {
    climb(
        [16, 32, 64, 128, 256, 512, 1024, 4096]
            .map(|kib| format!("ulimit -s {kib}"))
            .into_iter(),
    );
}

#[test]
fn little_address_space_is_an_error() {
    let mib = (20..400).step_by(30);
    climb(mib.map(|mib| format!("ulimit -v {}", mib * 1024)));
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    climb(
        [0, 1, 8, 64, 256, 512, 1024, 16_384]
            .map(|kib| format!("ulimit -f {kib}"))
            .into_iter(),
    );
}

#[test]
fn a_file_beyond_the_limit_is_refused_and_removed() {
    let place = Place::new();
    place.write("data", vec![5; 8_000_000]);
    let id = place.image("keep", &vec![7; 8_000_000]);
    for (words, what) in [
        ("image create big --file data", "File too large"),
        ("image save keep --file out", "cannot write out"),
    ] {
        let (run, signal) = limited(&place, "ulimit -f 4096", GLANCE, words);
        assert_eq!((run.code, signal), (1, None), "{words}: {}", run.stderr);
        assert!(run.stderr.contains("File too large"), "{}", run.stderr);
        assert!(run.stderr.contains(what), "{}", run.stderr);
        assert_eq!(files(&place.file("")).len(), 1, "{words}: nothing is left");
    }
    let words = format!("image save {id} > out");
    let (run, signal) = limited(&place, "ulimit -f 4096", GLANCE, &words);
    assert_eq!((run.code, signal), (1, None), "{}", run.stderr);
    assert_eq!(
        run.stderr,
        "cannot write to standard output: File too large\n"
    );
    std::fs::remove_file(place.file("out")).unwrap();
    block_on(assert_consistent(&place));
}

#[test]
fn output_that_nobody_wants_may_be_null_or_closed() {
    let place = Place::new();
    let id = place.image("keep", b"some data");
    let shell = |words: &str| {
        let script = format!("exec '{GLANCE}' {words}");
        Run::of(
            place
                .command("/bin/sh")
                .args(["-c", &script])
                .output()
                .unwrap(),
        )
    };
    // Parents that want no output open /dev/null for reading and writing: Python's subprocess.DEVNULL, Node's
    // 'ignore'. A closed stream looks the same.
    for words in [
        "image save keep",
        &format!("image-download {id}"),
        "image list",
        "image show keep -f json",
        "image-list",
        "help",
        "--version",
        "image list --help",
        "image save keep --file out",
        "image set keep --name kept",
    ] {
        for nowhere in [">&-", ">/dev/null", "1<>/dev/null"] {
            let run = shell(&format!("{words} {nowhere}"));
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{words}");
            shell("image set kept --name keep >/dev/null");
        }
    }
    assert_eq!(std::fs::read(place.file("out")).unwrap(), b"some data");
    for (program, words) in [
        (MANAGE, "db version"),
        (CACHE_MANAGE, "list-cached"),
        (MANAGE, "--help"),
    ] {
        let script = format!("exec '{program}' {words} 1<>/dev/null");
        let output = place.command("/bin/sh").args(["-c", &script]).output();
        let run = Run::of(output.unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{program}");
    }
}
