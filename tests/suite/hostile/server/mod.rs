//! Servers that break, lie and attack: each ends in one clear line, the right exit code, little time
//! and little memory, with nothing lost and nothing kept that is not whole.

mod addresses;
mod answers;
mod downloads;
mod lists;
mod names;
mod redirects;
mod secrets;
mod time;
mod uploads;

use std::collections::VecDeque;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::glance::{Answer, Server, TOKEN, Then, aim, tricks};
use crate::support::{GLANCE, Place, Random, Run, files};

/// KiB of memory that a command may have for itself.
const MEMORY: u32 = 96 * 1024;

/// KiB for a command that is given the largest answer it reads.
const LARGEST_MEMORY: u32 = 256 * 1024;

/// Something no message may ever show.
const SECRET: &str = "sesame";

const BINARY: &str = "application/octet-stream";

/// A server and a place to run commands against it.
struct Cloud {
    place: Place,
    server: Server,
    /// KiB of memory that commands may have.
    memory: u32,
}

impl Cloud {
    fn new() -> Self {
        Self {
            place: Place::new(),
            server: Server::start(),
            memory: MEMORY,
        }
    }

    /// A command with an end to its time and memory; its input closed.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.command("/bin/bash");
        let script = format!(
            "ulimit -d {}; exec timeout -k 1 20 \"$0\" \"$@\" <&-",
            self.memory
        );
        command.args(["-c", &script, GLANCE]).args(words);
        aim(&mut command, &self.server.url());
        command
    }

    fn glance(&self, words: &[&str]) -> Run {
        finished(Run::of(self.command(words).output().unwrap()))
    }

    /// As [`Cloud::glance`], in no more than so many seconds.
    fn glance_within(&self, seconds: f64, words: &[&str]) -> Run {
        let began = Instant::now();
        let run = self.glance(words);
        let took = began.elapsed().as_secs_f64();
        assert!(took < seconds, "{words:?} took {took} s: {run:?}");
        run
    }

    /// As [`Cloud::glance`], with `input` piped in.
    fn piped(&self, words: &[&str], input: &[u8]) -> Run {
        use std::io::Write;
        let mut command = self.place.command("/usr/bin/timeout");
        command.args(["-k", "1", "20", GLANCE]).args(words);
        aim(&mut command, &self.server.url());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The program may have enough before the end.
        let writer = std::thread::spawn(move || pipe.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join().unwrap();
        finished(Run::of(output))
    }

    /// What a command shows at a terminal.
    fn at_a_terminal(&self, words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("timeout -k 1 20 {GLANCE} {}", words.join(" "));
        let mut command = self.place.command("/usr/bin/script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            // The program's own colors are escape sequences, too.
            .env("NO_COLOR", "1");
        aim(&mut command, &self.server.url());
        let run = Run::of(command.output().unwrap());
        assert_eq!(run.code, 0, "{words:?}: {run:?}");
        run.text()
    }

    /// The file that downloads are saved to.
    fn saved(&self) -> Option<Vec<u8>> {
        std::fs::read(self.place.file("out")).ok()
    }

    /// That a download fails: with nothing left, and then with what was there before left as it was.
    #[track_caller]
    fn nothing_is_saved(&self, name: &str, words: &[&str], about: &str) {
        for before in [None, Some(b"before".as_slice())] {
            if let Some(before) = before {
                self.place.write("out", before);
            }
            let told = complaint(self.glance(words), 1);
            assert!(told.contains(about), "{name}, {words:?}: {told}");
            assert_eq!(self.saved().as_deref(), before);
            let names = files(&self.place.file(""));
            let parts: Vec<&String> = names.iter().filter(|name| name.contains("part")).collect();
            assert!(parts.is_empty(), "{parts:?}");
        }
        std::fs::remove_file(self.place.file("out")).unwrap();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grammar {
    First,
    Second,
}

use Grammar::{First, Second};

/// Cases at a time: most of their time is spent waiting, and none of it should be spent on the others.
const AT_ONCE: usize = 10;

/// Checks cases, a few at a time.
fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let cases = Mutex::new(cases.into_iter().collect::<VecDeque<T>>());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = cases.lock().unwrap().pop_front();
                    let Some(case) = next else { break };
                    check(case);
                }
            });
        }
    });
}

/// Whether a terminal might do something else with it than show it.
fn is_raw(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

/// That a command came to its end by itself, without a panic, and told no secret.
#[track_caller]
fn finished(run: Run) -> Run {
    assert!(
        (0..124).contains(&run.code),
        "killed, or out of time: {run:?}"
    );
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(!run.stderr.contains(is_raw), "{:?}", run.stderr);
    assert!(!run.stderr.contains(TOKEN), "{}", run.stderr);
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
    run
}

/// The one line on standard error of a command that failed, with the hint that may follow.
#[track_caller]
fn complaint(run: Run, code: i32) -> String {
    let told = run.fails(code);
    let mut lines = told.lines();
    assert!(lines.next().is_some_and(|line| !line.is_empty()), "{told}");
    assert!(
        lines.next().is_none_or(|line| line.starts_with("Hint: ")),
        "{told}"
    );
    assert_eq!(lines.next(), None, "{told}");
    told
}

/// The words that make an image of a file in each grammar.
fn create(grammar: Grammar, path: &str) -> Vec<&str> {
    match grammar {
        Grammar::First => vec![
            "image-create",
            "--name",
            "n",
            "--disk-format",
            "raw",
            "--container-format",
            "bare",
            "--file",
            path,
        ],
        Grammar::Second => vec!["image", "create", "n", "--file", path],
    }
}

/// The words that save an image to the file `out` in each grammar.
fn save(grammar: Grammar, id: &str) -> Vec<&str> {
    match grammar {
        Grammar::First => vec!["image-download", id, "--file", "out"],
        Grammar::Second => vec!["image", "save", id, "--file", "out"],
    }
}

/// Numbers that look random, a few blocks of them.
fn data(bytes: usize) -> Vec<u8> {
    Random::new(7).bytes(bytes)
}

/// More than fits into the buffers of a connection.
const LARGE: usize = 9_000_001;

fn unavailable() -> Answer {
    Answer::page(503, "The server is currently unavailable.")
}
