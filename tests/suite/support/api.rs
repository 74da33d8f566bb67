//! A running `glance-api`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Place, Run};

/// The program.
pub const API: &str = env!("CARGO_BIN_EXE_glance-api");

/// The time to wait for a line.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port that no one uses at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The service, which is killed when this is dropped.
pub struct Api {
    child: Child,
    lines: Receiver<String>,
    /// Where it listens.
    pub url: String,
}

impl Api {
    /// Starts it on a data directory, and waits until it listens.
    pub fn start(place: &Place) -> Self {
        Self::of(place.command(API).args(["--bind-port", "0"]))
    }

    /// Starts it with a command, and waits until it listens.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let printed = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in printed.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut api = Self {
            child,
            lines,
            url: String::new(),
        };
        let line = api.line_with("listening on ");
        api.url = line.split_once("listening on ").unwrap().1.to_string();
        api
    }

    /// The next line of its log that contains a text.
    pub fn line_with(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text}: {seen:?}"));
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
    }

    /// Returns the output of curl for a request.
    pub fn curl(&self, place: &Place, words: &[&str], target: &str) -> String {
        let mut command = place.command("curl");
        command.args(["-sS", "--fail-with-body", "--max-time", "20"]);
        command.args(words).arg(format!("{}{target}", self.url));
        Run::of(command.output().unwrap()).ok()
    }

    /// Returns the status and the body of the response to a request, which may be an error.
    pub fn ask(&self, place: &Place, words: &[&str], target: &str) -> (u16, String) {
        let mut command = place.command("curl");
        command.args(["-sS", "--max-time", "60", "-w", "\n%{http_code}"]);
        command.args(words).arg(format!("{}{target}", self.url));
        let output = Run::of(command.output().unwrap()).ok();
        let (body, status) = output.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_string())
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Asks it to stop, and returns how long that took.
    pub fn stop(mut self) -> Duration {
        let began = Instant::now();
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
        began.elapsed()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
