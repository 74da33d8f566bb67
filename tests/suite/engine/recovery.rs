//! What failed half-way is undone by the same command or the next one, and nothing else goes with it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Place, assert_consistent, block_on, files};

/// Two stores, and locations that can be seen and removed.
const TWO_STORES: &str = "[DEFAULT]\nenabled_backends = fast:file, slow:file\nshow_multiple_locations = true\n\
     [glance_store]\ndefault_backend = fast\n[fast]\nfilesystem_store_datadir = images\n\
     [slow]\nfilesystem_store_datadir = images2\n";

fn place() -> Place {
    let place = Place::new();
    place.configure(TWO_STORES);
    place
}

/// Runs statements on the database.
fn sql(place: &Place, statements: &str) {
    let database = rusqlite::Connection::open(place.data().join("glance.db")).unwrap();
    database.execute_batch(statements).unwrap();
}

/// A field of an image.
fn shown(place: &Place, id: &str, field: &str) -> String {
    let printed = place.glance(&["--format", "json", "image-show", id]).ok();
    let image: Value = serde_json::from_str(&printed).unwrap();
    image[field].as_str().unwrap_or_default().to_string()
}

/// An image that waits for its import, with `content` staged.
fn staged(place: &Place, content: &[u8]) -> String {
    let words = [
        "image",
        "create",
        "staged",
        "--disk-format",
        "raw",
        "-f",
        "value",
        "-c",
        "id",
    ];
    let id = place.glance(&words).ok().trim().to_string();
    let file = place.write("staged.img", content);
    place
        .glance(&["image-stage", &id, "--file", file.to_str().unwrap()])
        .ok();
    id
}

/// Leaves an entry in the journal of a data directory, as a process does that crashes.
fn leave(place: &Place, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let journal = place.data().join(".journal");
    fs::create_dir_all(&journal).unwrap();
    let path = journal.join(name);
    fs::write(&path, content).unwrap();
    path
}

fn deletion(paths: &[&Path]) -> String {
    let datum =
        |path: &&Path| json!({"url": format!("file://{}", path.display()), "store": "file"});
    let data: Vec<_> = paths.iter().map(datum).collect();
    json!({"version": 2, "data": data}).to_string()
}

