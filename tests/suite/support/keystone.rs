//! A Keystone and Glance of a few lines.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// A request, as the server saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `POST /v3/auth/tokens`
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What the server answers.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl Reply {
    pub fn new(status: u16, body: Value) -> Self {
        let headers = Vec::new();
        Self {
            status,
            headers,
            body,
        }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// As Keystone says it.
    pub fn refusal(status: u16, message: &str) -> Self {
        let body = json!({"error": {"code": status, "message": message, "title": "No"}});
        Self::new(status, body).header("x-openstack-request-id", "req-1")
    }
}

/// A server that answers one connection after the other, until it is dropped.
pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// One that answers as `script` says, which is told the server's address.
    pub fn new(script: impl Fn(&str, &Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (own_url, own_asked, own_stop) = (url.clone(), asked.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own_stop.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                let Some(asked) = read(&stream) else { continue };
                let reply = script(&own_url, &asked);
                own_asked.lock().unwrap().push(asked);
                answer(&stream, &reply);
            }
        });
        let thread = Some(thread);
        Self {
            url,
            asked,
            stop,
            thread,
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
                Reply::refusal(401, "The request you have made requires authentication.")
            }
            line if line.starts_with("GET /v2/images") => {
                let token = asked.headers.get("x-auth-token");
                let number = token.and_then(|token| token.strip_prefix("token-")?.parse().ok());
                if number.is_some_and(|number: usize| number > refused) {
                    return Reply::new(200, json!({"images": [], "first": "/v2/images"}));
                }
                Reply::new(401, json!("no"))
            }
            _ => Reply::refusal(404, "Not found."),
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

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.rsplit_once(' ')?.0.to_string();
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_string());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| {
        let form = url::form_urlencoded::parse(&body);
        form.map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    });
    Some(Asked {
        line,
        headers,
        body,
    })
}

fn answer(mut stream: &TcpStream, reply: &Reply) {
    let body = reply.body.to_string();
    let mut head = format!(
        "HTTP/1.1 {} Whatever\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n",
        reply.status,
        body.len()
    );
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    // The client may have gone.
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
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
pub fn token_reply(token: &str, seconds: i64, catalog: &Value) -> Reply {
    let expires = jiff_like(seconds);
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
    Reply::new(201, body).header("x-subject-token", token)
}

/// The moment in so many seconds, as Keystone writes it.
fn jiff_like(seconds: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let moment = i64::try_from(now.unwrap().as_secs()).unwrap() + seconds;
    // Days into a date: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let (days, rest) = (
        moment.div_euclid(86_400) + 719_468,
        moment.rem_euclid(86_400),
    );
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000Z")
}
