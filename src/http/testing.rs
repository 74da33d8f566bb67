//! An HTTP/1.1 server on the loopback interface for tests, which can also violate the protocol.
//!
//! Each connection has a thread and a time limit. A handler gets every request as an [`Exchange`]: it reads
//! as much of the body as it needs, writes a response or any other bytes, and closes or keeps the
//! connection. Dropping the server ends all connections and waits for their threads. The integration tests
//! include this file by its path.

#![allow(dead_code, reason = "unit tests and integration tests each use a part")]

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use httparse::Status;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use url::Url;

/// The timeout of a read or a write on a connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The maximum size in bytes of the head of a request, of the head of a chunk, and of trailers.
const MAX_HEAD: usize = 64 * 1024;

/// The maximum number of header fields of a request.
const MAX_FIELDS: usize = 128;

/// The maximum number of requests on a connection.
const MAX_REQUESTS: usize = 10_000;

/// Runs a future to completion on its own runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path and query.
    pub target: String,
    /// The header fields, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The number of bytes of the body that were read.
    pub length: u64,
}

impl Request {
    /// Returns the value of a header field; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the method, path and query.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Returns the target as a URL with a placeholder host.
    pub fn url(&self) -> Url {
        let base = Url::parse("http://server/").unwrap();
        base.join(&self.target).unwrap_or(base)
    }

    /// Returns the values of a parameter of the query.
    pub fn query(&self, name: &str) -> Vec<String> {
        let url = self.url();
        let pairs = url.query_pairs().filter(|(key, _)| key == name);
        pairs.map(|(_, value)| value.into_owned()).collect()
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields; the length of the body is added if it is missing.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Creates a response with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::empty(status).with("Content-Type", content_type)
        }
    }

    /// Creates a JSON response.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Creates a response without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Creates an error response in Glance's format.
    pub fn page(status: u16, text: &str) -> Self {
        let title = format!("{status} What Went Wrong");
        let page = format!(
            "<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  {text}<br /><br />\n\n\n </body>\n</html>"
        );
        Self::new(status, "text/html; charset=UTF-8", page)
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    /// Returns the bytes of the status line and the header fields.
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

    /// Returns the bytes of the whole response.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend(&self.body);
        bytes
    }
}

/// The state of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Open for the next request.
    Stay,
    /// Closed at once.
    Close,
}

/// A function that responds to requests.
pub type Handler = dyn Fn(&mut Exchange) -> Then + Send + Sync;

/// A request in progress, and its connection.
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// The part of its body that was read.
    pub body: Vec<u8>,
    framing: Framing,
    stream: BufReader<Stream>,
    shared: Arc<Shared>,
}

/// The method to find the end of a request's body.
enum Framing {
    /// The number of remaining bytes of the body.
    Length(u64),
    /// The number of remaining bytes of a chunk; another chunk may follow.
    Chunks(u64),
    /// The body has been read.
    Ended,
    /// The client closed the connection, or sent invalid HTTP.
    Broken,
}

impl Framing {
    fn of(request: &Request) -> Self {
        let length = request.header("content-length").map(str::parse);
        match length {
            _ if request.header("transfer-encoding").is_some() => Self::Chunks(0),
            None | Some(Ok(0)) => Self::Ended,
            Some(Ok(length)) => Self::Length(length),
            Some(Err(_)) => Self::Broken,
        }
    }
}

impl Exchange {
    /// Reads up to this many bytes of the body.
    pub fn read(&mut self, mut bytes: u64) {
        while bytes > 0 {
            let left = match &mut self.framing {
                Framing::Length(0) => {
                    self.framing = Framing::Ended;
                    return;
                }
                Framing::Chunks(0) => {
                    self.framing = next_chunk(&mut self.stream);
                    continue;
                }
                Framing::Ended | Framing::Broken => return,
                Framing::Length(left) | Framing::Chunks(left) => left,
            };
            let mut block = (&mut self.stream).take((*left).min(bytes).min(64 * 1024));
            let before = self.body.len();
            let outcome = block.read_to_end(&mut self.body);
            let read = (self.body.len() - before) as u64;
            *left -= read;
            bytes -= read;
            if read == 0 || outcome.is_err() {
                self.framing = Framing::Broken;
            }
            // The bytes after a chunk show whether there is another.
            if let Framing::Chunks(0) = self.framing {
                let mut end = [0; 2];
                self.framing = match self.stream.read_exact(&mut end) {
                    Ok(()) if end == *b"\r\n" => next_chunk(&mut self.stream),
                    _ => Framing::Broken,
                };
            }
        }
    }

