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
fn a_downloaded_file_and_its_name_are_durable_before_the_exit() {
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
fn leftovers_of_a_killed_download_are_removed_by_the_next_one() {
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
fn without_proc_a_file_is_downloaded() {
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

/// A command of a user who is not root, where this process is root; else of this user.
fn as_nobody(place: &Place, words: &[&str]) -> Option<Run> {
    let script = format!("umask 022; exec '{GLANCE}' {}", words.join(" "));
    if !rustix::process::geteuid().is_root() {
        let mut command = place.command("/bin/sh");
        return Some(Run::of(command.args(["-c", &script]).output().unwrap()));
    }
    let mut command = place.command("/usr/bin/setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let run = Run::of(command.args(["/bin/sh", "-c", &script]).output().ok()?);
    // Without the right to change users, or to reach the program's directory.
    let cannot = run.stderr.contains("setpriv")
        || run.stderr.contains("Permission denied") && run.code == 126;
    (!cannot).then_some(run)
}

#[test]
fn a_file_in_a_directory_that_is_not_writable_is_written_in_place() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let place = Place::new();
    place.image("x", b"some data");
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        for path in [place.data(), place.data().join("images")] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        let script = "chmod -R a+rwX .. && chmod a+rx ../..";
        place
            .command("/bin/sh")
            .args(["-c", script])
            .status()
            .unwrap();
    }
    let closed = place.file("closed");
    std::fs::create_dir(&closed).unwrap();
    let file = closed.join("out");
    std::fs::write(&file, "what was there, and longer").unwrap();
    if is_root {
        chown(&file, Some(65534), Some(65534)).unwrap();
    }
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    let before = std::fs::metadata(&file).unwrap().ino();
    let run = as_nobody(&place, &["image", "save", "x", "--file", "closed/out"]);
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(run) = run else {
        println!("skipped: no other user");
        return;
    };
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("closed/out was written in place: its directory is not writable"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"some data");
    assert_eq!(std::fs::metadata(&file).unwrap().ino(), before);
}

#[test]
fn a_mounted_file_is_written_in_place() {
    let place = Place::new();
    place.image("x", b"some data");
    place.write("real", "what was there, and longer");
    place.write("out", "");
    let script = format!(
        "mount --bind real out || exit 99; '{GLANCE}' image save x --file out && cmp real out"
    );
    let mut command: Command = place.command("/usr/bin/unshare");
    let Ok(output) = command.args(["-m", "/bin/sh", "-c", &script]).output() else {
        println!("skipped: no unshare");
        return;
    };
    let run = Run::of(output);
    if run.code == 99 || run.stderr.contains("unshare") {
        println!("skipped: {}", run.stderr);
        return;
    }
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("it is a mount point"), "{}", run.stderr);
    assert_eq!(std::fs::read(place.file("real")).unwrap(), b"some data");
}

#[test]
fn data_that_is_corrupt_leaves_a_file_written_in_place_empty() {
    let place = Place::new();
    let id = place.image("x", &[7; 5000]);
    std::fs::write(place.data().join("images").join(&id), [8; 5000]).unwrap();
    place.write("one", "what was there");
    std::fs::hard_link(place.file("one"), place.file("two")).unwrap();
    let said = place
        .glance(&["image", "save", "x", "--file", "two"])
        .fails(1);
    assert!(said.contains("corrupt"), "{said}");
    assert!(
        said.contains("has other names (hard links), and is now empty"),
        "{said}"
    );
    assert_eq!(std::fs::read(place.file("one")).unwrap(), b"");
}

#[test]
fn standard_output_by_its_name_is_written_to() {
    let place = Place::new();
    place.image("x", b"some data");
    let script = format!("'{GLANCE}' image save x --file /dev/stdout >out");
    let mut command = place.command("/bin/sh");
    let run = Run::of(command.args(["-c", &script]).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("it is an open file of a process"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read(place.file("out")).unwrap(), b"some data");
}

#[test]
fn a_transfer_is_summed_up_at_a_terminal_and_nowhere_else() {
    let place = Place::new();
    let data = vec![7; 3 << 20];
    place.write("f.img", &data);
    let id = place.image("x", &data);
    let create = "image create y --file f.img";
    let upload = "image-create --disk-format raw --container-format bare --file f.img";
    for (words, summary) in [
        (format!("image-download --file out {id}"), "Saved 3 MiB in "),
        (format!("image-download {id} >out"), ", verified by sha512."),
        (
            "image save x --file out".to_string(),
            ", verified by sha512.",
        ),
        (create.to_string(), "Stored 3 MiB in "),
        (upload.to_string(), "Stored 3 MiB in "),
    ] {
        let shell = |terminal: bool| {
            let line = format!("'{GLANCE}' {words}");
            let mut command = place.command("/usr/bin/timeout");
            if terminal {
                command.args(["60", "/usr/bin/script", "-qec", &line, "/dev/null"]);
            } else {
                command.args(["60", "/bin/sh", "-c", &line]);
            }
            command.env("TERM", "xterm").output().ok().map(Run::of)
        };
        let Some(run) = shell(true) else {
            println!("skipped: no script");
            return;
        };
        assert!(run.text().contains(summary), "{words}: {run:?}");
        // Scripts read standard error, also where they ask for progress.
        let run = shell(false).unwrap();
        assert_eq!(run.stderr, "", "{words}");
    }
    place
        .glance(&["image-download", "--progress", "--file", "out", &id])
        .ok();
}

#[test]
fn a_download_from_a_cloud_has_a_bar_with_its_end() {
    use crate::support::glance::{Server, aim};
    let (place, server) = (Place::new(), Server::start());
    let id = server.image("x", vec![7; 8 << 20]);
    let mut command = place.command("/usr/bin/timeout");
    let save = format!("'{GLANCE}' image save {id} --file out");
    command
        .args(["60", "/usr/bin/script", "-qec", &save, "/dev/null"])
        .env("TERM", "xterm");
    aim(&mut command, &server.url());
    let Ok(output) = command.output() else {
        println!("skipped: no script");
        return;
    };
    let shown = Run::of(output).text();
    assert!(shown.contains(" of 8.00 MiB "), "{shown}");
    assert!(shown.contains('%') && shown.contains(" left"), "{shown}");
    assert!(shown.contains("Saved 8 MiB in "), "{shown}");
    assert_eq!(std::fs::metadata(place.file("out")).unwrap().len(), 8 << 20);
}
