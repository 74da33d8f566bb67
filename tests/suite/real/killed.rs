//! Commands that are killed at random moments, on a store of any kind.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{GLANCE, Place, Random};

/// The time after which a service has forgotten a dead client, and a little for a machine that is busy.
const FORGOTTEN: Duration = Duration::from_mins(2);

/// The number of commands that are killed: `usual`, or 240 with `GLANCE_TEST_THOROUGH`.
fn kills(usual: u64) -> u64 {
    if std::env::var_os("GLANCE_TEST_THOROUGH").is_some() {
        240
    } else {
        usual
    }
}

/// Starts a command; `input` is piped in.
pub fn spawn(place: &Place, words: &[&str], input: Option<&[u8]>) -> Child {
    let mut command = place.command(GLANCE);
    command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        let mut pipe = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The process may be killed before it has read all.
        std::thread::spawn(move || pipe.write_all(&input));
    }
    child
}

/// Runs the next command, whatever it is, until nothing of an interrupted one is left: a service may take half a minute to
/// forget a process that was killed while it removed an image, which is in use until then.
fn wait_until_clear(place: &Place) {
    let end = Instant::now() + FORGOTTEN;
    loop {
        let run = place.glance(&["image-list"]);
        if run.stderr.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{}", run.stderr);
    }
}

/// Kills commands of a deployment, `usual` of them, which store, delete and read `length` bytes. Calls `assert_agree` after
/// every eighth and the command that follows it.
pub fn assert_nothing_is_lost_or_left(
    place: &Place,
    usual: u64,
    length: usize,
    assert_agree: impl Fn(&Place),
) {
    let mut random = Random::new(11);
    let content = random.bytes(length);
    let file = place.write("a.img", &content);
    let file = file.to_str().unwrap();
    let saved = place.file("saved.img");
    let saved = saved.to_str().unwrap();
    // How long a whole command takes: the moments shall cover all of it.
    let began = Instant::now();
    let kept = place.image("kept", &content);
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap() * 5 / 4;
    for round in 0..kills(usual) {
        let create = ["image", "create", "new", "--disk-format", "raw"];
        let mut child = match round % 4 {
            0 => spawn(place, &[&create[..], &["--file", file]].concat(), None),
            1 => spawn(place, &create, Some(&content)),
            2 => {
                wait_until_clear(place);
                let gone = place.image("gone", &content[..5_000_000]);
                spawn(place, &["image-delete", &gone], None)
            }
            _ => spawn(place, &["image-download", "--file", saved, &kept], None),
        };
        std::thread::sleep(Duration::from_micros(random.below(whole)));
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 8 == 7 {
            wait_until_clear(place);
            assert_agree(place);
            // The images of this part only take space.
            let all = place
                .glance(&["image", "list", "-f", "value", "-c", "ID"])
                .ok();
            let others: Vec<&str> = all.split_whitespace().filter(|id| *id != kept).collect();
            if !others.is_empty() {
                place
                    .glance(&[&["image-delete"], &others[..]].concat())
                    .ok();
            }
        }
    }
    place
        .glance(&["image-download", "--file", saved, &kept])
        .ok();
    assert!(std::fs::read(saved).unwrap() == content);
}
