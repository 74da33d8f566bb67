//! A scrubber that keeps running.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Delayed;
use crate::support::{Run, files};

fn start(place: &Delayed) -> Child {
    let mut command = place.spawnable(&["--daemon"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn tell(child: &Child, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

#[test]
fn a_daemon_scrubs_again_and_again_until_it_is_told_to_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Delayed::configured("wakeup_time = 1\n");
        place.deleted("a", b"12345");
        let daemon = start(&place);
        while !place.stored().is_empty() {
            std::thread::yield_now();
        }
        let name = std::fs::read_to_string(format!("/proc/{}/comm", daemon.id()));
        assert_eq!(name.unwrap(), "glance-scrubber\n");
        let id = place.deleted("b", b"678");
        while place.status(&id) != "deleted" {
            std::thread::yield_now();
        }
        tell(&daemon, signal);
        let run = Run::of(daemon.wait_with_output().unwrap());
        assert_eq!((run.code, run.text().as_str()), (0, ""), "{}", run.stderr);
        // A line a run that did something.
        let told: Vec<&str> = run
            .stderr
            .lines()
            .filter_map(|line| line.split(" [-] ").nth(1))
            .collect();
        assert_eq!(
            told,
            [
                "Scrubbed 1 image(s), 1 location(s), 5 byte(s).",
                "Scrubbed 1 image(s), 1 location(s), 3 byte(s)."
            ]
        );
    }
}

#[test]
fn a_daemon_is_told_so_by_the_configuration_as_well() {
    let place = Delayed::configured("daemon = true\nwakeup_time = 3600\n");
    place.deleted("a", b"12345");
    let mut command = place.spawnable(&[]);
    let daemon = command.stderr(Stdio::piped()).spawn().unwrap();
    while !place.stored().is_empty() {
        std::thread::yield_now();
    }
    // It waits for an hour now, and does not for this.
    tell(&daemon, Signal::TERM);
    assert_eq!(daemon.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(place.scrubber(&["--nodaemon"]).ok(), "");
}

#[test]
fn a_daemon_lives_on_when_a_run_fails() {
    let place = Delayed::configured("wakeup_time = 1\n");
    place.deleted("a", b"12345");
    let (database, away) = (place.data().join("glance.db"), place.data().join("away.db"));
    std::fs::rename(&database, &away).unwrap();
    std::fs::create_dir(&database).unwrap();
    let mut daemon = start(&place);
    let mut told = String::new();
    let mut lines = std::io::BufReader::new(daemon.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut told).unwrap();
    assert!(told.contains(" ERROR glance.scrubber [-] "), "{told}");
    std::fs::remove_dir(&database).unwrap();
    std::fs::rename(&away, &database).unwrap();
    while !files(&place.images()).is_empty() {
        std::thread::yield_now();
    }
    tell(&daemon, Signal::TERM);
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}
