//! Completion as the shells ask the program for it: of a data directory and of a cloud.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::support::glance::{Server, TOKEN, aim};
use crate::support::{GLANCE, Place, Run, block_on};

/// The program's answer to a request of fish with these words; the last one is at the cursor.
fn answer(
    place: &Place,
    words: &[&str],
    change: impl FnOnce(&mut std::process::Command),
) -> Vec<String> {
    let mut command = place.command(GLANCE);
    command.args(["__complete", "fish"]).args(words);
    change(&mut command);
    let text = Run::of(command.output().unwrap()).ok();
    let mut lines = text.lines().map(str::to_string);
    assert_eq!(lines.next().as_deref(), Some("words"), "{text}");
    lines.collect()
}

fn local(place: &Place, words: &[&str]) -> Vec<String> {
    answer(place, words, |_| {})
}

fn on(server: &Server) -> impl FnOnce(&mut std::process::Command) {
    let url = server.url();
    move |command| aim(command, &url)
}

/// Every file of a directory, with its size and the time of its last change.
fn state(directory: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                directories.push(entry.path());
            }
            found.push((entry.path(), metadata.len(), metadata.modified().unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn names_of_a_data_directory_complete_and_nothing_in_it_changes() {
    let place = Place::new();
    place.configure(
        "[DEFAULT]\nenabled_backends = fast:file, slow:file\n[glance_store]\ndefault_backend = fast\n",
    );
    let first = place.image("first", b"1");
    let second = place.image("My second", b"2");
    let queued = place.glance(&[
        "image-create",
        "--name",
        "queued",
        "--id",
        "11111111-1111-4111-8111-111111111111",
    ]);
    queued.ok();
    for words in [
        &[
            "image",
            "set",
            "first",
            "--tag",
            "red",
            "--property",
            "colour=red",
            "--protected",
        ][..],
        &["image", "add", "project", "first", "other"],
        &["image-deactivate", &second],
        &["md-namespace-create", "space"],
        &[
            "md-object-create",
            "space",
            "--name",
            "thing",
            "--schema",
            "{}",
        ],
        &["md-tag-create", "space", "--name", "mark"],
        &[
            "md-resource-type-associate",
            "space",
            "--name",
            "OS::Nova::Flavor",
        ],
    ] {
        place.glance(words).ok();
    }
    let before = state(&place.data());
    let about = |id: &str, name: &str| format!("{id}\t{name}");
    // No ID begins so.
    assert_eq!(local(&place, &["glance", "image", "show", "fi"]), ["first"]);
    assert_eq!(
        local(&place, &["glance", "image-show", &first[..4]]),
        [about(&first, "first")]
    );
    assert_eq!(
        local(&place, &["openstack", "image", "save", ""]),
        ["My second", "first"]
    );
    assert_eq!(
        local(&place, &["glance", "image-reactivate", ""]),
        [about(&second, "My second")]
    );
    assert_eq!(
        local(&place, &["glance", "image-upload", ""]),
        [about("11111111-1111-4111-8111-111111111111", "queued")]
    );
    assert_eq!(
        local(&place, &["openstack", "image", "delete", ""]),
        ["My second", "queued"]
    );
    for (words, found) in [
        (&["glance", "image-tag-delete", &first, ""][..], "red"),
        (
            &["openstack", "image", "unset", "first", "--tag", ""],
            "red",
        ),
        (
            &["openstack", "image", "unset", "first", "--property", "col"],
            "colour",
        ),
        (
            &["openstack", "image", "remove", "project", "first", ""],
            "other\tpending",
        ),
        (&["glance", "member-delete", &first, ""], "other\tpending"),
        (&["glance", "md-namespace-show", ""], "space"),
        (&["glance", "md-object-show", "space", ""], "thing"),
        (
            &[
                "openstack",
                "image",
                "metadef",
                "object",
                "show",
                "space",
                "",
            ],
            "thing",
        ),
        (&["glance", "md-tag-delete", "space", ""], "mark"),
        (
            &["glance", "md-resource-type-deassociate", "space", ""],
            "OS::Nova::Flavor",
        ),
        (&["glance", "image-upload", "--store", ""], "fast"),
    ] {
        assert!(
            local(&place, words).contains(&found.to_string()),
            "{words:?}"
        );
    }
    // Callers are offered the images that they see.
    let of_other = ["glance", "--as", "other:member", "image", "show", "My"];
    assert_eq!(local(&place, &of_other), [""; 0]);
    let member = ["glance", "--as", "other:member", "image", "show", "fir"];
    assert_eq!(local(&place, &member), [""; 0], "not accepted yet");
    assert_eq!(state(&place.data()), before);
    let accept = [
        "--as",
        "other:member",
        "member-update",
        &first,
        "other",
        "accepted",
    ];
    place.glance(&accept).ok();
    assert_eq!(local(&place, &member), ["first"]);
}

#[test]
fn a_database_without_its_log_or_in_the_middle_of_a_change_is_read_as_it_is() {
    let place = Place::new();
    place.image("first", b"1");
    for end in ["-wal", "-shm"] {
        std::fs::remove_file(place.data().join(format!("glance.db{end}"))).unwrap();
    }
    let before = state(&place.data());
    assert_eq!(local(&place, &["glance", "image", "show", ""]), ["first"]);
    assert_eq!(state(&place.data()), before);
    let path = place.data().join("glance.db");
    let writer = rusqlite_writer(&path);
    let before = state(&place.data());
    assert_eq!(local(&place, &["glance", "image", "show", ""]), ["first"]);
    assert_eq!(state(&place.data()), before);
    drop(writer);
}

/// An open connection with a write transaction and a log that has changes.
fn rusqlite_writer(path: &Path) -> std::process::Child {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    // The interpreter of Python has SQLite on every machine that tests run on.
    let script = "import sqlite3, sys\n\
                  c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  c.execute('PRAGMA journal_mode = wal')\n\
                  c.execute(\"INSERT INTO node_reference (node_reference_url) VALUES ('x')\")\n\
                  c.execute('BEGIN IMMEDIATE')\n\
                  print('ready', flush=True)\n\
                  sys.stdin.readline()\n";
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    child.stdin.as_mut().unwrap().flush().unwrap();
    child
}

#[test]
fn names_of_a_deployment_on_mariadb_complete() {
    let place = block_on(Place::on_mariadb());
    let first = place.image("first", b"1");
    place
        .glance(&["image", "set", "first", "--tag", "red"])
        .ok();
    // On a busy machine the server may answer too late.
    let sometime = |words: &[&str]| {
        let mut answers = (0..20).map(|_| local(&place, words));
        answers.find(|names| !names.is_empty()).unwrap_or_default()
    };
    assert_eq!(sometime(&["glance", "image", "show", "fi"]), ["first"]);
    assert_eq!(
        sometime(&["glance", "image-show", ""]),
        [format!("{first}\tfirst")]
    );
    assert_eq!(
        sometime(&["glance", "image-tag-delete", &first, ""]),
        ["red"]
    );
    assert_eq!(
        sometime(&["glance", "image-show", &first[..5]]),
        [format!("{first}\tfirst")]
    );
}

#[test]
fn nothing_is_created_where_nothing_is() {
    let place = Place::new();
    assert_eq!(local(&place, &["glance", "image-show", ""]), [""; 0]);
    assert!(!place.data().exists());
    let home = |command: &mut std::process::Command| {
        command.env_remove("GLANCE_DATA_DIR");
    };
    assert_eq!(answer(&place, &["glance", "image-show", ""], home), [""; 0]);
    assert_eq!(std::fs::read_dir(place.file("../home")).unwrap().count(), 0);
    // A file that is no database, and a request that is none.
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(place.data().join("glance.db"), [b'x'; 4096]).unwrap();
    assert_eq!(local(&place, &["glance", "image-show", ""]), [""; 0]);
    for words in [
        &["__complete"][..],
        &["__complete", "fish"],
        &["__complete", "tcsh", "glance", ""],
    ] {
        assert_eq!(place.glance(words).ok(), "");
    }
}

#[test]
fn programs_of_operators_complete_from_their_deployment() {
    let place = Place::new();
    place.configure("[DEFAULT]\ndelayed_delete = true\n");
    let first = place.image("first", b"1");
    let gone = place.image("gone", b"2");
    place.glance(&["image-delete", &gone]).ok();
    assert_eq!(
        local(&place, &["glance-scrubber", "--restore", ""]),
        [format!("{gone}\tgone")]
    );
    let data = place.data();
    let data = data.to_str().unwrap();
    let nothing = |command: &mut std::process::Command| {
        command.env_remove("GLANCE_DATA_DIR");
    };
    let words = ["glance-cache-manage", "--data-dir", data, "queue-image", ""];
    assert_eq!(answer(&place, &words, nothing), [format!("{first}\tfirst")]);
}

fn kept(place: &Place) -> Vec<PathBuf> {
    let directory = place.file("../home/.cache/glance/names");
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_cloud_is_asked_once_a_minute_and_its_answer_is_kept_in_private_without_secrets() {
    let (place, server) = (Place::new(), Server::start());
    let first = server.image("first", b"1");
    let second = server.image("My second", b"2");
    server.set(&second, "status", "deactivated");
    let words = ["glance", "image-show", ""];
    let both = [format!("{first}\tfirst"), format!("{second}\tMy second")];
    let mut shown = answer(&place, &words, on(&server));
    let mut expected = both.to_vec();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
    let asked = server.requests().len();
    assert_eq!(asked, 1, "{:?}", server.lines());
    // The second grammar asks the same.
    assert_eq!(
        answer(&place, &["openstack", "image", "show", "M"], on(&server)),
        ["My second"]
    );
    assert_eq!(server.requests().len(), asked);
    assert_eq!(
        answer(&place, &["glance", "image-reactivate", ""], on(&server)),
        [format!("{second}\tMy second")]
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let files = kept(&place);
    assert_eq!(files.len(), 2);
    for file in &files {
        assert_eq!(mode(file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        let text = std::fs::read_to_string(file).unwrap();
        assert!(
            !text.contains(TOKEN) && !text.contains("127.0.0.1"),
            "{text}"
        );
    }
    // Nothing is kept for whom that is switched off.
    let asked = server.requests().len();
    let off = |command: &mut std::process::Command| {
        on(&server)(command);
        command.env("OS_NO_CACHE", "1");
    };
    assert_eq!(answer(&place, &words, off).len(), 2);
    assert_eq!(
        answer(
            &place,
            &["glance", "--os-no-cache", "image-show", ""],
            on(&server)
        )
        .len(),
        2
    );
    assert_eq!(server.requests().len(), asked + 2);
    assert_eq!(kept(&place).len(), 2);
}

#[test]
fn an_old_answer_is_better_than_none() {
    let (place, server) = (Place::new(), Server::start());
    let first = server.image("first", b"1");
    let words = ["glance", "image-show", ""];
    let shown = [format!("{first}\tfirst")];
    assert_eq!(answer(&place, &words, on(&server)), shown);
    let age = |seconds: i64| {
        for path in kept(&place) {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
            file["made"] = (file["made"].as_i64().unwrap() - seconds).into();
            std::fs::write(&path, file.to_string()).unwrap();
        }
    };
    age(61);
    let url = server.url();
    drop(server);
    let gone = |command: &mut std::process::Command| aim(command, &url);
    assert_eq!(answer(&place, &words, gone), shown);
    age(24 * 3600);
    let gone = |command: &mut std::process::Command| aim(command, &url);
    assert_eq!(answer(&place, &words, gone), [""; 0]);
}

#[test]
fn a_cloud_that_does_not_answer_costs_less_than_a_moment() {
    let place = Place::new();
    // It accepts connections, and is silent.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let least = (0..3).map(|_| {
        let began = Instant::now();
        let silent = |command: &mut std::process::Command| aim(command, &url);
        assert_eq!(
            answer(&place, &["glance", "image-show", ""], silent),
            [""; 0]
        );
        began.elapsed()
    });
    // The fastest of three, because other tests run at the same time.
    let least = least.min().unwrap();
    assert!(least < Duration::from_millis(600), "{least:?}");
    assert_eq!(kept(&place), [""; 0].map(PathBuf::from));
}

#[test]
fn clouds_of_clouds_yaml_complete() {
    let place = Place::new();
    place.write(
        "clouds.yaml",
        "clouds:\n  home:\n    auth: {}\n  work:\n    auth: {}\n",
    );
    assert_eq!(
        local(&place, &["glance", "--os-cloud", ""]),
        ["home", "work"]
    );
    assert_eq!(
        local(&place, &["openstack", "image", "list", "--os-cloud=w"]),
        ["--os-cloud=work"]
    );
}

#[test]
fn every_column_that_is_offered_is_one_of_the_output() {
    let place = Place::new();
    let id = place.image("first", b"1");
    for words in [
        &[
            "image",
            "set",
            "first",
            "--tag",
            "red",
            "--property",
            "colour=red",
        ][..],
        &["image", "add", "project", "first", "other"],
        &[
            "image",
            "metadef",
            "namespace",
            "create",
            "space",
            "--description",
            "d",
            "--display-name",
            "n",
        ],
        &[
            "image",
            "metadef",
            "object",
            "create",
            "--namespace",
            "space",
            "thing",
        ],
    ] {
        place.glance(words).ok();
    }
    for command in [
        &["image", "list", "--long"][..],
        &["image", "show", "first"],
        &["image", "member", "list", "first"],
        &["image", "task", "list"],
        &["image", "metadef", "namespace", "list"],
        &["image", "metadef", "namespace", "show", "space"],
        &["image", "metadef", "object", "list", "space"],
        &["image", "metadef", "object", "show", "space", "thing"],
        &["image", "metadef", "resource", "type", "list"],
        &["image", "import", "info"],
        &["cached", "image", "list"],
        &["image-show", &id],
        &["member-list", "--image-id", &id],
    ] {
        let option = if command[0].contains('-') {
            "--column"
        } else {
            "-c"
        };
        let mut words = vec!["glance"];
        words.extend(command);
        words.extend([option, ""]);
        let columns = local(&place, &words);
        assert_ne!(columns, [""; 0], "{command:?}");
        for column in columns {
            let mut words = command.to_vec();
            words.extend([option, &column]);
            let run = place.glance(&words);
            assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
            assert!(
                !run.stderr.contains("No recognized column"),
                "{words:?}: {}",
                run.stderr
            );
        }
    }
}
