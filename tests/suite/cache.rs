//! The image cache of a host: `glance-cache-manage` on an API and on a directory, under each of its names,
//! and what becomes of a cache whose files or processes go bad.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use glance_tools::config::Settings;
use glance_tools::local::cache::ImageCache;
use glance_tools::service::CacheKeeper;

use crate::hostile_server::aim;
use crate::server::{Answer, Server, tricks};
use crate::support::{GLANCE, Place, Random, Run, block_on, files};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

const DRIVERS: [&str; 3] = ["centralized_db", "sqlite", "xattr"];

/// A place whose downloads go through a cache with these options more.
fn place(driver: &str, more: &str) -> Place {
    let place = Place::new();
    place.configure(&format!(
        "[DEFAULT]\nimage_cache_driver = {driver}\n{more}\n[paste_deploy]\nflavor = caching\n"
    ));
    place
}

impl Place {
    fn cache(&self) -> PathBuf {
        self.data().join("cache")
    }

    fn keeper(&self) -> ImageCache {
        let settings = Settings::for_data_dir(&self.data()).unwrap();
        block_on(ImageCache::open(&settings)).unwrap()
    }

    /// `glance-cache-manage` with these words.
    fn manage(&self, words: &[&str]) -> Run {
        Run::of(self.command(MANAGE).args(words).output().unwrap())
    }

    /// The same, with an answer to what it asks.
    fn manage_with(&self, words: &[&str], answer: &str) -> Run {
        let mut command = self.command(MANAGE);
        let mut child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not be asked for.
        let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
        Run::of(child.wait_with_output().unwrap())
    }

    fn download(&self, id: &str) -> Vec<u8> {
        let run = self.glance(&["image-download", "--file", "out", id]);
        run.ok();
        fs::read(self.file("out")).unwrap()
    }

    /// Ids of the cached images, by the accounts.
    fn cached(&self) -> BTreeSet<String> {
        let cached = block_on(self.keeper().list_cached()).unwrap();
        cached.into_iter().map(|image| image.image_id).collect()
    }

    fn queued(&self) -> Vec<String> {
        block_on(self.keeper().list_queued()).unwrap()
    }
}

/// Hits of an image by the accounts.
fn hits(place: &Place, id: &str) -> Option<u64> {
    let cached = block_on(place.keeper().list_cached()).unwrap();
    let found = cached.into_iter().find(|image| image.image_id == id);
    found.map(|image| image.hits)
}

#[test]
fn every_driver_keeps_accounts_of_what_is_downloaded() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let content = vec![3; 700_000];
        let id = place.image("x", &content);
        for read in [None, Some(0), Some(1), Some(2)] {
            assert_eq!(hits(&place, &id), read, "{driver}");
            assert!(place.download(&id) == content);
        }
        // It does come from the cache.
        fs::remove_file(place.data().join("images").join(&id)).unwrap();
        assert!(place.download(&id) == content, "{driver}");
        assert_eq!(files(&place.cache().join("incomplete")).len(), 0);
        place.glance(&["cache-delete", &id]).ok();
        assert_eq!(hits(&place, &id), None, "{driver}");
        place
            .glance(&["image-download", "--file", "out", &id])
            .fails(1);
    }
}

#[test]
fn a_directory_that_is_not_told_so_caches_no_downloads() {
    let place = Place::new();
    let id = place.image("x", b"data");
    place.download(&id);
    assert_eq!(place.cached(), BTreeSet::new());
    assert_eq!(files(&place.cache()), BTreeSet::new(), "nothing is made");
    // What an operator puts there is there, and not used.
    place.glance(&["cache-queue", &id]).ok();
    assert_eq!(place.cached(), BTreeSet::from([id.clone()]));
    place.download(&id);
    assert_eq!(hits(&place, &id), Some(0));
}

#[test]
fn corrupt_files_are_never_served() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let id = place.image("x", b"the right data");
        let cached = place.cache().join(&id);
        place.glance(&["cache-queue", &id]).ok();
        // As long as it should be: only its hash tells, before it is served for the first time.
        fs::write(&cached, "the wrong data").unwrap();
        assert_eq!(place.download(&id), b"the right data", "{driver}");
        let invalid = place.cache().join("invalid").join(&id);
        assert_eq!(fs::read(&invalid).unwrap(), b"the wrong data");
        // Its place was taken by the data that was read instead.
        assert_eq!(fs::read(&cached).unwrap(), b"the right data");
        place.download(&id);
        assert_eq!(hits(&place, &id), Some(1));
        // Of another length: at any time.
        fs::write(&cached, "short").unwrap();
        assert_eq!(place.download(&id), b"the right data", "{driver}");
        assert_eq!(fs::read(&invalid).unwrap(), b"short");
    }
}

