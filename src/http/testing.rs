//! Helpers for the tests of the client.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Runs a future to its end on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// Serves as many connections as there are responses: reads the head of a request, writes a response as it is, and
/// closes the connection. Returns the address, and the first lines of the requests when all were served.
pub fn serve(responses: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let serve = |response: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let line = head(&stream);
            // The client may have gone.
            let _ = stream.write_all(response.as_bytes());
            line
        };
        responses.into_iter().map(serve).collect()
    });
    (url, serving)
}

/// Reads the head of a request. Returns its first line.
fn head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines();
    let lines = lines.map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    head.first().cloned().unwrap_or_default()
}
