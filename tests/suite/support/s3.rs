//! S3 services that all tests of a run share, each with a bucket of its own: the gateway of the run's Ceph, and a small
//! server. They are asked by curl, which signs requests by itself.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glance_tools::config::{Addressing, S3Store, Secret};

use crate::support::ceph;
use crate::support::realcloud::{not_in_quick_runs, output_of, run};

/// The port of the small server of this run, and its directory; started if it was not.
fn small() -> (u16, PathBuf) {
    not_in_quick_runs("s3s-fs");
    let directory = std::env::temp_dir().join(format!("glance-s3-{}", run().name));
    fs::create_dir_all(&directory).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/s3");
    let mut script = Command::new(script);
    output_of(
        script
            .arg("up")
            .arg(&directory)
            .arg(run().owner.to_string()),
    );
    let port = fs::read_to_string(directory.join("port")).unwrap();
    (port.trim().parse().unwrap(), directory.join("data"))
}

/// The Python with upstream's driver.
pub fn python_of_driver() -> PathBuf {
    not_in_quick_runs("upstream's driver of S3");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/s3s/venv/bin/python");
    assert!(python.exists(), "run tests/stores/s3 install");
    python
}

/// A bucket of its own for a test.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Host and port of the service.
    pub host: String,
    /// The name.
    pub name: String,
    /// The access key; the secret key begins with the same name.
    pub user: &'static str,
    /// Where the service keeps its files, if that is known.
    pub files: Option<PathBuf>,
}

impl Bucket {
    /// An empty one on the gateway of Ceph.
    pub fn on_gateway() -> Self {
        Self::made(format!("127.0.0.1:{}", ceph::gateway()), "glance", None)
    }

    /// An empty one on the small server.
    pub fn on_small_server() -> Self {
        let (port, files) = small();
        Self::made(format!("127.0.0.1:{port}"), "glance", Some(files))
    }

    /// The same, of a user who may store 16 MiB, on the gateway of Ceph.
    pub fn of_small_user() -> Self {
        Self::made(format!("127.0.0.1:{}", ceph::gateway()), "small", None)
    }

    fn made(host: String, user: &'static str, files: Option<PathBuf>) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let bucket = Self {
            host,
            name: format!("test-{}-{number}", std::process::id()),
            user,
            files,
        };
        assert_eq!(bucket.ask("PUT", "", b"").0, 200, "{bucket:?}");
        bucket
    }

    /// The text from which another process knows the bucket.
    pub fn to_text(&self) -> String {
        let files = self.files.as_ref().map(|files| files.display().to_string());
        format!("{} {} {}", self.host, self.name, files.unwrap_or_default())
    }

    /// The one of a text.
    pub fn of_text(text: &str) -> Self {
        let mut words = text.split(' ').map(str::to_string);
        Self {
            host: words.next().unwrap(),
            name: words.next().unwrap(),
            user: "glance",
            files: words
                .next()
                .filter(|word| !word.is_empty())
                .map(PathBuf::from),
        }
    }

    /// The settings of a store in it.
    pub fn settings(&self) -> S3Store {
        S3Store {
            host: self.host.clone(),
            is_secure: false,
            region: None,
            access_key: Secret::new(format!("{}key", self.user)),
            secret_key: Secret::new(format!("{}secret", self.user)),
            bucket: self.name.clone(),
            creates_bucket: false,
            addressing: Addressing::Auto,
            large_object_size: 100 << 20,
            chunk_size: 10 << 20,
            thread_pools: 10,
            timeout: Duration::from_mins(1),
            authorities: None,
            sends_checksums: false,
            verifies_checksums: false,
        }
    }

    /// The lines of a store's section that name it.
    pub fn configuration(&self) -> String {
        format!(
            "s3_store_host = http://{}\ns3_store_access_key = {user}key\ns3_store_secret_key = {user}secret\n\
             s3_store_bucket = {}\n",
            self.host,
            self.name,
            user = self.user
        )
    }

    /// The address of an object.
    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{}/{key}", self.host, self.name)
    }

    /// The status and the body of a request for the bucket, or for what follows its name.
    pub fn ask(&self, method: &str, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let (status, _, body) = self.ask_all(method, target, body);
        (status, body)
    }

    /// The status, the head and the body of a request.
    pub fn ask_all(&self, method: &str, target: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let url = format!("http://{}/{}{target}", self.host, self.name);
        let user = format!("{user}key:{user}secret", user = self.user);
        let mut curl = Command::new("curl");
        curl.args(["-s", "-S", "-i", "--aws-sigv4", "aws:amz:us-east-1:s3"])
            .args([
                "--user",
                &user,
                "-H",
                "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            ]);
        match method {
            "HEAD" => curl.arg("-I"),
            "PUT" => curl
                .args(["-X", "PUT", "--data-binary", "@-"])
                .args(["-H", "Content-Type: binary/octet-stream"]),
            _ => curl.args(["-X", method]),
        };
        curl.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut curl = curl.spawn().unwrap();
        let mut input = curl.stdin.take().unwrap();
        let body = body.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = input.write_all(&body);
        });
        let output = curl.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{method} {target}");
        let end = output
            .stdout
            .windows(4)
            .position(|four| four == b"\r\n\r\n");
        let (head, body) = output.stdout.split_at(end.unwrap() + 4);
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, body.to_vec())
    }

    /// Stores an object.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        assert_eq!(self.ask("PUT", &format!("/{key}"), bytes).0, 200);
    }

    /// The texts of all elements with a name in the response to a request.
    fn texts(&self, target: &str, name: &str) -> Vec<String> {
        let (status, body) = self.ask("GET", target, b"");
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{body}");
        let document = roxmltree::Document::parse(&body).unwrap();
        let found = document
            .descendants()
            .filter(|node| node.has_tag_name(name) || node.tag_name().name() == name);
        found
            .map(|node| node.text().unwrap_or_default().to_string())
            .collect()
    }

    /// All that is there, unfinished uploads included, by name.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for key in self.texts("?list-type=2", "Key") {
            let (status, body) = self.ask("GET", &format!("/{key}"), b"");
            // The service may still execute the deletion of a killed process.
            if status == 404 {
                continue;
            }
            assert_eq!(status, 200);
            all.insert(key, body);
        }
        match &self.files {
            None => {
                for upload in self.texts("?uploads=", "UploadId") {
                    all.insert(format!("upload {upload}"), Vec::new());
                }
            }
            Some(files) => {
                for entry in fs::read_dir(files).unwrap() {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    if name.starts_with(".upload") {
                        all.insert(name, Vec::new());
                    }
                }
            }
        }
        all
    }
}
