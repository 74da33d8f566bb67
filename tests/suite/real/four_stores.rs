//! One deployment with a store of each kind that can be written to: directories, Ceph, S3 and Swift.

use serde_json::Value;

use crate::support::Place;
use crate::support::ceph::CephPool;
use crate::support::s3::Bucket;
use crate::support::swift::{Account, new_name};

/// The stores in the order in which an image goes through them.
const ROUND: [&str; 5] = ["disk", "ceph", "bucket", "objects", "disk"];

/// More than one part, segment and object of each store, and no multiple of them.
const SIZE: usize = 18 * 1024 * 1024 + 4321;

/// A deployment with the stores `disk`, `ceph`, `bucket` and `objects`; uploads go to `disk`. Deleted data waits for a scrub.
fn deployment() -> Place {
    let (pool, bucket) = (CephPool::make(), Bucket::on_gateway());
    let place = Place::new();
    place.configure(&format!(
        "[DEFAULT]\nenabled_backends = disk:file, ceph:rbd, bucket:s3, objects:swift\ndelayed_delete = true\n\
         [paste_deploy]\nflavor = caching\n\
         [glance_store]\ndefault_backend = disk\n\
         [disk]\nfilesystem_store_datadir = disk\n\
         [ceph]\nrbd_store_pool = {}\nrbd_store_user = {}\nrbd_store_ceph_conf = {}\n\
         [bucket]\n{}s3_store_large_object_size = 6\ns3_store_large_object_chunk_size = 5\n\
         [objects]\n{}swift_store_container = {}\nswift_store_create_container_on_put = true\n\
         swift_store_large_object_size = 4\nswift_store_large_object_chunk_size = 3\n",
        pool.name,
        pool.user,
        pool.conf.display(),
        bucket.configuration(),
        Account::new().configuration(),
        new_name(),
    ));
    place
}

/// Data without a pattern that a store might repeat.
fn content() -> Vec<u8> {
    let mut state: u32 = 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..SIZE).map(|_| next()).collect()
}

fn shown(place: &Place, id: &str) -> Value {
    let words = ["--format", "json", "image-show", id];
    serde_json::from_str(&place.glance(&words).ok()).unwrap()
}

#[test]
fn an_image_is_copied_from_store_to_store_and_stays_the_same() {
    let place = deployment();
    let sent = content();
    let id = place.image("traveller", &sent);
    let first = shown(&place, &id);
    for pair in ROUND.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        place
            .glance(&[
                "--verify-stored",
                "image-import",
                "--import-method",
                "copy-image",
                "--stores",
                to,
                "--wait",
                &id,
            ])
            .ok();
        place.glance(&["stores-delete", &id, "--store", from]).ok();
        // Until then, the data of the last store of the round is still in the first one.
        place.glance(&["scrub"]).ok();
        let now = shown(&place, &id);
        assert_eq!(now["stores"], to);
        for field in ["checksum", "os_hash_value", "size", "status"] {
            assert_eq!(now[field], first[field], "{field} in {to}");
        }
        let file = format!("from-{to}");
        place.glance(&["image", "save", &id, "--file", &file]).ok();
        assert!(std::fs::read(place.file(&file)).unwrap() == sent, "{to}");
        std::fs::remove_file(place.file(&file)).unwrap();
    }
    let doctor = place.glance(&["doctor"]).ok();
    for store in ["bucket", "ceph", "disk", "objects"] {
        assert!(doctor.contains(store), "{doctor}");
    }
}

#[test]
fn the_cache_and_the_scrubber_work_on_every_store() {
    let place = deployment();
    let ids: Vec<String> = ROUND[..4]
        .iter()
        .map(|store| {
            place.write("data", store);
            let words = [
                "--format",
                "value",
                "--column",
                "id",
                "image-create",
                "--disk-format",
                "raw",
                "--container-format",
                "bare",
                "--store",
                store,
                "--file",
                "data",
            ];
            place.glance(&words).ok().trim().to_string()
        })
        .collect();
    for id in &ids {
        place.glance(&["cache-queue", id]).ok();
    }
    let cached = place.glance(&["--format", "json", "cache-list"]).ok();
    assert!(ids.iter().all(|id| cached.contains(id)), "{cached}");
    place.glance(&["cache-clear"]).ok();
    for (id, store) in ids.iter().zip(ROUND) {
        let saved = place.glance(&["image-download", id]).ok();
        assert_eq!(saved, store);
        place.glance(&["image-delete", id]).ok();
    }
    let kept = &ids[1];
    place.glance(&["scrub", "--restore", kept]).ok();
    assert_eq!(place.glance(&["image-download", kept]).ok(), ROUND[1]);
    let scrubbed = place.glance(&["--format", "json", "scrub"]).ok();
    let scrubbed: Value = serde_json::from_str(&scrubbed).unwrap();
    assert_eq!(scrubbed["images"], 3, "{scrubbed}");
    assert_eq!(scrubbed["failures"], 0, "{scrubbed}");
    place.glance(&["image-delete", kept]).ok();
    let scrubbed = place.glance(&["--format", "json", "scrub"]).ok();
    let scrubbed: Value = serde_json::from_str(&scrubbed).unwrap();
    assert_eq!(scrubbed["images"], 1, "{scrubbed}");
}
