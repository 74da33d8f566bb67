//! What is removed, what is not, and what is said of it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{Delayed, LONG_AGO, SCRUBBER};
use crate::support::glance::{Server, aim};
use crate::support::{GLANCE, Place, Run};

/// The lines of the log without times and process.
fn logged(stderr: &str) -> Vec<&str> {
    let told = |line: &'_ str| line.find(" [-] ").map(|at| at + 5);
    stderr
        .lines()
        .map(|line| &line[told(line).unwrap_or_else(|| panic!("no line of a log: {line}"))..])
        .collect()
}

#[test]
fn what_was_deleted_goes_with_its_data() {
    for place in Delayed::on_each("") {
        let kept = place.image("kept", b"kept");
        let gone = [place.deleted("a", b"12345"), place.deleted("b", b"678")];
        assert!(place.stored().contains(&gone[0]));
        let run = place.scrubber(&[]);
        assert_eq!((run.code, run.text().as_str()), (0, ""));
        assert_eq!(
            logged(&run.stderr),
            ["Scrubbed 2 image(s), 2 location(s), 8 byte(s)."]
        );
        assert!(
            run.stderr.contains(" INFO glance.scrubber [-] "),
            "{}",
            run.stderr
        );
        assert_eq!(place.stored(), [kept.clone()].into());
        for id in &gone {
            assert_eq!(place.status(id), "deleted");
            assert_eq!(place.locations(id), "deleted");
        }
        assert_eq!(place.status(&kept), "active");
        // With nothing to do there is nothing to say.
        assert_eq!(place.scrubber(&[]).ok(), "");
    }
}

#[test]
fn data_stays_for_as_long_as_scrub_time_says() {
    let place = Delayed::configured("scrub_time = 3600\n");
    let id = place.deleted("a", b"data");
    assert_eq!(place.scrubber(&[]).ok(), "");
    assert_eq!(place.status(&id), "pending_delete");
    place.sql("UPDATE images SET deleted_at = datetime('now', '-3500 seconds') || '.000000'");
    assert_eq!(place.scrubber(&[]).ok(), "");
    place.sql("UPDATE images SET deleted_at = datetime('now', '-3601 seconds') || '.000000'");
    assert_eq!(place.scrubber(&[]).code, 0);
    assert_eq!(place.status(&id), "deleted");
    assert!(place.stored().is_empty());
}

