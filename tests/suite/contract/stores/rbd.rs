//! Claims about RBD stores beside those about every store.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use glance_tools::config;
use glance_tools::local::store::RbdStore;
use librbd::{Pool, features};

use super::*;
use crate::support::ceph::{self, CephPool};

/// A pool of its own.
pub struct Images {
    pool: CephPool,
    thin: bool,
}

impl Images {
    pub fn new() -> Self {
        Self {
            pool: CephPool::make(),
            thin: false,
        }
    }

    /// The one at a place.
    pub fn at(place: &Path) -> Self {
        let place = place.to_str().unwrap();
        let (conf, name) = place.rsplit_once(':').unwrap();
        Self {
            pool: CephPool {
                conf: PathBuf::from(conf),
                name: name.to_string(),
                user: "tests",
            },
            thin: false,
        }
    }

    fn settings(&self) -> config::RbdStore {
        config::RbdStore {
            pool: self.pool.name.clone(),
            user: Some(self.pool.user.to_string()),
            ceph_conf: Some(self.pool.conf.clone()),
            chunk_size: 8 << 20,
            timeout: None,
            thin_provisioning: self.thin,
        }
    }

    fn url(&self, id: &str) -> String {
        format!("rbd://{}/{}/{id}/snap", self.pool.fsid(), self.pool.name)
    }

    fn open(&self) -> Pool {
        self.pool.open()
    }

    fn rbd(&self, words: &[&str]) -> String {
        self.pool.rbd(words)
    }

    /// The bytes that an image occupies.
    fn used(&self, id: &str) -> u64 {
        let words = ["du", "--format", "json", &self.pool.spec(id)];
        let usage: serde_json::Value = serde_json::from_str(&self.rbd(&words)).unwrap();
        let images = usage["images"].as_array().unwrap().iter();
        images.map(|one| one["used_size"].as_u64().unwrap()).sum()
    }
}

impl Site for Images {
    fn store(&self) -> Box<dyn Store> {
        Box::new(RbdStore::new(info(), self.settings()))
    }

    /// Puts data there as Glance does. An image of that name gets another one.
    fn put(&self, id: &str, bytes: &[u8]) -> String {
        let pool = self.open();
        if pool.images().unwrap().iter().any(|name| name == id) {
            pool.rename(id, "moved").unwrap();
        }
        let spec = self.pool.spec(id);
        let mut import = self.pool.command("rbd");
        import.args(["import", "--no-progress", "-", &spec]);
        let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
        import.stdin.take().unwrap().write_all(bytes).unwrap();
        assert!(import.wait().unwrap().success());
        let image = pool.open(id).unwrap();
        image.create_snapshot("snap").unwrap();
        image.protect_snapshot("snap").unwrap();
        self.url(id)
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let pool = self.open();
        let mut all = BTreeMap::new();
        for name in pool.images().unwrap() {
            let image = pool.open_read_only(&name, None).unwrap();
            let size = usize::try_from(image.size().unwrap()).unwrap();
            let bytes = image.read(0, size).unwrap().wait().unwrap().1;
            for snapshot in image.snapshots().unwrap() {
                let protected = image.is_protected(&snapshot.name).unwrap();
                let key = format!("{name}@{} {protected}", snapshot.name);
                all.insert(key, snapshot.size.to_be_bytes().to_vec());
            }
            all.insert(name, bytes);
        }
        all
    }

    fn missing(&self) -> String {
        self.url("missing")
    }

    fn place(&self) -> OsString {
        format!("{}:{}", self.pool.conf.display(), self.pool.name).into()
    }
}

/// Stores data, and returns its address.
async fn stored(store: &dyn Store, source: Source, size: Option<u64>) -> String {
    let mut writer = store.create(ID, size).await.unwrap();
    take(writer.as_mut(), source).await.unwrap();
    writer.commit().await.unwrap();
    writer.address().to_string()
}

fn removal(url: &str) -> Removal {
    Removal {
        url: url.to_string(),
        unless_later: None,
    }
}

async fn delete(store: &dyn Store, url: &str) -> Result<Option<u64>> {
    store.delete(vec![removal(url)], false).await.pop().unwrap()
}

