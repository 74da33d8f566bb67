//! Processes killed at random moments leave nothing that the next command does not clear.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{GLANCE, Place, Random, assert_consistent, block_on, files};

/// How many processes are killed.
const KILLS: u64 = 500;

/// Starts a command.
fn spawn(place: &Place, words: &[&str]) -> Child {
    let mut command = place.command(GLANCE);
    command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a process after up to `most` microseconds, if it is still there.
fn kill_within(random: &mut Random, mut child: Child, most: u64) {
    // The moment is what is random here; nothing waits for anything.
    std::thread::sleep(Duration::from_micros(random.below(most)));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn killed_commands_lose_nothing_and_leave_nothing() {
    kill_commands(&Place::new(), KILLS);
}

#[test]
fn commands_killed_on_mariadb_lose_nothing_and_leave_nothing() {
    kill_commands(&block_on(Place::on_mariadb()), KILLS / 4);
}

fn kill_commands(place: &Place, kills: u64) {
    let mut random = Random::new(7);
    let content = random.bytes(3_000_000);
    let file = place.write("a.img", &content);
    let file = file.to_str().unwrap();
    let saved = place.file("saved.img");
    let saved = saved.to_str().unwrap();
    // How long a whole command takes: the moments shall cover all of it.
    let began = std::time::Instant::now();
    let kept = place.image("kept", &content);
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap() * 5 / 4;

    for round in 0..kills {
        match round % 5 {
            0 | 1 => {
                let words = [
                    "image",
                    "create",
                    "new",
                    "--file",
                    file,
                    "--disk-format",
                    "raw",
                ];
                kill_within(&mut random, spawn(place, &words), whole);
            }
            2 => {
                let queued = place
                    .glance(&["image", "create", "queued", "-f", "value", "-c", "id"])
                    .ok();
                let words = ["image-upload", "--file", file, queued.trim()];
                kill_within(&mut random, spawn(place, &words), whole);
            }
            3 => {
                let doomed = place.image("doomed", b"doomed");
                kill_within(
                    &mut random,
                    spawn(place, &["image-delete", &doomed]),
                    whole / 3,
                );
            }
            _ => {
                if round % 2 == 0 {
                    std::fs::write(saved, "what was there before").unwrap();
                } else {
                    let _ = std::fs::remove_file(saved);
                }
                kill_within(
                    &mut random,
                    spawn(place, &["image-download", "--file", saved, &kept]),
                    whole,
                );
                match std::fs::read(saved) {
                    Ok(bytes) => assert!(
                        bytes == content || bytes == b"what was there before",
                        "round {round}"
                    ),
                    Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::NotFound),
                }
            }
        }
        if round % 25 == 24 {
            // The next command, whatever it is.
            place.glance(&["image-list"]).ok();
            block_on(assert_consistent(place));
        }
    }
    place
        .glance(&["image-download", "--file", saved, &kept])
        .ok();
    assert!(std::fs::read(saved).unwrap() == content);
    let left = files(&place.file(""));
    assert_eq!(
        left.into_iter().collect::<Vec<_>>(),
        ["a.img", "saved.img"],
        "nothing is left of killed downloads"
    );
}

#[test]
fn an_interrupted_upload_leaves_a_queued_image() {
    use std::io::Write;
    let place = Place::new();
    let id = place
        .glance(&["image", "create", "slow", "-f", "value", "-c", "id"])
        .ok()
        .trim()
        .to_string();
    let mut command = place.command(GLANCE);
    command
        .args(["image-upload", &id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Data goes on until the program wants no more of it.
    let mut pipe = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let block = vec![7_u8; 1 << 20];
        for _ in 0..4096 {
            if pipe.write_all(&block).is_err() {
                return;
            }
        }
        panic!("the upload was not interrupted");
    });
    while files(&place.data().join("images")).is_empty() {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let status = place
        .glance(&["image", "show", "slow", "-f", "value", "-c", "status"])
        .ok();
    assert_eq!(status.trim(), "queued");
    block_on(assert_consistent(&place));
}
