//! The programs on a real Ceph.

mod theirs;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use glance_tools::data::{Algorithm, Hasher};
use glance_tools::model::ImageStatus;

use crate::real::killed;
use crate::support::ceph::CephPool;
use crate::support::{GLANCE, Place, Random, all_images, block_on, files};

const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

/// A deployment whose default store is a pool of its own.
fn place(pool: &CephPool, more: &str) -> Place {
    let place = Place::new();
    place.configure(&(pool.configuration() + more));
    place
}

/// Checks that the records and the pool agree, and that nothing is left over.
fn assert_agree(place: &Place, pool: &CephPool) {
    let images = block_on(async { all_images(&place.open().await).await });
    let mut expected = BTreeSet::new();
    let opened = pool.open();
    for image in images {
        match image.status {
            ImageStatus::Active => {
                let data = opened.open_read_only(&image.id, Some("snap")).unwrap();
                assert!(data.is_protected("snap").unwrap(), "{}", image.id);
                let size = data.size().unwrap();
                assert_eq!(image.size, Some(size));
                let read = data.read(0, usize::try_from(size).unwrap()).unwrap();
                let mut hasher = Hasher::new(Algorithm::Sha512);
                hasher.update(&read.wait().unwrap().1);
                assert_eq!(hasher.finish(), image.hash.unwrap().value);
                expected.insert(image.id);
            }
            ImageStatus::Queued => assert_eq!(image.size, None),
            other => panic!("image {} was left {other}", image.id),
        }
    }
    let there: BTreeSet<String> = opened.images().unwrap().into_iter().collect();
    let journal = files(&place.data().join(".journal"));
    let more: Vec<String> = there
        .difference(&expected)
        .map(|id| {
            let info = pool.command("rbd").args(["info", &pool.spec(id)]).output();
            format!("{info:?}")
        })
        .collect();
    assert_eq!(there, expected, "images in the pool; {journal:?} {more:?}");
    assert_eq!(pool.rbd(&["trash", "ls", &pool.name]), "");
    assert_eq!(files(&place.data().join(".journal")), BTreeSet::new());
}

#[test]
fn killed_commands_on_rbd_lose_nothing_and_leave_nothing() {
    let pool = CephPool::make();
    let place = place(&pool, "");
    killed::assert_nothing_is_lost_or_left(&place, 48, 20_000_000, |place| {
        assert_agree(place, &pool);
    });
}

#[test]
fn images_that_are_closed_as_soon_as_they_are_open_end_no_process() {
    let pool = CephPool::make();
    pool.rbd(&["create", "--size", "1M", &pool.spec("opened")]);
    pool.rbd(&["snap", "create", "--no-progress", &pool.spec("opened@snap")]);
    std::thread::scope(|scope| {
        // More than there are processors, so that some are interrupted at any point.
        for _ in 0..24 {
            scope.spawn(|| {
                let pool = pool.open();
                for _ in 0..150 {
                    drop(pool.open_read_only("opened", Some("snap")).unwrap());
                }
            });
        }
    });
}

#[test]
fn an_image_with_clones_is_not_deleted_and_stays_active() {
    let pool = CephPool::make();
    let place = place(&pool, "");
    let id = place.image("parent", b"some data");
    let snapshot = format!("{}@snap", pool.spec(&id));
    pool.rbd(&["clone", &snapshot, &pool.spec("clone")]);
    let said = place.glance(&["image", "delete", &id]).fails(1);
    let expected = format!(
        "Image {id} could not be deleted because it is in use: The image cannot be deleted because it is in use \
         through the backend store outside of Glance."
    );
    assert!(said.contains(&expected), "{said}");
    let status = place.glance(&["image", "show", &id, "-f", "value", "-c", "status"]);
    assert_eq!(status.ok(), "active\n");
    pool.rbd(&["rm", "--no-progress", &pool.spec("clone")]);
    place.glance(&["image", "delete", &id]).ok();
    assert_agree(&place, &pool);
}

#[test]
fn a_copy_between_file_and_rbd_is_the_same_data() {
    let pool = CephPool::make();
    let place = place(&pool, "");
    let content = Random::new(5).bytes(9_000_000);
    let id = place.image("copied", &content);
    let import = ["image", "import", &id, "--method", "copy-image", "--store"];
    let copied = place.glance(&[&import[..], &["file"]].concat());
    assert_eq!(copied.code, 0, "{copied:?}");
    let from_file = place.data().join("images-file").join(&id);
    assert!(std::fs::read(from_file).unwrap() == content);
    place
        .glance(&["stores-delete", "--store", "ceph", &id])
        .ok();
    assert!(pool.open().images().unwrap().is_empty());
    let copied = place.glance(&[&import[..], &["ceph"]].concat());
    assert_eq!(copied.code, 0, "{copied:?}");
    place
        .glance(&["stores-delete", "--store", "file", &id])
        .ok();
    assert_agree(&place, &pool);
}

