//! Several hosts of one deployment: each has a data directory with a journal of its own. They share a database on MariaDB
//! and a pool of Ceph, and no disk.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::ceph::CephPool;
use crate::support::mariadb::Schema;
use crate::support::{GLANCE, Place, Random, Run, block_on, files};

/// The time in which a command ends that waits for no other host.
const PROMPT: Duration = Duration::from_secs(20);

/// More than a download reads ahead, with what a pipe holds.
const LARGE: usize = 40_000_000;

/// Three hosts.
pub(super) struct Hosts {
    pub(super) places: [Place; 3],
    pool: CephPool,
    /// Dropped after the hosts.
    schema: Schema,
}

impl Hosts {
    fn start(more: &str) -> Self {
        Self::with([more; 3].map(str::to_string))
    }

    /// Hosts with these lines of configuration besides those that all have.
    pub(super) fn with(more: [String; 3]) -> Self {
        let (schema, pool) = (block_on(Schema::make()), CephPool::make());
        let configuration = schema.configuration() + &pool.configuration();
        let places = more.map(|more| {
            let host = Place::new();
            host.configure(&format!("{configuration}{more}"));
            host
        });
        places[0].glance(&["image-list"]).ok();
        Self {
            places,
            pool,
            schema,
        }
    }

    /// The names of the images in the pool.
    pub(super) fn stored(&self) -> Vec<String> {
        let mut names = self.pool.open().images().unwrap();
        names.sort();
        names
    }

    /// Checks that the pool has the data of these images and of no other, and that no journal has an entry.
    #[track_caller]
    pub(super) fn assert_only(&self, ids: &[&str]) {
        let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.sort();
        assert_eq!(self.stored(), ids);
        assert_eq!(self.pool.rbd(&["trash", "ls", &self.pool.name]), "");
        for host in &self.places {
            let entries = files(&host.data().join(".journal"));
            assert!(entries.is_empty(), "{entries:?}");
        }
    }
}

/// A command that ends soon.
#[track_caller]
fn promptly(host: &Place, words: &[&str]) -> Run {
    let began = Instant::now();
    let run = host.glance(words);
    assert!(began.elapsed() < PROMPT, "{words:?}: {:?}", began.elapsed());
    run
}

fn field(host: &Place, id: &str, name: &str) -> String {
    let shown = promptly(host, &["image", "show", id, "-f", "value", "-c", name]);
    shown.ok().trim().to_string()
}

/// Starts a command whose input is a pipe.
fn start(host: &Place, words: &[&str]) -> (Child, ChildStdin) {
    let mut command = host.command(GLANCE);
    command.args(words).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    (child, pipe)
}

/// Creates an image without data.
fn queued(host: &Place) -> String {
    let words = ["--format", "value", "--column", "id", "image-create"];
    let format = ["--disk-format", "raw", "--container-format", "bare"];
    let made = host.glance(&[&words[..], &format].concat());
    made.ok().trim().to_string()
}

