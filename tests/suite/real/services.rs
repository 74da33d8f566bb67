//! Image services of three hosts with one database on MariaDB and one pool of Ceph: each has a journal, a staging area and a
//! cache of its own.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::hosts::Hosts;
use crate::support::api::{API, Api, free_port};
use crate::support::{Place, Random};

/// The time in which something happens that waits for no other host.
const PROMPT: Duration = Duration::from_secs(30);

const OCTETS: &str = "Content-Type: application/octet-stream";

const JSON: &str = "Content-Type: application/json";

/// A service, and the host that it runs on.
struct Service<'a> {
    host: &'a Place,
    api: Api,
}

impl<'a> Service<'a> {
    fn start(host: &'a Place) -> Self {
        let api = Api::of(&mut host.command(API));
        Self { host, api }
    }

    /// The status of the response to a request with these arguments of curl.
    fn status(&self, words: &[&str], target: &str) -> u16 {
        self.api.ask(self.host, words, target).0
    }

    /// The body of a response, which MUST be a success.
    #[track_caller]
    fn done(&self, words: &[&str], target: &str) -> String {
        let (status, body) = self.api.ask(self.host, words, target);
        assert!(
            (200..300).contains(&status),
            "{words:?} {target}: {status} {body}"
        );
        body
    }

    #[track_caller]
    fn get(&self, target: &str) -> Value {
        serde_json::from_str(&self.done(&[], target)).unwrap()
    }

    /// Creates an image without data.
    fn queued(&self) -> String {
        let image = json!({"name": "new", "disk_format": "raw", "container_format": "bare"});
        let words = ["-X", "POST", "-H", JSON, "-d", &image.to_string()];
        let created: Value = serde_json::from_str(&self.done(&words, "/v2/images")).unwrap();
        created["id"].as_str().unwrap().to_string()
    }

    /// Sends a file to a path of an image: `file` or `stage`.
    #[track_caller]
    fn put(&self, id: &str, part: &str, file: &str) {
        self.done(
            &["-T", file, "-H", OCTETS],
            &format!("/v2/images/{id}/{part}"),
        );
    }

    /// The status of the response to an import of what is staged.
    fn import(&self, id: &str) -> u16 {
        let method = json!({"method": {"name": "glance-direct"}}).to_string();
        let words = ["-X", "POST", "-H", JSON, "-d", &method];
        self.status(&words, &format!("/v2/images/{id}/import"))
    }

    #[track_caller]
    fn image_status(&self, id: &str) -> String {
        let image = self.get(&format!("/v2/images/{id}"));
        image["status"].as_str().unwrap().to_string()
    }

    /// Waits until an image has a status.
    #[track_caller]
    fn wait_for(&self, id: &str, wanted: &str) {
        let began = Instant::now();
        loop {
            let status = self.image_status(id);
            if status == wanted {
                return;
            }
            let tasks = || self.get(&format!("/v2/images/{id}/tasks"));
            assert!(
                began.elapsed() < PROMPT,
                "{id}: {status}, not {wanted}: {}",
                tasks()
            );
        }
    }

    /// Checks the data of an image.
    #[track_caller]
    fn assert_data(&self, id: &str, content: &[u8]) {
        let saved = self.host.file("saved");
        let words = ["-o", saved.to_str().unwrap()];
        self.done(&words, &format!("/v2/images/{id}/file"));
        assert!(std::fs::read(&saved).unwrap() == content, "{id}");
    }

    /// Starts an upload whose data comes from a pipe.
    fn begin_upload(&self, id: &str) -> (Child, ChildStdin) {
        let mut command = self.host.command("curl");
        command.args(["-sS", "-T", "-", "-H", OCTETS]);
        command.arg(format!("{}/v2/images/{id}/file", self.api.url));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let pipe = child.stdin.take().unwrap();
        (child, pipe)
    }
}

/// Three hosts, each of which knows the address of its service.
fn hosts() -> (Hosts, [String; 3]) {
    let urls = [(); 3].map(|()| format!("http://127.0.0.1:{}", free_port()));
    let more = urls.each_ref().map(|url| {
        let port = url.rsplit_once(':').unwrap().1;
        format!(
            "[DEFAULT]\nbind_port = {port}\nworker_self_reference_url = {url}\n\
             image_cache_driver = centralized_db\n[paste_deploy]\nflavor = cachemanagement\n"
        )
    });
    (Hosts::with(more), urls)
}

fn file(host: &Place, content: &[u8]) -> String {
    host.write("content", content).display().to_string()
}

