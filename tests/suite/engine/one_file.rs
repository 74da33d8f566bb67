//! A command that has changed an SQLite database leaves one file, which can be copied alone.

use std::fs;

use crate::support::Place;

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");
const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

/// Checks that all of a database is in its file.
fn check_one_file(place: &Place, after: &str) {
    let log = place.data().join("glance.db-wal");
    let length = fs::metadata(log).map_or(0, |log| log.len());
    assert_eq!(length, 0, "after {after}: bytes in the log");
}

#[test]
fn a_copy_of_the_database_alone_lists_the_image_that_was_created() {
    let place = Place::new();
    let data = place.write("data.img", "data");
    let file = data.to_str().unwrap();
    for words in [
        &["image", "create", "first"][..],
        &["image", "create", "second", "--file", file],
        &["image", "set", "second", "--property", "a=b"],
    ] {
        place.glance(words).ok();
        let copy = Place::new();
        fs::create_dir_all(copy.data()).unwrap();
        let name = "glance.db";
        fs::copy(place.data().join(name), copy.data().join(name)).unwrap();
        let list = ["image", "list", "--long", "-f", "json"];
        assert_eq!(copy.glance(&list).ok(), place.glance(&list).ok());
        assert!(copy.glance(&["image-list"]).ok().contains(words[2]));
    }
}

#[test]
fn whatever_changes_the_database_leaves_one_file() {
    let place = Place::new();
    place.configure(
        "[DEFAULT]\ndelayed_delete = true\nimage_cache_dir = cache\nimage_cache_driver = centralized_db\n\
         [paste_deploy]\nflavor = caching\n",
    );
    let data = place.write("data.img", "data");
    let file = data.to_str().unwrap();
    let created = [
        "image", "create", "a", "--file", file, "-f", "value", "-c", "id",
    ];
    let id = place.glance(&created).ok();
    let id = id.trim();
    check_one_file(&place, "image create");
    let saved = place.file("saved.img");
    for words in [
        &["image", "save", "a", "--file", saved.to_str().unwrap()][..],
        &["image", "set", "a", "--tag", "t"],
        &["cached", "image", "list"],
        &["image", "add", "project", "a", "p"],
        &["md-namespace-create", "n"],
        &["image-deactivate", id],
        &["image", "delete", "a"],
        &["scrub", "--restore", id],
        // What fails may have changed something before.
        &["image", "delete", "a", "b"],
        &["scrub"],
    ] {
        place.glance(words);
        check_one_file(&place, &words.join(" "));
    }
    place
        .glance_with(&[], b"image create x\nimage list\nimage delete x\n")
        .ok();
    check_one_file(&place, "commands on standard input");
    for (program, words) in [
        (MANAGE, &["db", "unload_metadefs"][..]),
        (MANAGE, &["db", "purge", "0"]),
        (SCRUBBER, &[]),
        (CACHE_MANAGE, &["prune"]),
        (CACHE_MANAGE, &["--force", "delete-all-cached-images"]),
    ] {
        let status = place.command(program).args(words).output().unwrap().status;
        assert!(status.success(), "{program} {words:?}: {status}");
        check_one_file(&place, &words.join(" "));
    }
}