#[test]
fn journal_entries_remove_nothing_but_data_that_was_deleted() {
    let place = place();
    let images = place.data().join("images");
    let (kept, deleted) = (place.image("kept", b"kept"), place.image("deleted", b"x"));
    let secret = place.write("secret", "secret");
    let beside = images.join("beside");
    fs::write(&beside, "not an image").unwrap();
    place.glance(&["image-delete", &deleted]).ok();
    let stranger = "11111111-2222-4333-8444-555555555555";
    let link = place
        .data()
        .join(".journal")
        .join(format!("{stranger}.delete"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(&secret, &link).unwrap();
    let named = [
        &secret,
        &beside,
        &images.join(&kept),
        &place.data().join("glance.db"),
    ];
    for id in [&kept, &deleted, "beside", "..", "glance-api.conf"] {
        for path in named {
            leave(&place, &format!("{id}.delete"), deletion(&[path]));
            place.glance(&["image-list"]).ok();
        }
    }
    for id in ["beside", "x"] {
        leave(&place, &format!("{id}.import"), deletion(&[&secret]));
    }
    place.glance(&["image-list"]).ok();
    for path in named {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}

#[test]
fn a_recorded_deletion_is_finished_by_the_next_command() {
    let place = place();
    let images = place.data().join("images");
    let id = place.image("x", b"data");
    let data = images.join(&id);
    sql(
        &place,
        &format!(
            "UPDATE image_locations SET status = 'deleted', deleted = 1 WHERE image_id = '{id}';
             UPDATE images SET status = 'deleted', deleted = 1 WHERE id = '{id}'"
        ),
    );
    leave(&place, &format!("{id}.delete"), deletion(&[&data]));
    place.glance(&["image-list"]).ok();
    assert!(!data.exists());
    block_on(assert_consistent(&place));
}

#[test]
fn entries_that_cannot_be_read_never_lead_to_a_deletion() {
    let place = place();
    let (images, staging) = (place.data().join("images"), place.data().join("staging"));
    let kept = place.image("kept", b"kept");
    let waiting = staged(&place, b"staged");
    // As a power cut left it: the image is locked by a task that nobody knows.
    sql(
        &place,
        &format!(
            "UPDATE images SET status = 'importing' WHERE id = '{waiting}';
             INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted)
             VALUES ('{waiting}', 'os_glance_import_task', 'gone', '2026-01-01', '2026-01-01', 0)"
        ),
    );
    for damaged in ["", "\0\0\0\0", "{\"version\":1", "/etc/passwd\n"] {
        leave(&place, &format!("{kept}.delete"), damaged);
        leave(&place, &format!("{waiting}.import"), damaged);
        leave(&place, &format!("{kept}.import"), damaged);
        place.glance(&["image-list"]).ok();
        assert_eq!(fs::read(images.join(&kept)).unwrap(), b"kept");
        assert_eq!(fs::read(staging.join(&waiting)).unwrap(), b"staged");
    }
    // The lock is one that nobody holds.
    assert_eq!(shown(&place, &waiting, "status"), "uploading");
    place.glance(&["image-import", &waiting, "--wait"]).ok();
    assert_eq!(shown(&place, &waiting, "status"), "active");
}

#[test]
fn staged_data_outlives_entries_that_come_back() {
    let place = place();
    let staging = place.data().join("staging");
    let id = staged(&place, b"staged");
    // The removal of the entries was lost in a power cut, of all of them, in either state.
    for status in ["uploading", "importing"] {
        sql(
            &place,
            &format!("UPDATE images SET status = '{status}' WHERE id = '{id}'"),
        );
        leave(&place, &format!("{id}.stage"), "");
        place.glance(&["image-list"]).ok();
        assert_eq!(fs::read(staging.join(&id)).unwrap(), b"staged");
        assert!(files(&place.data().join(".journal")).is_empty());
    }
}

#[test]
fn an_undo_that_fails_is_done_by_a_later_command() {
    let place = place();
    let id = staged(&place, b"staged");
    let queued = place
        .glance(&["image", "create", "queued", "-f", "value", "-c", "id"])
        .ok();
    let queued = queued.trim();
    // No data goes into a store that is a file, and no image goes back to what it was.
    fs::remove_dir_all(place.data().join("images")).ok();
    fs::write(place.data().join("images"), "").unwrap();
    sql(
        &place,
        "CREATE TRIGGER broken BEFORE UPDATE ON images WHEN NEW.status IN ('queued', 'uploading') \
         AND OLD.status IN ('importing', 'saving') BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
    let said = place.glance(&["image-import", &id, "--wait"]).fails(1);
    assert!(said.contains("The next command tries again"), "{said}");
    fs::remove_file(place.data().join("images")).unwrap();
    // One that fails behind the data: there are more bytes than promised.
    let words = ["image-upload", "--size", "3", queued];
    let said = place.glance_with(&words, b"four").fails(1);
    assert!(said.contains("The next command tries again"), "{said}");
    for _ in 0..2 {
        let run = place.glance(&["image", "list", "-f", "value", "-c", "Status"]);
        assert_eq!(run.text(), "saving\nimporting\n", "{}", run.stderr);
        assert_eq!(run.code, 0);
        assert!(
            run.stderr
                .contains("cannot clean up after an interrupted command"),
            "{}",
            run.stderr
        );
    }
    sql(&place, "DROP TRIGGER broken");
    let listed = ["image", "list", "-f", "value", "-c", "Status"];
    assert_eq!(place.glance(&listed).ok(), "queued\nuploading\n");
    place.glance(&["image-import", &id, "--wait"]).ok();
    place.glance_with(&["image-upload", queued], b"four").ok();
    block_on(assert_consistent(&place));
}

#[test]
fn deletions_wait_for_a_store_that_is_not_there() {
    for empty in [false, true] {
        let place = place();
        let id = place.image("x", b"data");
        let copy = [
            "image-import",
            "--import-method",
            "copy-image",
            "--stores",
            "slow",
            &id,
        ];
        place.glance(&copy);
        let before = shown(&place, &id, "stores");
        assert_eq!(before, "fast,slow");
        let (slow, away) = (place.data().join("images2"), place.file("away"));
        fs::rename(&slow, &away).unwrap();
        if empty {
            fs::create_dir(&slow).unwrap();
        }
        for words in [
            &["image-delete", &id][..],
            &["image", "delete", &id],
            &["stores-delete", "--store", "slow", &id],
            &["image", "delete", "--store", "slow", &id],
            &[
                "location-delete",
                "--url",
                &format!("file://{}/{id}", slow.display()),
                &id,
            ],
        ] {
            let run = place.glance(words);
            assert_eq!(run.code, 1, "{words:?}: {}", run.stderr);
            assert!(run.stderr.contains("ount"), "{words:?}: {}", run.stderr);
            assert_eq!(shown(&place, &id, "stores"), "fast,slow");
        }
        if empty {
            fs::remove_dir(&slow).unwrap();
        }
        fs::rename(&away, &slow).unwrap();
        place
            .glance(&["stores-delete", "--store", "slow", &id])
            .ok();
        place.glance(&["image-delete", &id]).ok();
        assert!(files(&slow).is_empty());
        assert!(files(&place.data().join("images")).is_empty());
    }
}

/// An image in both stores, and another one that names the same data.
fn shared(place: &Place) -> (String, String) {
    let id = place.image("first", b"data");
    let copy = [
        "image-import",
        "--import-method",
        "copy-image",
        "--stores",
        "slow",
        &id,
    ];
    place.glance(&copy);
    assert_eq!(shown(place, &id, "stores"), "fast,slow");
    let other = place.image("other", b"data");
    fs::remove_file(place.data().join("images").join(&other)).unwrap();
    sql(
        place,
        &format!(
            "DELETE FROM image_locations WHERE image_id = '{other}';
             INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted)
             SELECT '{other}', value, meta_data, status, created_at, updated_at, deleted
             FROM image_locations WHERE image_id = '{id}'"
        ),
    );
    (id, other)
}

#[test]
fn data_that_another_image_names_stays_on_every_path() {
    let images = |place: &Place| ["images", "images2"].map(|name| files(&place.data().join(name)));
    for path in ["delete", "delete a copy", "remove a location", "recovery"] {
        let place = place();
        let (id, other) = shared(&place);
        let url = format!("file://{}/images2/{id}", place.data().display());
        match path {
            "delete" => place.glance(&["image-delete", &id]).ok(),
            "delete a copy" => place
                .glance(&["stores-delete", "--store", "slow", &id])
                .ok(),
            "remove a location" => place.glance(&["location-delete", "--url", &url, &id]).ok(),
            _ => {
                sql(
                    &place,
                    &format!(
                        "UPDATE image_locations SET status = 'deleted', deleted = 1 WHERE image_id = '{id}';
                         UPDATE images SET status = 'deleted', deleted = 1 WHERE id = '{id}'"
                    ),
                );
                let both = ["images", "images2"].map(|name| place.data().join(name).join(&id));
                let entry = deletion(&[&both[0], &both[1]]);
                leave(&place, &format!("{id}.delete"), entry);
                place.glance(&["image-list"]).ok()
            }
        };
        assert!(
            images(&place).iter().all(|names| names.contains(&id)),
            "{path}"
        );
        let saved = place.file("saved.img");
        place
            .glance(&["image-download", "--file", saved.to_str().unwrap(), &other])
            .ok();
        place.glance(&["image-delete", &other]).ok();
        if path == "delete" || path == "recovery" {
            assert!(images(&place).iter().all(BTreeSet::is_empty), "{path}");
        } else {
            assert!(
                images(&place)[1].is_empty(),
                "{path}: the last one takes it along"
            );
            place.glance(&["image-delete", &id]).ok();
            assert!(images(&place)[0].is_empty());
        }
    }
}

#[test]
fn a_file_under_the_name_of_an_image_is_not_touched() {
    let place = place();
    let id = place
        .glance(&[
            "image",
            "create",
            "x",
            "--disk-format",
            "raw",
            "-f",
            "value",
            "-c",
            "id",
        ])
        .ok();
    let id = id.trim();
    let images = place.data().join("images");
    fs::create_dir_all(&images).unwrap();
    fs::write(images.join(id), "somebody's").unwrap();
    for _ in 0..2 {
        let said = place.glance_with(&["image-upload", id], b"data").fails(1);
        assert!(said.contains("already exists"), "{said}");
        assert_eq!(shown(&place, id, "status"), "queued");
        assert_eq!(fs::read(images.join(id)).unwrap(), b"somebody's");
    }
    fs::remove_file(images.join(id)).unwrap();
    place.glance_with(&["image-upload", id], b"data").ok();
    block_on(assert_consistent(&place));
}

#[test]
fn a_task_whose_process_died_before_its_image_was_made_fails() {
    let place = place();
    place.glance(&["image-list"]).ok();
    let task = "99999999-2222-4333-8444-555555555555";
    sql(
        &place,
        &format!(
            "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted) \
             VALUES ('{task}', 'import', 'processing', 'admin', '2026-01-01', '2026-01-01', 0);
             INSERT INTO task_info (task_id) VALUES ('{task}')"
        ),
    );
    let noted = json!({"version": 2, "task": task}).to_string();
    leave(&place, &format!("{task}.import"), noted);
    let listed: Value =
        serde_json::from_str(&place.glance(&["--format", "json", "task-list"]).ok()).unwrap();
    assert_eq!(listed[0]["Status"], "failure", "{listed}");
}

#[test]
fn a_deletion_that_was_noted_on_a_full_disk_is_finished_by_the_record() {
    let place = place();
    let images = place.data().join("images");
    let (doomed, kept) = (
        place.image("doomed", b"doomed"),
        place.image("kept", b"kept"),
    );
    place.glance(&["image-delete", &doomed]).ok();
    // As it was before the data went, with an entry that there was no room for.
    fs::write(images.join(&doomed), "doomed").unwrap();
    leave(&place, &format!("{doomed}.delete"), "");
    leave(&place, &format!("{kept}.delete"), "");
    place.glance(&["image-list"]).ok();
    assert!(!images.join(&doomed).exists());
    assert_eq!(fs::read(images.join(&kept)).unwrap(), b"kept");
    assert_eq!(
        fs::read_dir(place.data().join(".journal")).unwrap().count(),
        0
    );
}

#[test]
fn data_that_waits_for_the_scrubber_outlives_an_entry_that_cannot_be_read() {
    let place = place();
    place.configure("[DEFAULT]\ndelayed_delete = true\n");
    let images = place.data().join("images");
    let waiting = place.image("waiting", b"waiting");
    place.glance(&["image-delete", &waiting]).ok();
    leave(&place, &format!("{waiting}.delete"), "");
    place.glance(&["image-list"]).ok();
    assert_eq!(fs::read(images.join(&waiting)).unwrap(), b"waiting");
}