#[test]
fn pending_deletions_on_rbd_are_scrubbed_and_restored() {
    let pool = CephPool::make();
    let place = place(&pool, "[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\n");
    let (one, two) = (place.image("one", b"one"), place.image("two", b"two"));
    place.glance(&["image-delete", &one, &two]).ok();
    assert_eq!(pool.open().images().unwrap().len(), 2);
    let scrubber = |words: &[&str]| {
        let output = place.command(SCRUBBER).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    scrubber(&["--restore", &one]);
    scrubber(&[]);
    assert_agree(&place, &pool);
    assert_eq!(place.glance(&["image-download", &one]).ok(), "one");
}

#[test]
fn many_pending_deletions_on_rbd_are_carried_out_at_a_time() {
    let pool = CephPool::make();
    let place = place(&pool, "[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\n");
    let data = place.write("data", vec![7; 100_000]);
    let data = data.to_str().unwrap();
    let lines = format!("image create --file {data} x\n").repeat(24);
    place.glance_with(&[], lines.as_bytes()).ok();
    let images = block_on(async { all_images(&place.open().await).await });
    let ids = images.iter().map(|image| image.id.as_str());
    let words: Vec<&str> = ["image-delete"].into_iter().chain(ids).collect();
    place.glance(&words).ok();
    assert_eq!(pool.open().images().unwrap().len(), 24);
    let output = place.command(SCRUBBER).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_agree(&place, &pool);
}

#[test]
fn a_command_that_waits_for_a_silent_cluster_ends_at_a_signal() {
    let pool = CephPool::images();
    let place = place(&pool, "");
    let text = std::fs::read_to_string(&pool.conf).unwrap();
    // Nothing listens there.
    let text = text.replace("mon host = v2:127.0.0.1:", "mon host = v2:127.0.0.9:");
    let silent = place.write("silent.conf", text);
    place.configure(&pool.configuration().replace(
        &format!("ceph_conf = {}", pool.conf.display()),
        &format!("ceph_conf = {}", silent.display()),
    ));
    // What needs no data does not wait.
    place.glance(&["image-list"]).ok();
    let mut command = place.command(GLANCE);
    command
        .args(["image", "create", "new", "--file"])
        .arg(&silent);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(
        began.elapsed() < Duration::from_secs(7),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_cluster_that_stops_responding_costs_the_time_limit_and_is_cleared_when_it_responds_again() {
    let pool = CephPool::alone();
    let place = place(&pool, "[ceph]\nrados_connect_timeout = 3\n");
    let kept = place.image("kept", b"kept");
    let file = place.write("a.img", Random::new(1).bytes(10_000_000));
    pool.ceph(&["osd", "pause"]);
    let began = Instant::now();
    let create = ["image", "create", "new", "--file", file.to_str().unwrap()];
    let said = place.glance(&create).fails(1);
    assert!(said.contains("store 'ceph': "), "{said}");
    assert!(said.contains(" did not respond for "), "{said}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    // An upload that had begun is left as by a crash.
    pool.ceph(&["osd", "unpause"]);
    let mut child = killed::spawn(&place, &create, None);
    let journal = place.data().join(".journal");
    while files(&journal).is_empty() {
        assert!(child.try_wait().unwrap().is_none());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    pool.ceph(&["osd", "pause"]);
    // What needs no data waits for a short time only.
    let began = Instant::now();
    let list = place.glance(&["image", "list", "-f", "value", "-c", "Name"]);
    assert_eq!(list.code, 0, "{list:?}");
    assert!(list.text().contains("kept\n"), "{list:?}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    let said = place
        .glance(&["image", "save", &kept, "--file", "kept.img"])
        .fails(1);
    assert!(said.contains("did not respond for 3 s"), "{said}");
    pool.ceph(&["osd", "unpause"]);
    place.glance(&["image-list"]).ok();
    assert_agree(&place, &pool);
    assert_eq!(place.glance(&["image-download", &kept]).ok(), "kept");
}

#[test]
fn an_upload_of_much_data_and_more_zeros_takes_little_memory() {
    let pool = CephPool::make();
    let place = place(&pool, "[ceph]\nrbd_thin_provisioning = true\n");
    let mut content = Random::new(9).bytes(1 << 20).repeat(64);
    content.resize(content.len() + (256 << 20), 0);
    let create = ["image", "create", "new", "--disk-format", "raw"];
    let mut child = killed::spawn(&place, &create, Some(&content));
    // KiB.
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let now = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = now.and_then(|text| text.trim().strip_suffix(" kB"));
        peak = peak.max(now.map_or(0, |text| text.parse().unwrap()));
        std::thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
    // That of a debug build, libraries included.
    assert!((1..160_000).contains(&peak), "{peak} KiB");
    assert_agree(&place, &pool);
}
