//! Scrubbers, restorers and uploaders at once.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Delayed;
use crate::support::{Random, all_images, assert_consistent, block_on};

/// What goes on until `over` says so.
fn at_once(place: &Delayed, over: impl Fn(usize) -> bool + Sync) -> usize {
    let ended = AtomicBool::new(false);
    let goes_on = || !ended.load(Ordering::Relaxed);
    let restored = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        // Whatever fails in here, the others end.
        let _ends = End(&ended);
        for _ in 0..2 {
            scope.spawn(|| {
                let _ends = End(&ended);
                while goes_on() {
                    let run = place.scrubber(&[]);
                    assert_eq!(run.code, 0, "{}", run.stderr);
                }
            });
        }
        scope.spawn(|| {
            let _ends = End(&ended);
            // One that takes back whatever waits; some of it before the scrubbers are there.
            let mut random = Random::new(3);
            while goes_on() {
                let waiting = place.texts(
                    "SELECT id FROM images WHERE status = 'pending_delete' ORDER BY deleted_at",
                );
                if waiting.is_empty() {
                    std::thread::yield_now();
                    continue;
                }
                // Often the one that a scrubber may be at by now.
                let place_of = match random.below(2) {
                    0 => 0,
                    _ => usize::try_from(random.below(waiting.len() as u64)).unwrap(),
                };
                let id = &waiting[place_of];
                let run = place.scrubber(&["--restore", id]);
                if run.code == 0 {
                    // What was taken back is there, whole, and stays.
                    let out = place.file("restored");
                    let _ = fs::remove_file(&out);
                    let saved = place.glance(&["image-download", "--file", "restored", id]);
                    assert_eq!(saved.code, 0, "image {id}: {}", saved.stderr);
                    let name = fs::read_to_string(&out).unwrap();
                    assert!(name.starts_with("content of "), "{name}");
                    restored.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert!(
                        run.stderr.contains("cannot restore the image from deleted"),
                        "{}",
                        run.stderr
                    );
                }
            }
        });
        // One that uploads, and deletes most of it.
        let mut number = 0;
        while goes_on() && !over(restored.load(Ordering::Relaxed)) {
            number += 1;
            let content = format!("content of {number}");
            let id = place.image(&format!("image {number}"), content.as_bytes());
            if number % 4 != 0 {
                let mut command = place.command(crate::support::GLANCE);
                let command = command.args(["image-delete", &id]).stdout(Stdio::null());
                assert!(command.status().unwrap().success());
            }
        }
    });
    restored.into_inner()
}

/// Ends what goes on when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nothing restored is lost, and nothing scrubbed stays.
fn assert_nothing_lost(place: &Delayed) {
    place.configure("[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\n");
    assert_eq!(place.scrubber(&[]).code, 0);
    block_on(async {
        assert_consistent(place).await;
        let local = place.open().await;
        for image in all_images(&local).await {
            let content = fs::read_to_string(place.images().join(&image.id)).unwrap();
            let number = image.name.unwrap().replace("image ", "");
            assert_eq!(content, format!("content of {number}"));
        }
    });
    let waiting = place.number("SELECT count(*) FROM images WHERE status = 'pending_delete'");
    assert_eq!(waiting, 0);
}

#[test]
fn two_scrubbers_a_restorer_and_an_uploader_lose_nothing_and_leave_nothing() {
    for place in Delayed::on_each("scrub_time = 1\n") {
        place.image("first", b"content of first");
        place.sql("UPDATE images SET name = 'image first'");
        let restored = at_once(&place, |restored| restored >= 10);
        assert!(restored >= 10);
        assert_nothing_lost(&place);
    }
}

/// The same for two minutes, on each database: cargo test two_minutes -- --ignored
#[test]
#[ignore = "takes four minutes"]
fn two_minutes_of_scrubbers_restorer_and_uploader_lose_nothing() {
    for place in Delayed::on_each("scrub_time = 1\n") {
        place.image("first", b"content of first");
        place.sql("UPDATE images SET name = 'image first'");
        let until = Instant::now() + Duration::from_mins(2);
        let restored = at_once(&place, |_| Instant::now() >= until);
        assert!(restored > 0);
        assert_nothing_lost(&place);
        println!("{restored} images were restored");
    }
}
