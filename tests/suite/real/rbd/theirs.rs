//! Glance's own driver and our programs on the same pool, each on what the other made.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::place;
use crate::support::ceph::CephPool;
use crate::support::drivers::Driver;
use crate::support::{Place, Random};

/// The sizes of the images, around the sizes of a block, a write, an object and of what an image of unknown size grows
/// by, and whether most of the image is a hole.
const SIZES: [(u64, bool); 20] = [
    (0, false),
    (1, false),
    (511, false),
    (4096, false),
    (BLOCK - 1, false),
    (BLOCK, false),
    (BLOCK + 1, false),
    (OBJECT / 2 - 1, false),
    (OBJECT / 2 + 1, false),
    (OBJECT - 1, false),
    (OBJECT, false),
    (OBJECT + 1, false),
    (2 * OBJECT - 1, false),
    (2 * OBJECT, false),
    (2 * OBJECT + 1, false),
    (3 * OBJECT, false),
    (6 * OBJECT + 1, false),
    (40 * OBJECT, true),
    (40 * OBJECT + 777, true),
    (64 * OBJECT, true),
];

const BLOCK: u64 = 256 * 1024;
const OBJECT: u64 = 8 << 20;

/// Makes a file of random bytes, or of two pages of them at its beginning and in its middle.
fn make(path: &Path, size: u64, is_sparse: bool, random: &mut Random) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    let mut write = |at: u64, length: u64| {
        let bytes = random.bytes(1000.min(usize::try_from(length).unwrap()));
        let length = usize::try_from(length).unwrap();
        let bytes: Vec<u8> = bytes.into_iter().cycle().take(length).collect();
        file.write_all_at(&bytes, at).unwrap();
    };
    if is_sparse {
        write(0, 4096);
        write(size / 2, 4096);
    } else {
        write(0, size);
    }
}

fn same(one: &Path, other: &Path) -> bool {
    Command::new("cmp")
        .arg("-s")
        .args([one, other])
        .status()
        .unwrap()
        .success()
}

/// The one row of `image_locations` of an image: its address and its metadata.
fn row(place: &Place, id: &str) -> (String, Value) {
    let database = place.data().join("glance.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let query = "SELECT value, meta_data FROM image_locations WHERE image_id = ? AND deleted = 0";
    let row = database.query_row(query, [id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    let (url, metadata) = row.unwrap();
    (url, serde_json::from_str(&metadata).unwrap())
}

#[test]
fn the_driver_of_glance_reads_and_deletes_what_ours_stored_and_the_reverse() {
    let pool = CephPool::make();
    for (half, thin) in [false, true].into_iter().enumerate() {
        let more = format!("[ceph]\nrbd_thin_provisioning = {thin}\n");
        let place = place(&pool, &more);
        let mut random = Random::new(3);
        let (file, out) = (place.file("in"), place.file("out"));
        place.glance(&["image-list"]).ok();
        let mut driver = Driver::start(&place.data().join("glance-api.conf"), "ceph");
        let sizes = SIZES.into_iter().enumerate();
        for (number, (size, is_sparse)) in sizes.filter(|(number, _)| number % 2 == half) {
            make(&file, size, is_sparse, &mut random);
            let path = file.to_str().unwrap();
            let create = [
                "image",
                "create",
                "-f",
                "value",
                "-c",
                "id",
                "--disk-format",
                "raw",
                "--file",
                path,
            ];
            let ours = place.glance(&[&create[..], &["ours"]].concat()).ok();
            let ours = ours.trim();
            let show = |column| {
                place
                    .glance(&["image", "show", "-f", "value", "-c", column, ours])
                    .ok()
            };
            // Known and unknown sizes alternate.
            let claimed = if number % 4 < 2 { size } else { 0 };
            let id = format!("aaaaaaaa-2222-4333-8444-5555555555{number:02}");
            let theirs = driver.call(&json!({"add": id, "file": path, "size": claimed}));

            assert_eq!(
                theirs["checksum"].as_str().unwrap(),
                show("checksum").trim(),
                "{size}"
            );
            assert_eq!(theirs["size"], size);
            let (url, metadata) = row(&place, ours);
            assert_eq!(url, theirs["url"].as_str().unwrap().replace(&id, ours));
            assert_eq!(metadata, theirs["metadata"]);
            let info = |id: &str| {
                let words = ["info", "--format", "json", &pool.spec(id)];
                let mut info: Value = serde_json::from_str(&pool.rbd(&words)).unwrap();
                for differs in [
                    "name",
                    "id",
                    "block_name_prefix",
                    "create_timestamp",
                    "access_timestamp",
                    "modify_timestamp",
                ] {
                    info.as_object_mut().unwrap().remove(differs);
                }
                info
            };
            assert_eq!(info(ours), info(&id), "{size}");

            // Theirs reads ours.
            let read = driver.call(&json!({"get": url}));
            let expected = json!({"size": size, "checksum": theirs["checksum"]});
            assert_eq!(read, expected, "theirs reads {size}");
            // Ours reads theirs, recorded as Glance does.
            let taken = place.image("theirs", b"to be replaced");
            let (own, _) = row(&place, &taken);
            let database = rusqlite::Connection::open(place.data().join("glance.db")).unwrap();
            let update = "UPDATE image_locations SET value = ?1 WHERE image_id = ?2";
            database
                .execute(update, [theirs["url"].as_str().unwrap(), &taken])
                .unwrap();
            let update =
                "UPDATE images SET size = ?1, checksum = ?2, os_hash_value = ?3 WHERE id = ?4";
            let (checksum, hash) = (&theirs["checksum"], &theirs["hash"]);
            let values = rusqlite::params![
                i64::try_from(size).unwrap(),
                checksum.as_str().unwrap(),
                hash.as_str().unwrap(),
                taken
            ];
            database.execute(update, values).unwrap();
            drop(database);
            let saved = ["image-download", "--file", out.to_str().unwrap(), &taken];
            place.glance(&saved).ok();
            assert!(same(&file, &out), "ours reads {size}");

            // Each deletes the other's.
            driver.call(&json!({"delete": url}));
            driver.call(&json!({"delete": own}));
            place.glance(&["image-delete", &taken]).ok();
            assert_eq!(pool.open().images().unwrap(), Vec::<String>::new());
            assert_eq!(driver.ask(&json!({"delete": url}))["error"], "NotFound");
            place.glance(&["image-delete", ours]).ok();
        }
    }
}