#[test]
fn an_image_is_as_the_driver_makes_it() {
    let site = Images::new();
    block_on(async {
        let store = site.store();
        let url = stored(&*store, arriving(None), None).await;
        assert_eq!(url, site.url(ID));
    });
    let pool = site.open();
    let image = pool.open_read_only(ID, None).unwrap();
    assert_eq!(image.size().unwrap(), content().len() as u64);
    assert_eq!(image.features().unwrap(), 61);
    let snapshots = image.snapshots().unwrap();
    let names: Vec<&str> = snapshots.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["snap"]);
    assert!(image.is_protected("snap").unwrap());
    assert!(image.watchers().unwrap().is_empty(), "it is closed");
    let words = ["info", "--format", "json", &site.pool.spec(ID)];
    let shown: serde_json::Value = serde_json::from_str(&site.rbd(&words)).unwrap();
    assert_eq!(shown["object_size"], 8 << 20);
}

#[test]
fn data_of_unknown_and_of_any_claimed_size_is_whole() {
    let site = Images::new();
    let bytes: Vec<u8> = (0..=250_u8).cycle().take(21 << 20).collect();
    let source = || {
        let pieces: Vec<_> = bytes.chunks(300_000).map(Bytes::copy_from_slice).collect();
        Source::stream(stream::iter(pieces.into_iter().map(Ok)))
    };
    block_on(async {
        let store = site.store();
        let length = bytes.len() as u64;
        for claimed in [
            None,
            Some(length),
            Some(1),
            Some(length - 1),
            Some(length + (9 << 20)),
        ] {
            let url = stored(&*store, source(), claimed).await;
            assert_eq!(store.size(&url).await.unwrap(), length, "{claimed:?}");
            let all = read(&*store, &url, ByteRange::ALL).await.unwrap();
            assert!(all == bytes, "{claimed:?}");
            assert_eq!(delete(&*store, &url).await.unwrap(), Some(length));
        }
    });
}

#[test]
fn data_with_clones_is_in_use_and_stays_as_it_was() {
    let site = Images::new();
    block_on(async {
        let store = site.store();
        let url = stored(&*store, arriving(None), None).await;
        let snapshot = format!("{}@snap", site.pool.spec(ID));
        site.rbd(&["clone", &snapshot, &site.pool.spec("clone")]);
        let before = site.contents();
        for refused in [
            store.check_delete(&url).await.unwrap_err(),
            delete(&*store, &url).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Conflict);
            assert_eq!(
                refused.message(),
                "The image cannot be deleted because it is in use through the backend store outside of Glance."
            );
        }
        assert_eq!(site.contents(), before);
        site.rbd(&["rm", &site.pool.spec("clone")]);
        store.check_delete(&url).await.unwrap();
        assert!(delete(&*store, &url).await.unwrap().is_some());
        assert!(site.contents().is_empty());
    });
}

#[test]
fn data_that_a_client_has_open_is_in_use_and_stays_as_it_was() {
    let site = Images::new();
    block_on(async {
        let store = site.store();
        let url = stored(&*store, arriving(None), None).await;
        let before = site.contents();
        let open = site.open().open(ID).unwrap();
        for refused in [
            store.check_delete(&url).await.unwrap_err(),
            delete(&*store, &url).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Conflict);
        }
        assert_eq!(site.contents(), before);
        drop(open);
        assert!(delete(&*store, &url).await.unwrap().is_some());
    });
}

#[test]
fn data_with_other_snapshots_is_moved_into_the_trash() {
    let site = Images::new();
    block_on(async {
        let store = site.store();
        let url = stored(&*store, arriving(None), None).await;
        site.rbd(&["snap", "create", &format!("{}@backup", site.pool.spec(ID))]);
        store.check_delete(&url).await.unwrap();
        let length = content().len() as u64;
        assert_eq!(delete(&*store, &url).await.unwrap(), Some(length));
        assert!(site.contents().is_empty());
        let trash = site.rbd(&["trash", "ls", &site.pool.name]);
        assert!(trash.contains(ID), "{trash}");
        assert_eq!(delete(&*store, &url).await.unwrap(), None);
    });
}