/// Begins an upload: when this returns, its data is arriving in the pool, and the pipe is open.
fn begin_upload(hosts: &Hosts, host: &Place, id: &str, content: &[u8]) -> (Child, ChildStdin) {
    let (mut child, mut pipe) = start(host, &["image-upload", id]);
    pipe.write_all(content).unwrap();
    let began = Instant::now();
    while !hosts.stored().contains(&id.to_string()) {
        assert!(child.try_wait().unwrap().is_none(), "the upload has ended");
        assert!(began.elapsed() < PROMPT);
    }
    (child, pipe)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_image_of_one_host_is_read_changed_and_deleted_by_the_others() {
    let hosts = Hosts::start("");
    let [one, two, three] = &hosts.places;
    let content = Random::new(5).bytes(LARGE);
    let id = one.image("shared", &content);
    promptly(two, &["image", "set", &id, "--name", "renamed"]).ok();
    assert_eq!(field(three, &id, "name"), "renamed");
    let saved = two.file("saved");
    let download = ["image-download", "--file", saved.to_str().unwrap(), &id];
    two.glance(&download).ok();
    assert!(std::fs::read(&saved).unwrap() == content);

    // It is deleted while it is read: the reader does not pass off something else as the image.
    let (mut child, _) = start(two, &["image-download", &id]);
    let mut stdout = child.stdout.take().unwrap();
    let mut read = vec![0; 1000];
    stdout.read_exact(&mut read).unwrap();
    promptly(three, &["image-delete", &id]).ok();
    hosts.assert_only(&[]);
    stdout.read_to_end(&mut read).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(read != content);
    insta::assert_snapshot!(said.replace(&id, "ID"), @"HTTP 404 Not Found: store 'ceph': image ID was deleted while its data was read");
    let gone = promptly(one, &["image-download", &id]).fails(1);
    assert!(
        gone.contains(&format!("No image found with ID {id}")),
        "{gone}"
    );
}

#[test]
fn uploads_of_several_hosts_at_once_are_all_whole() {
    let hosts = Hosts::start("");
    let ids: Vec<(String, Vec<u8>)> = std::thread::scope(|scope| {
        let uploads: Vec<_> = (0..9)
            .map(|number| {
                let host = &hosts.places[number % 3];
                scope.spawn(move || {
                    let content = Random::new(number as u64 + 1).bytes(3_000_000 + number);
                    (host.image("new", &content), content)
                })
            })
            .collect();
        uploads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for (number, (id, content)) in ids.iter().enumerate() {
        let host = &hosts.places[(number + 1) % 3];
        let saved = host.glance(&["image-download", id]);
        assert!(saved.code == 0 && saved.stdout == *content, "{saved:?}");
    }
    let all: Vec<&str> = ids.iter().map(|(id, _)| id.as_str()).collect();
    hosts.assert_only(&all);
}

#[test]
fn of_uploads_of_one_image_by_several_hosts_one_succeeds_and_the_others_change_nothing() {
    let hosts = Hosts::start("");
    for round in 0..4 {
        let id = queued(&hosts.places[0]);
        let contents: Vec<Vec<u8>> = (0..3)
            .map(|number| Random::new(number + 1).bytes(2_000_000))
            .collect();
        let runs: Vec<Run> = std::thread::scope(|scope| {
            let uploads: Vec<_> = hosts
                .places
                .iter()
                .zip(&contents)
                .map(|(host, content)| {
                    let id = &id;
                    scope.spawn(move || host.glance_with(&["image-upload", id], content))
                })
                .collect();
            uploads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let won: Vec<usize> = (0..3).filter(|number| runs[*number].code == 0).collect();
        assert_eq!(won.len(), 1, "round {round}: {runs:?}");
        for (number, run) in runs.into_iter().enumerate() {
            if number != won[0] {
                let said = run.fails(1);
                assert!(said.contains("Image status transition from "), "{said}");
            }
        }
        let saved = hosts.places[1].glance(&["image-download", &id]);
        assert!(saved.code == 0 && saved.stdout == contents[won[0]]);
        hosts.assert_only(&[&id]);
        promptly(&hosts.places[2], &["image-delete", &id]).ok();
    }
}

#[test]
fn what_a_dead_host_left_is_cleared_by_its_own_next_command_and_live_uploads_go_on() {
    let hosts = Hosts::start("");
    let [one, two, three] = &hosts.places;
    let content = Random::new(7).bytes(20_000_000);
    let (first, rest) = content.split_at(10_000_000);
    let ids = [queued(one), queued(one), queued(one)];
    let (dead, _pipe) = begin_upload(&hosts, one, &ids[0], first);
    let (dead_too, _pipe) = begin_upload(&hosts, one, &ids[1], first);
    kill(dead);
    kill(dead_too);
    let (live, mut pipe) = begin_upload(&hosts, two, &ids[2], first);

    // The others neither wait nor clear, whether they work on other images or on these.
    promptly(three, &["image-list"]).ok();
    promptly(three, &["scrub"]).ok();
    let other = three.image("other", b"data");
    let said = promptly(three, &["image-download", &ids[0]]);
    assert!(said.stdout.is_empty(), "{said:?}");
    let said = three
        .glance_with(&["image-upload", &ids[0]], b"data")
        .fails(1);
    assert!(
        said.contains("Image status transition from saving to saving is not allowed"),
        "{said}"
    );
    promptly(three, &["image-delete", &ids[1]]).ok();
    assert_eq!(field(three, &ids[0], "status"), "saving");
    let mut all = [&ids[0], &ids[1], &ids[2], &other].map(String::clone);
    all.sort();
    assert_eq!(hosts.stored(), all);

    // The dead host is back.
    promptly(one, &["image-list"]).ok();
    assert_eq!(field(two, &ids[0], "status"), "queued");
    let mut left = [&ids[2], &other].map(String::clone);
    left.sort();
    assert_eq!(hosts.stored(), left);
    assert_eq!(field(one, &ids[2], "status"), "saving");
    pipe.write_all(rest).unwrap();
    drop(pipe);
    let output = live.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let saved = one.glance(&["image-download", &ids[2]]);
    assert!(saved.code == 0 && saved.stdout == content);
    hosts.assert_only(&[&ids[2], &other]);
    // The image can be uploaded again by any host.
    three.glance_with(&["image-upload", &ids[0]], b"data").ok();
    assert_eq!(field(one, &ids[0], "status"), "active");
}

#[test]
fn an_entry_of_a_dead_host_does_not_end_an_upload_of_the_same_image_by_another_one() {
    let hosts = Hosts::start("");
    let [one, two, _] = &hosts.places;
    let content = Random::new(7).bytes(20_000_000);
    let (first, rest) = content.split_at(10_000_000);
    let id = queued(one);
    // As a process leaves it that is killed before it changes the image, and a power failure of a finished one.
    let journal = one.data().join(".journal");
    std::fs::create_dir_all(&journal).unwrap();
    std::fs::write(journal.join(format!("{id}.ceph.upload")), "").unwrap();
    let (live, mut pipe) = begin_upload(&hosts, two, &id, first);
    promptly(one, &["image-list"]).ok();
    let said = one.glance_with(&["image-upload", &id], b"data").fails(1);
    assert!(
        said.contains("Image status transition from saving"),
        "{said}"
    );
    assert_eq!(field(one, &id, "status"), "saving");
    pipe.write_all(rest).unwrap();
    drop(pipe);
    let output = live.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let saved = one.glance(&["image-download", &id]);
    assert!(saved.code == 0 && saved.stdout == content);
    hosts.assert_only(&[&id]);
}

#[test]
fn an_entry_of_a_dead_host_does_not_end_an_import_of_the_same_image_by_another_one() {
    let hosts = Hosts::start("");
    let [one, two, _] = &hosts.places;
    let id = queued(one);
    let journal = one.data().join(".journal");
    std::fs::create_dir_all(&journal).unwrap();
    let entry = journal.join(format!("{id}.ceph.upload"));
    std::fs::write(&entry, "").unwrap();
    hosts
        .pool
        .rbd(&["create", "--size=1M", &hosts.pool.spec(&id)]);
    let lock = format!(
        "INSERT INTO image_properties (image_id, name, value, created_at, deleted)
         VALUES ('{id}', 'os_glance_import_task', 'of another host', now(), 0)"
    );
    block_on(hosts.schema.run(&lock));
    promptly(one, &["image-list"]).ok();
    assert_eq!(hosts.stored(), [id.as_str()]);
    assert!(entry.exists());
    block_on(hosts.schema.run("DELETE FROM image_properties"));
    promptly(two, &["image-list"]).ok();
    assert_eq!(hosts.stored(), [id.as_str()]);
    promptly(one, &["image-list"]).ok();
    hosts.assert_only(&[]);
}

#[test]
fn scrubs_of_two_hosts_at_once_remove_each_image_once() {
    let hosts = Hosts::start("[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\n");
    let count = 24;
    let ids: Vec<String> = (0..count)
        .map(|number| hosts.places[number % 3].image("old", b"old data"))
        .collect();
    let kept = hosts.places[0].image("kept", b"kept");
    let words: Vec<&str> = ids.iter().map(String::as_str).collect();
    promptly(&hosts.places[0], &[&["image-delete"], &words[..]].concat()).ok();
    assert_eq!(hosts.stored().len(), count + 1);
    let scrub = |host: &Place| -> Value {
        let run = host.glance(&["--format", "json", "scrub"]);
        serde_json::from_str(&run.ok()).unwrap()
    };
    let reports: Vec<Value> = std::thread::scope(|scope| {
        let runs: Vec<_> = hosts.places[1..]
            .iter()
            .map(|host| scope.spawn(|| scrub(host)))
            .collect();
        runs.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let sum = |field: &str| -> u64 {
        let numbers = reports.iter().map(|one| one[field].as_u64().unwrap());
        numbers.sum()
    };
    assert_eq!(sum("images"), count as u64, "{reports:?}");
    assert_eq!(sum("failures"), 0, "{reports:?}");
    hosts.assert_only(&[&kept]);
    assert_eq!(
        hosts.places[1].glance(&["image-download", &kept]).ok(),
        "kept"
    );
}
