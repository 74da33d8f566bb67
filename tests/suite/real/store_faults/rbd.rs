//! RBD stores, on a Ceph of their own.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bed, Breakage, Case, Does, case};
use crate::support::ceph::CephPool;

/// Larger than what a download reads ahead, with what a pipe holds.
const SIZE: usize = 20_000_000;

/// A file that replaces what is after `name =` in the cluster's configuration.
fn changed(pool: &CephPool, file: &str, name: &str, value: &str) -> String {
    let text = std::fs::read_to_string(&pool.conf).unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some((option, _)) if option == name => format!("{name} = {value}"),
        _ => line.to_string(),
    });
    let lines: Vec<String> = lines.collect();
    let path = pool.conf.with_file_name(file);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    format!("rbd_store_ceph_conf = {}", path.display())
}

#[test]
fn commands_on_rbd_that_fail_name_the_reason_and_leave_nothing() {
    use Does::{Delete, Download, Pipe, Read, Upload};
    let pool = Arc::new(CephPool::alone());
    let section = format!(
        "rbd_store_pool = {}\nrbd_store_user = {}\nrbd_store_ceph_conf = {}\nrados_connect_timeout = 20\n",
        pool.name,
        pool.user,
        pool.conf.display()
    );
    let in_pool = Arc::clone(&pool);
    let contents = move || {
        let images = in_pool.open().images().unwrap().into_iter();
        let trash = in_pool.rbd(&["trash", "ls", &in_pool.name]);
        images.chain(trash.lines().map(str::to_string)).collect()
    };
    let mut bed = Bed::new("rbd", &section, Box::new(contents), SIZE);
    let directory = pool.conf.parent().unwrap().to_path_buf();
    let port = std::fs::read_to_string(directory.join("mon.port")).unwrap();
    bed.names = vec![
        (directory.display().to_string(), "DIR"),
        (format!(":{}", port.trim()), ":PORT"),
        (pool.fsid(), "FSID"),
    ];

    let key = "AQBSdFhcDqF8EBAAr1jCVDbf9Bq5Q8rXvnmzkw==";
    let keyring = directory.join("wrong.keyring");
    std::fs::write(&keyring, format!("[client.glance]\n\tkey = {key}\n")).unwrap();
    let wrong = changed(&pool, "wrong.conf", "keyring", keyring.to_str().unwrap());
    let no_keyring = changed(&pool, "none.conf", "keyring", "/nowhere/keyring");
    let elsewhere = format!("v2:127.0.0.9:{}/0", port.trim());
    let elsewhere = changed(&pool, "elsewhere.conf", "mon host", &elsewhere);
    let options = |text: &str| Breakage::Options(text.to_string());
    let no_file = || options("rbd_store_ceph_conf = /nowhere/ceph.conf");
    let acts = |act: &'static [&'static str], mend: &'static [&'static str]| {
        let command = |words: &'static [&'static str]| {
            let pool = Arc::clone(&pool);
            Box::new(move || drop(pool.ceph(words)))
        };
        Breakage::Acts(command(act), command(mend))
    };
    let paused = || acts(&["osd", "pause"], &["osd", "unpause"]);
    let full = || {
        // Shares of the space, in ascending order; the images are larger than the first ones.
        let set = |ratios: [&'static str; 3], is_full: bool| {
            let pool = Arc::clone(&pool);
            move || {
                let names = ["nearfull", "backfillfull", "full"];
                for (name, ratio) in names.into_iter().zip(ratios) {
                    pool.ceph(&["osd", &format!("set-{name}-ratio"), ratio]);
                }
                let began = Instant::now();
                let says_full = || pool.ceph(&["health", "detail"]).contains("POOL_FULL");
                while says_full() != is_full {
                    assert!(began.elapsed() < Duration::from_mins(1));
                }
            }
        };
        Breakage::Acts(
            Box::new(set(["0.00001", "0.00002", "0.00003"], true)),
            Box::new(set(["0.85", "0.9", "0.95"], false)),
        )
    };
    let killed = || {
        let (pid, owner) = (directory.join("mon.pid"), directory.clone());
        let kill = move || {
            let number = std::fs::read_to_string(&pid).unwrap();
            let number = nix::unistd::Pid::from_raw(number.trim().parse().unwrap());
            nix::sys::signal::kill(number, nix::sys::signal::Signal::SIGKILL).unwrap();
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stores/ceph");
        let start = move || {
            let started = Command::new(script).arg("up").arg(&owner).status();
            assert!(started.unwrap().success());
        };
        Breakage::Acts(Box::new(kill), Box::new(start))
    };
    let silent = |case: Case| Case {
        limit: 30,
        options: "rados_connect_timeout = 2\n",
        ..case
    };
    bed.assert(vec![
        case(
            "wrong key",
            options(&wrong),
            Upload(1000),
            "store 's': the cluster at v2:127.0.0.1:PORT/0 refuses client.glance: unknown \
             user or wrong key\n\
             Hint: Check rbd_store_user, and the key of this user in its keyring. QUEUED",
        ),
        case(
            "wrong key",
            options(&wrong),
            Download,
            "UNREAD (store 's': the cluster at v2:127.0.0.1:PORT/0 refuses client.glance: \
             unknown user or wrong key)\n\
             Hint: Check rbd_store_user, and the key of this user in its keyring.",
        ),
        case(
            "wrong key",
            options(&wrong),
            Delete,
            "'store 's': the cluster at v2:127.0.0.1:PORT/0 refuses client.glance: unknown \
             user or wrong key': Unable to delete image 'KEPT'\n\
             Hint: Check rbd_store_user, and the key of this user in its keyring.",
        ),
        case(
            "no keyring",
            options(&no_keyring),
            Upload(1000),
            "store 's': no keyring can be read for client.glance: /nowhere/keyring\n\
             Hint: The option 'keyring' in the configuration of Ceph names its file. QUEUED",
        ),
        case(
            "unknown user",
            options("rbd_store_user = nobody"),
            Upload(1000),
            "store 's': the cluster at v2:127.0.0.1:PORT/0 refuses client.nobody: unknown \
             user or wrong key\n\
             Hint: Check rbd_store_user, and the key of this user in its keyring. QUEUED",
        ),
        case(
            "no rights",
            options("rbd_store_user = reader"),
            Upload(1000),
            "store 's': client.reader is not permitted to create image ID in pool 'images'\n\
             Hint: It needs the capabilities: mon 'profile rbd', osd 'profile rbd \
             pool=POOL'. QUEUED",
        ),
        case(
            "no rights",
            options("rbd_store_user = reader"),
            Delete,
            "'image KEPT: the record is deleted, but its data is not: store 's': \
             client.reader is not permitted to delete image KEPT in pool 'images'': Unable \
             to delete image 'KEPT'\n\
             Hint: It needs the capabilities: mon 'profile rbd', osd 'profile rbd \
             pool=POOL'. The next command tries again.",
        ),
        case(
            "missing pool",
            options("rbd_store_pool = no-such-pool"),
            Upload(1000),
            "store 's': pool 'no-such-pool' was not found in the cluster FSID\n\
             Hint: Create it, or set rbd_store_pool to the name of an existing one. QUEUED",
        ),
        case(
            "missing file",
            no_file(),
            Upload(1000),
            "store 's': cannot open /nowhere/ceph.conf: No such file or directory\n\
             Hint: Set rbd_store_ceph_conf to the configuration file of Ceph. QUEUED",
        ),
        case(
            "missing file",
            no_file(),
            Download,
            "UNREAD (store 's': cannot open /nowhere/ceph.conf: No such file or directory)\n\
             Hint: Set rbd_store_ceph_conf to the configuration file of Ceph.",
        ),
        case(
            "missing file",
            no_file(),
            Delete,
            "'store 's': cannot open /nowhere/ceph.conf: No such file or directory': \
             Unable to delete image 'KEPT'\n\
             Hint: Set rbd_store_ceph_conf to the configuration file of Ceph.",
        ),
        silent(case(
            "nothing listens",
            options(&elsewhere),
            Upload(1000),
            "store 's': the cluster at v2:127.0.0.9:PORT/0 did not respond for 2 s (pool \
             'images')\n\
             Hint: QUEUED",
        )),
        silent(case(
            "nothing listens",
            options(&elsewhere),
            Download,
            "UNREAD (store 's': the cluster at v2:127.0.0.9:PORT/0 did not respond for 2 s \
             (pool 'images'))",
        )),
        silent(case(
            "nothing listens",
            options(&elsewhere),
            Delete,
            "'store 's': the cluster at v2:127.0.0.9:PORT/0 did not respond for 2 s (pool \
             'images')': Unable to delete image 'KEPT'",
        )),
        silent(case(
            "paused",
            paused(),
            Upload(SIZE),
            "store 's': cannot create image ID: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'. QUEUED",
        )),
        silent(case(
            "paused",
            paused(),
            Pipe(SIZE),
            "store 's': cannot write an image: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'. Undoing it failed (store 's': cannot remove image ID: the cluster at \
             v2:127.0.0.1:PORT/0 did not respond for 2 s (pool 'images')). The next \
             command tries again. QUEUED",
        )),
        silent(case(
            "paused",
            paused(),
            Download,
            "UNREAD (store 's': cannot read image KEPT: the cluster at v2:127.0.0.1:PORT/0 \
             did not respond for 2 s (pool 'images'))\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'.",
        )),
        silent(case(
            "paused",
            paused(),
            Read,
            "store 's': cannot read an image: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'.",
        )),
        silent(case(
            "paused",
            paused(),
            Delete,
            "'store 's': cannot open an image: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')': Unable to delete image 'KEPT'\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'.",
        )),
        silent(case(
            "full",
            full(),
            Upload(SIZE),
            "store 's': cannot create image ID: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'. QUEUED",
        )),
        silent(case(
            "full",
            full(),
            Pipe(SIZE),
            "store 's': cannot write an image: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'. Undoing it failed (store 's': cannot remove image ID: the cluster at \
             v2:127.0.0.1:PORT/0 did not respond for 2 s (pool 'images')). The next \
             command tries again. QUEUED",
        )),
        silent(case(
            "monitor killed",
            killed(),
            Upload(1000),
            "store 's': the cluster at v2:127.0.0.1:PORT/0 did not respond for 2 s (pool \
             'images')\n\
             Hint: QUEUED",
        )),
        silent(case(
            "monitor killed",
            killed(),
            Download,
            "UNREAD (store 's': the cluster at v2:127.0.0.1:PORT/0 did not respond for 2 s \
             (pool 'images'))",
        )),
        silent(case(
            "monitor killed",
            killed(),
            Delete,
            "'store 's': the cluster at v2:127.0.0.1:PORT/0 did not respond for 2 s (pool \
             'images')': Unable to delete image 'KEPT'",
        )),
    ]);
}