#[test]
fn data_that_is_wrong_does_not_get_into_the_cache() {
    let place = place("sqlite", "");
    let id = place.image("x", b"the right data");
    let stored = place.data().join("images").join(&id);
    fs::write(&stored, "the wrong data").unwrap();
    let said = place
        .glance(&["image-download", "--file", "out", &id])
        .fails(1);
    assert!(said.contains("corrupt"), "{said}");
    assert_eq!(place.cached(), BTreeSet::new());
    let said = place.glance(&["cache-queue", &id]);
    assert_eq!(place.cached(), BTreeSet::new());
    assert!(
        said.stderr.contains("is not cached: its sha512"),
        "{said:?}"
    );
    // It stays queued, and comes when it is right.
    assert_eq!(place.queued(), std::slice::from_ref(&id));
    let said = place.manage(&["prefetch"]).fails(1);
    assert!(said.contains("stays queued"), "{said}");
    fs::write(&stored, "the right data").unwrap();
    place.manage(&["prefetch"]).ok();
    assert_eq!(place.cached(), BTreeSet::from([id]));
    assert!(place.queued().is_empty());
}

#[test]
fn a_directory_is_managed_without_a_service() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let no = |what: &str| format!("No {what} images.\n");
        assert_eq!(place.manage(&["list-cached"]).ok(), no("cached"), "fresh");
        assert_eq!(place.manage(&["list-queued"]).ok(), no("queued"), "fresh");
        let ids = ["one", "two"].map(|name| place.image(name, name.as_bytes()));
        for id in &ids {
            place.manage(&["-f", "queue-image", id]).ok();
        }
        assert_eq!(place.queued(), ids, "in their order");
        let said = place.manage(&["list-queued"]).ok();
        assert!(said.starts_with("Found 2 queued images...\n+"), "{said}");
        assert!(place.cached().is_empty(), "it is left to the prefetcher");

        let said = place.manage(&["prefetch"]).ok();
        assert_eq!(said.matches("Fetched ").count(), 2, "{said}");
        let said = place.manage(&["list-cached"]).ok();
        assert!(said.starts_with("Found 2 cached images...\n+"), "{said}");
        // One that is cached is not queued.
        place.manage(&["-f", "queue-image", &ids[0]]).ok();
        assert!(place.queued().is_empty());

        let deleted = place.manage(&["-f", "-v", "delete-cached-image", &ids[0]]);
        let deleted = deleted.ok();
        assert!(deleted.starts_with(&format!("Deleted cached image {}\nCompleted in ", ids[0])));
        assert_eq!(place.cached(), BTreeSet::from([ids[1].clone()]));
        place.manage(&["-f", "delete-cached-image", &ids[0]]).ok();
        for _ in 0..2 {
            place.manage(&["-f", "queue-image", &ids[0]]).ok();
        }
        place.manage(&["-f", "delete-queued-image", &ids[0]]).ok();
        assert!(place.queued().is_empty());
        place.manage(&["-f", "queue-image", &ids[0]]).ok();
        for (words, said) in [
            ("delete-all-cached-images", "Deleted 1 cached images\n"),
            ("delete-all-queued-images", "Deleted 1 queued images\n"),
            ("delete-all-cached-images", "Deleted 0 cached images\n"),
        ] {
            let done = place.manage(&["-f", "-v", words]).ok();
            assert!(done.starts_with(said), "{done}");
        }
        let left = files(&place.cache());
        assert!(
            left.iter().all(|name| name.contains("cache")),
            "{driver}: {left:?}"
        );
    }
}

#[test]
fn what_is_not_an_image_is_refused() {
    let place = place("sqlite", "");
    for words in [
        &["-f", "queue-image", "../../etc/passwd"][..],
        &["-f", "delete-cached-image", ".."],
        &["-f", "delete-queued-image", "x"],
    ] {
        let run = place.manage(words);
        assert_eq!(run.code, 1);
        assert!(run.text().ends_with("is not a valid UUID.\n"), "{run:?}");
    }
    let run = place.manage(&["queue-image"]);
    assert_eq!(run.code, 1);
    assert!(run.text().starts_with("Please specify the ID"), "{run:?}");
    assert!(!place.cache().exists());
}