    /// Reads the rest of the body. Returns whether all of it was received.
    pub fn read_all(&mut self) -> bool {
        self.read(u64::MAX);
        matches!(self.framing, Framing::Ended | Framing::Length(0))
    }

    /// Writes bytes. Returns whether the client still receives them.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let stream = self.stream.get_mut();
        !self.shared.is_stopped() && stream.write_all(bytes).is_ok() && stream.flush().is_ok()
    }

    /// Writes a response.
    pub fn send(&mut self, answer: &Answer) -> Then {
        if self.write(&answer.bytes()) {
            Then::Stay
        } else {
            Then::Close
        }
    }

    /// Ends the responses on this connection, and reads what the client still sends.
    pub fn linger(&mut self) -> Then {
        self.stream.get_mut().shut_down(Shutdown::Write);
        self.read_all();
        Then::Close
    }

    /// Waits, without a response, until the client closes the connection.
    pub fn wait(&mut self) -> Then {
        let _ = io::copy(&mut self.stream, &mut io::sink());
        Then::Close
    }

    /// Returns the address of the server, without a path.
    pub fn server_url(&self) -> String {
        self.shared.url()
    }

    /// Returns whether the server is still in use.
    pub fn goes_on(&self) -> bool {
        !self.shared.is_stopped()
    }

    /// Responds to the request. Returns whether the connection stays open for another.
    fn answer(&mut self) -> Then {
        let number = {
            let mut requests = self.shared.requests();
            requests.push(self.request.clone());
            requests.len() - 1
        };
        let shared = Arc::clone(&self.shared);
        let then = (shared.handler)(self);
        shared.requests()[number].length = self.body.len() as u64;
        if then == Then::Stay && self.read_all() {
            Then::Stay
        } else {
            Then::Close
        }
    }
}

/// Reads more from a stream until `parse` returns the length of its result. Returns None at the end of the
/// stream, and an error for invalid HTTP.
fn read_parsed<T>(
    stream: &mut BufReader<Stream>,
    parse: impl Fn(&[u8]) -> httparse::Result<(usize, T)>,
) -> Result<Option<T>, httparse::Error> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_HEAD {
        let Ok(more) = stream.fill_buf() else {
            return Ok(None);
        };
        if more.is_empty() {
            return Ok(None);
        }
        let before = bytes.len();
        bytes.extend(more);
        match parse(&bytes)? {
            Status::Complete((length, found)) => {
                stream.consume(length - before);
                return Ok(Some(found));
            }
            Status::Partial => stream.consume(bytes.len() - before),
        }
    }
    Err(httparse::Error::TooManyHeaders)
}

fn read_head(stream: &mut BufReader<Stream>) -> Result<Option<Request>, httparse::Error> {
    read_parsed(stream, |bytes| {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Request::new(&mut fields);
        let Status::Complete(length) = head.parse(bytes)? else {
            return Ok(Status::Partial);
        };
        let field = |field: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(field.value).into_owned();
            (field.name.to_ascii_lowercase(), value)
        };
        let request = Request {
            method: head.method.unwrap_or_default().to_string(),
            target: head.path.unwrap_or_default().to_string(),
            headers: head.headers.iter().map(field).collect(),
            length: 0,
        };
        Ok(Status::Complete((length, request)))
    })
}

/// Reads the head of a chunk, and the trailers after the last one.
fn next_chunk(stream: &mut BufReader<Stream>) -> Framing {
    let size = read_parsed(stream, |bytes| {
        httparse::parse_chunk_size(bytes).map_err(|_| httparse::Error::Token)
    });
    match size {
        Ok(Some(0)) => match read_parsed(stream, trailers) {
            Ok(Some(())) => Framing::Ended,
            _ => Framing::Broken,
        },
        Ok(Some(size)) => Framing::Chunks(size),
        _ => Framing::Broken,
    }
}

fn trailers(bytes: &[u8]) -> httparse::Result<(usize, ())> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    Ok(match httparse::parse_headers(bytes, &mut fields)? {
        Status::Complete((length, _)) => Status::Complete((length, ())),
        Status::Partial => Status::Partial,
    })
}

