//! Commands on stores that fail: a table for each kind of store. Of each case: the line on standard error, the exit code,
//! the time, and what is left once the service works again.

mod rbd;
mod s3;
mod swift;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::proxy::{Fault, Proxy, Rule};
use crate::support::{GLANCE, Place, Random, Run, files};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");

/// What a command does.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Uploads a file of this many bytes.
    Upload(usize),
    /// Uploads this many bytes from a pipe. The fault begins when half of them are in the store.
    Pipe(usize),
    Download,
    /// Downloads to a pipe. The fault begins when some data has been read.
    Read,
    Delete,
}

/// How a store fails during a case.
enum Breakage {
    /// Options of the store are set differently.
    Options(String),
    /// The proxy has rules.
    Rules(Vec<Rule>),
    /// Something is done before, and undone after.
    Acts(Box<dyn Fn()>, Box<dyn Fn()>),
}

/// A command on a store that fails.
struct Case {
    name: &'static str,
    breakage: Breakage,
    does: Does,
    code: i32,
    /// Standard error, with names in place of what differs from run to run.
    says: &'static str,
    /// Seconds.
    limit: u64,
    /// Options of the store during the case, beside those that break it.
    options: &'static str,
}

/// The limit in seconds of a command that waits for nothing.
const PROMPT: u64 = 10;

/// A case whose command fails promptly.
fn case(name: &'static str, breakage: Breakage, does: Does, says: &'static str) -> Case {
    Case {
        name,
        breakage,
        does,
        code: i32::from(!says.is_empty()),
        says,
        limit: PROMPT,
        options: "",
    }
}

/// A case with options of the store.
fn with(options: &'static str, case: Case) -> Case {
    Case { options, ..case }
}

/// A service that accepts connections and requests, and does not respond.
fn silent() -> Breakage {
    let rules = ["HEAD", "GET", "PUT", "POST", "DELETE"].map(|method| Rule {
        method,
        target: "",
        after: 0,
        times: usize::MAX,
        fault: Fault::Stall(0),
    });
    Breakage::Rules(rules.to_vec())
}

/// A fault of all requests of a kind, the first `after` excepted.
fn always(method: &'static str, target: &'static str, after: usize, fault: Fault) -> Breakage {
    Breakage::Rules(vec![Rule {
        method,
        target,
        after,
        times: usize::MAX,
        fault,
    }])
}

/// A fault of one request.
fn once(method: &'static str, target: &'static str, after: usize, fault: Fault) -> Breakage {
    Breakage::Rules(vec![Rule {
        method,
        target,
        after,
        times: 1,
        fault,
    }])
}

/// An address at which nothing listens.
fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A deployment with a store `s` that works until a case begins.
struct Bed {
    place: Place,
    /// The lines of the store's section.
    section: String,
    /// The texts of messages that differ from run to run, and what stands for them.
    names: Vec<(String, &'static str)>,
    proxy: Option<Proxy>,
    /// The names of all that is in the store.
    contents: Box<dyn Fn() -> BTreeSet<String>>,
    /// The image that downloads read and deletions delete, and its data.
    kept: String,
    content: Vec<u8>,
    /// Data of other images that is larger.
    spare: Vec<u8>,
}

impl Bed {
    /// `size` is that of the image in the store.
    fn new(
        kind: &str,
        section: &str,
        contents: Box<dyn Fn() -> BTreeSet<String>>,
        size: usize,
    ) -> Self {
        let place = Place::new();
        let at = place.file("");
        let section = format!(
            "[DEFAULT]\nenabled_backends = s:{kind}\n[glance_store]\ndefault_backend = s\n\
             [database]\nconnection = sqlite:///{at}glance.db\n\
             [os_glance_staging_store]\nfilesystem_store_datadir = {at}staging\n[s]\n{section}",
            at = at.display()
        );
        let mut bed = Self {
            place,
            section,
            names: Vec::new(),
            proxy: None,
            contents,
            kept: String::new(),
            content: Random::new(5).bytes(size),
            spare: Vec::new(),
        };
        bed.configure("");
        let mut sync = bed.place.command(MANAGE);
        let sync = sync.args(["--config-file", "glance.conf", "db", "sync"]);
        assert!(sync.output().unwrap().status.success());
        bed.keep();
        bed
    }

