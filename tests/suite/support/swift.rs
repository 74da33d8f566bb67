//! A real Swift that all tests of a run share, each with containers of its own.
//!
//! `tests/stores/swift` starts it when the first test asks for it, and stops it when the run has ended, however it
//! ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use glance_tools::http::{Client, Options, Request};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use super::ceph::{gateway, gateway_with_prefixes};
use super::realcloud::{known, not_in_quick_runs, output_of, run, script};

fn swift_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/swift")
}

/// Does what `start` does, once in a run.
fn once(directory: &Path, what: &str, start: impl FnOnce()) {
    fs::create_dir_all(directory).unwrap();
    let lock = File::create(directory.join(format!("{what}.lock"))).unwrap();
    lock.lock().unwrap();
    let (started, failure) = (
        directory.join(format!("{what}.started")),
        directory.join(format!("{what}.failure")),
    );
    if started.exists() {
        return;
    }
    if let Ok(why) = fs::read_to_string(&failure) {
        panic!("Swift could not be started: {why}");
    }
    fs::write(&failure, "see the test that tried it first").unwrap();
    start();
    fs::write(started, "").unwrap();
    fs::remove_file(failure).unwrap();
}

/// Where the Swift of this run is, started if it was not.
fn swift() -> PathBuf {
    not_in_quick_runs("Swift");
    let directory = std::env::temp_dir().join(format!("glance-swift-{}", run().name));
    once(&directory, "swift", || {
        let mut up = Command::new(swift_script());
        up.arg("up").arg(&directory).arg(run().owner.to_string());
        output_of(&mut up);
    });
    directory
}

/// The Python environment of Swift and of upstream's driver, made if it does not exist.
pub fn swift_venv() -> PathBuf {
    not_in_quick_runs("Swift");
    PathBuf::from(output_of(Command::new(swift_script()).arg("venv")).trim_end())
}

/// Where the Keystone of the Swift of this run is, started if it was not.
fn keystone() -> (PathBuf, PathBuf) {
    let directory = swift();
    let cloud = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("swift-cloud-{}", run().name));
    once(&directory, "keystone", || {
        let mut up = Command::new(script("up"));
        output_of(up.arg(&cloud).arg(run().owner.to_string()));
        let mut up = Command::new(swift_script());
        output_of(up.arg("keystone").arg(&directory).arg(&cloud));
    });
    (directory, cloud)
}

/// An account of Swift.
#[derive(Clone, Debug)]
pub struct Account {
    /// The version of the login: `1` or `3`.
    pub version: String,
    /// The address of the login.
    pub auth_address: String,
    /// `project:user`.
    pub user: String,
    /// The key.
    pub key: String,
}

impl Account {
    fn of_tempauth(file: &str) -> Self {
        let url = fs::read_to_string(swift().join(file)).unwrap();
        Self {
            version: "1".to_string(),
            auth_address: format!("{}/auth/v1.0", url.trim()),
            user: "test:tester".to_string(),
            key: "testing".to_string(),
        }
    }

    /// One with Swift's own login.
    pub fn new() -> Self {
        Self::of_tempauth("url")
    }

    /// The same one in a Swift that does not offer lists of segments.
    pub fn without_lists() -> Self {
        Self::of_tempauth("url-without-lists")
    }

    /// One of Ceph's gateway.
    pub fn of_gateway() -> Self {
        Self::at_gateway(gateway())
    }

    /// The same one at a gateway that does not offer lists of segments.
    pub fn of_gateway_with_prefixes() -> Self {
        Self::at_gateway(gateway_with_prefixes())
    }

    fn at_gateway(port: u16) -> Self {
        Self {
            version: "1".to_string(),
            auth_address: format!("http://127.0.0.1:{port}/auth/v1.0"),
            user: "glance:swift".to_string(),
            key: "swiftsecret".to_string(),
        }
    }

    /// One of Keystone.
    pub fn of_keystone() -> Self {
        let (_, cloud) = keystone();
        Self {
            version: "3".to_string(),
            auth_address: known(&cloud)["KEYSTONE_URL"].clone(),
            user: "service:glance".to_string(),
            key: "glance".to_string(),
        }
    }

