//! A cache that a real Glance and our programs look after together.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use glance_tools::service::{CacheKeeper, ImageService, Reading, Upload};
use serde_json::Value;

use super::MANAGE;
use crate::contract::data::{pipe, read};
use crate::contract::{Deployment, empty_cloud, raw_image};
use crate::support::realcloud::{SharedCloud, output_of, script};
use crate::support::{GLANCE, Place, Run, block_on, files};

/// The programs on the directory and the database of a running server.
struct Beside<'a> {
    place: Place,
    cloud: &'a SharedCloud,
}

impl Beside<'_> {
    fn config(&self) -> PathBuf {
        self.cloud.directory().join("glance/etc/glance-api.conf")
    }

    fn run(&self, program: &str, words: &[&str]) -> Run {
        let mut command = self.place.command(program);
        command
            .env_remove("GLANCE_DATA_DIR")
            .arg("--config-file")
            .arg(self.config())
            .args(words);
        Run::of(command.output().unwrap())
    }

    /// What is in the cache by `glance cache-list`: size and hits by id.
    fn cached(&self) -> BTreeMap<String, (u64, u64)> {
        let rows = self.run(GLANCE, &["--format", "json", "cache-list"]).ok();
        let rows: Value = serde_json::from_str(&rows).unwrap();
        let rows = rows.as_array().unwrap().iter();
        rows.filter(|row| row["State"] == "cached")
            .map(|row| {
                let number = |name: &str| row[name].as_u64().unwrap();
                let id = row["ID"].as_str().unwrap().to_string();
                (id, (number("Size"), number("Hits")))
            })
            .collect()
    }
}

/// The same as the server says it.
async fn told(server: &dyn ImageService) -> BTreeMap<String, (u64, u64)> {
    let state = server.cache_state().await.unwrap();
    let cached = state.cached.into_iter();
    cached
        .map(|image| (image.image_id, (image.size, image.hits)))
        .collect()
}

/// Asks until both say the same, with these hits: a server goes on after it has answered.
async fn assert_both_say(beside: &Beside<'_>, server: &dyn ImageService, hits: &[(&str, u64)]) {
    let began = std::time::Instant::now();
    loop {
        let (ours, theirs) = (beside.cached(), told(server).await);
        let as_wanted = ours.len() == hits.len()
            && hits
                .iter()
                .all(|(id, hits)| ours.get(*id).is_some_and(|(_, counted)| counted == hits));
        if ours == theirs && as_wanted {
            return;
        }
        assert!(
            began.elapsed().as_secs() < 30,
            "{ours:?}\n{theirs:?}\n{hits:?}"
        );
    }
}

#[test]
fn a_server_and_our_programs_keep_one_cache() {
    let cloud = empty_cloud();
    let beside = Beside {
        place: Place::new(),
        cloud: &cloud,
    };
    block_on(async {
        let server = cloud.service("admin:admin:u").await;
        let server = server.as_ref();
        let mut ids = Vec::new();
        for content in [&b"first"[..], b"number two", b"the third"] {
            let image = raw_image(server, "cached").await;
            let upload = Upload::new(pipe(content));
            ids.push(server.upload_image(&image.id, upload).await.unwrap().id);
        }
        let [one, two, three] = &ids[..] else {
            panic!("{ids:?}")
        };
        let from_server =
            async |id: &str| read(server.open_image(id, Reading::default()).await.unwrap()).await;
        let from_ours = |id: &str| {
            let out = beside.place.file("out");
            let words = ["image-download", "--file", out.to_str().unwrap(), id];
            beside.run(GLANCE, &words).ok();
            fs::read(out).unwrap()
        };

        // What the server put there we list, serve and count; what we put there it does.
        assert_eq!(from_server(one).await, b"first");
        assert_both_say(&beside, server, &[(one, 0)]).await;
        assert_eq!(from_ours(one), b"first");
        assert_both_say(&beside, server, &[(one, 1)]).await;
        assert_eq!(from_ours(two), b"number two");
        assert_both_say(&beside, server, &[(one, 1), (two, 0)]).await;
        assert_eq!(from_server(two).await, b"number two");
        assert_both_say(&beside, server, &[(one, 1), (two, 1)]).await;
        let node = server.cached_nodes(two).await.unwrap();
        assert_eq!(node, [cloud.glance()]);

        // One queue.
        beside.run(MANAGE, &["-f", "queue-image", three]).ok();
        let queued = server.cache_state().await.unwrap().queued;
        assert_eq!(queued, std::slice::from_ref(three));
        beside.run(MANAGE, &["prefetch"]).ok();
        assert_both_say(&beside, server, &[(one, 1), (two, 1), (three, 0)]).await;
        assert!(server.cache_state().await.unwrap().queued.is_empty());
        assert_eq!(from_server(three).await, b"the third");
        assert_both_say(&beside, server, &[(one, 1), (two, 1), (three, 1)]).await;

        // What was read longest ago goes first: the server read `two` after we had read `one`.
        let mut prune = beside.place.command(MANAGE);
        prune
            .env_remove("GLANCE_DATA_DIR")
            .env("OS_DEFAULT__IMAGE_CACHE_MAX_SIZE", "20")
            .arg("--config-file")
            .arg(beside.config())
            .arg("prune");
        let said = Run::of(prune.output().unwrap()).ok();
        assert_eq!(said, "Pruned 1 file(s), 5 byte(s).\n");
        assert_both_say(&beside, server, &[(two, 1), (three, 1)]).await;
        // What the server drops is gone for us, and the other way round.
        server.uncache_image(two).await.unwrap();
        assert_both_say(&beside, server, &[(three, 1)]).await;
        let deleted = beside.run(MANAGE, &["-f", "delete-cached-image", three]);
        deleted.ok();
        assert_both_say(&beside, server, &[]).await;
        assert_eq!(from_server(three).await, b"the third");
        assert_both_say(&beside, server, &[(three, 0)]).await;
    });
}

#[test]
fn the_real_programs_look_after_a_cache_of_ours() {
    let venv = output_of(&mut Command::new(script("venv")));
    let programs = PathBuf::from(venv.trim_end()).join("bin");
    let place = super::place("sqlite", "image_cache_max_size = 12");
    let ids = ["first", "other", "third"].map(|name| place.image(name, name.as_bytes()));
    for id in &ids {
        place.download(id);
    }
    place.download(&ids[0]);
    let config = place.write(
        "glance.conf",
        format!(
            "[DEFAULT]\nimage_cache_driver = sqlite\nimage_cache_max_size = 12\nimage_cache_dir = {}\n\
             [database]\nconnection = sqlite:///{}\n",
            place.cache().display(),
            place.data().join("glance.db").display()
        ),
    );
    let real = |program: &str| {
        let mut command = Command::new(programs.join(program));
        command
            .env("PYTHONWARNINGS", "ignore")
            .arg("--config-file")
            .arg(&config);
        output_of(&mut command);
    };
    real("glance-cache-pruner");
    // The second one was read longest ago.
    let left = [&ids[0], &ids[2]].map(Clone::clone);
    assert_eq!(place.cached(), left.clone().into());
    assert_eq!(super::hits(&place, &ids[0]), Some(1));
    fs::write(place.cache().join("invalid").join(&ids[1]), "bad").unwrap();
    real("glance-cache-cleaner");
    assert!(files(&place.cache().join("invalid")).is_empty());
    assert_eq!(place.cached(), left.into());
    assert_eq!(block_on(place.keeper().list_cached()).unwrap().len(), 2);
}