#[test]
fn it_asks_before_it_deletes() {
    let place = place("sqlite", "");
    let id = place.image("x", b"data");
    let question = format!("Queue image {id} for caching? [y/N] ");
    for (answer, queued) in [("\n", 0), ("no\n", 0), ("yess\n", 0), ("Yes\n", 1)] {
        let run = place.manage_with(&["queue-image", &id], answer);
        assert_eq!((run.code, run.text()), (0, question.clone()));
        assert_eq!(place.queued().len(), queued, "{answer}");
    }
    // Nobody answers.
    let run = place.manage_with(&["delete-all-queued-images"], "");
    assert_eq!(run.code, 1);
    assert!(run.text().ends_with("EOF when reading a line\n"), "{run:?}");
    assert_eq!(place.queued(), [id]);
    // Lists ask nothing.
    place.manage_with(&["list-queued"], "").ok();
}

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
            let old = SystemTime::now() - Duration::from_secs(120);
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
        let old = SystemTime::now() - Duration::from_secs(60);
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
    assert_eq!(called("glance-cache-prefetcher", &[]).ok(), "");
    assert_eq!(place.cached().len(), 2);
    assert_eq!(
        called("glance-cache-pruner", &["--dry-run"])
            .ok()
            .lines()
            .last(),
        Some("Would remove 1 file(s), 3 byte(s).")
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

/// `glance-cache-manage` against a server; the requests that it sent.
fn against(server: &Server, words: &[&str]) -> (Run, Vec<String>) {
    let place = Place::new();
    let mut command = place.command(MANAGE);
    aim(&mut command, &server.url());
    let before = server.lines().len();
    command.args(["-H", &server.url(), "-f", "-v"]).args(words);
    let run = Run::of(command.output().unwrap());
    (run, server.lines().split_off(before))
}

#[test]
fn a_service_is_asked_by_its_newer_routes() {
    let server = Server::start();
    let (cached, queued) = (server.image("cached", "x"), server.image("queued", "y"));
    for (words, requests, said) in [
        (
            vec!["list-cached"],
            vec!["GET /v2/cache".to_string()],
            "Found 1 cached images...",
        ),
        (
            vec!["list-queued"],
            vec!["GET /v2/cache".to_string()],
            "Found 1 queued images...",
        ),
        (
            vec!["queue-image", &queued],
            vec![format!("PUT /v2/cache/{queued}")],
            "Queued image",
        ),
        (
            vec!["delete-cached-image", &cached],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/cache/{cached}"),
            ],
            "Deleted cached image",
        ),
        // One that is queued stays so: the newer route would drop it from there.
        (
            vec!["delete-cached-image", &queued],
            vec!["GET /v2/cache".to_string()],
            "Deleted cached image",
        ),
        (
            vec!["delete-queued-image", &queued],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/cache/{queued}"),
            ],
            "Deleted queued image",
        ),
        (
            vec!["delete-all-cached-images"],
            vec!["GET /v2/cache".to_string(), "DELETE /v2/cache".to_string()],
            "Deleted 1 cached images",
        ),
        (
            vec!["delete-all-queued-images", "--dry-run"],
            vec!["GET /v2/cache".to_string()],
            "Would delete 1 queued images",
        ),
    ] {
        let (run, sent) = against(&server, &words);
        assert_eq!(sent, requests, "{words:?}");
        let text = run.ok();
        assert!(text.starts_with(said), "{text}");
    }
    let nowhere = "88888888-8888-8888-8888-888888888888";
    let (run, sent) = against(&server, &["queue-image", nowhere]);
    assert_eq!(sent, [format!("PUT /v2/cache/{nowhere}")]);
    assert_eq!(run.code, 1);
    assert!(run.text().contains(&format!("Image {nowhere} not found.")));
}

