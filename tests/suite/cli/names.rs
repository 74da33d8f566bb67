//! The programs as names of one file.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Place, Run};

const GLANCE: &str = env!("CARGO_BIN_EXE_glance");

/// The programs in files of their own, which start `glance`.
const LAUNCHERS: [(&str, &str); 4] = [
    ("glance-api", env!("CARGO_BIN_EXE_glance-api")),
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

#[test]
fn openstack_leaves_other_commands_to_the_next_program_of_that_name() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let directory = |name: &str| {
        let directory = place.file(name);
        fs::create_dir(&directory).unwrap();
        directory
    };
    let (ours, theirs) = (directory("ours"), directory("theirs"));
    symlink(GLANCE, ours.join("openstack")).unwrap();
    let run = |words: &[&str], input: &[u8]| {
        let mut command = place.command(ours.join("openstack").to_str().unwrap());
        let path = std::env::join_paths([&ours, &theirs, &"/usr/bin".into(), &"/bin".into()]);
        command.env("PATH", path.unwrap()).args(words);
        Run::with(&mut command, input)
    };
    let unknown = run(&["server", "list"], b"");
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.text().contains("is not an openstack command"),
        "{}",
        unknown.text()
    );

    let script = theirs.join("openstack");
    fs::write(&script, "#!/bin/sh\necho \"theirs: $*\"; cat; exit 7\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for words in [
        &["server", "list"][..],
        &[
            "--os-compute-api-version",
            "2.90",
            "--os-none",
            "x",
            "server",
            "show",
            "a b",
        ],
        &["help", "server", "list"],
    ] {
        let ran = run(words, b"input\n");
        assert_eq!(ran.text(), format!("theirs: {}\ninput\n", words.join(" ")));
        assert_eq!(ran.code, 7);
    }
    for words in [
        &["image", "lst"][..],
        &["image", "list", "--nonsense"],
        &["help", "image"],
    ] {
        assert!(!run(words, b"").text().contains("theirs"), "{words:?}");
    }

    // Of commands on standard input, each goes to its program.
    let ran = run(
        &[],
        b"image create first\nserver list\nimage list -f value -c Name\n",
    );
    assert_eq!(ran.code, 7);
    assert!(
        ran.text().contains("theirs: server list\n"),
        "{}",
        ran.text()
    );
    assert!(ran.text().ends_with("first\n"), "{}", ran.text());

    // Two of ours do not call each other.
    fs::remove_file(&script).unwrap();
    fs::copy(GLANCE, &script).unwrap();
    assert_eq!(run(&["server", "list"], b"").code, 2);
}
