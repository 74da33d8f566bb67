//! A Keystone, and a Glance, of a few lines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http;
pub use super::http::Answer;

/// A request, with its body parsed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `POST /v3/auth/tokens`
    pub line: String,
    pub headers: BTreeMap<String, String>,
    /// JSON, or the fields of a form.
    pub body: Value,
}

impl Asked {
    fn of(exchange: &http::Exchange) -> Self {
        let body = serde_json::from_slice(&exchange.body).unwrap_or_else(|_| {
            let form = url::form_urlencoded::parse(&exchange.body);
            form.map(|(name, value)| (name.into_owned(), value.into_owned().into()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        });
        Self {
            line: exchange.request.line(),
            headers: exchange.request.headers.iter().cloned().collect(),
            body,
        }
    }
}

/// Returns an answer in JSON.
pub fn reply(status: u16, body: impl Into<Value>) -> Answer {
    Answer::json(status, &body.into())
}

/// Returns an error as Keystone writes it.
pub fn refusal(status: u16, message: &str) -> Answer {
    let body = json!({"error": {"code": status, "message": message, "title": "No"}});
    reply(status, body).with("x-openstack-request-id", "req-1")
}

/// A server that answers as its script says.
pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    _http: http::Server,
}

impl Server {
    /// Starts a server whose answers are made by `script`, from the address of the server and the request, one request
    /// at a time.
    pub fn new(script: impl Fn(&str, &Asked) -> Answer + Send + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, noted) = (Mutex::new(script), Arc::clone(&asked));
        let http = http::Server::start(move |exchange| {
            if !exchange.read_all() {
                return http::Then::Close;
            }
            let url = exchange.server_url();
            let request = Asked::of(exchange);
            let answer = script.lock().unwrap()(&url, &request);
            noted.lock().unwrap().push(request);
            exchange.send(&answer)
        });
        Self {
            url: http.url(""),
            asked,
            _http: http,
        }
    }

    /// A cloud: whoever has the password `right`, or is otherwise welcome, gets `token-1`, `token-2` and so
    /// on; the first `refused` of them are no good to Glance.
    pub fn cloud(refused: usize) -> Self {
        let logins = Mutex::new(0);
        Self::new(move |url, asked| match asked.line.as_str() {
            "POST /v3/auth/tokens" if is_welcome(&asked.body) => {
                let mut logins = logins.lock().unwrap();
                *logins += 1;
                token_reply(&format!("token-{logins}"), 3600, &catalog(url))
            }
            "POST /v3/auth/tokens" => {
                refusal(401, "The request you have made requires authentication.")
            }
            line if line.starts_with("GET /v2/images") => {
                let token = asked.headers.get("x-auth-token");
                let number = token.and_then(|token| token.strip_prefix("token-")?.parse().ok());
                if number.is_some_and(|number: usize| number > refused) {
                    return reply(200, json!({"images": [], "first": "/v2/images"}));
                }
                reply(401, json!("no"))
            }
            _ => refusal(404, "Not found."),
        })
    }

    /// How often a request beginning so was sent.
    pub fn count(&self, line: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|asked| asked.line.starts_with(line))
            .count()
    }

    /// Logins, and requests to Glance.
    pub fn counts(&self) -> (usize, usize) {
        (self.count("POST /v3/auth/tokens"), self.count("GET /v2/"))
    }

    /// The last request.
    pub fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

fn is_welcome(body: &Value) -> bool {
    let identity = &body["auth"]["identity"];
    identity["password"]["user"]["password"] == "right" || identity["methods"][0] != "password"
}

/// An endpoint of each interface in two regions.
pub fn catalog(url: &str) -> Value {
    let mut endpoints = Vec::new();
    for region in ["One", "Two"] {
        for interface in ["public", "internal"] {
            endpoints.push(json!({
                "id": "e", "interface": interface, "region": region, "region_id": region, "url": url,
            }));
        }
    }
    json!([
        {"id": "s", "name": "glance", "type": "image", "endpoints": endpoints},
        {"id": "t", "name": "nova", "type": "compute", "endpoints": []},
    ])
}

/// What Keystone answers to a login that succeeds.
pub fn token_reply(token: &str, seconds: i64, catalog: &Value) -> Answer {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
    let body = json!({"token": {
        "methods": ["password"],
        "expires_at": expires,
        "issued_at": "2024-01-01T00:00:00.000000Z",
        "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}, "password_expires_at": null},
        "project": {"id": "p1", "name": "own", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "r1", "name": "member"}],
        "audit_ids": ["a"],
        "is_domain": false,
        "catalog": catalog,
    }});
    reply(201, body).with("x-subject-token", token)
}
