//! RBD stores, on a Ceph of their own.

use std::io::{BufRead, BufReader, Read as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Bed, Breakage, CREATE, Case, Does, case, with};
use crate::support::GLANCE;
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

/// A case with a short time limit of the store.
fn silent(case: Case) -> Case {
    Case {
        limit: 30,
        ..with("rados_connect_timeout = 2\n", case)
    }
}

/// A service of the cluster is killed, and started again.
fn killed(pool: &Arc<CephPool>, service: &'static str) -> Breakage {
    let (killed, started) = (Arc::clone(pool), Arc::clone(pool));
    Breakage::Acts(
        Box::new(move || killed.kill(service)),
        Box::new(move || started.start()),
    )
}

/// The line by which a command reports that it waits for the cluster with this port.
fn waiting(port: &str) -> String {
    format!(
        "store 's': still waiting for the cluster at v2:127.0.0.1:{port}/0 after 5 s (pool 'images')"
    )
}

/// A deployment in the pool of a cluster, with further options.
fn bed_in(pool: &Arc<CephPool>, options: &str) -> Bed {
    let section = format!(
        "rbd_store_pool = {}\nrbd_store_user = {}\nrbd_store_ceph_conf = {}\n{options}",
        pool.name,
        pool.user,
        pool.conf.display()
    );
    let in_pool = Arc::clone(pool);
    let contents = move || {
        let images = in_pool.open().images().unwrap().into_iter();
        let trash = in_pool.rbd(&["trash", "ls", &in_pool.name]);
        images.chain(trash.lines().map(str::to_string)).collect()
    };
    let mut bed = Bed::new("rbd", &section, Box::new(contents), SIZE);
    let directory = pool.conf.parent().unwrap();
    let port = std::fs::read_to_string(directory.join("mon.port")).unwrap();
    bed.names = vec![
        // How long the requests take together is not the same in each run.
        (format!("{}\n", waiting(port.trim())), ""),
        (directory.display().to_string(), "DIR"),
        (format!(":{}", port.trim()), ":PORT"),
        (pool.fsid(), "FSID"),
    ];
    bed
}

#[test]
fn commands_on_rbd_that_fail_name_the_reason_and_leave_nothing() {
    use Does::{Delete, Download, Pipe, Read, Upload};
    let pool = Arc::new(CephPool::alone());
    let mut bed = bed_in(&pool, "rados_connect_timeout = 20\n");
    let directory = pool.conf.parent().unwrap().to_path_buf();
    let port = std::fs::read_to_string(directory.join("mon.port")).unwrap();

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
    let killed = || killed(&pool, "mon");
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
             detail'. Undoing it failed (store 's': cannot open image ID: the cluster at \
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

#[test]
fn commands_without_an_osd_end_in_time_or_report_that_they_wait() {
    use Does::{Delete, Download, Pipe, Read, Upload};
    let pool = Arc::new(CephPool::alone_on_disk());
    let mut bed = bed_in(&pool, "");
    let limited = changed(
        &pool,
        "limited.conf",
        "public network",
        "127.0.0.0/8\nrados osd op timeout = 2",
    );
    let limited = || Case {
        limit: 30,
        options: Box::leak(format!("{limited}\n").into_boxed_str()),
        ..case("OSD killed", killed(&pool, "osd"), Upload(SIZE), "")
    };
    bed.assert(vec![
        silent(case(
            "OSD killed",
            killed(&pool, "osd"),
            Upload(SIZE),
            "store 's': cannot create image ID: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'. QUEUED",
        )),
        silent(case(
            "OSD killed",
            killed(&pool, "osd"),
            Pipe(SIZE),
            // Growing an image is repeated by librbd.
            "store 's': the cluster at v2:127.0.0.1:PORT/0 did not respond for 10 s (pool \
             'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'. Undoing it failed (store 's': cannot open image ID: the cluster at \
             v2:127.0.0.1:PORT/0 did not respond for 2 s (pool 'images')). The next \
             command tries again. QUEUED",
        )),
        silent(case(
            "OSD killed",
            killed(&pool, "osd"),
            Download,
            "UNREAD (store 's': cannot read image KEPT: the cluster at v2:127.0.0.1:PORT/0 \
             did not respond for 2 s (pool 'images'))\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'.",
        )),
        silent(case(
            "OSD killed",
            killed(&pool, "osd"),
            Read,
            "store 's': cannot read an image: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'.",
        )),
        silent(case(
            "OSD killed",
            killed(&pool, "osd"),
            Delete,
            "'store 's': cannot open an image: the cluster at v2:127.0.0.1:PORT/0 did not \
             respond for 2 s (pool 'images')': Unable to delete image 'KEPT'\n\
             Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
             detail'.",
        )),
        // The limit may be Ceph's own.
        Case {
            code: 1,
            says: "store 's': cannot create image ID: the cluster at v2:127.0.0.1:PORT/0 did not \
                   respond for 2 s (pool 'images')\n\
                   Hint: Is the cluster or the pool full, or an OSD down? See 'ceph health \
                   detail'. QUEUED",
            ..limited()
        },
    ]);
    assert_waiting(&bed, &pool);
}

/// Checks that commands without a time limit report that they wait, continue when the OSD responds, and can be interrupted.
fn assert_waiting(bed: &Bed, pool: &CephPool) {
    bed.place.write("new", &bed.content);
    let create = [&CREATE[..], &["--name", "waited", "--file", "new"]].concat();
    let download = ["image-download", "--file", "out", &bed.kept];
    let start = |words: &[&str]| {
        let mut command = bed.place.command(GLANCE);
        command
            .args(["--config-file", "glance.conf"])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        pool.kill("osd");
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        assert_eq!(bed.named(&line), waiting("PORT"));
        (child, stderr)
    };
    for words in [&create[..], &download] {
        let (child, mut stderr) = start(words);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let began = Instant::now();
        kill(pid, Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{words:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{words:?}");
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("still waiting"), "{rest}");
        pool.start();
        bed.run(&["image-list"]).ok();
    }
    for words in [&create[..], &download] {
        let (child, mut stderr) = start(words);
        pool.start();
        let output = child.wait_with_output().unwrap();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert!(
            output.status.success() && rest.is_empty(),
            "{words:?}: {rest}"
        );
    }
    assert!(std::fs::read(bed.place.file("out")).unwrap() == bed.content);
}
