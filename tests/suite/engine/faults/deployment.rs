//! A small deployment at a fixed path, which is put back before every fault: rows of the database hold
//! absolute addresses.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::http;
use crate::support::{GLANCE, Random, Run};

/// Programs under test.
pub const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
pub const CACHE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");
pub const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

/// An active image that no operation is about, with data that a second image names as well.
pub const KEPT: &str = "00000000-0000-4000-8000-000000000001";
/// That second image.
pub const TWIN: &str = "00000000-0000-4000-8000-000000000002";
/// An image that waits for its import, which no operation is about.
pub const STAGED: &str = "00000000-0000-4000-8000-000000000003";
/// The image that an operation is about.
pub const SUBJECT: &str = "00000000-0000-4000-8000-000000000010";
/// Another one.
pub const SECOND: &str = "00000000-0000-4000-8000-000000000011";

/// What the identifiers of all these begin with.
pub const KNOWN: &str = "00000000-0000-4000-8000-";

/// Bytes of the data that operations are about: several blocks of the pump.
const SIZE: usize = 600_000;

/// Options of every deployment with named stores.
const STORES: &str = "[DEFAULT]\nenabled_backends = fast:file, slow:file, web:http\n\
    show_multiple_locations = true\n$DEFAULT\n[glance_store]\ndefault_backend = fast\n\
    [fast]\nfilesystem_store_datadir = images\n[slow]\nfilesystem_store_datadir = images2\n[web]\nweight = -1\n\
    [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n";

/// A directory for one worker: a deployment in `case`, its template, and what the operations read.
pub struct Deployment {
    top: TempDir,
    web: http::Server,
}

