//! One of the two services, with the images and namespaces that requests to it are about.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use glance_tools::http::{Client, Options, Request, Response, retry};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{MAKER, Row};
use crate::support::block_on;

/// How often the real service is asked: on SQLite, requests and its own tasks get in each other's way, and a valid token is
/// refused now and then.
const ATTEMPTS: usize = 8;

/// The longest time that a copy may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Declares what requests are about, and its names in the list of requests.
macro_rules! kinds {
    ($($kind:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The one with a name.
            pub fn of(name: &str) -> Self {
                match name {
                    $($name => Self::$kind,)*
                    _ => panic!("{name}"),
                }
            }
        }
    };
}

kinds! {
    Queued = "queued",
    Private = "private",
    Shared = "shared",
    Community = "community",
    Public = "public",
    // Shared with the stranger, who has not responded.
    Pending = "pending",
    // Shared with the stranger, who has accepted it.
    Accepted = "accepted",
    Deactivated = "deactivated",
    Protected = "protected",
    Staged = "staged",
    // In two stores.
    Two = "two",
    Task = "task",
    // Namespaces: private, public, and public and protected.
    Hidden = "hidden",
    Open = "open",
    Guarded = "guarded",
}

/// A service.
pub struct Side {
    url: String,
    is_real: bool,
    /// The IDs of the callers' projects, and their tokens.
    callers: HashMap<&'static str, (String, String)>,
    /// The images and namespaces that no request has changed, for the next request.
    made: HashMap<Kind, String>,
    /// How many names were given.
    names: usize,
    /// How many things were made, and the time that it took.
    making: (usize, Duration),
    /// How many requests were sent that are compared, and the time that they took.
    played: (usize, Duration),
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (played, during) = self.played;
        let (made, making) = self.making;
        write!(
            f,
            "{played} requests in {during:?}, {made} preparations in {making:?}"
        )
    }
}

