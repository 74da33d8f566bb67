//! Real Keystones and Glances that tests share, one test at a time: starting one takes longer than most
//! tests do.
//!
//! `tests/realcloud` makes them; it needs python3, and a package index the first time. There are two at
//! most, and one whose Glance is ours. They are started when they are first asked for, and stopped when the run of the tests has ended,
//! however it ended: `up` watches for that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

/// How many there are: as many as the test group `real-clouds` of `.config/nextest.toml` has threads.
const CLOUDS: usize = 2;

/// Whether this is a run of the nextest profile `quick`, which does without Python and servers.
pub fn is_quick_run() -> bool {
    std::env::var("NEXTEST_PROFILE").is_ok_and(|profile| profile == "quick")
}

/// Fails a test that needs what quick runs do without.
///
/// # Panics
/// In a quick run.
#[track_caller]
pub fn not_in_quick_runs(needed: &str) {
    assert!(
        !is_quick_run(),
        "this test needs {needed}: leave it out of the profile `quick` in .config/nextest.toml"
    );
}

/// A script of `tests/realcloud`.
pub fn script(name: &str) -> PathBuf {
    not_in_quick_runs("upstream's programs");
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/realcloud")
        .join(name)
}

/// The environment of the real programs, made if it does not exist.
pub fn venv() -> PathBuf {
    PathBuf::from(output_of(&mut Command::new(script("venv"))).trim_end())
}

/// Standard output of a command that MUST succeed.
#[track_caller]
pub fn output_of(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}{}",
        String::from_utf8_lossy(&stderr)
    );
    stdout
}

/// What `up` writes about a cloud: see `tests/realcloud/up`.
pub fn known(directory: &Path) -> BTreeMap<String, String> {
    let known = fs::read_to_string(directory.join("env")).unwrap();
    known
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// A cloud that belongs to one test until it is dropped, with whatever the tests before left in it.
pub struct SharedCloud {
    directory: PathBuf,
    /// Held while the cloud is this test's.
    _lock: File,
}

impl SharedCloud {
    /// One that no other test has; waits for one.
    pub fn take() -> Self {
        Self::take_one("", CLOUDS, None)
    }

    /// The one whose Glance is ours; waits for it.
    pub fn take_ours() -> Self {
        Self::take_one(
            "-ours",
            1,
            Some(Path::new(env!("CARGO_BIN_EXE_glance-api"))),
        )
    }

    /// One of a kind, of which there are so many; `api` serves it, or else the real Glance.
    fn take_one(kind: &str, number: usize, api: Option<&Path>) -> Self {
        let open = |number: usize| {
            let directory = top().join(format!("{}{kind}-{number}", run().name));
            fs::create_dir_all(&directory).unwrap();
            let lock = File::create(directory.join("lock")).unwrap();
            (directory, lock)
        };
        let free = (0..number)
            .map(open)
            .find(|(_, lock)| lock.try_lock().is_ok());
        let (directory, lock) = free.unwrap_or_else(|| {
            let (directory, lock) = open(0);
            lock.lock().unwrap();
            (directory, lock)
        });
        start(&directory, api);
        Self {
            directory,
            _lock: lock,
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes every image.
    pub fn empty(&self) {
        output_of(
            Command::new("python3")
                .arg(script("empty.py"))
                .arg(&self.directory),
        );
    }

    /// The id of a project and a token of a user with that role in it, all made if they are not there.
    pub fn caller(&self, project: &str, role: &str, user: &str) -> (String, String) {
        let caller = output_of(
            Command::new("python3")
                .arg(script("caller.py"))
                .arg(&self.directory)
                .args([project, role, user]),
        );
        let mut lines = caller.lines().map(str::to_string);
        (lines.next().unwrap(), lines.next().unwrap())
    }

    /// The address of its Glance.
    pub fn glance(&self) -> String {
        known(&self.directory)["GLANCE_URL"].clone()
    }
}

/// Starts a cloud that does not run. One that cannot be started fails every test that asks for it, and
/// costs its time but once.
fn start(directory: &Path, api: Option<&Path>) {
    if directory.join("started").exists() {
        return;
    }
    let failure = directory.join("failure");
    if let Ok(why) = fs::read_to_string(&failure) {
        panic!("the real cloud could not be started: {why}");
    }
    fs::write(&failure, "see the test that tried it first").unwrap();
    let mut up = Command::new(script("up"));
    up.arg(directory).arg(run().owner.to_string());
    up.env("REALCLOUD_SERIAL", "1");
    if let Some(api) = api {
        up.env("REALCLOUD_API", api);
    }
    output_of(&mut up);
    fs::write(directory.join("started"), "").unwrap();
    fs::remove_file(failure).unwrap();
}

/// Where the clouds of all runs are.
fn top() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("realclouds")
}

/// A run of the tests.
pub struct Run {
    /// What no other run is called.
    pub name: String,
    /// The process that lives as long as it.
    pub owner: u32,
}

/// This run: nextest runs each test in a process of its own, `cargo test` all of them in one.
pub fn run() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| match std::env::var("NEXTEST_RUN_ID") {
        Ok(name) => Run {
            name,
            owner: std::os::unix::process::parent_id(),
        },
        Err(_) => Run {
            name: SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap()
                .as_nanos()
                .to_string(),
            owner: std::process::id(),
        },
    })
}
