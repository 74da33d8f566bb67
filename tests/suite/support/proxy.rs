//! A proxy in front of an HTTP service, which breaks requests and responses.
//!
//! A signed request passes, because the services trust the name that was asked for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::http::{Answer, Exchange, Server, Then};

/// What becomes of a request.
#[derive(Clone)]
pub enum Fault {
    /// The proxy responds by itself, after it has read the request.
    Answer(Answer),
    /// The connection is closed after this many bytes of the body.
    Cut(u64),
    /// The request is forwarded, and the connection closed without its response.
    Lose,
    /// The request is forwarded, and its response is cut after this many bytes.
    Shorten(usize),
    /// The request is forwarded, and a text in its response is replaced.
    Replace(String, String),
    /// The byte in the middle of the body is changed before the request is forwarded.
    SpoilSent,
    /// The request is forwarded, and the byte in the middle of its response is changed.
    SpoilReceived,
    /// After this many bytes of the body, nothing is read or answered any more.
    Stall(u64),
    /// The request is forwarded, and of its response only this many bytes arrive, on a connection that stays open.
    StallReceived(usize),
    /// The request is forwarded, and its response arrives byte by byte after this many bytes.
    Trickle(usize),
    /// The request is forwarded after this time.
    Delay(Duration),
}

/// A fault of the requests with a method whose target contains a text, except the first ones.
#[derive(Clone)]
pub struct Rule {
    /// The method.
    pub method: &'static str,
    /// A part of the target.
    pub target: &'static str,
    /// How many requests pass before.
    pub after: usize,
    /// How many have the fault.
    pub times: usize,
    /// The fault.
    pub fault: Fault,
}

/// Rules, and how many requests each of them has seen.
type Rules = Vec<(Rule, AtomicUsize)>;

/// A proxy whose rules change.
pub struct Proxy {
    server: Server,
    rules: Arc<Mutex<Rules>>,
}

impl Proxy {
    /// Starts a proxy that passes all requests to a service.
    pub fn start(host: &str) -> Self {
        let rules = Arc::default();
        Self {
            server: Server::start(passing(host, Arc::clone(&rules))),
            rules,
        }
    }

    /// Puts other rules in the place of those that there are.
    pub fn set(&self, rules: Vec<Rule>) {
        *self.rules.lock().unwrap() = counted(rules);
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }
}

fn counted(rules: Vec<Rule>) -> Rules {
    let rules = rules.into_iter();
    rules.map(|rule| (rule, AtomicUsize::new(0))).collect()
}

/// A proxy in front of a service.
pub fn proxy(host: &str, rules: Vec<Rule>) -> Server {
    Server::start(passing(host, Arc::new(Mutex::new(counted(rules)))))
}

/// The same, without faults, with TLS.
pub fn tls_proxy(host: &str, config: rustls::ServerConfig) -> Server {
    Server::start_tls(config, passing(host, Arc::default()))
}

/// The handler of a proxy.
fn passing(
    host: &str,
    rules: Arc<Mutex<Rules>>,
) -> impl Fn(&mut Exchange) -> Then + Send + Sync + 'static {
    let host = host.to_string();
    move |exchange| {
        let fault = fault_of(exchange, &rules.lock().unwrap());
        if let Some(fault) = fault {
            return with_fault(exchange, &host, &fault);
        }
        let response = forward(exchange, &host);
        exchange.write(&response);
        Then::Close
    }
}

fn fault_of(exchange: &Exchange, rules: &Rules) -> Option<Fault> {
    let request = &exchange.request;
    let mut found = rules.iter().filter_map(|(rule, seen)| {
        if rule.method != request.method || !request.target.contains(rule.target) {
            return None;
        }
        let number = seen.fetch_add(1, Ordering::SeqCst);
        let is_meant = number >= rule.after && number < rule.after + rule.times;
        is_meant.then(|| rule.fault.clone())
    });
    found.next()
}

fn with_fault(exchange: &mut Exchange, host: &str, fault: &Fault) -> Then {
    match fault {
        Fault::Answer(answer) => {
            exchange.read_all();
            exchange.send(answer);
        }
        Fault::Cut(bytes) => exchange.read(*bytes),
        Fault::Lose => {
            forward(exchange, host);
        }
        Fault::Shorten(bytes) => {
            let response = forward(exchange, host);
            exchange.write(&response[..response.len().min(*bytes)]);
        }
        Fault::Replace(from, to) => {
            let response = String::from_utf8(forward(exchange, host)).unwrap();
            assert!(response.contains(from), "{response}");
            exchange.write(response.replace(from, to).as_bytes());
        }
        Fault::SpoilSent => {
            exchange.read_all();
            spoil(&mut exchange.body);
            let response = forward(exchange, host);
            exchange.write(&response);
        }
        Fault::SpoilReceived => {
            let mut response = forward(exchange, host);
            spoil(&mut response);
            exchange.write(&response);
        }
        Fault::Stall(bytes) => {
            exchange.read(*bytes);
            return idle(exchange);
        }
        Fault::StallReceived(bytes) => {
            let response = forward(exchange, host);
            exchange.write(&response[..response.len().min(*bytes)]);
            return idle(exchange);
        }
        Fault::Trickle(bytes) => {
            let response = forward(exchange, host);
            let (first, rest) = response.split_at(response.len().min(*bytes));
            let mut goes_on = exchange.write(first);
            for byte in rest {
                goes_on = goes_on && exchange.write(&[*byte]);
                if !goes_on {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
        Fault::Delay(time) => {
            std::thread::sleep(*time);
            let response = forward(exchange, host);
            exchange.write(&response);
        }
    }
    Then::Close
}

/// The time between the bytes of a response that trickles.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads and answers nothing until the test ends.
fn idle(exchange: &mut Exchange) -> Then {
    while exchange.goes_on() {
        std::thread::sleep(PAUSE);
    }
    Then::Close
}

fn spoil(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

/// Sends a request to the service, and returns its whole response. A request that breaks off breaks off there, too.
fn forward(exchange: &mut Exchange, host: &str) -> Vec<u8> {
    let is_whole = exchange.read_all();
    let request = &exchange.request;
    let is_chunked = request.header("transfer-encoding").is_some();
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        if name != "connection" && name != "expect" {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += "connection: close\r\n\r\n";
    let mut service = TcpStream::connect(host).unwrap();
    let _ = service.write_all(head.as_bytes());
    if is_chunked && is_whole {
        if !exchange.body.is_empty() {
            let _ = service.write_all(format!("{:x}\r\n", exchange.body.len()).as_bytes());
            let _ = service.write_all(&exchange.body);
            let _ = service.write_all(b"\r\n");
        }
        let _ = service.write_all(b"0\r\n\r\n");
    } else {
        let _ = service.write_all(&exchange.body);
    }
    let mut response = Vec::new();
    if is_whole {
        let _ = service.read_to_end(&mut response);
    }
    response
}
