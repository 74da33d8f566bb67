//! What the tests share: a data directory of one's own, and the programs run on it.

pub mod api;
pub mod ceph;
pub mod drivers;
pub mod glance;
#[path = "../../../src/http/testing.rs"]
pub mod http;
pub mod keystone;
pub mod mariadb;
pub mod proxy;
pub mod rabbitmq;
pub mod realcloud;
pub mod s3;
pub mod swift;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod terminal;
pub mod tracer;

pub use http::block_on;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use glance_tools::config::Settings;
use glance_tools::local::{Engine, Local};
use glance_tools::model::{Caller, Image, ImageFilter, ImageQuery};
use glance_tools::service::Images;
use tempfile::TempDir;

use mariadb::Schema;

/// The program under test.
pub const GLANCE: &str = env!("CARGO_BIN_EXE_glance");

/// A data directory, a home and a working directory that are removed in the end.
pub struct Place {
    top: TempDir,
    /// The database, where it is none in the data directory.
    database: Option<Schema>,
}

impl Place {
    /// An empty one.
    pub fn new() -> Self {
        let top = TempDir::new().unwrap();
        for name in ["home", "work"] {
            std::fs::create_dir(top.path().join(name)).unwrap();
        }
        Self {
            top,
            database: None,
        }
    }

    /// An empty one with a database of its own on the server that the tests share.
    pub async fn on_mariadb() -> Self {
        let mut place = Self::new();
        place.database = Some(Schema::make().await);
        place.configure("");
        place
    }

    /// Its database, where that is on a server.
    pub fn schema(&self) -> Option<&Schema> {
        self.database.as_ref()
    }

    /// One whose data directory is `data` under `top`, which is removed in the end.
    pub fn within(top: TempDir) -> Self {
        for name in ["home", "work"] {
            std::fs::create_dir_all(top.path().join(name)).unwrap();
        }
        Self {
            top,
            database: None,
        }
    }

    /// The data directory; made by the first command.
    pub fn data(&self) -> PathBuf {
        self.top.path().join("data")
    }

    /// Writes the configuration of the data directory.
    pub fn configure(&self, text: &str) {
        std::fs::create_dir_all(self.data()).unwrap();
        let database = self.database.as_ref().map(Schema::configuration);
        let text = database.unwrap_or_default() + text;
        std::fs::write(self.data().join("glance-api.conf"), text).unwrap();
    }

    /// A file in the working directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.top.path().join("work").join(name)
    }

    /// Writes a file in the working directory.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A program with nothing of this process's environment, its input closed.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.top.path().join("home"))
            .env("PATH", "/usr/bin:/bin")
            .env("GLANCE_DATA_DIR", self.data())
            .current_dir(self.top.path().join("work"))
            .stdin(Stdio::null());
        command
    }

    /// `glance` with these words, its input closed as a terminal's is: nothing is piped in.
    pub fn glance(&self, words: &[&str]) -> Run {
        // Standard input that is closed counts as none, as a terminal does.
        let mut command = self.command("/bin/sh");
        command
            .arg("-c")
            .arg("exec \"$0\" \"$@\" <&-")
            .arg(GLANCE)
            .args(words);
        Run::of(command.output().unwrap())
    }

    /// `glance` with these words and `input` piped in.
    pub fn glance_with(&self, words: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(GLANCE);
        Run::with(command.args(words), input)
    }

    /// An image with `content`, made by the program; its id.
    pub fn image(&self, name: &str, content: &[u8]) -> String {
        let words = ["image", "create", name, "-f", "value", "-c", "id"];
        self.glance_with(&words, content).ok().trim().to_string()
    }

    /// The engine on the data directory, as an administrator.
    pub async fn open(&self) -> Local {
        self.open_as("admin:admin:admin").await
    }

    /// The engine on the data directory.
    pub async fn open_as(&self, caller: &str) -> Local {
        // Whatever a test does: no statement may read much of a large table.
        #[cfg(debug_assertions)]
        glance_tools::local::catalog::watch_plans();
        let settings = Settings::for_data_dir(&self.data()).unwrap();
        let engine = Engine::open(settings).await.unwrap();
        engine.act_as(Caller::parse(caller).unwrap())
    }
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// What a finished process did.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What a program does with `input` piped in.
    pub fn with(command: &mut Command, input: &[u8]) -> Self {
        use std::io::Write;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // The program may have enough before the end.
            let _ = pipe.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Self::of(output)
    }

    /// Standard output of a program that MUST have succeeded without a word on standard error.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stderr: {}", self.stderr);
        assert_eq!(self.stderr, "");
        self.text()
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error of a program that MUST have failed with `code`, without a panic.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(
            self.code,
            code,
            "stdout: {}\nstderr: {}",
            self.text(),
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }
}

/// Every image of a deployment, hidden ones as well.
pub async fn all_images(local: &Local) -> Vec<Image> {
    use futures_util::TryStreamExt;
    let mut images = Vec::new();
    for hidden in [false, true] {
        let filter = ImageFilter {
            hidden,
            visibility: Some("all".to_string()),
            ..ImageFilter::default()
        };
        let query = ImageQuery {
            filter,
            ..ImageQuery::default()
        };
        images.extend(local.list_images(query).try_concat().await.unwrap());
    }
    images
}

/// Checks that catalogue and store of a data directory agree, and that nothing is left over: every
/// active image has its bytes, no image is in between, and no file is there that no image has.
pub async fn assert_consistent(place: &Place) {
    use glance_tools::data::{Algorithm, Hasher};
    use glance_tools::model::ImageStatus;
    let local = place.open().await;
    let images = all_images(&local).await;
    let mut expected = std::collections::BTreeSet::new();
    for image in &images {
        match image.status {
            ImageStatus::Active | ImageStatus::Deactivated => {
                let path = place.data().join("images").join(&image.id);
                let bytes = std::fs::read(&path)
                    .unwrap_or_else(|e| panic!("active image {} without data: {e}", image.id));
                let mut hasher = Hasher::new(Algorithm::Sha512);
                hasher.update(&bytes);
                assert_eq!(
                    Some(hasher.finish()),
                    image.hash.as_ref().map(|hash| hash.value.clone()),
                    "{}",
                    image.id
                );
                assert_eq!(Some(bytes.len() as u64), image.size);
                expected.insert(image.id.clone());
            }
            ImageStatus::Queued => assert_eq!(image.size, None),
            other => panic!("image {} was left {other}", image.id),
        }
    }
    assert_eq!(
        files(&place.data().join("images")),
        expected,
        "files in the store"
    );
    assert_eq!(
        files(&place.data().join(".journal")),
        std::collections::BTreeSet::new(),
        "journal"
    );
}

/// The names of the files in a directory, which need not be there.
pub fn files(directory: &Path) -> std::collections::BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return std::collections::BTreeSet::new();
    };
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// A sequence of numbers that look random and are the same for the same seed.
pub struct Random(u64);

impl Random {
    /// Numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
