//! A web server on the loopback that answers what it is told to; for what is fetched from anywhere.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a connection may stand still before the server gives it up.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a server does with a connection, of whose request this was the target.
type Handler = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// A web server; it ends when it is dropped.
pub struct Web {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Web {
    /// A server that gives `content` to whoever asks for anything.
    pub fn serving(content: &[u8]) -> Self {
        let content = content.to_vec();
        Self::answering(move |_| answer(200, &[], &content))
    }

    /// A server that answers a target with these bytes, head and all, and hangs up.
    pub fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::handling(move |target, stream| {
            // Whoever has enough of it hangs up first.
            let _ = stream.write_all(&answer(target));
        })
    }

    /// A server that does something else with a connection.
    pub fn handling(handle: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let handle: Arc<Handler> = Arc::new(handle);
        let (noted, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let accepting = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), handle, noted) = (stream, Arc::clone(&handle), Arc::clone(&noted))
                else {
                    continue;
                };
                threads.push(std::thread::spawn(move || serve(stream, &*handle, &noted)));
            }
            for thread in threads {
                thread.join().unwrap();
            }
        });
        Self {
            address,
            seen,
            stop,
            accepting: Some(accepting),
        }
    }

    /// The address of a target on it.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The targets that were asked for.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the one who accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn serve(mut stream: TcpStream, handle: &Handler, seen: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut target = None;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        let first = line.split(' ').nth(1).map(str::to_string);
        target = target.or(first);
        line.clear();
    }
    if let Some(target) = target {
        seen.lock().unwrap().push(target.clone());
        handle(&target, &mut stream);
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// An answer with its length.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