#[test]
fn an_older_service_is_asked_by_its_older_routes() {
    let server = Server::start();
    let id = server.image("x", "x");
    for method in ["GET", "PUT", "DELETE"] {
        let unknown = Answer::page(404, "The resource could not be found.");
        server.on(method, "/v2/cache", 1..=usize::MAX, tricks::say(unknown));
    }
    let (run, sent) = against(&server, &["list-cached"]);
    assert_eq!(sent, ["GET /v2/cache", "GET /v2/cached_images"]);
    assert_eq!(run.code, 1);
    assert!(
        run.text()
            .starts_with("Cache management middleware not enabled on host http")
    );

    let cached = serde_json::json!({"cached_images": [{"image_id": id, "last_accessed": 0,
        "last_modified": 1_763_717_404.5, "size": 1, "hits": 0}]});
    let server = Server::start();
    let id = server.image("x", "x");
    for (method, part, answer) in [
        ("GET", "/v2/cached_images", Answer::json(200, &cached)),
        (
            "GET",
            "/v2/queued_images",
            Answer::json(200, &serde_json::json!({"queued_images": []})),
        ),
        ("PUT", "/v2/queued_images", Answer::empty(200)),
        ("DELETE", "/v2/cached_images/", Answer::empty(200)),
        ("DELETE", "/v2/queued_images/", Answer::empty(200)),
        (
            "DELETE",
            "_images",
            Answer::json(200, &serde_json::json!({"num_deleted": 7})),
        ),
        ("GET", "/v2/cache", Answer::page(404, "no")),
        ("PUT", "/v2/cache", Answer::page(404, "no")),
    ] {
        server.on(method, part, 1..=usize::MAX, tricks::say(answer));
    }
    for (words, requests, said) in [
        (
            vec!["list-cached"],
            vec![
                "GET /v2/cache".to_string(),
                "GET /v2/cached_images".to_string(),
            ],
            "Found 1 cached images...",
        ),
        (
            vec!["list-queued"],
            vec![
                "GET /v2/cache".to_string(),
                "GET /v2/queued_images".to_string(),
            ],
            "No queued images.",
        ),
        (
            vec!["queue-image", &id],
            vec![
                format!("PUT /v2/cache/{id}"),
                format!("PUT /v2/queued_images/{id}"),
            ],
            "Queued image",
        ),
        (
            vec!["delete-queued-image", &id],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/queued_images/{id}"),
            ],
            "Deleted queued image",
        ),
        (
            vec!["delete-cached-image", &id],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/cached_images/{id}"),
            ],
            "Deleted cached image",
        ),
        (
            vec!["delete-all-cached-images"],
            vec![
                "GET /v2/cache".to_string(),
                "DELETE /v2/cached_images".to_string(),
            ],
            "Deleted 7 cached images",
        ),
        (
            vec!["delete-all-queued-images"],
            vec![
                "GET /v2/cache".to_string(),
                "DELETE /v2/queued_images".to_string(),
            ],
            "Deleted 7 queued images",
        ),
    ] {
        let (run, sent) = against(&server, &words);
        assert_eq!(sent, requests, "{words:?}");
        let text = run.ok();
        assert!(text.starts_with(said), "{text}");
    }
}

#[test]
fn failures_of_the_first_grammar_are_told_and_fail_nothing() {
    let place = Place::new();
    let nowhere = "88888888-8888-8888-8888-888888888888";
    for (words, said) in [
        (
            &["cache-queue", nowhere][..],
            "'HTTP 404 Not Found: Image 88888888-8888-8888-8888-888888888888 not found.': Unable to queue image",
        ),
        (
            &["--as", "demo", "cache-clear"],
            "You are not permitted to delete image(s) from cache.",
        ),
        (
            &["--as", "demo", "cache-prune"],
            "You are not permitted to prune the image cache.",
        ),
        (
            &["--as", "demo", "cache-clean"],
            "You are not permitted to clean the image cache.",
        ),
    ] {
        let run = place.glance(words);
        assert_eq!(run.code, 0);
        assert!(run.stderr.starts_with(said), "{}", run.stderr);
    }
    place.glance(&["--as", "demo", "cache-list"]).fails(1);
    let said = place
        .glance(&["--as", "demo", "cached", "image", "clear"])
        .fails(1);
    assert!(
        said.starts_with("Failed to clear image cache: You are not"),
        "{said}"
    );
}

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

/// Directory and accounts agree, nothing is under way, and every cached file is right.
fn assert_consistent(place: &Place, contents: &[(String, Vec<u8>)]) {
    place.manage(&["clean"]).ok();
    let cached = place.cached();
    let there: BTreeSet<String> = files(&place.cache())
        .into_iter()
        .filter(|name| name.len() == 36)
        .collect();
    assert_eq!(cached, there);
    for id in there {
        let (_, content) = contents.iter().find(|(known, _)| *known == id).unwrap();
        assert!(fs::read(place.cache().join(&id)).unwrap() == *content);
    }
    for part in ["incomplete", "invalid", ".journal"] {
        assert_eq!(files(&place.cache().join(part)), BTreeSet::new(), "{part}");
    }
}

#[test]
fn killed_processes_leave_a_cache_that_the_next_one_puts_right() {
    for driver in DRIVERS {
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
                assert_consistent(&place, &contents);
                // Whatever was killed, the next one gets the data, and what is queued comes.
                assert!(place.download(id) == *content);
                place.manage(&["prefetch"]).ok();
                assert!(place.queued().is_empty(), "{driver}");
                assert_consistent(&place, &contents);
            }
        }
    }
}