/// A connection, with or without TLS.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        match tls.map(ServerConnection::new) {
            Some(connection) => Self::Tls(Box::new(StreamOwned::new(connection.unwrap(), socket))),
            None => Self::Plain(socket),
        }
    }

    fn shut_down(&mut self, how: Shutdown) {
        let _ = match self {
            Self::Plain(socket) => socket.shutdown(how),
            Self::Tls(stream) => {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                stream.sock.shutdown(how)
            }
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// The shared state of a server's threads.
struct Shared {
    address: SocketAddr,
    handler: Box<Handler>,
    tls: Option<Arc<ServerConfig>>,
    requests: Mutex<Vec<Request>>,
    sockets: Mutex<Vec<TcpStream>>,
    is_stopped: AtomicBool,
}

impl Shared {
    fn url(&self) -> String {
        let scheme = self.tls.as_ref().map_or("http", |_| "https");
        format!("{scheme}://{}", self.address)
    }

    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap()
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    fn end_connections(&self) {
        for socket in self.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Accepts connections, with a thread for each, until the server is dropped.
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut threads = Vec::new();
        for socket in listener.incoming() {
            if self.is_stopped() {
                break;
            }
            let Ok(socket) = socket else { continue };
            let _ = socket.set_nodelay(true);
            let _ = socket.set_read_timeout(Some(IDLE_TIMEOUT));
            let _ = socket.set_write_timeout(Some(IDLE_TIMEOUT));
            self.sockets.lock().unwrap().extend(socket.try_clone());
            let shared = Arc::clone(self);
            threads.push(std::thread::spawn(move || shared.serve(socket)));
        }
        self.end_connections();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    /// Responds to the requests of a connection. Invalid HTTP gets status 400, as on common servers.
    fn serve(self: Arc<Self>, socket: TcpStream) {
        let tls = self.tls.clone();
        let mut stream = BufReader::new(Stream::new(socket, tls));
        for _ in 0..MAX_REQUESTS {
            let request = match read_head(&mut stream) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(_) => {
                    let _ = stream.get_mut().write_all(&Answer::empty(400).bytes());
                    break;
                }
            };
            let mut exchange = Exchange {
                framing: Framing::of(&request),
                request,
                body: Vec::new(),
                stream,
                shared: Arc::clone(&self),
            };
            let then = exchange.answer();
            stream = exchange.stream;
            if then == Then::Close {
                break;
            }
        }
        stream.get_mut().shut_down(Shutdown::Both);
    }
}

/// A server that ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that passes requests to `handler`.
    pub fn start(handler: impl Fn(&mut Exchange) -> Then + Send + Sync + 'static) -> Self {
        Self::start_on(None, Box::new(handler))
    }

    /// Starts a server with TLS.
    pub fn start_tls(
        config: ServerConfig,
        handler: impl Fn(&mut Exchange) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::start_on(Some(Arc::new(config)), Box::new(handler))
    }

    /// Starts a server that responds to every request with this data.
    pub fn serving(content: &[u8]) -> Self {
        let answer = Answer::new(200, "application/octet-stream", content);
        Self::answering(move |_| answer.clone())
    }

    /// Starts a server whose response depends only on the target of a request.
    pub fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(move |exchange| {
            let answer = answer(&exchange.request.target);
            exchange.send(&answer)
        })
    }

    /// Starts a server that writes one of `responses`, unchanged, for each request, and closes the
    /// connection.
    pub fn scripted(responses: impl IntoIterator<Item = String>) -> Self {
        let responses: Vec<String> = responses.into_iter().collect();
        let responses = Mutex::new(responses.into_iter());
        Self::start(move |exchange| {
            if let Some(response) = responses.lock().unwrap().next() {
                exchange.write(response.as_bytes());
            }
            Then::Close
        })
    }

    fn start_on(tls: Option<Arc<ServerConfig>>, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            handler,
            tls,
            requests: Mutex::default(),
            sockets: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || own.accept(&listener));
        Self {
            shared,
            accepting: Some(accepting),
        }
    }

    /// Returns the URL of a target.
    pub fn url(&self, target: &str) -> String {
        self.shared.url() + target
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.shared.address.port()
    }

    /// Returns the received requests.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// Returns method and target of the received requests.
    pub fn lines(&self) -> Vec<String> {
        self.shared.requests().iter().map(Request::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.shared.address);
        self.shared.end_connections();
        if let Some(accepting) = self.accepting.take() {
            let ended = accepting.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the server panicked"
            );
        }
    }
}
