//! The image cache of a host: what is downloaded goes through it, and comes out of it right.

mod killed;
mod manage;
mod remote;
mod upkeep;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use glance_tools::config::Settings;
use glance_tools::data::Watch;
use glance_tools::local::cache::ImageCache;
use glance_tools::service::{CacheKeeper, ImageData, Images, Reading};

use crate::support::{Place, Run, block_on, files};

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

    /// Returns the IDs of the cached images in the index.
    fn cached(&self) -> BTreeSet<String> {
        let cached = block_on(self.keeper().list_cached()).unwrap();
        cached.into_iter().map(|image| image.image_id).collect()
    }

    fn queued(&self) -> Vec<String> {
        block_on(self.keeper().list_queued()).unwrap()
    }
}

/// Returns the hits of an image in the index.
fn hits(place: &Place, id: &str) -> Option<u64> {
    let cached = block_on(place.keeper().list_cached()).unwrap();
    let found = cached.into_iter().find(|image| image.image_id == id);
    found.map(|image| image.hits)
}

#[test]
fn every_driver_indexes_downloads() {
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
fn a_copy_that_is_made_while_its_image_is_deleted_is_not_kept() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let content = vec![3; 700_000];
        let id = place.image("x", &content);
        block_on(async {
            let local = place.open().await;
            let bytes = local.open_image(&id, Reading::default()).await.unwrap();
            local.delete_image(&id).await.unwrap();
            // The data is read to its end, which is when the copy is whole.
            let read = tokio::task::spawn_blocking(move || {
                let mut reader = bytes.source.unwrap().into_reader().unwrap();
                let mut data = vec![0; 800_000];
                let size = reader.fill(&mut data).unwrap();
                data.truncate(size);
                data
            });
            assert!(read.await.unwrap() == content);
        });
        assert_eq!(place.cached(), BTreeSet::new(), "{driver}");
        let cached = files(&place.cache());
        assert!(!cached.contains(&id), "{driver}: {cached:?}");
        assert!(files(&place.cache().join("incomplete")).is_empty());
    }
}

#[test]
fn a_copy_that_is_fetched_while_its_image_is_deleted_is_not_kept() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let (gone, stays) = (place.image("x", b"gone"), place.image("y", b"stays"));
        let keeper = place.keeper();
        block_on(async {
            let local = place.open().await;
            for id in [&gone, &stays] {
                keeper.queue(id).await.unwrap();
            }
            let open = async |id: &str| {
                let bytes = local.open_stored(id).await?;
                if id == gone {
                    local.delete_image(id).await?;
                }
                Ok(bytes)
            };
            let exists = async |id: &str| Ok(local.get_image(id).await.is_ok());
            let watch = Watch::default();
            let done = keeper.prefetch(open, exists, false, &watch).await.unwrap();
            assert_eq!(done.fetched, [(stays.clone(), 5)], "{driver}");
        });
        assert_eq!(place.cached(), BTreeSet::from([stays.clone()]), "{driver}");
        let cached = files(&place.cache());
        assert!(!cached.contains(&gone), "{driver}: {cached:?}");
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
fn a_cache_that_fails_keeps_nobody_from_the_data() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let id = place.image("x", b"data");
        // No directory can be made there.
        fs::remove_dir_all(place.cache()).unwrap();
        fs::write(place.cache(), "in the way").unwrap();
        assert_eq!(place.download(&id), b"data", "{driver}");
        place.glance(&["image-delete", &id]).ok();
    }
}

#[test]
fn a_lost_index_is_rebuilt() {
    let place = place("sqlite", "");
    let ids = ["one", "two"].map(|name| place.image(name, name.as_bytes()));
    for id in &ids {
        place.download(id);
    }
    let lose = || fs::remove_file(place.cache().join("cache.db")).unwrap();
    lose();
    assert!(place.cached().is_empty());
    assert_eq!(place.download(&ids[0]), b"one");
    assert_eq!(hits(&place, &ids[0]), Some(1));
    lose();
    place.glance(&["cache-delete", &ids[0]]).ok();
    assert!(!place.cache().join(&ids[0]).exists());
    lose();
    place.glance(&["cache-clear"]).ok();
    assert!(!place.cache().join(&ids[1]).exists());
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
fn failures_of_the_first_grammar_are_told_and_fail_nothing() {
    let place = Place::new();
    place.image("x", b"data");
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