#[test]
fn data_that_is_deleted_while_it_is_read_is_not_taken_for_zeros() {
    let site = Images::new();
    // More than is read ahead.
    let bytes = vec![7; 16 << 20];
    let pieces: Vec<_> = bytes.chunks(1 << 20).map(Bytes::copy_from_slice).collect();
    block_on(async {
        let store = site.store();
        let source = Source::stream(stream::iter(pieces.into_iter().map(Ok)));
        let url = stored(&*store, source, None).await;
        // Of a range, there is no hash.
        let range = ByteRange {
            start: 10,
            end: Some(bytes.len() as u64 - 10),
        };
        let mut data = store.open(&url, range).await.unwrap().into_stream();
        data.try_next().await.unwrap().unwrap();
        delete(&*store, &url).await.unwrap();
        let error = loop {
            match data.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the data has ended"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let expected = format!("store 's': image {ID} was deleted while its data was read");
        assert_eq!(error.message(), expected);
    });
}

#[test]
fn an_interrupted_deletion_is_finished() {
    let site = Images::new();
    block_on(async {
        let store = site.store();
        let url = stored(&*store, arriving(None), None).await;
        let image = site.open().open(ID).unwrap();
        image.unprotect_snapshot("snap").unwrap();
        drop(image);
        let length = store.size(&url).await.unwrap();
        let image = site.open().open(ID).unwrap();
        image.remove_snapshot("snap").unwrap();
        drop(image);
        let missing = store.size(&url).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(delete(&*store, &url).await.unwrap(), Some(length));
        assert!(site.contents().is_empty());
    });
}

#[test]
fn an_older_address_is_read_and_deleted_in_the_pool_of_the_store() {
    let site = Images::new();
    block_on(async {
        let store = site.store();
        site.put(ID, b"older");
        let image = site.open().open(ID).unwrap();
        image.unprotect_snapshot("snap").unwrap();
        image.remove_snapshot("snap").unwrap();
        drop(image);
        let url = format!("rbd://{ID}");
        assert!(store.reads(&url) && !store.owns(&url));
        assert_eq!(store.size(&url).await.unwrap(), 5);
        let all = read(&*store, &url, ByteRange::ALL).await.unwrap();
        assert_eq!(all, b"older");
        store.check_delete(&url).await.unwrap();
        assert_eq!(delete(&*store, &url).await.unwrap(), Some(5));
        assert!(site.contents().is_empty());
    });
}

#[test]
fn zeros_take_no_space_with_thin_provisioning_and_holes_never_do() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sparse");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(200 << 20).unwrap();
    let data = vec![7; 1 << 20];
    for at in [0_u64, 97 << 20, 199 << 20] {
        std::os::unix::fs::FileExt::write_all_at(&file, &data, at).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    let arriving = || {
        let pieces: Vec<_> = expected
            .chunks(1 << 20)
            .map(Bytes::copy_from_slice)
            .collect();
        Source::stream(stream::iter(pieces.into_iter().map(Ok)))
    };
    let pool = CephPool::make();
    for (thin, is_file, is_sparse) in [
        (true, false, true),
        (false, true, true),
        (false, false, false),
    ] {
        let site = Images {
            pool: pool.clone(),
            thin,
        };
        let source = if is_file {
            Source::open(&path).unwrap()
        } else {
            arriving()
        };
        block_on(async {
            let store = site.store();
            let length = source.stored_size();
            let url = stored(&*store, source, length).await;
            let all = read(&*store, &url, ByteRange::ALL).await.unwrap();
            assert!(all == expected);
            // In whole objects of 8 MiB.
            let used = site.used(ID);
            assert_eq!(used <= 24 << 20, is_sparse, "{used}");
            delete(&*store, &url).await.unwrap();
        });
    }
}

/// A change of settings.
type Change = Box<dyn FnOnce(&mut config::RbdStore)>;

/// A store with other settings than those of the site, and the error of each of its operations.
fn refusals(site: &Images, change: impl FnOnce(&mut config::RbdStore)) -> Vec<Error> {
    let mut settings = site.settings();
    change(&mut settings);
    let store = RbdStore::new(info(), settings);
    let url = site.missing();
    block_on(async {
        let deleted = store.delete(vec![removal(&url)], false).await;
        vec![
            store.create(ID, None).await.err().unwrap(),
            store.size(&url).await.unwrap_err(),
            store.open(&url, ByteRange::ALL).await.err().unwrap(),
            store.check_delete(&url).await.unwrap_err(),
            deleted.into_iter().next().unwrap().unwrap_err(),
            store.clear(ID, &[]).await.unwrap_err(),
        ]
    })
}

#[test]
fn what_is_wrong_with_a_store_is_said_by_each_operation() {
    let site = Images {
        pool: CephPool::images(),
        thin: false,
    };
    let directory = TempDir::new().unwrap();
    let conf = |name: &str, keyring: &Path| {
        let path = directory.path().join(name);
        let text = std::fs::read_to_string(&site.pool.conf).unwrap();
        let lines = text.lines().map(|line| match line.split_once(" = ") {
            Some(("keyring", _)) => format!("keyring = {}", keyring.display()),
            _ => line.to_string(),
        });
        let lines: Vec<String> = lines.collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    };
    let wrong = directory.path().join("wrong");
    let key = "AQBSdFhcDqF8EBAAr1jCVDbf9Bq5Q8rXvnmzkw==";
    std::fs::write(&wrong, format!("[client.glance]\n\tkey = {key}\n")).unwrap();
    let no_keyring = conf("no-keyring.conf", &directory.path().join("absent"));
    let wrong_key = conf("wrong-key.conf", &wrong);
    let absent = directory.path().join("absent.conf");
    let cases: [(&str, Change); 5] = [
        (
            "no keyring can be read for client.glance",
            Box::new(|settings| settings.ceph_conf = Some(no_keyring)),
        ),
        (
            "refuses client.glance: unknown user or wrong key",
            Box::new(|settings| settings.ceph_conf = Some(wrong_key)),
        ),
        (
            "cannot open",
            Box::new(|settings| settings.ceph_conf = Some(absent)),
        ),
        (
            "client.nobody",
            Box::new(|settings| settings.user = Some("nobody".to_string())),
        ),
        (
            "pool 'absent' was not found in the cluster",
            Box::new(|settings| settings.pool = "absent".to_string()),
        ),
    ];
    for (text, change) in cases {
        let of_pool = text.contains("pool");
        for (number, error) in refusals_of(&site, change, of_pool).into_iter().enumerate() {
            let message = error.message();
            assert!(message.starts_with("store 's': "), "{number}: {message}");
            assert!(message.contains(text), "{number}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
            assert!(!format!("{error:?}").contains("AQBSdFhc"), "{error:?}");
            assert_ne!(error.kind(), ErrorKind::NotFound);
        }
    }
}

/// As [`refusals`]; those that do not depend on the configured pool are left out.
fn refusals_of(
    site: &Images,
    change: impl FnOnce(&mut config::RbdStore),
    of_pool: bool,
) -> Vec<Error> {
    if !of_pool {
        return refusals(site, change);
    }
    let mut settings = site.settings();
    change(&mut settings);
    let url = format!("rbd://{}/{}/{ID}/snap", site.pool.fsid(), settings.pool);
    let store = RbdStore::new(info(), settings);
    block_on(async {
        vec![
            store.create(ID, None).await.err().unwrap(),
            store.size(&url).await.unwrap_err(),
            store.check_delete(&url).await.unwrap_err(),
            store.clear(ID, &[]).await.unwrap_err(),
        ]
    })
}

#[test]
fn a_user_without_the_right_to_write_is_told_so_and_leaves_nothing() {
    let mut site = Images {
        pool: CephPool::images(),
        thin: false,
    };
    site.pool.user = "reader";
    block_on(async {
        let store = site.store();
        let mut writer = store.create(OTHER, None).await.unwrap();
        let refused = take(writer.as_mut(), arriving(None)).await.unwrap_err();
        assert!(
            refused.message().contains("client.reader is not permitted"),
            "{refused}"
        );
        writer.abort().await.unwrap();
    });
}

#[test]
fn the_rights_of_glance_in_its_pool_are_enough() {
    let site = Images {
        pool: CephPool::images(),
        thin: false,
    };
    block_on(async {
        let store = site.store();
        let url = stored(&*store, arriving(None), None).await;
        store.check_delete(&url).await.unwrap();
        assert!(delete(&*store, &url).await.unwrap().is_some());
        drop(store_until(&*site.store(), Stage::Taken).await);
        store.clear(ID, &[]).await.unwrap();
        let left = site.open().images().unwrap();
        assert!(!left.iter().any(|name| name == ID), "{left:?}");
    });
}

#[test]
fn a_cluster_that_does_not_respond_is_named_within_the_time_limit() {
    let site = Images {
        pool: CephPool::images(),
        thin: false,
    };
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ceph.conf");
    let text = std::fs::read_to_string(&site.pool.conf).unwrap();
    // Nothing listens there.
    let text = text.replace("mon host = v2:127.0.0.1:", "mon host = v2:127.0.0.9:");
    std::fs::write(&path, text).unwrap();
    let began = std::time::Instant::now();
    let settings = config::RbdStore {
        ceph_conf: Some(path),
        timeout: Some(std::time::Duration::from_secs(2)),
        ..site.settings()
    };
    let store = RbdStore::new(info(), settings);
    let error = block_on(store.create(ID, None)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let message = error.message();
    let expected = [
        "store 's': the cluster at v2:127.0.0.9:",
        " did not respond for 2 s (pool 'images')",
    ];
    assert!(
        expected.iter().all(|part| message.contains(part)),
        "{message}"
    );
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn a_description_has_the_id_of_the_cluster_once_it_is_asked_for() {
    let site = Images {
        pool: CephPool::images(),
        thin: false,
    };
    let store = RbdStore::new(info(), site.settings());
    let properties = |info: &StoreInfo| info.detail.clone().unwrap().properties;
    let expected = serde_json::json!({
        "chunk_size": 8 << 20, "pool": "images", "thin_provisioning": false, "fsid": null,
    });
    assert_eq!(
        serde_json::Value::Object(properties(store.info())),
        expected
    );
    let described = block_on(store.describe());
    assert_eq!(properties(&described)["fsid"], site.pool.fsid());
    assert_eq!(properties(store.info()), properties(&described));
}

#[test]
fn a_description_has_the_space_that_a_quota_leaves() {
    ceph::manager();
    let site = Images::new();
    let store = site.store();
    let quota = 64 << 20;
    let name = &site.pool.name;
    site.pool.ceph(&[
        "osd",
        "pool",
        "set-quota",
        name,
        "max_bytes",
        &quota.to_string(),
    ]);
    let data = content();
    site.put(ID, &data);
    // The manager counts every second.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let space = block_on(store.describe()).detail.unwrap().space;
        if let Some(space) = space.filter(|space| space.free <= quota - data.len() as u64) {
            assert!(space.free > quota - 2 * data.len() as u64, "{space:?}");
            assert_eq!(space.total, quota);
            break;
        }
        assert!(Instant::now() < deadline, "{space:?}");
    }
}

#[test]
fn a_name_without_an_image_is_removed() {
    let site = Images::new();
    let store = site.store();
    // What a process leaves that is killed while librbd creates or removes an image.
    let leave_a_name = || {
        let address = site.put(ID, b"some data");
        let id = site
            .pool
            .open()
            .open_read_only(ID, None)
            .unwrap()
            .id()
            .unwrap();
        for object in [format!("rbd_header.{id}"), format!("rbd_id.{ID}")] {
            let words = ["-p", &site.pool.name, "rm", &object];
            let removed = site.pool.command("rados").args(words).status().unwrap();
            assert!(removed.success(), "{object}");
        }
        assert!(site.pool.open().images().unwrap().contains(&ID.to_string()));
        address
    };
    leave_a_name();
    block_on(store.clear(ID, &[])).unwrap();
    assert_eq!(site.pool.open().images().unwrap(), [""; 0]);
    let url = leave_a_name();
    let removal = Removal {
        url,
        unless_later: None,
    };
    let removed = block_on(store.delete(vec![removal], false));
    assert_eq!(removed.into_iter().next().unwrap().unwrap(), None);
    assert_eq!(site.pool.open().images().unwrap(), [""; 0]);
}

#[test]
fn many_images_are_deleted_at_a_time() {
    let site = Images::new();
    let store = site.store();
    let pool = site.pool.open();
    let features = features::LAYERING | features::EXCLUSIVE_LOCK;
    let ids: Vec<String> = (0..150).map(|number| format!("image-{number}")).collect();
    for id in &ids {
        pool.create(id, 100_000, 22, features).unwrap();
        let image = pool.open(id).unwrap();
        image.create_snapshot("snap").unwrap();
        image.protect_snapshot("snap").unwrap();
    }
    let removals = ids.iter().map(|id| Removal {
        url: site.url(id),
        unless_later: None,
    });
    for deleted in block_on(store.delete(removals.collect(), false)) {
        assert_eq!(deleted.unwrap(), Some(100_000));
    }
    assert_eq!(pool.images().unwrap(), Vec::<String>::new());
}

/// The variable with the directory of the site at which a child ends during calls.
const ENDS: &str = "GLANCE_TEST_RBD_ENDS";

#[test]
fn a_process_that_ends_during_a_call_ends_with_its_exit_status() {
    let site = Images::new();
    site.put(ID, b"data");
    for _ in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "--ignored", "--test-threads=1"])
            .arg("contract::stores::rbd::child_that_ends_during_a_call")
            .env(ENDS, site.place());
        let output = child.output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{output:?}");
    }
}

#[test]
#[ignore = "the process that `a_process_that_ends_during_a_call_…` starts"]
fn child_that_ends_during_a_call() {
    let Some(place) = std::env::var_os(ENDS) else {
        return;
    };
    let pool = Images::at(Path::new(&place)).open();
    let (begun, first) = std::sync::mpsc::channel();
    for _ in 0..4 {
        let (pool, begun) = (pool.clone(), begun.clone());
        std::thread::spawn(move || {
            loop {
                let _ = pool.open_read_only(ID, None);
                let _ = begun.send(());
            }
        });
    }
    first.recv().unwrap();
    #[expect(
        clippy::exit,
        reason = "other threads run, as when a program ends early"
    )]
    std::process::exit(7);
}
