//! Scrubbers that are killed.

use std::fs;

use super::Delayed;
use crate::support::Random;
use crate::support::tracer::{Call, End, is_skipped, kill_before};

const IMAGES: usize = 200;
const KILLS: usize = 24;

/// Threads of a scrubber: as many removals may have begun and not be done.
const THREADS: u64 = 3;

/// Whether a call removes the data of an image.
fn is_removal(call: &Call) -> bool {
    let directory = call.paths.last().and_then(|path| path.parent());
    call.name.starts_with("unlink") && directory.is_some_and(|path| path.ends_with("images"))
}

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
    if is_skipped() {
        return;
    }
    let place = Delayed::configured(&format!("scrub_pool_size = {THREADS}\n"));
    let alive = place.image("alive", b"alive");
    place.waiting(0..IMAGES);
    let kill = |number, is_counted: fn(&Call) -> bool| {
        kill_before(&place.spawnable(&[]), &place.data(), number, is_counted)
    };
    let (end, whole) = kill(0, |_| true);
    assert_eq!(end, End::Exited(0));
    let mut random = Random::new(5);
    let mut next = IMAGES;
    for round in 0..KILLS {
        place.waiting(next..next + IMAGES);
        next += IMAGES;
        let with_data = place.stored().len();
        let is_removing = round % 2 == 0;
        let (end, _) = if is_removing {
            kill(
                THREADS + 1 + random.below(IMAGES as u64 - THREADS),
                is_removal,
            )
        } else {
            kill(1 + random.below(whole), |_| true)
        };
        assert_consistent(&place, &alive);
        if is_removing {
            assert_eq!(end, End::Killed, "round {round}");
            let left = place.stored().len();
            assert!((2..with_data).contains(&left), "round {round}: {left}");
        }
        if round % 4 == 3 {
            assert_eq!(place.scrubber(&[]).code, 0);
            assert_eq!(assert_consistent(&place, &alive), 0);
            assert_eq!(place.stored(), [alive.clone()].into());
        }
    }
}
