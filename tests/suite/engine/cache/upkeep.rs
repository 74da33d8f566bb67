//! Pruning, cleaning and prefetching, by one process or several, under each of their names.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use glance_tools::service::CacheKeeper;

use super::{DRIVERS, MANAGE, hits, place};
use crate::support::glance::{Server, aim};
use crate::support::{Place, Run, block_on, files};

#[test]
fn dry_runs_change_nothing() {
    for driver in DRIVERS {
        let place = place(
            driver,
            "image_cache_max_size = 5\nimage_cache_stall_time = 60\n",
        );
        let ids = ["first", "other", "third"].map(|name| place.image(name, name.as_bytes()));
        place.download(&ids[0]);
        place.download(&ids[1]);
        place.manage(&["-f", "queue-image", &ids[2]]).ok();
        let leftovers = [("incomplete", &ids[2]), ("invalid", &ids[1])];
        for (part, id) in leftovers {
            let path = place.cache().join(part).join(id);
            fs::write(&path, "left").unwrap();
            let old = SystemTime::now() - Duration::from_mins(2);
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        let state = |place: &Place| {
            let parts = ["", "incomplete", "invalid", "queue"];
            (
                parts.map(|part| files(&place.cache().join(part))),
                block_on(place.keeper().list_cached()).unwrap(),
            )
        };
        let before = state(&place);
        let said = |words: &[&str]| place.manage(words).ok();
        let pruned = said(&["--dry-run", "prune"]);
        assert!(
            pruned.contains(&format!("Would remove {}\n", ids[0])),
            "{pruned}"
        );
        assert!(pruned.ends_with("Would remove 1 file(s), 5 byte(s).\n"));
        let cleaned = said(&["--dry-run", "clean"]);
        assert!(
            cleaned.ends_with("Would remove 2 file(s), 8 byte(s).\n"),
            "{cleaned}"
        );
        let fetched = said(&["--dry-run", "prefetch"]);
        assert_eq!(fetched, format!("Would fetch {}, 5 byte(s).\n", ids[2]));
        let deleted = said(&["--dry-run", "delete-all-cached-images"]);
        assert_eq!(deleted, "Would delete 2 cached images\n");
        let deleted = said(&["--dry-run", "delete-cached-image", &ids[2]]);
        assert!(deleted.starts_with("Would delete nothing"), "{deleted}");
        let queued = said(&["--dry-run", "queue-image", &ids[2]]);
        assert!(queued.starts_with("Would queue nothing"), "{queued}");
        for (words, last) in [
            (
                &["cache-prune", "--dry-run"][..],
                "Would remove 1 file(s), 5 byte(s).\n",
            ),
            (
                &["cache-clean", "--dry-run"],
                "Would remove 2 file(s), 8 byte(s).\n",
            ),
            (
                &["cache-clear", "--dry-run"],
                "Would remove 3 file(s), 10 byte(s).\n",
            ),
            (
                &["cached", "image", "clear", "--queue", "--dry-run"],
                "Would remove 1 file(s), 0 byte(s).\n",
            ),
        ] {
            let text = place.glance(words).ok();
            assert!(text.ends_with(last), "{text}");
        }
        let text = place.glance(&["cache-delete", "--dry-run", &ids[0]]).ok();
        assert_eq!(text, format!("Would remove {}.\n", ids[0]));
        assert_eq!(state(&place), before, "{driver}");

        // What was said is what is done.
        assert_eq!(said(&["prune"]), "Pruned 1 file(s), 5 byte(s).\n");
        assert_eq!(place.cached(), BTreeSet::from([ids[1].clone()]));
        assert_eq!(said(&["clean"]), "Removed 2 file(s), 8 byte(s).\n");
        assert_eq!(
            said(&["prefetch"]),
            format!("Fetched {}, 5 byte(s).\n", ids[2])
        );
    }
}

#[test]
fn what_is_being_read_is_not_pruned() {
    let place = place("centralized_db", "image_cache_max_size = 0");
    let ids = ["one", "two"].map(|name| place.image(name, name.as_bytes()));
    for id in &ids {
        place.download(id);
    }
    let read = File::open(place.cache().join(&ids[0])).unwrap();
    read.lock_shared().unwrap();
    assert_eq!(
        place.manage(&["prune"]).ok(),
        "Pruned 1 file(s), 3 byte(s).\n"
    );
    assert_eq!(place.cached(), BTreeSet::from([ids[0].clone()]));
    drop(read);
    assert_eq!(
        place.manage(&["prune"]).ok(),
        "Pruned 1 file(s), 3 byte(s).\n"
    );
    assert!(place.cached().is_empty());
}

#[test]
fn only_what_stalled_is_cleaned() {
    let place = place("sqlite", "image_cache_stall_time = 3600");
    let id = place.image("x", b"data");
    place.download(&id);
    let at = |part: &str, name: &str| place.cache().join(part).join(name);
    let other = "00000000-0000-4000-8000-000000000001";
    fs::write(at("incomplete", &id), "a server is at it").unwrap();
    fs::write(at("incomplete", other), "stalled").unwrap();
    let old = SystemTime::now() - Duration::from_secs(3700);
    let stalled = File::options()
        .write(true)
        .open(at("incomplete", other))
        .unwrap();
    stalled.set_modified(old).unwrap();
    fs::write(at("invalid", "whatever"), "bad").unwrap();
    assert_eq!(
        place.manage(&["clean"]).ok(),
        "Removed 2 file(s), 10 byte(s).\n"
    );
    assert_eq!(
        files(&place.cache().join("incomplete")),
        BTreeSet::from([id.clone()])
    );
    assert_eq!(place.cached(), BTreeSet::from([id]));
}

#[test]
fn a_file_without_an_account_and_an_account_without_a_file_are_put_right() {
    for driver in DRIVERS {
        let place = place(driver, "image_cache_max_size = 5");
        let ids = ["first", "other", "third"].map(|name| place.image(name, name.as_bytes()));
        place.download(&ids[0]);
        place.download(&ids[1]);
        // As a process leaves them that dies at it.
        fs::remove_file(place.cache().join(&ids[0])).unwrap();
        let orphan = place.cache().join(&ids[2]);
        fs::write(&orphan, "third").unwrap();
        let old = SystemTime::now() - Duration::from_mins(1);
        File::options()
            .write(true)
            .open(&orphan)
            .unwrap()
            .set_times(fs::FileTimes::new().set_modified(old).set_accessed(old))
            .unwrap();
        let both = BTreeSet::from([ids[1].clone(), ids[2].clone()]);
        let known = BTreeSet::from([ids[1].clone()]);
        assert_eq!(
            place.cached(),
            if driver == "xattr" {
                both
            } else {
                known.clone()
            }
        );
        // It is served all the same, once it was looked at.
        assert_eq!(place.download(&ids[2]), b"third");
        assert_eq!(hits(&place, &ids[2]), Some(1), "{driver}");
        place.download(&ids[1]);
        assert_eq!(
            place.manage(&["prune"]).ok(),
            "Pruned 1 file(s), 5 byte(s).\n"
        );
        assert_eq!(place.cached(), known, "{driver}");
        // What was pruned comes again.
        assert_eq!(place.download(&ids[0]), b"first");
        assert!(place.cached().contains(&ids[0]), "{driver}");
    }
}

#[test]
fn two_that_prune_at_once_remove_no_more_than_one_would() {
    for driver in DRIVERS {
        let place = place(driver, "image_cache_max_size = 100");
        let _ = block_on(place.open());
        fs::create_dir_all(place.cache()).unwrap();
        for number in 0..200 {
            let name = format!("00000000-0000-4000-8000-{number:012}");
            fs::write(place.cache().join(name), "x").unwrap();
        }
        let running: Vec<Child> = (0..4)
            .map(|_| {
                let mut command = place.command(MANAGE);
                command.arg("prune").stdout(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut pruned = 0;
        for child in running {
            let said = Run::of(child.wait_with_output().unwrap()).ok();
            let count = said.split(' ').nth(1).unwrap();
            pruned += count.parse::<u64>().unwrap();
        }
        assert_eq!(pruned, 100, "{driver}");
        let left = files(&place.cache());
        assert_eq!(left.iter().filter(|name| name.len() == 36).count(), 100);
    }
}

#[test]
fn the_old_names_do_what_they_did() {
    let place = place("sqlite", "image_cache_max_size = 3");
    let links = place.file("bin");
    fs::create_dir(&links).unwrap();
    let called = |name: &str, words: &[&str]| {
        let link = links.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(MANAGE, &link).unwrap();
        }
        let mut command = place.command(link.to_str().unwrap());
        Run::of(command.args(words).output().unwrap())
    };
    let ids = ["one", "two"].map(|name| place.image(name, name.as_bytes()));
    place.download(&ids[0]);
    place.manage(&["-f", "queue-image", &ids[1]]).ok();
    // What was done is a line of the log.
    let logs = |run: Run, text: &str| {
        assert_eq!((run.code, run.text().as_str()), (0, ""), "{}", run.stderr);
        let line = format!(" INFO glance.image_cache [-] {text}\n");
        assert!(run.stderr.ends_with(&line), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1);
    };
    let fetched = format!("Fetched {}, 3 byte(s).", ids[1]);
    logs(called("glance-cache-prefetcher", &[]), &fetched);
    assert_eq!(called("glance-cache-prefetcher", &[]).ok(), "");
    assert_eq!(place.cached().len(), 2);
    assert_eq!(
        called("glance-cache-pruner", &["--dry-run"])
            .ok()
            .lines()
            .last(),
        Some("Would remove 1 file(s), 3 byte(s).")
    );
    logs(
        called("glance-cache-pruner", &[]),
        "Pruned 1 file(s), 3 byte(s).",
    );
    assert_eq!(called("glance-cache-pruner", &[]).ok(), "");
    assert_eq!(place.cached(), BTreeSet::from([ids[1].clone()]));
    fs::write(place.cache().join("invalid/x"), "bad").unwrap();
    assert_eq!(
        called("glance-cache-cleaner", &["--debug"]).ok(),
        "Removed 1 file(s), 3 byte(s).\n"
    );
    let said = called("glance-cache-cleaner", &["prune"]).fails(2);
    assert!(said.starts_with("usage: glance-cache-cleaner"), "{said}");
}

#[test]
fn what_is_queued_is_fetched_from_a_service() {
    let (place, server) = (place("sqlite", ""), Server::start());
    let id = server.image("web", "from afar");
    let wrong = server.image("wrong", "not this");
    server.state().find(&wrong).unwrap().data = Some(b"but that".to_vec());
    for id in [&id, &wrong] {
        place.manage(&["-f", "queue-image", id]).ok();
    }
    let url = server.url();
    let prefetch = |more: &[&str]| {
        let mut command = place.command(MANAGE);
        let data = place.data();
        aim(&mut command, &url);
        let words = ["--data-dir", data.to_str().unwrap(), "-H", &url, "prefetch"];
        Run::of(command.args(words).args(more).output().unwrap())
    };
    let run = prefetch(&["--dry-run"]);
    assert_eq!(run.text().matches("Would fetch").count(), 2, "{run:?}");
    assert_eq!(server.count("GET", "file"), 0);
    let run = prefetch(&[]);
    assert_eq!(run.code, 1);
    assert_eq!(run.text(), format!("Fetched {id}, 9 byte(s).\n"));
    assert_eq!(fs::read(place.cache().join(&id)).unwrap(), b"from afar");
    assert!(run.stderr.contains(&wrong), "{}", run.stderr);
    assert_eq!(place.queued(), [wrong]);
}
