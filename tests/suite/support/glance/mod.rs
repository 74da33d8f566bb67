//! A server of our own: a faithful Images API in memory, which misbehaves on command.
//!
//! Every connection has a thread, every read a limit; dropping the server ends them all and waits for
//! them. What is to go wrong is told by rules: "the second PUT of a file is answered so".

mod api;
mod metadefs;
pub mod tricks;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use glance_tools::data::{Algorithm, Hasher};
use serde_json::{Map, Value, json};
use url::Url;

/// The token that the server takes.
pub const TOKEN: &str = "gAAAAA-token-that-nobody-may-see";

/// Aims a command at the server at `url`, with the token that it takes and without Keystone.
pub fn aim(command: &mut Command, url: &str) {
    command
        .env_remove("GLANCE_DATA_DIR")
        .env("OS_AUTH_TOKEN", TOKEN)
        .env("OS_IMAGE_URL", url);
}

/// How long a connection may stand still before the server gives it up.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes of a request's head, and of a line of it.
const LARGEST_HEAD: u64 = 64 * 1024;

/// Requests of one connection.
const REQUESTS: usize = 10_000;

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Bytes of its body that were read.
    pub length: u64,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Method, path and query.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    fn url(&self) -> Url {
        let base = Url::parse("http://server/").unwrap();
        base.join(&self.target).unwrap_or(base)
    }

    /// The values of a parameter of the query.
    fn query(&self, name: &str) -> Vec<String> {
        let url = self.url();
        let pairs = url.query_pairs().filter(|(key, _)| key == name);
        pairs.map(|(_, value)| value.into_owned()).collect()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers; without a length, that of the body is added.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer of plain bytes.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_string(), content_type.to_string())],
            body: body.into(),
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// An error as the reference implementation writes it.
    pub fn page(status: u16, text: &str) -> Self {
        let title = format!("{status} What Went Wrong");
        let page = format!(
            "<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  {text}<br /><br />\n\n\n </body>\n</html>"
        );
        Self::new(status, "text/html; charset=UTF-8", page)
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    /// Its status line and headers.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Words\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let has = |wanted: &str| {
            let mut names = self.headers.iter().map(|(name, _)| name);
            names.any(|name| name.eq_ignore_ascii_case(wanted))
        };
        if self.status != 204 && !has("content-length") && !has("transfer-encoding") {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        (head + "\r\n").into_bytes()
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend(&self.body);
        bytes
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It waits for the next request.
    Stay,
    /// It is closed, at once.
    Close,
}

/// What is done instead of the usual.
pub type Trick = Box<dyn Fn(&mut Exchange<'_>) -> Then + Send + Sync>;

/// A request that has to be answered.
pub struct Exchange<'a> {
    /// Its head.
    pub request: Seen,
    /// What of its body was read.
    pub body: Vec<u8>,
    framing: Framing,
    stream: &'a mut BufReader<TcpStream>,
    shared: &'a Shared,
}

/// How the end of a request's body is found.
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// So many bytes are left of a chunk; another chunk may follow.
    Chunks(u64),
    /// Nothing is left.
    Ended,
    /// The client broke off.
    Broken,
}

impl Exchange<'_> {
    /// Reads so many bytes of the body, or what there is.
    pub fn read(&mut self, mut bytes: u64) {
        while bytes > 0 {
            let left = match &mut self.framing {
                Framing::Length(0) => {
                    self.framing = Framing::Ended;
                    return;
                }
                Framing::Chunks(0) => {
                    self.framing = next_chunk(self.stream);
                    continue;
                }
                Framing::Ended | Framing::Broken => return,
                Framing::Length(left) | Framing::Chunks(left) => left,
            };
            let wanted = (*left).min(bytes).min(64 * 1024);
            let mut buffer = vec![0; wanted as usize];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => self.framing = Framing::Broken,
                Ok(read) => {
                    *left -= read as u64;
                    bytes -= read as u64;
                    self.body.extend(&buffer[..read]);
                }
            }
            // The bytes after the last one of a chunk tell whether there is another.
            if let Framing::Chunks(0) = self.framing {
                self.framing = match end_of_line(self.stream) {
                    Some(_) => next_chunk(self.stream),
                    None => Framing::Broken,
                };
            }
        }
    }

    /// Reads the rest of the body; whether all of it came.
    pub fn read_all(&mut self) -> bool {
        self.read(u64::MAX);
        matches!(self.framing, Framing::Ended | Framing::Length(0))
    }

    /// What a faithful server answers; None when the request never came to its end.
    pub fn usual(&mut self) -> Option<Answer> {
        self.read_all()
            .then(|| api::answer(&mut self.shared.state(), &self.request, &self.body))
    }

    /// Sends bytes; whether the client still listens.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.goes_on() && self.stream.get_mut().write_all(bytes).is_ok()
    }

    /// Sends an answer.
    pub fn send(&mut self, answer: &Answer) -> Then {
        if self.write(&answer.bytes()) {
            Then::Stay
        } else {
            Then::Close
        }
    }

    /// Ends the answers of this connection, and lets the client say the rest of what it has to say.
    pub fn linger(&mut self) -> Then {
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
        self.read_all();
        Then::Close
    }

    /// Whether the test goes on.
    pub fn goes_on(&self) -> bool {
        !self.shared.stop.load(Ordering::Relaxed)
    }

    /// Says nothing until the client hangs up.
    pub fn wait(&mut self) -> Then {
        let _ = std::io::copy(self.stream, &mut std::io::sink());
        Then::Close
    }

    /// Changes what the server has stored.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

