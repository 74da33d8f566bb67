//! Signals end every command, wherever it waits.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{GLANCE, Place, Run, files};

/// What is promised, and a little for a machine that is busy.
const PROMISED: Duration = Duration::from_millis(5000 + 1500);

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// Waits until a process catches a signal, and has begun to wait for something.
fn wait_until_ready(child: &Child, signal: Signal) {
    let begun = Instant::now();
    let status = format!("/proc/{}/status", child.id());
    loop {
        let text = std::fs::read_to_string(&status).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_string()
        };
        let caught = u64::from_str_radix(&field("SigCgt:"), 16).unwrap();
        let is_caught = caught & (1 << (signal.as_raw() - 1)) != 0;
        if is_caught && field("State:").starts_with('S') {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{text}");
        std::thread::yield_now();
    }
}

/// The exit code of a process that MUST end in time.
fn ends(mut child: Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.signal(), None, "tidied up, and not killed");
            return status.code();
        }
        if begun.elapsed() > PROMISED {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::yield_now();
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn fifo(place: &Place) -> String {
    let path = place.file("fifo");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path.to_str().unwrap().to_string()
}

#[test]
fn a_command_that_waits_for_a_fifo_is_ended() {
    let place = Place::new();
    let fifo = fifo(&place);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let words = ["image", "create", "x", "--file", &fifo];
        let child = spawn(place.command(GLANCE).args(words));
        wait_until_ready(&child, signal);
        kill_process(pid(&child), signal).unwrap();
        assert_eq!(ends(child), Some(130), "{signal:?}");
    }
    assert_eq!(place.glance(&["image", "list"]).text(), "\n");
}

