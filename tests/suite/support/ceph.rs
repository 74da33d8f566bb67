//! A Ceph that all tests of a run share, each with a pool of its own.
//!
//! `tests/stores/ceph` starts it when the first test asks for it, and stops it when the run has ended, however it
//! ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use librbd::{Cluster, Connection, Pool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::realcloud::{not_in_quick_runs, output_of, run};

/// The script that starts it.
fn script(command: &str, directory: &Path) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/ceph");
    let mut script = Command::new(path);
    script.arg(command).arg(directory);
    script
}

/// The directory of the Ceph of this run, started if it was not.
pub fn ceph() -> PathBuf {
    not_in_quick_runs("Ceph");
    let directory = std::env::temp_dir().join(format!("glance-ceph-{}", run().name));
    start(&directory, "started", || {
        output_of(script("up", &directory).arg(run().owner.to_string()));
    });
    directory
}

/// The port of its gateway for S3 and Swift, started if it was not.
pub fn gateway() -> u16 {
    let directory = ceph();
    start(&directory, "gateway", || {
        output_of(&mut script("gateway", &directory));
    });
    let port = fs::read_to_string(directory.join("rgw.port")).unwrap();
    port.trim().parse().unwrap()
}

/// The port of its second gateway, at which manifests are prefixes, started if it was not.
pub fn gateway_with_prefixes() -> u16 {
    let directory = ceph();
    start(&directory, "prefixes", || {
        output_of(&mut script("prefixes", &directory));
    });
    let port = fs::read_to_string(directory.join("rgw-prefixes.port")).unwrap();
    port.trim().parse().unwrap()
}

/// Starts its manager if it was not, which counts what pools contain.
pub fn manager() {
    let directory = ceph();
    start(&directory, "manager", || {
        output_of(&mut script("manager", &directory));
    });
}

/// Starts something once. If that fails, it fails every test that asks for it, and costs its time but once.
fn start(directory: &Path, name: &str, start: impl FnOnce()) {
    fs::create_dir_all(directory).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    if directory.join(name).exists() {
        return;
    }
    let failure = directory.join(format!("{name}.failure"));
    if let Ok(why) = fs::read_to_string(&failure) {
        panic!("Ceph could not be started: {why}");
    }
    fs::write(&failure, "see the test that tried it first").unwrap();
    start();
    fs::write(directory.join(name), "").unwrap();
    fs::remove_file(failure).unwrap();
}

/// A pool of its own for a test, and its user.
#[derive(Clone, Debug)]
pub struct CephPool {
    /// The configuration file.
    pub conf: PathBuf,
    /// The name.
    pub name: String,
    /// A user with all rights in it.
    pub user: &'static str,
}

impl CephPool {
    /// An empty one.
    pub fn make() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let pool = Self {
            conf: ceph().join("ceph.conf"),
            name: format!("test-{}-{number}", std::process::id()),
            user: "tests",
        };
        pool.ceph(&["osd", "pool", "create", &pool.name, "1"]);
        pool.rbd(&["pool", "init", &pool.name]);
        pool
    }

    /// The pool `images` of a Ceph that no other test uses, and which ends with this process.
    pub fn alone() -> Self {
        Self::alone_on("memstore")
    }

    /// The same, which has its data after its OSD was killed and started again.
    pub fn alone_on_disk() -> Self {
        Self::alone_on("bluestore")
    }

    fn alone_on(store: &str) -> Self {
        not_in_quick_runs("Ceph");
        let owner = std::process::id();
        let directory = std::env::temp_dir().join(format!("glance-ceph-{store}-{owner}"));
        let mut up = script("up", &directory);
        output_of(up.arg(owner.to_string()).env("CEPH_STORE", store));
        Self {
            conf: directory.join("ceph.conf"),
            name: "images".to_string(),
            user: "glance",
        }
    }

    /// Kills one of its services: `mon` or `osd`.
    pub fn kill(&self, service: &str) {
        let pid = self.conf.with_file_name(format!("{service}.pid"));
        let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    /// Starts its services that do not run.
    pub fn start(&self) {
        output_of(&mut script("up", self.conf.parent().unwrap()));
    }

    /// The pool `images` and the user `glance`, which has rights in no other pool. All tests share it.
    pub fn images() -> Self {
        Self {
            conf: ceph().join("ceph.conf"),
            name: "images".to_string(),
            user: "glance",
        }
    }

    /// A connection to it.
    pub fn open(&self) -> Pool {
        let cluster = Cluster::configure(&Connection {
            config_file: Some(&self.conf),
            user: Some(self.user),
            options: &[],
        });
        let cluster = cluster.unwrap();
        cluster.connect().unwrap();
        cluster.pool(&self.name).unwrap()
    }

    /// The output of a command of an administrator of the cluster.
    pub fn ceph(&self, words: &[&str]) -> String {
        output_of(self.command("ceph").args(words))
    }

    /// The output of `rbd` with these words.
    pub fn rbd(&self, words: &[&str]) -> String {
        output_of(self.command("rbd").args(words))
    }

    /// A program of Ceph's, told where the cluster is.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("CEPH_CONF", &self.conf).env("CEPH_ARGS", "");
        command
    }

    /// The name of an image in commands.
    pub fn spec(&self, image: &str) -> String {
        format!("{}/{image}", self.name)
    }

    /// The ID of the cluster.
    pub fn fsid(&self) -> String {
        let fsid = fs::read_to_string(self.conf.with_file_name("fsid")).unwrap();
        fsid.trim().to_string()
    }

    /// The configuration of a deployment with the stores `ceph`, which is this pool and the default, and `file`.
    pub fn configuration(&self) -> String {
        format!(
            "[DEFAULT]\nenabled_backends = ceph:rbd, file:file\n[glance_store]\ndefault_backend = ceph\n\
             [ceph]\nrbd_store_pool = {}\nrbd_store_user = {}\nrbd_store_ceph_conf = {}\n",
            self.name,
            self.user,
            self.conf.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_responds_as_s3_and_as_swift() {
        let curl = |words: &[&str]| {
            let port = gateway();
            let mut curl = Command::new("curl");
            curl.args(["-s", "--max-time", "20"]).args(words);
            output_of(curl.arg(format!("http://127.0.0.1:{port}/auth/v1.0")))
        };
        let user = ["-H", "X-Auth-User: glance:swift", "-H"];
        let login = |key: &str| curl(&[&user[..], &[key, "-i"]].concat());
        let answer = login("X-Auth-Key: swiftsecret");
        assert!(
            answer.contains("X-Storage-Url: http://127.0.0.1:"),
            "{answer}"
        );
        let answer = login("X-Auth-Key: wrong");
        assert!(!answer.contains("X-Storage-Url"), "{answer}");
        let s3 = curl(&["--path-as-is", "--request-target", "/"]);
        assert!(s3.contains("ListAllMyBucketsResult"), "{s3}");
    }
}
