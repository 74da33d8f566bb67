//! The programs on real S3 services, and the same objects through upstream's driver.

use std::collections::BTreeSet;

use glance_tools::data::{Algorithm, Hasher};
use glance_tools::model::ImageStatus;
use serde_json::{Value, json};

use crate::real::killed;
use crate::support::drivers::Driver;
use crate::support::s3::Bucket;
use crate::support::{Place, Random, all_images, block_on, files};

const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

const MIB: usize = 1 << 20;

/// The configuration of a deployment whose default store is a bucket; images of 6 MiB are sent in parts.
fn configuration(bucket: &Bucket, more: &str) -> String {
    format!(
        "{more}[DEFAULT]\nenabled_backends = s:s3, files:file\n[glance_store]\ndefault_backend = s\n[s]\n\
         {}s3_store_large_object_size = 6\ns3_store_large_object_chunk_size = 5\n",
        bucket.configuration()
    )
}

fn place(bucket: &Bucket, more: &str) -> Place {
    let place = Place::new();
    place.configure(&configuration(bucket, more));
    place
}

/// Checks that the records and the bucket agree, and that nothing is left over.
fn assert_agree(place: &Place, bucket: &Bucket) {
    let images = block_on(async { all_images(&place.open().await).await });
    let there = bucket.contents();
    let mut expected = BTreeSet::new();
    for image in images {
        match image.status {
            ImageStatus::Active => {
                let data = &there[&image.id];
                assert_eq!(image.size, Some(data.len() as u64));
                let mut hasher = Hasher::new(Algorithm::Sha512);
                hasher.update(data);
                assert_eq!(hasher.finish(), image.hash.unwrap().value);
                expected.insert(image.id);
            }
            ImageStatus::Queued => assert_eq!(image.size, None),
            other => panic!("image {} was left {other}", image.id),
        }
    }
    let there: BTreeSet<String> = there.into_keys().collect();
    assert_eq!(there, expected, "objects and uploads in the bucket");
    assert_eq!(files(&place.data().join(".journal")), BTreeSet::new());
}

#[test]
fn killed_commands_on_s3_lose_nothing_and_leave_nothing() {
    let bucket = Bucket::on_gateway();
    let place = place(&bucket, "");
    killed::assert_nothing_is_lost_or_left(&place, 40, 17_000_000, |place| {
        assert_agree(place, &bucket);
    });
}

#[test]
fn a_copy_between_file_and_s3_is_the_same_data() {
    for bucket in [Bucket::on_gateway(), Bucket::on_small_server()] {
        let place = place(&bucket, "");
        let content = Random::new(5).bytes(9_000_000);
        let id = place.image("copied", &content);
        let import = ["image", "import", &id, "--method", "copy-image", "--store"];
        let copied = place.glance(&[&import[..], &["files"]].concat());
        assert_eq!(copied.code, 0, "{copied:?}");
        let from_file = place.data().join("images-files").join(&id);
        assert!(std::fs::read(from_file).unwrap() == content);
        place.glance(&["stores-delete", "--store", "s", &id]).ok();
        assert!(bucket.contents().is_empty());
        let copied = place.glance(&[&import[..], &["s"]].concat());
        assert_eq!(copied.code, 0, "{copied:?}");
        place
            .glance(&["stores-delete", "--store", "files", &id])
            .ok();
        assert_agree(&place, &bucket);
    }
}

#[test]
fn pending_deletions_on_s3_are_scrubbed_and_restored() {
    let bucket = Bucket::on_gateway();
    let place = place(
        &bucket,
        "[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\n",
    );
    let (one, two) = (place.image("one", b"one"), place.image("two", b"two"));
    place.glance(&["image-delete", &one, &two]).ok();
    assert_eq!(bucket.contents().len(), 2);
    let scrubber = |words: &[&str]| {
        let output = place.command(SCRUBBER).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    scrubber(&["--restore", &one]);
    scrubber(&[]);
    assert_agree(&place, &bucket);
    assert_eq!(place.glance(&["image-download", &one]).ok(), "one");
}

#[test]
fn a_store_that_does_not_respond_is_named_and_affects_only_its_data() {
    let bucket = Bucket::on_gateway();
    let place = place(&bucket, "");
    let id = place.image("kept", b"some data");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let down = configuration(&bucket, "").replace(&bucket.host, &format!("127.0.0.1:{port}"));
    place.configure(&down);
    place.glance(&["image-show", &id]).ok();
    for words in [
        &["image-download", &id][..],
        &["image-delete", &id],
        &["image", "create", "new", "--file", "/etc/hostname"],
    ] {
        let said = place.glance(words).fails(1);
        assert!(said.contains("store 's' at http://127.0.0.1:"), "{said}");
        assert!(said.contains("Connection refused"), "{said}");
        assert!(!said.contains("glancesecret"), "{said}");
    }
    let files = [
        "image-create",
        "--disk-format=raw",
        "--container-format=bare",
        "--store=files",
        "--file=/etc/hostname",
    ];
    place.glance(&files).ok();
    place.configure(&configuration(&bucket, ""));
    assert_eq!(place.glance(&["image-download", &id]).ok(), "some data");
    place.glance(&["image-delete", &id]).ok();
    assert!(bucket.contents().is_empty());
}

#[test]
fn what_ours_stores_upstreams_driver_reads_and_deletes_and_the_reverse() {
    let bucket = Bucket::on_gateway();
    let place = place(&bucket, "[DEFAULT]\nshow_multiple_locations = true\n");
    let mut driver = Driver::start(&place.data().join("glance-api.conf"), "s");
    let part = 5 * MIB;
    let sizes = [
        0,
        1,
        2,
        4095,
        4096,
        256 * 1024 - 1,
        256 * 1024,
        256 * 1024 + 1,
        MIB,
        part - 1,
        part,
        part + 1,
        6 * MIB - 1,
        6 * MIB,
        6 * MIB + 1,
        2 * part - 1,
        2 * part,
        2 * part + 1,
        3 * part,
        3 * part + 1,
    ];
    let content = Random::new(3).bytes(*sizes.last().unwrap());
    for size in sizes {
        let bytes = &content[..size];
        let mut hasher = Hasher::new(Algorithm::Md5);
        hasher.update(bytes);
        let md5 = hasher.finish();
        let id = place.image("ours", bytes);
        let shown = place.glance(&["image", "show", &id, "-f", "json"]).ok();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let url = bucket.url(&id);
        let locations = shown
            .pointer("/locations")
            .or_else(|| shown.pointer("/properties/locations"));
        let expected = json!([{"url": url, "metadata": {"store": "s"}}]);
        assert_eq!(locations, Some(&expected), "{shown}");
        let known = driver.call(&json!({"size": url}));
        assert_eq!(known, json!({"size": size}));
        let read = driver.call(&json!({"get": url}));
        assert_eq!(read, json!({"size": size, "checksum": md5}));
        driver.call(&json!({"delete": url}));
        assert!(bucket.contents().is_empty(), "{size}");
        // The object is put back by upstream's driver, under the same address.
        let file = place.write("theirs", bytes);
        let added = driver.call(&json!({"add": id, "file": file, "size": size}));
        assert_eq!(added["url"], url);
        assert_eq!(added["metadata"], json!({"store": "s"}));
        let saved = place.file("saved");
        let words = ["image-download", "--file", saved.to_str().unwrap(), &id];
        place.glance(&words).ok();
        assert!(std::fs::read(&saved).unwrap() == bytes, "{size}");
        place.glance(&["image-delete", &id]).ok();
        assert!(bucket.contents().is_empty(), "{size}");
    }
}