    fn configure(&self, more: &str) {
        self.place
            .write("glance.conf", format!("{}{more}\n", self.section));
    }

    /// Stores the image.
    fn keep(&mut self) {
        self.place.write("kept", &self.content);
        let made = self.run(&[&CREATE[..], &["--name", "kept", "--file", "kept"]].concat());
        self.kept = field(&made.ok(), "id");
    }

    fn run(&self, words: &[&str]) -> Run {
        self.place
            .glance(&[&["--config-file", "glance.conf"], words].concat())
    }

    /// Runs the cases, and checks each of them and what is left.
    fn assert(&mut self, cases: Vec<Case>) {
        let mut wrong = String::new();
        for case in cases {
            let (run, took) = self.run_case(&case);
            let said = self.named(&run.stderr);
            if run.code != case.code || said != case.says {
                let _ = writeln!(
                    wrong,
                    "{} {:?}: exit code {}\n{said}",
                    case.name, case.does, run.code
                );
            }
            if took > Duration::from_secs(case.limit) {
                let _ = writeln!(wrong, "{} {:?}: {took:?}", case.name, case.does);
            }
            if let Err(left) = self.recovered(&case, run.code) {
                let _ = writeln!(wrong, "{} {:?}: left: {left}", case.name, case.does);
                if self.run(&["image-show", &self.kept]).code != 0 {
                    self.keep();
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// Runs the command of a case while the store fails. Returns how long it took from then on.
    fn run_case(&self, case: &Case) -> (Run, Duration) {
        let is_late = matches!(case.does, Does::Pipe(_) | Does::Read);
        self.configure(case.options);
        if !is_late {
            self.break_down(case);
        }
        let began = Instant::now();
        let run = match case.does {
            Does::Upload(size) => {
                let content = self.content.get(..size);
                self.place.write("new", content.unwrap_or(&self.spare));
                let words = ["--name", "new", "--file", "new"];
                (self.run(&[&CREATE[..], &words].concat()), began)
            }
            Does::Download => {
                let words = ["image-download", "--file", "out", &self.kept];
                (self.run(&words), began)
            }
            Does::Delete => (self.run(&["image-delete", &self.kept]), began),
            Does::Pipe(size) => self.pipe_in(case, size),
            Does::Read => self.pipe_out(case),
        };
        let (run, began) = run;
        let took = began.elapsed();
        self.configure("");
        match &case.breakage {
            Breakage::Options(_) => {}
            Breakage::Rules(_) => self.proxy.as_ref().unwrap().set(Vec::new()),
            Breakage::Acts(_, mend) => mend(),
        }
        (run, took)
    }

    fn break_down(&self, case: &Case) {
        match &case.breakage {
            Breakage::Options(options) => self.configure(&format!("{}{options}", case.options)),
            Breakage::Rules(rules) => self.proxy.as_ref().unwrap().set(rules.clone()),
            Breakage::Acts(act, _) => act(),
        }
    }

    /// Uploads from a pipe, and breaks the store when it has some of the data.
    fn pipe_in(&self, case: &Case, size: usize) -> (Run, Instant) {
        let before = (self.contents)();
        let mut command = self.place.command(GLANCE);
        command
            .args(["--config-file", "glance.conf"])
            .args(CREATE)
            .args(["--name", "new"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let (first, rest) = self.content[..size].split_at(size / 2);
        pipe.write_all(first).unwrap();
        let began = Instant::now();
        while (self.contents)() == before {
            assert!(began.elapsed() < Duration::from_secs(PROMPT));
        }
        self.break_down(case);
        let began = Instant::now();
        // It may end before it has read all.
        let _ = pipe.write_all(rest);
        drop(pipe);
        (Run::of(child.wait_with_output().unwrap()), began)
    }

    /// Downloads to a pipe, and breaks the store when some of the data has arrived.
    fn pipe_out(&self, case: &Case) -> (Run, Instant) {
        let mut command = self.place.command(GLANCE);
        command
            .args(["--config-file", "glance.conf", "image-download", &self.kept])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut read = vec![0; 1000];
        stdout.read_exact(&mut read).unwrap();
        self.break_down(case);
        let began = Instant::now();
        stdout.read_to_end(&mut read).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(read.len() < self.content.len() || output.status.success());
        (Run::of(output), began)
    }

    /// Checks that after the next command, only the kept image has data, and that all images have the right state.
    fn recovered(&mut self, case: &Case, code: i32) -> Result<(), String> {
        let out = self.place.file("out");
        if matches!(case.does, Does::Download) && code == 0 {
            if std::fs::read(&out).unwrap() != self.content {
                return Err("another file".to_string());
            }
        } else if out.exists() {
            return Err("a file".to_string());
        }
        let _ = std::fs::remove_file(&out);
        let listed = self.run(&["image", "list", "-f", "value", "-c", "ID", "-c", "Status"]);
        if listed.code != 0 || !listed.stderr.is_empty() {
            return Err(format!("{listed:?}"));
        }
        let journal = files(&self.place.file("staging/.journal"));
        if !journal.is_empty() {
            return Err(format!("{journal:?}"));
        }
        let mut is_kept = false;
        let listed = listed.text();
        for line in listed.lines() {
            let (id, status) = line.split_once(' ').unwrap();
            is_kept |= id == self.kept;
            let expected = match case.does {
                _ if id == self.kept => "active",
                _ if code == 0 => "active",
                _ => "queued",
            };
            if status != expected {
                return Err(listed);
            }
            if id != self.kept {
                self.run(&["image-delete", id]).ok();
            }
        }
        let is_deleted = code == 0 || case.says.contains("the record is deleted");
        if is_kept == (matches!(case.does, Does::Delete) && is_deleted) {
            return Err(format!("{listed} without {}", self.kept));
        }
        let left = (self.contents)();
        let mut strange = left.iter().filter(|name| !name.starts_with(&self.kept));
        if let Some(name) = strange.next() {
            return Err(name.clone());
        }
        if !is_kept {
            if let Some(name) = left.first() {
                return Err(name.clone());
            }
            self.keep();
        }
        let saved = self.run(&["image-download", "--file", "out", &self.kept]);
        if saved.code != 0 || std::fs::read(&out).unwrap() != self.content {
            return Err(format!("{saved:?}"));
        }
        std::fs::remove_file(&out).unwrap();
        Ok(())
    }

    /// A message with names in place of what differs from run to run, and of texts that many messages have.
    fn named(&self, text: &str) -> String {
        let mut text = text.trim_end().replace(&self.kept, "KEPT");
        for (from, to) in &self.names {
            text = text.replace(from, to);
        }
        // The ways in which a process notices that a connection is cut.
        for cut in [
            "connection closed before message completed",
            "end of file before message length reached",
            "Connection reset by peer",
            "Broken pipe",
        ] {
            text = text.replace(cut, "CUT");
        }
        // Other images, and digests.
        let is_hexadecimal = |c: char| c.is_ascii_hexdigit() || c == '-';
        let mut named = String::new();
        for part in text.split_inclusive(|c| !is_hexadecimal(c)) {
            let (word, end) = match part.char_indices().next_back() {
                Some((at, last)) if !is_hexadecimal(last) => part.split_at(at),
                _ => (part, ""),
            };
            let id = word
                .get(..36)
                .filter(|id| uuid::Uuid::try_parse(id).is_ok());
            match id {
                Some(id) => named = named + "ID" + &word[id.len()..],
                None if word.len() >= 32 => named.push_str("DIGEST"),
                None => named.push_str(word),
            }
            named.push_str(end);
        }
        for (long, short) in SHORT {
            named = named.replace(long, short);
        }
        named
    }
}

/// Texts that many messages have, and what stands for them in the tables.
const SHORT: [(&str, &str); 3] = [
    (
        "The image stays queued. To upload its data, run: glance image-upload --file FILE ID",
        "QUEUED",
    ),
    (
        "Unable to download image 'KEPT'. (HTTP 500 Internal Server Error: the data of image KEPT cannot be read: ",
        "UNREAD (",
    ),
    (
        "HTTP 413 Request Entity Too Large: Image storage media is full: ",
        "FULL: ",
    ),
];

const CREATE: [&str; 5] = [
    "image-create",
    "--disk-format",
    "raw",
    "--container-format",
    "bare",
];

/// The value of a field in a table.
fn field(table: &str, name: &str) -> String {
    let start = format!("| {name} ");
    let line = table.lines().find(|line| line.starts_with(&start)).unwrap();
    line.split('|').nth(2).unwrap().trim().to_string()
}
