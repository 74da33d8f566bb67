//! The real Glance and ours on one database, with a key for the addresses of data.

use std::fs;

use super::steps::{create, id, make_disks, step};
use super::{Cloud, Layout, Ours, assert_same, sha512};
use crate::support::Place;
use crate::support::realcloud::output_of;

const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

/// Returns the stored addresses of images that are not deleted, or wait for the scrubber.
fn stored(place: &Place) -> Vec<String> {
    let database = rusqlite::Connection::open(place.data().join("glance.db")).unwrap();
    let mut query = database
        .prepare("SELECT value FROM image_locations WHERE status <> 'deleted'")
        .unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Returns whether the store of a data directory has the data of an image.
fn has_data(place: &Place, number: u8) -> bool {
    place.data().join("images").join(id(number)).exists()
}

#[test]
fn each_reads_deletes_and_scrubs_what_the_other_encrypted() {
    let cloud = Cloud::start();
    let place = Place::new();
    make_disks(&place);
    let file = place.file("disk.qcow2");
    let content = sha512(&file);
    let ours = Ours {
        place: &place,
        cloud: &cloud,
        options: Vec::new(),
    };
    let words = ["--disk-format", "qcow2", "--container-format", "bare"];
    let data = ["--file", file.to_str().unwrap()];
    for (round, key) in [
        "0123456789abcdef",
        "ein Schlüssel mit 24 By",
        "of 32 bytes, as this one now is.",
    ]
    .into_iter()
    .enumerate()
    {
        let is_delayed = round > 0;
        Layout::Plain.prepare(&place.data());
        let configuration = place.data().join("glance-api.conf");
        let options = format!(
            "metadata_encryption_key = {key}\ndelayed_delete = {is_delayed}\nshow_image_direct_url = true\n"
        );
        let text = fs::read_to_string(&configuration).unwrap() + &options;
        fs::write(&configuration, text).unwrap();
        let first = u8::try_from(round * 10 + 1).unwrap();
        let (one, two, three, four) = (first, first + 1, first + 2, first + 3);
        for number in [one, two] {
            let step = create("admin", number, &[&words, &data]);
            ours.ok(step.user, &step.words());
        }
        cloud.serve(&place.data());
        cloud.play(&[
            create("admin", three, &[&words, &data]),
            create("admin", four, &[&words, &data]),
            // It encrypts the addresses of an image again when it changes the image.
            step("admin", &["image-update", &id(one), "--name", "renamed"]),
        ]);
        for value in stored(&place) {
            assert!(!value.contains(':'), "{value}");
        }
        let ids = [one, two, three, four].map(id);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let seen = assert_same(&cloud, &ours, &ids);
        for id in &ids {
            assert_eq!(seen["admin"]["images"][*id]["data"], content.as_str());
        }
        // Each deletes an image of the other and one of its own.
        ours.ok("admin", &["image-delete", &id(three)]);
        ours.ok("admin", &["image-delete", &id(one)]);
        cloud.play(&[
            step("admin", &["image-delete", &id(two)]),
            step("admin", &["image-delete", &id(four)]),
        ]);
        if is_delayed {
            assert!(
                [one, two, three, four]
                    .iter()
                    .all(|number| has_data(&place, *number))
            );
            let is_ours = round == 1;
            if is_ours {
                output_of(&mut place.command(SCRUBBER));
            } else {
                cloud.scrub();
            }
        }
        for number in [one, two, three, four] {
            assert!(!has_data(&place, number), "image {number}");
        }
        assert_eq!(stored(&place), [""; 0]);
    }
}