fn end_of_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    let read = stream.take(LARGEST_HEAD).read_until(b'\n', &mut line);
    let text = String::from_utf8_lossy(&line).trim_end().to_string();
    read.ok().filter(|_| line.ends_with(b"\n")).map(|_| text)
}

fn next_chunk(stream: &mut BufReader<TcpStream>) -> Framing {
    let size = end_of_line(stream).and_then(|line| u64::from_str_radix(&line, 16).ok());
    match size {
        None => Framing::Broken,
        Some(0) => match end_of_line(stream) {
            Some(_) => Framing::Ended,
            None => Framing::Broken,
        },
        Some(size) => Framing::Chunks(size),
    }
}

/// What is done to which requests.
struct Rule {
    method: &'static str,
    /// What the path begins or ends with, or has in it.
    part: String,
    /// Which of the requests that match: the first one is 1.
    which: std::ops::RangeInclusive<usize>,
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
    /// The requests that came.
    pub seen: Vec<Seen>,
    rules: Vec<Rule>,
    /// What stands before `/v2` in its paths.
    mount: String,
    made: usize,
}

struct Shared {
    state: Mutex<State>,
    stop: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// The server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// A server without images.
    pub fn start() -> Self {
        Self::start_at("")
    }

    /// One whose paths begin with `mount`.
    pub fn start_at(mount: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            images: Vec::new(),
            seen: Vec::new(),
            rules: Vec::new(),
            mount: mount.to_string(),
            made: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            stop: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &own));
        Self {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    /// Its address, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does `trick` to the requests of a method whose path has `part` in it and that are, from now on,
    /// the first, second, … of them.
    pub fn on(
        &self,
        method: &'static str,
        part: &str,
        which: std::ops::RangeInclusive<usize>,
        trick: Trick,
    ) -> &Self {
        self.shared.state().rules.push(Rule {
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
        self.shared.state()
    }

    /// An image with these data; its id.
    pub fn image(&self, name: &str, data: impl AsRef<[u8]>) -> String {
        let mut state = self.shared.state();
        let attributes = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
        let id = state.make(attributes.as_object().unwrap());
        state.store(&id, data.as_ref().to_vec());
        id
    }

    /// The one image there is.
    pub fn only(&self) -> Stored {
        let images = &self.shared.state().images;
        assert_eq!(images.len(), 1, "{images:?}");
        images[0].clone()
    }

    /// Sets an attribute of an image.
    pub fn set(&self, id: &str, name: &str, value: impl Into<Value>) {
        let mut state = self.shared.state();
        let image = state.find(id).unwrap();
        image.record.insert(name.to_string(), value.into());
    }

    /// The requests that came, as method, path and query.
    pub fn lines(&self) -> Vec<String> {
        self.shared.state().seen.iter().map(Seen::line).collect()
    }

    /// How many requests of a method came whose path has `part` in it.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let state = self.shared.state();
        let matching = |seen: &&Seen| seen.method == method && seen.target.contains(part);
        state.seen.iter().filter(matching).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Whoever accepts wakes up.
        let _ = TcpStream::connect(self.address);
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(accepting) = self.accepting.take() {
            let ended = accepting.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the server panicked"
            );
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut serving = Vec::new();
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = stream.set_write_timeout(Some(PATIENCE));
        shared.streams.lock().unwrap().extend(stream.try_clone());
        let own = Arc::clone(shared);
        serving.push(std::thread::spawn(move || serve(stream, &own)));
    }
    for stream in shared.streams.lock().unwrap().drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in serving {
        thread.join().unwrap();
    }
}

/// Answers the requests of a connection.
fn serve(stream: TcpStream, shared: &Shared) {
    let closing = stream.try_clone();
    let mut stream = BufReader::new(stream);
    for _ in 0..REQUESTS {
        let Some(request) = read_head(&mut stream) else {
            break;
        };
        if respond(&mut stream, shared, request) == Then::Close {
            break;
        }
    }
    if let Ok(closing) = closing {
        let _ = closing.shutdown(Shutdown::Both);
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let line = end_of_line(stream)?;
    let mut words = line.split(' ').map(str::to_string);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let line = end_of_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    Some(Seen {
        method,
        target,
        headers,
        length: 0,
    })
}

fn respond(stream: &mut BufReader<TcpStream>, shared: &Shared, request: Seen) -> Then {
    let length = request
        .header("content-length")
        .and_then(|text| text.parse().ok());
    let framing = match length {
        _ if request.header("transfer-encoding").is_some() => Framing::Chunks(0),
        Some(0) | None => Framing::Ended,
        Some(length) => Framing::Length(length),
    };
    let (number, trick) = {
        let mut state = shared.state();
        state.seen.push(request.clone());
        (state.seen.len() - 1, state.trick(&request))
    };
    let mut exchange = Exchange {
        request,
        body: Vec::new(),
        framing,
        stream,
        shared,
    };
    let then = match trick {
        Some(trick) => trick(&mut exchange),
        None => match exchange.usual() {
            Some(answer) => exchange.send(&answer),
            None => Then::Close,
        },
    };
    shared.state().seen[number].length = exchange.body.len() as u64;
    if then == Then::Stay && exchange.read_all() {
        Then::Stay
    } else {
        Then::Close
    }
}

impl State {
    /// What is to be done to a request instead of the usual.
    fn trick(&mut self, request: &Seen) -> Option<Arc<Trick>> {
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
