//! A Glance in memory: a faithful Images API, which misbehaves on command.
//!
//! Rules say what goes wrong: "the second PUT of a file is answered with this".

mod api;
mod metadefs;
pub mod tricks;

use std::ops::{Deref, DerefMut, RangeInclusive};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use glance_tools::data::{Algorithm, Hasher};
use serde_json::{Map, Value, json};

use super::http;
pub use super::http::{Answer, Request, Then};

/// The token that the server takes.
pub const TOKEN: &str = "gAAAAA-token-that-nobody-may-see";

/// Aims a command at the server at `url`, with the token that it takes and without Keystone.
pub fn aim(command: &mut Command, url: &str) {
    command
        .env_remove("GLANCE_DATA_DIR")
        .env("OS_AUTH_TOKEN", TOKEN)
        .env("OS_IMAGE_URL", url);
}

/// A function that answers a request in place of the API.
pub type Trick = Box<dyn Fn(&mut Exchange<'_>) -> Then + Send + Sync>;

/// A request that is being answered.
pub struct Exchange<'a> {
    http: &'a mut http::Exchange,
    state: &'a Mutex<State>,
}

impl Exchange<'_> {
    /// Returns the answer of a faithful server; None if the request is not complete.
    pub fn usual(&mut self) -> Option<Answer> {
        let is_complete = self.read_all();
        is_complete.then(|| api::answer(&mut self.state(), &self.http.request, &self.http.body))
    }

    /// Returns what the server has stored, to be changed.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Deref for Exchange<'_> {
    type Target = http::Exchange;

    fn deref(&self) -> &http::Exchange {
        self.http
    }
}

impl DerefMut for Exchange<'_> {
    fn deref_mut(&mut self) -> &mut http::Exchange {
        self.http
    }
}

/// What is done to which requests.
struct Rule {
    method: &'static str,
    /// What the path begins or ends with, or has in it.
    part: String,
    /// Which of the requests that match: the first one is 1.
    which: RangeInclusive<usize>,
    met: usize,
    trick: Arc<Trick>,
}

/// An image that the server has.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its record.
    pub record: Map<String, Value>,
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// The projects it is shared with, as the API shows them.
    pub members: Vec<Value>,
}

/// What the server knows.
pub struct State {
    /// Its images, the oldest first.
    pub images: Vec<Stored>,
    rules: Vec<Rule>,
    /// What stands before `/v2` in its paths.
    mount: String,
    made: usize,
}

/// The server.
pub struct Server {
    http: http::Server,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts a server without images.
    pub fn start() -> Self {
        Self::start_at("")
    }

    /// Starts a server whose paths begin with `mount`.
    pub fn start_at(mount: &str) -> Self {
        let state = Arc::new(Mutex::new(State {
            images: Vec::new(),
            rules: Vec::new(),
            mount: mount.to_string(),
            made: 0,
        }));
        let own = Arc::clone(&state);
        let http = http::Server::start(move |http| {
            let trick = own.lock().unwrap().trick(&http.request);
            let mut exchange = Exchange { http, state: &own };
            match trick {
                Some(trick) => trick(&mut exchange),
                None => match exchange.usual() {
                    Some(answer) => exchange.send(&answer),
                    None => Then::Close,
                },
            }
        });
        Self { http, state }
    }

    /// Returns the address, without a path.
    pub fn url(&self) -> String {
        self.http.url("")
    }

    /// Does `trick` to the requests of a method whose path has `part` in it and that are, from now on,
    /// the first, second, … of them.
    pub fn on(
        &self,
        method: &'static str,
        part: &str,
        which: RangeInclusive<usize>,
        trick: Trick,
    ) -> &Self {
        self.state().rules.push(Rule {
            method,
            part: part.to_string(),
            which,
            met: 0,
            trick: Arc::new(trick),
        });
        self
    }

    /// Does `trick` to every request.
    pub fn always(&self, trick: Trick) -> &Self {
        self.on("", "", 1..=usize::MAX, trick)
    }

    /// What the server knows.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// An image with these data; its id.
    pub fn image(&self, name: &str, data: impl AsRef<[u8]>) -> String {
        let mut state = self.state();
        let attributes = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
        let id = state.make(attributes.as_object().unwrap());
        state.store(&id, data.as_ref().to_vec());
        id
    }

    /// The one image there is.
    pub fn only(&self) -> Stored {
        let images = &self.state().images;
        assert_eq!(images.len(), 1, "{images:?}");
        images[0].clone()
    }

    /// Sets an attribute of an image.
    pub fn set(&self, id: &str, name: &str, value: impl Into<Value>) {
        let mut state = self.state();
        let image = state.find(id).unwrap();
        image.record.insert(name.to_string(), value.into());
    }

    /// Returns the requests that were received.
    pub fn requests(&self) -> Vec<Request> {
        self.http.requests()
    }

    /// Returns the requests that were received, as method, path and query.
    pub fn lines(&self) -> Vec<String> {
        self.http.lines()
    }

    /// Returns how many requests of a method were received whose target contains `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let requests = self.http.requests().into_iter();
        let matching =
            |request: &Request| request.method == method && request.target.contains(part);
        requests.filter(matching).count()
    }
}

impl State {
    /// What is to be done to a request instead of the usual.
    fn trick(&mut self, request: &Request) -> Option<Arc<Trick>> {
        let mut found = None;
        for rule in &mut self.rules {
            let matches = (rule.method.is_empty() || rule.method == request.method)
                && request.target.contains(&rule.part);
            if matches {
                rule.met += 1;
                if found.is_none() && rule.which.contains(&rule.met) {
                    found = Some(Arc::clone(&rule.trick));
                }
            }
        }
        found
    }

    /// The image of that id.
    pub fn find(&mut self, id: &str) -> Option<&mut Stored> {
        self.images
            .iter_mut()
            .find(|image| image.record["id"] == id)
    }

    /// Makes an image; its id.
    fn make(&mut self, attributes: &Map<String, Value>) -> String {
        self.made += 1;
        let number = self.made;
        let id = match attributes.get("id").and_then(Value::as_str) {
            Some(id) => id.to_string(),
            None => format!("{number:08x}-0000-4000-8000-{number:012x}"),
        };
        let mut record = json!({
            "name": null, "disk_format": null, "container_format": null, "visibility": "shared",
            "size": null, "virtual_size": null, "status": "queued", "checksum": null,
            "protected": false, "min_ram": 0, "min_disk": 0, "owner": "p", "os_hidden": false,
            "os_hash_algo": null, "os_hash_value": null, "id": id,
            "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z", "tags": [],
            "self": format!("/v2/images/{id}"), "file": format!("/v2/images/{id}/file"),
            "schema": "/v2/schemas/image",
        });
        for (name, value) in attributes {
            record[name] = value.clone();
        }
        let Value::Object(record) = record else {
            unreachable!()
        };
        self.images.push(Stored {
            record,
            data: None,
            members: Vec::new(),
        });
        id
    }

    /// Stores the data of an image.
    pub fn store(&mut self, id: &str, data: Vec<u8>) {
        let digest = |algorithm| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&data);
            hasher.finish()
        };
        let (md5, sha512) = (digest(Algorithm::Md5), digest(Algorithm::Sha512));
        let image = self.find(id).unwrap();
        for (name, value) in [
            ("size", json!(data.len())),
            ("checksum", json!(md5)),
            ("os_hash_algo", json!("sha512")),
            ("os_hash_value", json!(sha512)),
            ("status", json!("active")),
        ] {
            image.record.insert(name.to_string(), value);
        }
        image.data = Some(data);
    }
}
