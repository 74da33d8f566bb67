//! The programs as names of one file.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Place, Run};

const GLANCE: &str = env!("CARGO_BIN_EXE_glance");

/// The programs in files of their own, which start `glance`.
const LAUNCHERS: [(&str, &str); 3] = [
    ("glance-manage", env!("CARGO_BIN_EXE_glance-manage")),
    (
        "glance-cache-manage",
        env!("CARGO_BIN_EXE_glance-cache-manage"),
    ),
    ("glance-scrubber", env!("CARGO_BIN_EXE_glance-scrubber")),
];

/// Returns what a program prints with `--help`.
fn help(program: &str) -> String {
    let output = Command::new(program).arg("--help").output();
    Run::of(output.unwrap()).ok()
}

#[test]
fn a_link_to_glance_is_the_program_of_its_name() {
    let place = Place::new();
    for (name, launcher) in LAUNCHERS {
        let link = place.file(name);
        symlink(GLANCE, &link).unwrap();
        let text = help(link.to_str().unwrap());
        assert!(text.contains(name), "{text}");
        assert_eq!(text, help(launcher));
    }
    for old in ["pruner", "cleaner", "prefetcher"].map(|old| format!("glance-cache-{old}")) {
        let link = place.file(&old);
        symlink(GLANCE, &link).unwrap();
        assert!(help(link.to_str().unwrap()).contains(&old), "{old}");
    }
    let link = place.file("images");
    symlink(GLANCE, &link).unwrap();
    assert_eq!(help(link.to_str().unwrap()), help(GLANCE));
}

#[test]
fn a_link_to_a_launcher_works_from_another_directory() {
    let place = Place::new();
    let (_, launcher) = LAUNCHERS[0];
    let link = place.file("manage");
    symlink(launcher, &link).unwrap();
    assert_eq!(help(link.to_str().unwrap()), help(launcher));
}

#[test]
fn a_launcher_without_glance_says_what_is_missing() {
    let place = Place::new();
    for (name, launcher) in LAUNCHERS {
        let copy = place.file(name);
        fs::copy(launcher, &copy).unwrap();
        let run = Run::of(Command::new(&copy).arg("--version").output().unwrap());
        let text = run.fails(1);
        let glance = place.file("glance");
        assert_eq!(
            text.trim_end(),
            format!(
                "{name}: error: cannot start {}: No such file or directory (os error 2). \
                 Install glance in the same directory.",
                glance.display()
            )
        );
    }
}