impl Deployment {
    /// An empty one, in memory where the system has a place for that.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let top = tempfile::Builder::new()
            .prefix("glance-faults-")
            .tempdir_in(parent)
            .unwrap();
        for name in ["home", "input", "tmp"] {
            fs::create_dir(top.path().join(name)).unwrap();
        }
        let content = Random::new(1).bytes(SIZE);
        let deployment = Self {
            web: http::Server::serving(&content),
            top,
        };
        fs::write(deployment.input("new"), &content).unwrap();
        fs::write(deployment.input("kept"), Random::new(2).bytes(20_000)).unwrap();
        fs::write(deployment.input("staged"), Random::new(3).bytes(10_000)).unwrap();
        deployment
    }

    /// The directory whose calls are traced: the data directory and what is saved.
    pub fn root(&self) -> PathBuf {
        self.top.path().join("case")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// A file that operations read.
    pub fn input(&self, name: &str) -> PathBuf {
        self.top.path().join("input").join(name)
    }

    /// The same, as a word of a command.
    pub fn input_word(&self, name: &str) -> String {
        self.input(name).to_str().unwrap().to_string()
    }

    /// The address of the data of an operation on a web server.
    pub fn url(&self) -> String {
        self.web.url("/new.img")
    }

    /// Begins anew: nothing but the directory that images are saved to.
    pub fn clear(&self) {
        remove_tree(&self.root());
        fs::create_dir_all(self.root().join("out")).unwrap();
    }

    /// Writes the configuration: named stores, and these options; `more` begins in `[DEFAULT]`.
    pub fn configure(&self, more: &str) {
        fs::create_dir_all(self.data()).unwrap();
        let (default, sections) = match more.find('[') {
            Some(at) => more.split_at(at),
            None => (more, ""),
        };
        let text = STORES.replace("$DEFAULT", default) + sections;
        fs::write(self.data().join("glance-api.conf"), text).unwrap();
    }

    /// Keeps what is there, for `restore`.
    pub fn keep_template(&self) {
        let template = self.top.path().join("template");
        remove_tree(&template);
        copy_tree(&self.root(), &template);
    }

    /// Puts back what was kept.
    pub fn restore(&self) {
        remove_tree(&self.root());
        copy_tree(&self.top.path().join("template"), &self.root());
    }

    /// A command on the deployment.
    pub fn command<S: AsRef<OsStr>>(&self, program: &str, words: &[S]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .env_clear()
            .env("HOME", self.top.path().join("home"))
            .env("TMPDIR", self.top.path().join("tmp"))
            .env("PATH", "/usr/bin:/bin")
            .env("GLANCE_DATA_DIR", self.data())
            .current_dir(self.root().join("out"));
        command
    }

    /// Runs a command, with this file piped in, if any; it is killed when it takes too long.
    pub fn run<S: AsRef<OsStr>>(&self, program: &str, words: &[S], input: Option<&str>) -> Run {
        let mut bounded = self.command("/bin/sh", &["-c"]);
        let script = "exec timeout -s KILL 60 \"$0\" \"$@\"";
        let closed = "exec timeout -s KILL 60 \"$0\" \"$@\" <&-";
        bounded
            .arg(if input.is_some() { script } else { closed })
            .arg(program)
            .args(words);
        bounded.stdin(self.stdin(input));
        Run::of(bounded.output().unwrap())
    }

    /// `glance` with these words, which MUST succeed.
    pub fn glance(&self, words: &[&str]) -> String {
        self.run(GLANCE, words, None).ok()
    }

    /// A pipe that has this file in it, or nothing.
    pub fn stdin(&self, input: Option<&str>) -> Stdio {
        let Some(name) = input else {
            return Stdio::null();
        };
        let content = fs::read(self.input(name)).unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        // All of it fits: nobody has to feed it.
        fcntl(writer.as_fd(), FcntlArg::F_SETPIPE_SZ(1 << 20)).unwrap();
        std::io::Write::write_all(&mut writer, &content).unwrap();
        Stdio::from(reader)
    }

    /// The database.
    pub fn database(&self) -> Connection {
        let database = Connection::open(self.data().join("glance.db")).unwrap();
        database
            .busy_timeout(std::time::Duration::from_secs(20))
            .unwrap();
        database
    }

    /// Runs statements.
    pub fn sql(&self, statements: &str) {
        self.database().execute_batch(statements).unwrap();
    }

    /// Makes an active image whose data is that of another one.
    pub fn share_data(&self, of: &str, with: &str) {
        self.sql(&format!(
            "CREATE TEMP TABLE copied AS SELECT * FROM images WHERE id = '{of}'; \
             UPDATE copied SET id = '{with}', name = 'twin'; \
             INSERT INTO images SELECT * FROM copied; \
             INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status) \
             SELECT '{with}', value, created_at, deleted, meta_data, status FROM image_locations \
             WHERE image_id = '{of}' AND deleted = 0"
        ));
    }

    /// Makes the images that every operation MUST leave alone.
    pub fn add_bystanders(&self) {
        let kept = self.input_word("kept");
        self.create(KEPT, &["--file", &kept, "--property", "os_distro=debian"]);
        self.glance(&["image-tag-update", KEPT, "green"]);
        self.glance(&["member-create", KEPT, "a-member"]);
        self.share_data(KEPT, TWIN);
        self.create(STAGED, &[]);
        let staged = self.input_word("staged");
        self.glance(&["image-stage", "--file", &staged, STAGED]);
    }

    /// Makes an image with these options.
    pub fn create(&self, id: &str, more: &[&str]) {
        let words = ["image-create", "--id", id, "--name", "an image"];
        let formats = ["--disk-format", "raw", "--container-format", "bare"];
        self.glance(&[&words[..], &formats, more].concat());
    }

    /// Makes an active image with the data of an operation.
    pub fn create_active(&self, id: &str) {
        let content = self.input_word("new");
        self.create(id, &["--file", &content]);
    }

    /// Makes an image whose data waits for its import.
    pub fn create_staged(&self, id: &str) {
        self.create(id, &[]);
        let content = self.input_word("new");
        self.glance(&["image-stage", "--file", &content, id]);
    }

    /// A file of the worker for what a command prints.
    pub fn output(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }
}

/// Removes a directory that need not be there.
pub fn remove_tree(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{}: {e}", path.display()),
        _ => {}
    }
}

/// Copies a directory, with the times of its files.
fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            let file = fs::File::options().write(true).open(&target).unwrap();
            file.set_modified(modified).unwrap();
        }
    }
}
