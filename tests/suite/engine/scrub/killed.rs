//! Scrubbers that are killed.

use std::fs;
use std::process::Stdio;

use super::Delayed;
use crate::engine::crash::kill_within;
use crate::support::Random;

const IMAGES: usize = 400;
const KILLS: usize = 40;

/// Everything that is deleted has no data; what is alive has its own.
fn assert_consistent(place: &Delayed, alive: &str) -> usize {
    let rows = place.texts(
        "SELECT CONCAT(images.id, ' ', images.status, ' ', image_locations.status) FROM images \
         JOIN image_locations ON image_locations.image_id = images.id",
    );
    let stored = place.stored();
    let mut waiting = 0;
    for row in rows {
        let [id, status, location] = row.split(' ').collect::<Vec<_>>().try_into().unwrap();
        match status {
            "deleted" => assert!(!stored.contains(id) && location == "deleted", "{id}"),
            "pending_delete" => {
                assert_eq!(location, "pending_delete", "{id}");
                waiting += 1;
            }
            _ => assert!(
                id == alive && location == "active",
                "{id} {status} {location}"
            ),
        }
    }
    assert_eq!(fs::read(place.images().join(alive)).unwrap(), b"alive");
    waiting
}

#[test]
fn what_a_killed_scrubber_leaves_the_next_one_finishes() {
    let place = Delayed::configured("scrub_pool_size = 3\n");
    let alive = place.image("alive", b"alive");
    place.waiting(0..IMAGES);
    let began = std::time::Instant::now();
    place.scrubber(&[]);
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap();
    let mut random = Random::new(5);
    let (mut broken, mut next) = (0, IMAGES);
    for round in 0..KILLS {
        place.waiting(next..next + IMAGES);
        next += IMAGES;
        let mut command = place.spawnable(&[]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null());
        kill_within(&mut random, child.spawn().unwrap(), whole);
        let waiting = assert_consistent(&place, &alive);
        let data_left = place.stored().len() - 1;
        broken += usize::from(data_left < waiting || waiting > 0 && waiting < IMAGES);
        if round % 4 == 3 {
            assert_eq!(place.scrubber(&[]).code, 0);
            assert_eq!(assert_consistent(&place, &alive), 0);
            assert_eq!(place.stored(), [alive.clone()].into());
        }
    }
    assert!(broken > 0, "none was killed at its work");
}