#[test]
fn what_a_record_names_still_is_not_removed() {
    for place in Delayed::on_each("scrub_time = 3600\n") {
        let (alive, later) = (
            place.image("alive", b"alive"),
            place.deleted("later", b"later"),
        );
        let ids = place.waiting(1..4);
        // One names the data of an image that is alive, one that of an image that may be taken back, and one
        // data that it was given anew.
        let address = |id: &str| format!("file://{}", place.images().join(id).display());
        for (id, other) in [(&ids[0], &alive), (&ids[1], &later)] {
            place.sql(&format!(
                "UPDATE image_locations SET value = '{}' WHERE image_id = '{id}'",
                address(other)
            ));
        }
        place.sql(&format!(
            "INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status) \
         VALUES ('{alive}', '{}', '{LONG_AGO}', 0, '{{}}', 'active')",
            address(&ids[2])
        ));
        let run = place.scrubber(&[]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(
            logged(&run.stderr),
            ["Scrubbed 3 image(s), 3 location(s), 0 byte(s)."]
        );
        let stored = place.stored();
        for id in [&alive, &later, &ids[2]] {
            assert!(stored.contains(id), "{stored:?}");
        }
        // The last one to name the data takes it along.
        place.sql(&format!(
            "UPDATE images SET deleted_at = '{LONG_AGO}' WHERE id = '{later}'"
        ));
        place.scrubber(&[]);
        assert!(!place.stored().contains(&later));
        assert!(place.stored().contains(&alive));
    }
}

#[test]
fn data_that_is_gone_counts_as_removed() {
    let place = Delayed::new();
    let id = place.deleted("a", b"data");
    fs::remove_file(place.images().join(&id)).unwrap();
    let run = place.scrubber(&[]);
    assert_eq!(
        logged(&run.stderr),
        ["Scrubbed 1 image(s), 1 location(s), 0 byte(s)."]
    );
    assert_eq!(place.status(&id), "deleted");
}

#[test]
fn metadata_that_nobody_can_read_keeps_nothing() {
    let place = Delayed::new();
    let ids = ["a", "b"].map(|name| place.deleted(name, b"data"));
    place.sql(&format!(
        "update image_locations set meta_data = 'not json' where image_id = '{}'",
        ids[0]
    ));
    let run = place.scrubber(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for id in &ids {
        assert_eq!(place.status(id), "deleted");
        assert!(!place.stored().contains(id));
    }
}

#[test]
fn what_cannot_be_removed_is_told_and_tried_again() {
    let place = Delayed::new();
    place.image("first", b"to make the directories");
    let ids = place.waiting(0..5);
    let moved = place.data().join("elsewhere");
    let at = |id: &str, url: &str| {
        place.sql(&format!(
            "UPDATE image_locations SET value = '{url}' WHERE image_id = '{id}'"
        ));
    };
    // A directory, a store that there is none of, one that is only read, and one that is not mounted.
    fs::remove_file(place.images().join(&ids[0])).unwrap();
    fs::create_dir(place.images().join(&ids[0])).unwrap();
    at(&ids[1], "swift+https://user:secret@host/container/object");
    at(&ids[2], "http://127.0.0.1:1/x");
    at(&ids[3], &format!("file://{}/{}", moved.display(), ids[3]));
    for round in 0..2 {
        let run = place.scrubber(&[]);
        assert_eq!(run.code, 1);
        let told = logged(&run.stderr);
        let why = [
            (&ids[0], "directory"),
            (&ids[1], "no store reads swift+https addresses"),
            (&ids[2], "store 'http' is read-only"),
            (&ids[3], "No such file or directory"),
        ];
        for (line, (id, why)) in told.iter().zip(why) {
            let begins = format!("the data of image {id} at ");
            assert!(line.starts_with(&begins), "{line}");
            assert!(
                line.contains("could not be removed; the next run tries again: "),
                "{line}"
            );
            assert!(line.contains(why), "{line}");
            assert_eq!(place.status(id), "pending_delete");
            assert_eq!(place.locations(id), "pending_delete");
        }
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
        let scrubbed = usize::from(round == 0);
        assert_eq!(
            told[4],
            format!(
                "Scrubbed {scrubbed} image(s), {scrubbed} location(s), {} byte(s); \
                 4 location(s) could not be removed.",
                scrubbed * 4
            )
        );
        assert_eq!(place.status(&ids[4]), "deleted");
    }
    fs::remove_dir(place.images().join(&ids[0])).unwrap();
    fs::create_dir(&moved).unwrap();
    assert_eq!(place.scrubber(&[]).code, 1);
    assert_eq!(place.status(&ids[0]), "deleted");
    assert_eq!(
        place.status(&ids[3]),
        "pending_delete",
        "it may not be mounted"
    );
    fs::write(moved.join("of another image"), "").unwrap();
    assert_eq!(place.scrubber(&[]).code, 1);
    assert_eq!(place.status(&ids[3]), "deleted");
}

#[test]
fn of_an_image_whose_data_stays_in_part_the_rest_goes() {
    for place in Delayed::on_each("") {
        place.image("first", b"to make the directories");
        let ids = place.waiting(0..1);
        place.sql(&format!(
        "INSERT INTO image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, status) \
         VALUES ('{}', 'rbd://x', '{LONG_AGO}', '{LONG_AGO}', 1, '{{}}', 'pending_delete')",
        ids[0]
    ));
        let run = place.scrubber(&[]);
        assert_eq!(run.code, 1);
        assert!(
            run.stderr.contains(
                "Scrubbed 0 image(s), 1 location(s), 4 byte(s); 1 location(s) could not be removed."
            ),
            "{}",
            run.stderr
        );
        assert_eq!(place.status(&ids[0]), "pending_delete");
        assert_eq!(place.locations(&ids[0]), "deleted,pending_delete");
    }
}

#[test]
fn many_batches_go_whatever_the_size_of_the_pool() {
    for pool in [1, 7, 5000] {
        for place in Delayed::on_each(&format!("scrub_pool_size = {pool}\n")) {
            let kept = place.image("kept", b"kept");
            place.waiting(0..2345);
            let run = place.scrubber(&[]);
            assert_eq!(run.code, 0);
            assert_eq!(
                logged(&run.stderr),
                ["Scrubbed 2345 image(s), 2345 location(s), 9380 byte(s)."]
            );
            assert_eq!(place.stored(), [kept].into());
            let left = place.number("SELECT count(*) FROM images WHERE status = 'pending_delete'");
            assert_eq!(left, 0);
        }
    }
}

#[test]
fn an_image_of_which_only_the_record_is_left_becomes_deleted() {
    for place in Delayed::on_each("") {
        let id = place.deleted("a", b"data");
        // As a scrubber leaves it that dies behind the last of its locations.
        place.sql("UPDATE image_locations SET status = 'deleted'");
        fs::remove_file(place.images().join(&id)).unwrap();
        place.scrubber(&[]);
        assert_eq!(place.status(&id), "deleted");
    }
}

const TWO_STORES: &str =
    "enabled_backends = fast:file, slow:file\n[glance_store]\ndefault_backend = fast\n";

/// An image with a copy in each of two stores, of which one was taken off.
fn with_stray(place: &Delayed) -> String {
    let id = place.image("a", b"data");
    let words = [
        "image-import",
        "--import-method",
        "copy-image",
        "--stores",
        "slow",
        &id,
    ];
    assert_eq!(place.glance(&words).code, 0);
    place
        .glance(&["stores-delete", "--store", "fast", &id])
        .ok();
    assert_eq!(place.locations(&id), "pending_delete,active");
    id
}

#[test]
fn what_was_taken_off_an_image_that_is_alive_goes_too() {
    for place in Delayed::on_each(TWO_STORES) {
        let id = with_stray(&place);
        assert!(place.stored().contains(&id));
        let run = place.scrubber(&[]);
        assert_eq!(
            logged(&run.stderr),
            ["Scrubbed 0 image(s), 1 location(s), 4 byte(s)."]
        );
        assert!(!place.stored().contains(&id));
        assert_eq!(place.locations(&id), "deleted,active");
        assert_eq!(place.status(&id), "active");
        place.glance(&["image-download", "--file", "out", &id]).ok();
        assert_eq!(fs::read(place.file("out")).unwrap(), b"data");
    }
}

#[test]
fn what_was_written_where_a_location_was_is_not_removed() {
    for place in Delayed::on_each(TWO_STORES) {
        let id = with_stray(&place);
        // Another one has removed the data and died; then it was stored again, and will be recorded next.
        place.sql(&format!(
            "UPDATE image_locations SET deleted_at = '{LONG_AGO}' WHERE status = 'pending_delete'"
        ));
        let run = place.scrubber(&[]);
        assert_eq!(run.code, 1);
        assert!(
            run.stderr
                .contains("was written after the location was deleted"),
            "{}",
            run.stderr
        );
        assert!(place.stored().contains(&id));
    }
}

#[test]
fn an_active_image_whose_only_data_waits_is_left_alone() {
    for place in Delayed::on_each("") {
        let id = place.deleted("a", b"data");
        // As the real scrubber takes an image back.
        place.sql("UPDATE images SET status = 'active', deleted = 0");
        for _ in 0..2 {
            let run = place.scrubber(&[]);
            assert_eq!(run.code, 0);
            assert_eq!(
                logged(&run.stderr),
                [format!(
                    "image {id} is active, and all its data is pending deletion; the data is not removed. \
                 Run \"glance-scrubber --restore {id}\" to restore the image."
                )]
            );
            assert_eq!(place.stored(), [id.clone()].into());
        }
        place.scrubber(&["--restore", &id]).ok();
        assert_eq!(place.locations(&id), "active");
        assert_eq!(place.scrubber(&[]).ok(), "");
        place.glance(&["image-download", "--file", "out", &id]).ok();
    }
}

#[test]
fn dry_runs_change_nothing_and_say_what_would_be_done() {
    let place = Delayed::new();
    let ids = [place.deleted("a", b"12345"), place.deleted("b", b"")];
    let mut expected: Vec<String> = [(&ids[0], 5), (&ids[1], 0)]
        .iter()
        .map(|(id, size)| format!("Would scrub image {id}, {size} byte(s)."))
        .collect();
    expected.sort();
    expected.push("Would scrub 2 image(s), 2 location(s), 5 byte(s).".to_string());
    for said in [
        place.scrubber(&["--dry-run"]).ok(),
        place.glance(&["scrub", "--dry-run"]).ok(),
    ] {
        let mut said: Vec<&str> = said.lines().collect();
        // In which order images go is not said.
        said[..2].sort_unstable();
        assert_eq!(said, expected);
    }
    let would: Value =
        serde_json::from_str(&place.scrubber(&["--dry-run", "-f", "json"]).ok()).unwrap();
    let mut what = json!({"dry_run": true, "images": 2, "locations": 2, "bytes": 5, "failures": 0,
        "stopped": false});
    assert_eq!(would, what);
    for id in &ids {
        assert_eq!(place.status(id), "pending_delete");
        assert!(place.stored().contains(id));
    }
    // What was said is what is done.
    what["dry_run"] = json!(false);
    let done = place.glance(&["--format", "json", "scrub"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&done).unwrap(), what);
    assert_eq!(
        place.glance(&["scrub"]).ok(),
        "Scrubbed 0 image(s), 0 location(s), 0 byte(s).\n"
    );
}

#[test]
fn scrubbing_is_for_administrators_of_the_deployment_itself() {
    let place = Delayed::new();
    place.deleted("a", b"data");
    for words in [&["scrub"][..], &["scrub", "--restore", "x"]] {
        let mut words = words.to_vec();
        words.extend(["--as", "acme:member"]);
        let told = place.glance(&words).fails(1);
        assert!(told.contains("only administrators may scrub"), "{told}");
    }
    let server = Server::start();
    let mut command: Command = place.command(GLANCE);
    aim(command.arg("scrub"), &server.url());
    let told = Run::of(command.output().unwrap()).fails(1);
    assert_eq!(
        told,
        "scrubbing requires a local deployment, not a cloud\n\
         Hint: Select the deployment with --config-file or --data-dir on a host of the service.\n"
    );
    assert!(server.lines().is_empty());
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let place = Delayed::new();
    place.image("a", b"data");
    let told = place.scrubber(&["--restore", "x", "--daemon"]).fails(1);
    assert!(
        told.starts_with("ERROR: The restore and daemon options"),
        "{told}"
    );
    place.scrubber(&["--dry-run", "--daemon"]).fails(2);
    place.scrubber(&["--dry-run", "--restore", "x"]).fails(2);
    place.scrubber(&["-f", "pdf"]).fails(2);
    place.configure("[DEFAULT]\ndaemon = true\n");
    let told = place.scrubber(&["--restore", "x"]).fails(1);
    assert!(
        told.starts_with("ERROR: The restore and daemon options"),
        "{told}"
    );
    let told = place.scrubber(&["--restore", "x", "--nodaemon"]).fails(1);
    assert_eq!(told, "ERROR: No image found with ID x\n");
}

#[test]
fn a_scrubber_makes_no_deployment() {
    let place = Place::new();
    let scrub = |words: &[&str]| Run::of(place.command(SCRUBBER).args(words).output().unwrap());
    for words in [&[][..], &["--dry-run"], &["--restore", "x"]] {
        let told = scrub(words).fails(1);
        assert!(told.contains("does not exist"), "{told}");
    }
    assert!(!place.data().exists());
}

#[test]
fn what_root_locks_the_owner_of_the_database_can_lock_later() {
    use std::os::unix::fs::{MetadataExt, chown};
    let place = Delayed::new();
    place.deleted("a", b"data");
    // The tests run as root; whoever is not cannot give files away.
    if chown(place.data().join("glance.db"), Some(65534), Some(65534)).is_err() {
        return;
    }
    assert_eq!(place.scrubber(&[]).code, 0);
    let lock = fs::metadata(place.data().join(".glance.db.scrub.lock")).unwrap();
    assert_eq!((lock.uid(), lock.gid()), (65534, 65534));
}
