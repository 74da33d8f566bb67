//! A service that is killed while it works.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use glance_tools::http::{Client, Options, Request, retry};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use crate::support::api::{API, Api};
use crate::support::{Place, Random, block_on, files};

/// How often it is killed; often if the environment asks for it.
fn kills() -> u64 {
    if std::env::var_os("GLANCE_TEST_THOROUGH").is_some() {
        100
    } else {
        8
    }
}

/// The number of clients.
const CLIENTS: u64 = 4;

/// The data with a number: of any size up to 2 MiB.
fn data(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let size = random.below(2 << 20) as usize;
    random.bytes(size)
}

/// The state of an image as its client knows it: the last change that was acknowledged, or that was requested. The number is that of
/// its data.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Queued,
    Uploading(u64),
    Active(u64),
    Staging,
    Staged(u64),
    Importing(u64),
    Deleting(u64),
    Deleted,
}

/// A client of the service at an address.
struct Caller {
    client: Client,
    url: String,
}

impl Caller {
    fn new(url: &str) -> Self {
        Self {
            client: Client::new(Options {
                retries: retry::Policy::NEVER,
                timeout: Duration::from_secs(30),
                ..Options::default()
            }),
            url: url.to_string(),
        }
    }

    /// The status and the body of a response; None if there is none.
    fn call(&self, method: Method, target: &str, body: Vec<u8>) -> Option<(u16, Vec<u8>)> {
        let url = Url::parse(&format!("{}/v2{target}", self.url)).unwrap();
        let kind = if body.first() == Some(&b'{') && target.ends_with(['s', 't']) {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let mut request = Request::new(method, url);
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        request.body = body.into();
        let response = block_on(self.client.call(&request)).ok()?;
        Some((response.status.as_u16(), response.body.to_vec()))
    }

    /// The body of a response that MUST be a success.
    fn done(&self, method: Method, target: &str, body: Vec<u8>) -> Option<Vec<u8>> {
        let (status, body) = self.call(method, target, body)?;
        assert!(
            (200..300).contains(&status),
            "{target}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Some(body)
    }

    fn image(&self, id: &str) -> Option<Value> {
        let (status, body) = self.call(Method::GET, &format!("/images/{id}"), Vec::new())?;
        match status {
            404 => Some(Value::Null),
            200 => serde_json::from_slice(&body).ok(),
            other => panic!("{id}: {other}"),
        }
    }

    /// Works until there is no response, and returns what it knows.
    fn work(&self, seed: u64) -> BTreeMap<String, Known> {
        let mut known = BTreeMap::new();
        let mut random = Random::new(seed);
        while self.step(&mut known, &mut random).is_some() {}
        known
    }

    /// One image: created, then uploaded or imported, then read, and sometimes deleted.
    fn step(&self, known: &mut BTreeMap<String, Known>, random: &mut Random) -> Option<()> {
        let number = random.below(u64::MAX);
        let image = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
        let created = self.done(Method::POST, "/images", image.to_string().into())?;
        let created: Value = serde_json::from_slice(&created).unwrap();
        let id = created["id"].as_str().unwrap().to_string();
        let at = |part: &str| format!("/images/{id}{part}");
        let mut note = |what| known.insert(id.clone(), what);
        note(Known::Queued);
        if random.below(2) == 0 {
            note(Known::Uploading(number));
            self.done(Method::PUT, &at("/file"), data(number))?;
        } else {
            note(Known::Staging);
            self.done(Method::PUT, &at("/stage"), data(number))?;
            note(Known::Staged(number));
            note(Known::Importing(number));
            let import = json!({"method": {"name": "glance-direct"}});
            self.done(Method::POST, &at("/import"), import.to_string().into())?;
            while self.image(&id)?["status"] != "active" {}
        }
        note(Known::Active(number));
        let read = self.done(Method::GET, &at("/file"), Vec::new())?;
        assert!(read == data(number), "{id}");
        if random.below(3) == 0 {
            note(Known::Deleting(number));
            self.done(Method::DELETE, &at(""), Vec::new())?;
            note(Known::Deleted);
        }
        Some(())
    }

    /// Checks an image after a restart, and returns whether it has data.
    fn check(&self, id: &str, known: Known) -> Option<u64> {
        let image = self.image(id).unwrap();
        let status = image["status"].as_str().unwrap_or("deleted");
        let (allowed, number): (&[&str], u64) = match known {
            Known::Queued => (&["queued"], 0),
            Known::Uploading(number) => (&["queued", "active"], number),
            Known::Active(number) => (&["active"], number),
            Known::Staging => (&["queued", "uploading"], 0),
            Known::Staged(number) | Known::Importing(number) => (&["uploading", "active"], number),
            Known::Deleting(number) => (&["active", "deleted"], number),
            Known::Deleted => (&["deleted"], 0),
        };
        assert!(allowed.contains(&status), "{id}: {known:?} {status}");
        if status != "active" {
            return None;
        }
        let target = format!("/images/{id}/file");
        let read = self.done(Method::GET, &target, Vec::new()).unwrap();
        assert!(read == data(number), "{id}: {known:?}");
        Some(number)
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_no_image_is_stuck_when_a_service_is_killed() {
    let place = Place::new();
    let mut random = Random::new(16);
    let mut active = BTreeMap::new();
    for round in 0..kills() {
        let api = Api::of(place.command(API).args(["--bind-port", "0"]));
        let moment = Duration::from_millis(random.below(700));
        let known = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let caller = Caller::new(&api.url);
                    scope.spawn(move || caller.work(round * CLIENTS + client))
                })
                .collect();
            // The moment is what is random here; nothing waits for anything.
            thread::sleep(moment);
            api.kill();
            let mut known = BTreeMap::new();
            for client in clients {
                known.extend(client.join().unwrap());
            }
            known
        });

        let api = Api::of(place.command(API).args(["--bind-port", "0"]));
        let caller = Caller::new(&api.url);
        for (id, what) in known {
            if let Some(number) = caller.check(&id, what) {
                active.insert(id, number);
            }
        }
        // Those that were stored in earlier rounds are as they were, and there are no others with data.
        let list = caller.done(Method::GET, "/images?limit=1000&status=active", Vec::new());
        let list: Value = serde_json::from_slice(&list.unwrap()).unwrap();
        let listed = list["images"].as_array().unwrap().len();
        let mut stored = files(&place.data().join("images"));
        stored.retain(|name| !name.starts_with('.'));
        if active.len() < 1000 {
            assert_eq!(listed, active.len(), "round {round}");
        }
        assert_eq!(stored.len(), active.len(), "round {round}");
        for status in ["saving", "importing"] {
            let target = format!("/images?status={status}");
            let list = caller.done(Method::GET, &target, Vec::new()).unwrap();
            let list: Value = serde_json::from_slice(&list).unwrap();
            assert_eq!(list["images"], json!([]), "round {round}: {status}");
        }
    }
}
