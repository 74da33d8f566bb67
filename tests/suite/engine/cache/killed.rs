//! Processes that are killed while they work on a cache.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{DRIVERS, MANAGE, place};
use crate::support::{GLANCE, Place, Random, files};

fn spawn(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a process after up to `most` microseconds, if it is still there.
fn kill_within(random: &mut Random, mut child: Child, most: u64) {
    // The moment is what is random here; nothing waits for anything.
    std::thread::sleep(Duration::from_micros(random.below(most)));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The images whose files are in the cache.
fn held(place: &Place) -> BTreeSet<String> {
    let all = files(&place.cache()).into_iter();
    all.filter(|name| name.len() == 36).collect()
}

/// Directory and index agree once it is cleaned, nothing is in progress, and every cached file is right;
/// how many files the cleaning removed.
fn assert_consistent(place: &Place, contents: &[(String, Vec<u8>)]) -> u64 {
    let said = place.manage(&["clean"]).ok();
    let cached = place.cached();
    let there = held(place);
    assert_eq!(cached, there);
    for id in there {
        let (_, content) = contents.iter().find(|(known, _)| *known == id).unwrap();
        assert!(fs::read(place.cache().join(&id)).unwrap() == *content);
    }
    for part in ["incomplete", "invalid", ".journal"] {
        assert_eq!(files(&place.cache().join(part)), BTreeSet::new(), "{part}");
    }
    said.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn killed_processes_leave_a_cache_that_the_next_one_puts_right() {
    for driver in DRIVERS {
        let mut left = killed_while_it_fills(&place(driver, ""));
        let place = place(driver, "image_cache_max_size = 3000000");
        let mut random = Random::new(11);
        let contents: Vec<(String, Vec<u8>)> = (0..4)
            .map(|number| {
                let content = random.bytes(1_500_000);
                (place.image(&format!("image {number}"), &content), content)
            })
            .collect();
        let began = std::time::Instant::now();
        place.download(&contents[0].0);
        let whole = u64::try_from(began.elapsed().as_micros()).unwrap() * 5 / 4;
        for round in 0..60 {
            let (id, content) = &contents[usize::try_from(random.below(4)).unwrap()];
            let child = match round % 3 {
                0 => spawn(
                    place
                        .command(GLANCE)
                        .args(["image-download", "--file", "out", id]),
                ),
                1 => spawn(place.command(MANAGE).arg("prune")),
                _ => {
                    place.manage(&["-f", "queue-image", id]).ok();
                    spawn(place.command(MANAGE).arg("prefetch"))
                }
            };
            kill_within(&mut random, child, whole);
            if round % 6 == 5 {
                left += assert_consistent(&place, &contents);
                // Whatever was killed, the next one gets the data, and what is queued comes.
                assert!(place.download(id) == *content);
                place.manage(&["prefetch"]).ok();
                assert!(place.queued().is_empty(), "{driver}");
                assert_eq!(place.cached(), held(&place), "{driver}");
                assert_consistent(&place, &contents);
            }
        }
        assert!(left > 0, "none was killed while it filled the cache");
    }
}

/// Kills a download while it writes to the cache, if commands can be traced here. Returns how many files the cleaning
/// removed.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn killed_while_it_fills(place: &Place) -> u64 {
    use crate::support::tracer::{End, is_skipped, kill_before};
    if is_skipped() {
        return 0;
    }
    let content = vec![7; 1_500_000];
    let id = place.image("image", &content);
    let mut download = place.command(GLANCE);
    download.args(["image-download", "--file", "out", &id]);
    let (end, _) = kill_before(&download, &place.cache(), 2, |call| {
        let path = call.paths.last().and_then(|path| path.parent());
        call.name.contains("write") && path.is_some_and(|path| path.ends_with("incomplete"))
    });
    assert_eq!(end, End::Killed);
    assert_consistent(place, &[(id, content)])
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn killed_while_it_fills(_: &Place) -> u64 {
    0
}
