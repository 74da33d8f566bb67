//! Files that hold other bytes than their size says, and files that change while they are read.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{GLANCE, Place, Run, assert_consistent, block_on};

/// A file whose size is 0, though it is not empty.
const FILE: &str = "/proc/version";

fn shown(place: &Place, id: &str) -> Value {
    let words = ["image", "show", id, "-f", "json"];
    serde_json::from_str(&place.glance(&words).ok()).unwrap()
}

fn create(name: &str) -> [&str; 9] {
    [
        "--format",
        "json",
        "image-create",
        "--name",
        name,
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
    ]
}

/// A queued image; its id.
fn queued(place: &Place) -> String {
    let said = place.glance(&create("queued")).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    said["id"].as_str().unwrap().to_string()
}

#[test]
fn a_file_whose_size_the_system_does_not_know_becomes_a_whole_image() {
    let place = Place::new();
    let content = std::fs::read(FILE).unwrap();
    let saved = |id: &str| {
        assert_eq!(shown(&place, id)["status"], "active");
        assert_eq!(shown(&place, id)["size"], content.len());
        place.glance(&["image-download", "--file", "out", id]).ok();
        assert_eq!(std::fs::read(place.file("out")).unwrap(), content, "{id}");
    };
    let words = [
        "image", "create", "second", "--file", FILE, "-f", "value", "-c", "id",
    ];
    saved(place.glance(&words).ok().trim());
    let said = place
        .glance(&[&create("first")[..], &["--file", FILE]].concat())
        .ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    saved(said["id"].as_str().unwrap());

    let mut command = place.command(GLANCE);
    command
        .args(["image", "create", "redirected", "-f", "value", "-c", "id"])
        .stdin(File::open(FILE).unwrap());
    saved(Run::of(command.output().unwrap()).ok().trim());

    let id = queued(&place);
    place.glance(&["image-upload", "--file", FILE, &id]).ok();
    saved(&id);

    let id = queued(&place);
    place.glance(&["image-stage", "--file", FILE, &id]).ok();
    let staged = place.data().join("staging").join(&id);
    assert_eq!(std::fs::read(staged).unwrap(), content);
    let import = ["image-import", "--import-method", "glance-direct", &id];
    assert_eq!(place.glance(&import).code, 0);
    saved(&id);
    block_on(assert_consistent(&place));
}

/// Runs `work` while a file grows.
fn while_it_grows<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    std::fs::write(path, vec![b'x'; 4_000_000]).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(path).unwrap();
            while !ended.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
            }
        });
        let done = work();
        ended.store(true, Ordering::Relaxed);
        done
    })
}

/// Runs `work` beside a growing file until it was refused: on a busy machine the file may stay as it is for as long
/// as it is read, and is a whole image then.
fn refused_while_it_grows(place: &Place, path: &Path, work: impl Fn() -> Run) {
    for _ in 0..50 {
        let run = while_it_grows(path, &work);
        if run.code == 0 {
            block_on(assert_consistent(place));
            continue;
        }
        let told = run.fails(1);
        assert!(told.contains("changed while it was read"), "{told}");
        block_on(assert_consistent(place));
        return;
    }
    panic!("{} never changed while it was read", path.display());
}

#[test]
fn a_file_that_grows_while_it_is_read_becomes_no_image() {
    let place = Place::new();
    let path = place.file("grows");
    let file = path.to_str().unwrap();
    let second = ["image", "create", "second", "--file", file];
    refused_while_it_grows(&place, &path, || place.glance(&second));
    let first = [&create("first")[..], &["--file", file]].concat();
    refused_while_it_grows(&place, &path, || place.glance(&first));
    let to_new = |command: &str| place.glance(&[command, "--file", file, &queued(&place)]);
    refused_while_it_grows(&place, &path, || to_new("image-upload"));
    let staging = Place::new();
    let stage = || staging.glance(&["image-stage", "--file", file, &queued(&staging)]);
    let mut run = while_it_grows(&path, stage);
    for _ in 0..50 {
        if run.code != 0 {
            break;
        }
        run = while_it_grows(&path, stage);
    }
    let told = run.fails(1);
    assert!(told.contains("changed while it was read"), "{told}");
    // From the middle, as a shell's `read` leaves it.
    let from_the_middle = || {
        let mut command = place.command("/bin/sh");
        let script = "exec <\"$1\"; head -c 1 >/dev/null; exec \"$0\" image create middle";
        command.args(["-c", script, GLANCE, file]);
        Run::of(command.output().unwrap())
    };
    refused_while_it_grows(&place, &path, from_the_middle);
    // It is taken once it is left alone.
    place.glance(&second).ok();
    block_on(assert_consistent(&place));
}
