//! Glance's own drivers of stores, and the Python packages that they need.
//!
//! The environment of the real Glance has none of these packages: those for S3 contradict the versions that are pinned
//! there, and Ceph's are Debian's. They are linked into a directory of their own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::realcloud::{output_of, venv};
use super::s3::python_of_driver;
use super::swift::swift_venv;

/// A directory with the Python packages of Ceph, S3 and Swift, for `PYTHONPATH`; removed when this is dropped.
pub struct Modules(TempDir);

impl Modules {
    /// Links the packages.
    pub fn link() -> Self {
        let modules = Self(TempDir::new().unwrap());
        // Debian's bindings are for the Python that the environment was made with.
        let program = "import rados, rbd; print(rados.__file__, rbd.__file__)";
        let found = output_of(Command::new("/usr/bin/python3").args(["-c", program]));
        for path in found.split_whitespace() {
            modules.add(Path::new(path));
        }
        let s3 = python_of_driver();
        for (python, prefixes) in [
            (s3, &["boto3", "botocore", "s3transfer"][..]),
            (
                swift_venv().join("bin/python"),
                &["swiftclient", "python_swiftclient"],
            ),
        ] {
            let program = "import sysconfig; print(sysconfig.get_path('purelib'))";
            let packages = output_of(Command::new(python).args(["-c", program]));
            for entry in fs::read_dir(packages.trim_end()).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                let package = name.split_once('-').map_or(name, |(package, _)| package);
                if prefixes.contains(&package) {
                    modules.add(&path);
                }
            }
        }
        modules
    }

    fn add(&self, path: &Path) {
        symlink(path, self.0.path().join(path.file_name().unwrap())).unwrap();
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The driver of a store, in a process of its own.
pub struct Driver {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    _modules: Modules,
}

impl Driver {
    /// Starts the driver of a store of a configuration.
    pub fn start(configuration: &Path, store: &str) -> Self {
        let modules = Modules::link();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stores/theirs.py");
        let mut process = Command::new(venv().join("bin/python"))
            .arg(script)
            .arg(configuration)
            .arg(store)
            .env("PYTHONPATH", modules.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            requests: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            _modules: modules,
        }
    }

    /// The answer to a request, which may be an error: see `tests/stores/theirs.py`.
    pub fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{request}: {line}: {e}"))
    }

    /// The answer to a request that MUST succeed.
    #[track_caller]
    pub fn call(&mut self, request: &Value) -> Value {
        let answer = self.ask(request);
        assert!(answer.get("error").is_none(), "{request}: {answer}");
        answer
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
