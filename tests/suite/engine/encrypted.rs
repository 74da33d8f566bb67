//! Deployments that encrypt the addresses of data in their database.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use glance_tools::service::Images;
use serde_json::Value;

use crate::support::realcloud::is_quick_run;
use crate::support::{Place, Run, assert_consistent, block_on, files};

const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

const KEY: &str = "0123456789abcdef";
const OTHER_KEY: &str = "the other key, of 32 bytes, as x";

/// Configures a place with a key, and `more` options of the section `[DEFAULT]`.
fn configure(place: &Place, key: &str, more: &str) {
    place.configure(&format!(
        "[DEFAULT]\nmetadata_encryption_key = {key}\n{more}\n"
    ));
}

/// Returns a place on each database with a key, and `more` options; in quick runs one on SQLite alone.
fn on_each(more: &str) -> Vec<Place> {
    let mut places = vec![Place::new()];
    if !is_quick_run() {
        places.push(block_on(Place::on_mariadb()));
    }
    for place in &places {
        configure(place, KEY, more);
    }
    places
}

/// Returns the first column of a query's rows.
fn texts(place: &Place, query: &str) -> Vec<String> {
    if let Some(schema) = place.schema() {
        return block_on(schema.texts(query));
    }
    let database = rusqlite::Connection::open(place.data().join("glance.db")).unwrap();
    let mut query = database.prepare(query).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Returns the stored addresses of an image.
fn stored(place: &Place, id: &str) -> Vec<String> {
    texts(
        place,
        &format!("SELECT value FROM image_locations WHERE image_id = '{id}' ORDER BY id"),
    )
}

fn data_of(place: &Place, id: &str) -> PathBuf {
    place.data().join("images").join(id)
}

fn shown(place: &Place, id: &str) -> Value {
    let words = ["--format", "json", "image-show", id];
    serde_json::from_str(&place.glance(&words).ok()).unwrap()
}

fn scrub(place: &Place, words: &[&str]) -> Run {
    Run::of(place.command(SCRUBBER).args(words).output().unwrap())
}

/// Returns the one line of a command that failed because of the key of an image, and checks that it shows no key.
#[track_caller]
fn told(run: Run, id: &str) -> String {
    let told = run.fails(1);
    assert!(told.contains(id), "{told}");
    let why = "cannot be decrypted with metadata_encryption_key";
    assert_eq!(told.matches(why).count(), 1, "{told}");
    assert!(!told.contains(KEY) && !told.contains(OTHER_KEY), "{told}");
    told
}

#[test]
fn addresses_are_encrypted_in_the_database_alone() {
    for place in on_each("show_image_direct_url = true\nshow_multiple_locations = true") {
        let id = place.image("a", b"data");
        let address = format!("file://{}", data_of(&place, &id).display());
        let [value] = &stored(&place, &id)[..] else {
            panic!("an image in one store")
        };
        assert!(!value.contains(':') && value.len() > 40, "{value}");
        let image = shown(&place, &id);
        assert_eq!(image["direct_url"], address.as_str());
        assert!(image["locations"].to_string().contains(&address));
        // A change of the record leaves the location as it is.
        place.glance(&["image", "set", &id, "--name", "b"]).ok();
        assert_eq!(stored(&place, &id), [value.as_str()]);
        assert_eq!(place.glance(&["image", "save", &id]).ok(), "data");
        place.glance(&["doctor"]).ok();
        place.glance(&["image", "delete", &id]).ok();
        assert!(!data_of(&place, &id).exists());
        assert_eq!(stored(&place, &id), [value.as_str()]);
    }
}

#[test]
fn an_image_from_before_the_key_is_used_and_deleted() {
    for place in on_each("show_multiple_locations = true") {
        configure(&place, "", "show_multiple_locations = true");
        let old = place.image("old", b"old");
        assert!(stored(&place, &old)[0].starts_with("file://"));
        configure(&place, KEY, "show_multiple_locations = true");
        let new = place.image("new", b"new");
        for (id, content) in [(&old, "old"), (&new, "new")] {
            assert_eq!(place.glance(&["image", "save", id]).ok(), content);
            place.glance(&["image", "delete", id]).ok();
            assert!(!data_of(&place, id).exists());
        }
    }
}

#[test]
fn data_that_another_encrypted_address_names_stays() {
    for place in on_each("show_multiple_locations = true") {
        let (one, two) = (place.image("one", b"same"), place.image("two", b"same"));
        // A second reference to the data of the first image, as another program may record it.
        let value = &stored(&place, &one)[0];
        let statement =
            format!("UPDATE image_locations SET value = '{value}' WHERE image_id = '{two}'");
        match place.schema() {
            Some(schema) => block_on(schema.run(&statement)),
            None => rusqlite::Connection::open(place.data().join("glance.db"))
                .unwrap()
                .execute_batch(&statement)
                .unwrap(),
        }
        place.glance(&["image", "delete", &one]).ok();
        assert_eq!(fs::read(data_of(&place, &one)).unwrap(), b"same");
        assert_eq!(place.glance(&["image", "save", &two]).ok(), "same");
        // The plans of the statements are checked in this process.
        block_on(async { place.open().await.delete_image(&two).await.unwrap() });
        assert!(!data_of(&place, &one).exists());
    }
}

#[test]
fn another_key_fails_for_its_images_and_removes_nothing() {
    for place in on_each("") {
        let id = place.image("a", b"data");
        configure(&place, OTHER_KEY, "");
        let other = place.image("b", b"other");
        for words in [
            &["image", "save", &id][..],
            &["image", "show", &id],
            &["image", "set", &id, "--name", "c"],
            &["image", "delete", &id],
            &["image-list", "--include-stores"],
        ] {
            told(place.glance(words), &id);
        }
        assert!(place.glance(&["image-list"]).ok().contains(&id));
        told(place.glance(&["image", "delete", &id, &other]), &id);
        assert!(!data_of(&place, &other).exists());
        let doctor = place.glance(&["doctor"]);
        assert!(doctor.text().contains("cannot be decrypted"), "{doctor:?}");
        configure(&place, KEY, "");
        assert_eq!(place.glance(&["image", "save", &id]).ok(), "data");
        place.glance(&["image", "delete", &id]).ok();
        assert!(files(&place.data().join("images")).is_empty());
    }
}

#[test]
fn a_missing_key_is_named() {
    let place = Place::new();
    configure(&place, KEY, "");
    let id = place.image("a", b"data");
    configure(&place, "", "");
    let line = place.glance(&["image", "delete", &id]).fails(1);
    assert!(
        line.contains("is encrypted, and metadata_encryption_key is not set"),
        "{line}"
    );
    assert!(data_of(&place, &id).exists());
}

#[test]
fn a_key_of_another_length_is_refused_where_an_address_is_needed() {
    let place = Place::new();
    let id = place.image("a", b"data");
    configure(&place, "fifteen letters", "");
    place.glance(&["image-list"]).ok();
    place
        .glance(&["image", "create", "empty", "--disk-format", "raw"])
        .ok();
    for words in [
        &["image", "show", &id][..],
        &["image", "delete", &id],
        &["image", "create", "b", "--file", "/etc/hostname"],
    ] {
        let line = place.glance(words).fails(1);
        assert!(
            line.contains(
                "glance-api.conf:2: [DEFAULT] metadata_encryption_key: the key has 15 bytes instead of 16, 24 or 32"
            ),
            "{line}"
        );
        assert!(!line.contains("fifteen letters"), "{line}");
    }
    assert_eq!(files(&place.data().join("images")), [id].into());
}

#[test]
fn a_scrub_skips_images_of_another_key() {
    for place in on_each("delayed_delete = true") {
        let one = place.image("one", b"one");
        configure(&place, OTHER_KEY, "delayed_delete = true");
        let two = place.image("two", b"two");
        configure(&place, KEY, "delayed_delete = true");
        place.glance(&["image", "delete", &one]).ok();
        configure(&place, OTHER_KEY, "delayed_delete = true");
        place.glance(&["image", "delete", &two]).ok();
        told(scrub(&place, &["--restore", &one]), &one);
        told(scrub(&place, &["--dry-run"]), &one);
        let line = told(scrub(&place, &[]), &one);
        assert!(!line.contains(&two), "{line}");
        assert_eq!(files(&place.data().join("images")), [one.clone()].into());
        configure(&place, KEY, "delayed_delete = true");
        assert_eq!(scrub(&place, &["--restore", &one]).code, 0);
        assert_eq!(place.glance(&["image", "save", &one]).ok(), "one");
        place.glance(&["image", "delete", &one]).ok();
        assert_eq!(scrub(&place, &[]).code, 0);
        assert!(files(&place.data().join("images")).is_empty());
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_killed_deletion_is_finished_with_the_key_and_not_with_another() {
    use crate::support::GLANCE;
    use crate::support::tracer::{End, is_skipped, kill_before};
    if is_skipped() {
        return;
    }
    // With exposed locations, all addresses are read before data is removed.
    for more in ["", "show_multiple_locations = true"] {
        let place = Place::new();
        configure(&place, KEY, more);
        let kept = place.image("kept", b"kept");
        for number in 1.. {
            assert!(number < 2000);
            configure(&place, KEY, more);
            let id = place.image("gone", b"gone");
            let mut delete: Command = place.command(GLANCE);
            delete.args(["image", "delete", &id]);
            // Changes of files; the others leave what the call before them left.
            let (end, _) = kill_before(&delete, &place.data(), number, |call| {
                [
                    "write",
                    "pwrite64",
                    "fsync",
                    "fdatasync",
                    "unlink",
                    "unlinkat",
                    "renameat",
                ]
                .contains(&call.name)
            });
            if end != End::Killed {
                assert!(number > 3, "{number} calls");
                break;
            }
            configure(&place, OTHER_KEY, more);
            let before = files(&place.data().join("images"));
            place.glance(&["image-list"]);
            assert_eq!(files(&place.data().join("images")), before, "call {number}");
            configure(&place, KEY, more);
            place.glance(&["image-list"]).ok();
            block_on(assert_consistent(&place));
            assert_eq!(place.glance(&["image", "save", &kept]).ok(), "kept");
        }
    }
}