    /// The lines of a configuration that name it.
    pub fn configuration(&self) -> String {
        format!(
            "swift_store_auth_version = {}\nswift_store_auth_address = {}\nswift_store_user = {}\n\
             swift_store_key = {}\n",
            self.version, self.auth_address, self.user, self.key
        )
    }

    /// Logs in past the store.
    pub fn log_in(&self) -> Storage {
        let url = Url::parse(&self.auth_address).unwrap();
        if self.version == "1" {
            let headers = [("x-auth-user", &self.user), ("x-auth-key", &self.key)];
            let headers = headers.map(|(name, value)| (name, value.as_str()));
            let (_, answer, _) = send(Method::GET, url, &headers, Vec::new());
            let text = |name: &str| answer[name].to_str().unwrap().to_string();
            return Storage {
                url: Url::parse(&text("x-storage-url")).unwrap(),
                token: text("x-auth-token"),
            };
        }
        let (project, user) = self.user.split_once(':').unwrap();
        let domain = json!({"id": "default"});
        let login = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "password": self.key, "domain": domain}}},
            "scope": {"project": {"name": project, "domain": domain}}}});
        let tokens = Url::parse(&format!("{}/auth/tokens", self.auth_address)).unwrap();
        let json = [("content-type", "application/json")];
        let (status, answer, body) = send(Method::POST, tokens, &json, login.to_string().into());
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let services = body["token"]["catalog"].as_array().unwrap();
        let service = services.iter().find(|one| one["type"] == "object-store");
        let url = service.unwrap()["endpoints"][0]["url"].as_str().unwrap();
        Storage {
            url: Url::parse(url).unwrap(),
            token: answer["x-subject-token"].to_str().unwrap().to_string(),
        }
    }
}

/// The storage of an account, past the store.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The storage address.
    pub url: Url,
    token: String,
}

impl Storage {
    /// None that can be reached.
    pub fn nowhere() -> Self {
        Self {
            url: Url::parse("http://127.0.0.1:9/v1/AUTH_a").unwrap(),
            token: String::new(),
        }
    }

    /// Sends a request below the storage address.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, HeaderMap, Vec<u8>) {
        let url = Url::parse(&format!("{}/{path}", self.url)).unwrap();
        let token = [("x-auth-token", self.token.as_str())];
        send(method, url, &[&token[..], headers].concat(), body)
    }

    /// Sends a request that MUST succeed.
    #[track_caller]
    pub fn expect(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Vec<u8> {
        let (status, _, answer) = self.send(method, path, headers, body);
        let said = String::from_utf8_lossy(&answer);
        assert!((200..300).contains(&status), "{path}: {status}: {said}");
        answer
    }

    /// The names of the objects in a container; none where it does not exist.
    pub fn names(&self, container: &str) -> Vec<String> {
        let (status, _, body) = self.send(Method::GET, container, &[], Vec::new());
        assert!(matches!(status, 200 | 204 | 404), "{status}");
        if status == 404 {
            return Vec::new();
        }
        let body = String::from_utf8(body).unwrap();
        body.lines().map(str::to_string).collect()
    }

    /// Removes a container with everything in it.
    pub fn remove(&self, container: &str) {
        for name in self.names(container) {
            self.send(
                Method::DELETE,
                &format!("{container}/{name}"),
                &[],
                Vec::new(),
            );
        }
        self.send(Method::DELETE, container, &[], Vec::new());
    }
}

/// A name of a container that no other test has.
pub fn new_name() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("images-{}-{number}", std::process::id())
}

/// Sends a request from a thread of its own, because the test may be within a runtime.
fn send(
    method: Method,
    url: Url,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = Request::new(method, url);
    // A server that has just started may close the first connections.
    request.is_idempotent = true;
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        request
            .headers
            .insert(name, HeaderValue::try_from(*value).unwrap());
    }
    if request.method == Method::PUT {
        let length = HeaderValue::from(body.len());
        request.headers.insert(http::header::CONTENT_LENGTH, length);
    }
    request.body = body.into();
    let answer = std::thread::spawn(move || {
        let client = Client::new(Options::default());
        super::block_on(async { client.call(&request).await })
    });
    let answer = answer.join().unwrap().unwrap();
    (answer.status.as_u16(), answer.headers, answer.body.to_vec())
}