#[test]
fn a_command_that_changes_nothing_is_ended_at_once() {
    let place = Place::new();
    // It accepts connections, and is silent.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut command = place.command(GLANCE);
    command
        .args([
            "--os-auth-type",
            "none",
            "--os-endpoint",
            &url,
            "image",
            "list",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let (mut request, _) = listener.accept().unwrap();
    request.read_exact(&mut [0; 4]).unwrap();
    kill_process(pid(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    // A command that needs time to end says so.
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "interrupted\n");
}

#[test]
fn a_save_that_waits_for_the_reader_of_a_fifo_is_ended() {
    let place = Place::new();
    place.image("x", b"some data");
    let fifo = fifo(&place);
    let child = spawn(
        place
            .command(GLANCE)
            .args(["image", "save", "x", "--file", &fifo]),
    );
    wait_until_ready(&child, Signal::TERM);
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(ends(child), Some(130));
}

#[test]
fn a_command_that_waits_for_a_lock_is_ended() {
    let place = Place::new();
    place.configure("[DEFAULT]\ndelayed_delete = true\n");
    place.image("x", b"some data");
    place.glance(&["image", "delete", "x"]).ok();
    place.glance(&["scrub"]).ok();
    let lock = std::fs::read_dir(place.data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(".lock"))
        .expect("the lock of the scrubber");
    let held = std::fs::File::options().write(true).open(lock).unwrap();
    held.lock().unwrap();
    let child = spawn(place.command(GLANCE).arg("scrub"));
    wait_until_ready(&child, Signal::TERM);
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(ends(child), Some(130));
}

#[test]
fn a_second_signal_ends_a_command_at_once() {
    let place = Place::new();
    let fifo = fifo(&place);
    let words = ["image", "create", "x", "--file", &fifo];
    let child = spawn(place.command(GLANCE).args(words));
    wait_until_ready(&child, Signal::INT);
    let begun = Instant::now();
    kill_process(pid(&child), Signal::INT).unwrap();
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(ends(child), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(3), "{begun:?}");
}

#[test]
fn a_signal_that_was_ignored_before_stays_ignored() {
    let place = Place::new();
    let fifo = fifo(&place);
    let script = format!("trap '' HUP; exec '{GLANCE}' image create x --file '{fifo}'");
    let child = spawn(place.command("/bin/sh").args(["-c", &script]));
    wait_until_ready(&child, Signal::TERM);
    kill_process(pid(&child), Signal::HUP).unwrap();
    // The data comes after the signal: a command that was ended would not take it.
    std::fs::write(&fifo, "some data").unwrap();
    assert_eq!(ends(child), Some(0));
    let words = ["image", "show", "x", "-f", "value", "-c", "status"];
    assert_eq!(place.glance(&words).ok(), "active\n");
}

#[test]
fn lines_of_standard_input_are_interrupted() {
    let place = Place::new();
    let link = place.file("openstack");
    std::os::unix::fs::symlink(GLANCE, &link).unwrap();
    let mut command = place.command(link.to_str().unwrap());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pipe = child.stdin.take();
    wait_until_ready(&child, Signal::INT);
    let begun = Instant::now();
    kill_process(pid(&child), Signal::INT).unwrap();
    assert_eq!(ends(child), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(3), "{begun:?}");
    drop(pipe);
}

#[test]
fn a_prompt_is_ended_at_once_and_leaves_the_terminal_as_it_was() {
    use std::io::{Read, Write};
    let place = Place::new();
    let login = "--os-auth-url http://127.0.0.1:1/v3 --os-username u --os-project-name p \
                 --os-user-domain-id default --os-project-domain-id default";
    let script = format!(
        "trap : INT; '{GLANCE}' {login} image-list; echo \"code=$?\"; \
         stty -a | tr -s ' ;' '\\n' | grep -x -e echo -e -echo"
    );
    let mut command = place.command("/usr/bin/timeout");
    command
        .args(["60", "/usr/bin/script", "-qec"])
        .arg(format!("/bin/sh -c '{}'", script.replace('\'', "'\\''")))
        .arg("/dev/null")
        .env_remove("GLANCE_DATA_DIR")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: no script");
        return;
    };
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&shown).contains("assword") {
        let read = screen.read(&mut byte).unwrap();
        assert_eq!(read, 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    let begun = Instant::now();
    keys.write_all(b"\x03").unwrap();
    screen.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(begun.elapsed() < Duration::from_secs(3), "{shown}");
    assert!(shown.contains("code=130"), "{shown}");
    assert!(shown.lines().any(|line| line.trim() == "echo"), "{shown}");
    child.wait().unwrap();
    drop(keys);
}

#[test]
fn a_create_that_waits_for_data_is_interrupted_once() {
    let place = Place::new();
    let mut command = place.command(GLANCE);
    command.args(["image-create", "--name", "slow"]);
    command.args(["--disk-format", "raw", "--container-format", "bare"]);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pipe = child.stdin.take();
    let begun = Instant::now();
    while files(&place.data().join("images")).is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1), "no upload began");
        std::thread::yield_now();
    }
    kill_process(pid(&child), Signal::INT).unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    drop(pipe);
    assert_eq!(run.code, 130, "{}", run.stderr);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines[0], "interrupted");
    assert!(
        lines[1].starts_with("Hint: The image stays queued."),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn watching_and_waiting_end_at_once() {
    let place = Place::new();
    let id = place.image("a", b"content");
    for words in [
        &["--watch", "image-list"][..],
        &["image-show", &id, "--wait-for", "deleted"],
    ] {
        let mut command = place.command(GLANCE);
        command
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // It sleeps once it has opened the database, and handles signals from before that.
        let begun = Instant::now();
        let database = place.data().join("glance.db");
        let descriptors = std::path::PathBuf::from(format!("/proc/{}/fd", child.id()));
        let opened = || {
            let entries = std::fs::read_dir(&descriptors).unwrap();
            entries
                .flatten()
                .any(|entry| std::fs::read_link(entry.path()).ok() == Some(database.clone()))
        };
        while !opened() {
            assert!(begun.elapsed() < Duration::from_mins(1), "{words:?}");
            std::thread::yield_now();
        }
        let begun = Instant::now();
        kill_process(pid(&child), Signal::INT).unwrap();
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!(run.code, 130, "{words:?}: {}", run.stderr);
        // The grace period of what cannot be stopped is four seconds.
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{words:?}: {:?}",
            begun.elapsed()
        );
    }
}