impl Side {
    pub fn new(url: String, callers: &[(&'static str, (String, String))], is_real: bool) -> Self {
        Self {
            url,
            is_real,
            callers: callers.iter().cloned().collect(),
            made: HashMap::new(),
            names: 0,
            making: (0, Duration::ZERO),
            played: (0, Duration::ZERO),
        }
    }

    /// Sends a request as a caller, and returns the response.
    pub fn play(&mut self, caller: &str, row: &Row) -> Response {
        let attempts = if self.is_real { ATTEMPTS } else { 1 };
        let has_token = self.callers.contains_key(caller);
        let mut response = self.attempt(caller, row);
        for _ in 1..attempts {
            let status = response.status;
            let is_refused = status == StatusCode::UNAUTHORIZED && has_token;
            if status != StatusCode::INTERNAL_SERVER_ERROR && !is_refused {
                break;
            }
            response = self.attempt(caller, row);
        }
        response
    }

    fn attempt(&mut self, caller: &str, row: &Row) -> Response {
        let subject = row.subject.map(|kind| self.subject(kind));
        let fresh = self.name();
        let fill = |text: &str| {
            let subject = subject.as_deref().unwrap_or_default();
            ["$image", "$ns", "$task"]
                .into_iter()
                .fold(text.to_string(), |text, name| text.replace(name, subject))
                .replace("$member", &self.callers["stranger"].0)
                .replace("$owner", &self.callers["owner"].0)
                .replace("$new", &fresh)
        };
        let began = Instant::now();
        let body = row.body.map(fill);
        let response = self.send(caller, row.method, &fill(row.path), body.as_deref());
        self.played.0 += 1;
        self.played.1 += began.elapsed();
        if let Some(kind) = row.subject
            && row.method != "GET"
            && !row.has_mark('=')
            && !response.status.is_client_error()
        {
            self.made.remove(&kind);
        }
        response
    }

    /// Returns something of a kind: what there is, or else a new one.
    fn subject(&mut self, kind: Kind) -> String {
        if let Some(made) = self.made.get(&kind) {
            return made.clone();
        }
        let attempts = if self.is_real { ATTEMPTS } else { 1 };
        let mut failures = Vec::new();
        let began = Instant::now();
        for _ in 0..attempts {
            match self.make(kind) {
                Ok(made) => {
                    self.made.insert(kind, made.clone());
                    self.making.0 += 1;
                    self.making.1 += began.elapsed();
                    return made;
                }
                Err(failure) => failures.push(failure),
            }
        }
        panic!("{failures:?}");
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("matrix{}", self.names)
    }

    fn send(&self, caller: &str, method: &str, path: &str, body: Option<&str>) -> Response {
        let client = Client::new(Options {
            retries: retry::Policy::NEVER,
            ..Options::default()
        });
        let url = Url::parse(&format!("{}{path}", self.url)).unwrap();
        let mut request = Request::new(method.parse::<Method>().unwrap(), url);
        if let Some((_, token)) = self.callers.get(caller) {
            let token = HeaderValue::from_str(token).unwrap();
            request.headers.insert("x-auth-token", token);
        }
        if let Some(body) = body {
            let kind = match method {
                "PATCH" => "application/openstack-images-v2.1-json-patch",
                _ if body == "data" => "application/octet-stream",
                _ => "application/json",
            };
            let kind = HeaderValue::from_static(kind);
            request.headers.insert(CONTENT_TYPE, kind);
            request.body = body.to_string().into();
        }
        let Ok(response) = block_on(client.call(&request)) else {
            panic!("no response to {method} {}{path}", self.url)
        };
        response
    }

    /// Sends a request that prepares something, and returns the body of the response.
    fn prepare(
        &self,
        caller: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let text = body.map(|body| match body {
            Value::String(data) => data.clone(),
            body => body.to_string(),
        });
        let response = self.send(caller, method, path, text.as_deref());
        if !response.status.is_success() {
            let (url, status) = (&self.url, response.status);
            return Err(format!(
                "{url}: {method} {path}: {status}: {:?}",
                response.body
            ));
        }
        Ok(serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// Makes something of a kind, and returns its ID or name.
    fn make(&mut self, kind: Kind) -> Result<String, String> {
        let (maker, _) = MAKER;
        let owner = self.callers["owner"].0.clone();
        if matches!(kind, Kind::Hidden | Kind::Open | Kind::Guarded) {
            let namespace = json!({
                "namespace": self.name(),
                "visibility": if kind == Kind::Hidden { "private" } else { "public" },
                "protected": kind == Kind::Guarded,
                "owner": owner,
                "objects": [{"name": "o"}],
                "properties": {"p": {"title": "t", "type": "string"}},
                "tags": [{"name": "t"}],
                "resource_type_associations": [{"name": "OS::Matrix"}],
            });
            let path = "/v2/metadefs/namespaces";
            let made = self.prepare(maker, "POST", path, Some(&namespace))?;
            return Ok(made["namespace"].as_str().unwrap().to_string());
        }
        if kind == Kind::Task {
            let input = json!({"import_from": "http://127.0.0.1:9/x", "import_from_format": "raw", "image_properties": {}});
            let task = json!({"type": "import", "input": input});
            let made = self.prepare(maker, "POST", "/v2/tasks", Some(&task))?;
            return Ok(made["id"].as_str().unwrap().to_string());
        }
        let visibility = match kind {
            Kind::Public | Kind::Community => kind.name(),
            Kind::Shared | Kind::Pending | Kind::Accepted => "shared",
            _ => "private",
        };
        let image = json!({
            "visibility": visibility,
            "protected": kind == Kind::Protected,
            "owner": owner,
            "tags": ["old"],
            "disk_format": "raw",
            "container_format": "bare",
        });
        let made = self.prepare(maker, "POST", "/v2/images", Some(&image))?;
        let id = made["id"].as_str().unwrap().to_string();
        let at = |rest: &str| format!("/v2/images/{id}{rest}");
        let data = json!("data");
        match kind {
            Kind::Queued => {}
            Kind::Staged => drop(self.prepare(maker, "PUT", &at("/stage"), Some(&data))?),
            _ => drop(self.prepare(maker, "PUT", &at("/file"), Some(&data))?),
        }
        let (stranger, _) = &self.callers["stranger"];
        match kind {
            Kind::Two => self.copy(&id)?,
            Kind::Deactivated => {
                self.prepare(maker, "POST", &at("/actions/deactivate"), None)?;
            }
            Kind::Pending | Kind::Accepted => {
                let member = json!({"member": stranger});
                self.prepare(maker, "POST", &at("/members"), Some(&member))?;
            }
            _ => {}
        }
        if kind == Kind::Accepted {
            let path = at(&format!("/members/{stranger}"));
            let accepted = json!({"status": "accepted"});
            self.prepare("stranger", "PUT", &path, Some(&accepted))?;
        }
        Ok(id)
    }

    /// Copies an image into the second store.
    fn copy(&self, id: &str) -> Result<(), String> {
        let (maker, _) = MAKER;
        let path = format!("/v2/images/{id}");
        let copy = json!({"method": {"name": "copy-image"}, "stores": ["slow"]});
        self.prepare(maker, "POST", &format!("{path}/import"), Some(&copy))?;
        let began = Instant::now();
        loop {
            let image = self.prepare(maker, "GET", &path, None)?;
            let stores = image["stores"].as_str().unwrap();
            if stores.contains("slow") && image["os_glance_importing_to_stores"] != "slow" {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("no copy: {image}"));
            }
        }
    }
}