#[test]
fn services_of_several_hosts_are_one_cloud() {
    let (hosts, urls) = hosts();
    let [one, two, three] = hosts.places.each_ref().map(Service::start);
    let content = Random::new(3).bytes(9_000_000);

    // Created by one, read, changed and deleted by the others.
    let uploaded = one.queued();
    one.put(&uploaded, "file", &file(one.host, &content));
    two.assert_data(&uploaded, &content);
    three.assert_data(&uploaded, &content);
    let patch = r#"[{"op": "replace", "path": "/name", "value": "renamed"}]"#;
    let kind = "Content-Type: application/openstack-images-v2.1-json-patch";
    let target = format!("/v2/images/{uploaded}");
    two.done(&["-X", "PATCH", "-H", kind, "-d", patch], &target);
    assert_eq!(three.get(&target)["name"], "renamed");

    // Each knows what the others have in their caches.
    for service in [&one, &two, &three] {
        let mut nodes = service.get(&format!("/v2/cache/nodes/{uploaded}"));
        let nodes = nodes.as_array_mut().unwrap();
        nodes.sort_by_key(|node| node.as_str().unwrap().to_string());
        let mut expected = urls[1..].to_vec();
        expected.sort();
        assert_eq!(*nodes, expected);
        let cached = service.get("/v2/cache")["cached_images"].clone();
        let count = cached.as_array().unwrap().len();
        assert_eq!(count, usize::from(service.api.url != one.api.url));
    }

    // Staged at one, imported through another one.
    let imported = one.queued();
    one.put(&imported, "stage", &file(one.host, &content));
    assert_eq!(two.import(&imported), 202);
    three.wait_for(&imported, "active");
    three.assert_data(&imported, &content);
    hosts.assert_only(&[&uploaded, &imported]);

    three.done(&["-X", "DELETE"], &target);
    assert_eq!(one.status(&[], &target), 404);
    assert_eq!(two.status(&[], &format!("{target}/file")), 404);
    three.done(&["-X", "DELETE"], &format!("/v2/images/{imported}"));
    hosts.assert_only(&[]);
}

#[test]
fn a_service_that_is_killed_holds_up_no_other_and_clears_what_it_left() {
    let (hosts, _) = hosts();
    let [mut one, two, three] = hosts.places.each_ref().map(Service::start);
    let content = Random::new(4).bytes(30_000_000);
    let path = file(one.host, &content);
    for round in 0..4 {
        let (uploaded, imported) = (one.queued(), one.queued());
        one.put(&imported, "stage", &path);
        let (mut upload, mut pipe) = one.begin_upload(&uploaded);
        pipe.write_all(&content[..20_000_000]).unwrap();
        let began = Instant::now();
        while !hosts.stored().contains(&uploaded) {
            assert!(began.elapsed() < PROMPT);
        }
        assert_eq!(two.import(&imported), 202);
        if round % 2 == 1 {
            let is_stored = || hosts.stored().contains(&imported);
            while !is_stored() && three.image_status(&imported) != "active" {
                assert!(began.elapsed() < PROMPT);
            }
        }
        one.api.kill();
        let _ = upload.kill();
        upload.wait().unwrap();

        // The others work, and leave alone what may still be in use.
        let other = two.queued();
        two.put(&other, "file", &path);
        three.assert_data(&other, &content);
        assert_eq!(three.image_status(&uploaded), "saving");
        let words = ["-T", path.as_str(), "-H", OCTETS];
        let target = format!("/v2/images/{uploaded}/file");
        assert_eq!(three.status(&words, &target), 409);

        // It is back: the upload can be repeated by any of them, and the import is complete, or can be repeated.
        one = Service::start(&hosts.places[0]);
        two.wait_for(&uploaded, "queued");
        three.put(&uploaded, "file", &path);
        let began = Instant::now();
        let status = loop {
            let status = two.image_status(&imported);
            if status != "importing" {
                break status;
            }
            assert!(began.elapsed() < PROMPT, "{imported} is stuck");
        };
        if status != "active" {
            assert_eq!(status, "uploading", "round {round}");
            assert_eq!(two.import(&imported), 202);
            two.wait_for(&imported, "active");
        }
        for id in [&uploaded, &imported, &other] {
            one.assert_data(id, &content);
        }
        hosts.assert_only(&[&uploaded, &imported, &other]);
        for id in [&uploaded, &imported, &other] {
            two.done(&["-X", "DELETE"], &format!("/v2/images/{id}"));
        }
        hosts.assert_only(&[]);
    }
}
