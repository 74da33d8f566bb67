//! TLS: certificates are verified, shown and refused, against openssl's own server.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::hostile_server::aim;
use crate::support::{GLANCE, Place, Run};

/// Runs openssl, quietly, in a directory.
fn openssl(directory: &Path, words: &str) {
    let mut command = Command::new("openssl");
    command.args(words.split_whitespace());
    let run = Run::of(command.current_dir(directory).output().unwrap());
    assert_eq!(run.code, 0, "openssl {words}: {}", run.stderr);
}

/// An authority, with a certificate for a server at 127.0.0.1 and one for a client, and a list of no
/// images to be served.
pub fn certificates() -> Place {
    let place = Place::new();
    let directory = place.file("");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        &directory,
        &format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca \
             -addext basicConstraints=critical,CA:TRUE"
        ),
    );
    place.write(
        "ext",
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    );
    for name in ["server", "client"] {
        openssl(
            &directory,
            &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        );
        openssl(
            &directory,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile ext -out {name}.pem"
            ),
        );
    }
    std::fs::create_dir(place.file("v2")).unwrap();
    place.write("v2/images?limit=1000", r#"{"images": []}"#);
    place
}

/// A server with TLS, stopped in the end.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(place: &Place, more: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = Command::new("openssl");
        command
            .args([
                "s_server",
                "-WWW",
                "-cert",
                "server.pem",
                "-key",
                "server.key",
            ])
            .args(["-accept", &address.to_string()])
            .args(more)
            .current_dir(place.file(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "no server");
            std::thread::yield_now();
        }
        Self {
            process,
            url: format!("https://{address}"),
        }
    }

    fn list(&self, place: &Place, words: &[&str]) -> Run {
        let mut command = place.command(GLANCE);
        command.args(words).args(["image", "list", "-f", "json"]);
        aim(&mut command, &self.url);
        Run::of(command.output().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_certificate_is_verified_unless_that_is_switched_off() {
    let place = certificates();
    let server = Server::start(&place, &[]);
    let told = server.list(&place, &[]).fails(1);
    assert!(
        told.contains("is not trusted") && told.contains("--os-cacert"),
        "{told}"
    );
    assert_eq!(server.list(&place, &["--os-cacert", "ca.pem"]).ok(), "[]\n");
    let told = server.list(&place, &["--os-cacert", "ext"]).fails(1);
    assert!(told.contains("holds no certificate"), "{told}");
    let run = server.list(&place, &["--insecure"]);
    assert_eq!((run.code, run.text()), (0, "[]\n".to_string()));
    assert!(run.stderr.starts_with("Warning:"), "{}", run.stderr);
}

#[test]
fn a_certificate_is_shown_to_a_server_that_asks() {
    let place = certificates();
    let server = Server::start(&place, &["-Verify", "1", "-CAfile", "ca.pem"]);
    let trusting = ["--os-cacert", "ca.pem"];
    let told = server.list(&place, &trusting).fails(1);
    assert!(told.contains("--os-cert FILE"), "{told}");
    let with = |more: &[&str]| server.list(&place, &[&trusting[..], more].concat());
    let shown = with(&["--os-cert", "client.pem", "--os-key", "client.key"]);
    assert_eq!(shown.ok(), "[]\n");
    let told = with(&["--os-cert", "client.pem"]).fails(1);
    assert!(told.contains("--os-key"), "{told}");
}

#[test]
fn an_older_version_than_allowed_is_refused() {
    let place = certificates();
    let server = Server::start(&place, &["-tls1_2"]);
    let least = |version| {
        let words = ["--os-cacert", "ca.pem", "--tls-min-version", version];
        server.list(&place, &words)
    };
    assert_eq!(least("1.2").ok(), "[]\n");
    let told = least("1.3").fails(1);
    assert!(told.contains("--tls-min-version 1.2"), "{told}");
}

#[test]
fn only_the_ciphers_that_are_allowed_are_spoken() {
    let place = certificates();
    let suite = "ECDHE-ECDSA-AES128-GCM-SHA256";
    let server = Server::start(&place, &["-tls1_2", "-cipher", suite]);
    let with = |list| {
        let words = ["--os-cacert", "ca.pem", "--tls-ciphers", list];
        server.list(&place, &words)
    };
    assert_eq!(with(suite).ok(), "[]\n");
    assert_eq!(with("DEFAULT:!CHACHA20").ok(), "[]\n");
    with("AES256").fails(1);
    let told = with("RC4").fails(1);
    assert!(told.contains("no cipher suite is left"), "{told}");
}
