//! TLS: certificates are verified, shown and refused, against openssl's own server.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::glance::aim;
use crate::support::http;
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
    assert!(told.contains("contains no PEM certificate"), "{told}");
    let run = server.list(&place, &["--insecure"]);
    assert_eq!((run.code, run.text()), (0, "[]\n".to_string()));
    assert!(run.stderr.starts_with("Warning:"), "{}", run.stderr);
}

/// A server's own certificate, which calls itself an authority as openssl makes them, for so many days from now.
fn own_certificate(place: &Place, days: &str, name: &str) {
    openssl(
        &place.file(""),
        &format!(
            "req -x509 -new -key server.key -out server.pem {days} \
             -subj /CN=own -addext subjectAltName={name}"
        ),
    );
}

/// Like [`own_certificate`], of some years ago.
fn expired_certificate(place: &Place) {
    let directory = place.file("");
    place.write("index.txt", "");
    place.write("serial", "01\n");
    place.write(
        "ca.cnf",
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\n\
         default_md = sha256\npolicy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n\
         [e]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical,CA:TRUE\n",
    );
    openssl(
        &directory,
        "ca -config ca.cnf -batch -selfsign -keyfile server.key -in server.csr -out server.pem -notext \
         -startdate 20200101000000Z -enddate 20200102000000Z",
    );
}

#[test]
fn a_servers_own_certificate_is_trusted_by_itself_and_by_nothing_else() {
    let place = certificates();
    let trusting = ["--os-cacert", "server.pem"];
    own_certificate(&place, "-days 2", "IP:127.0.0.1");
    {
        let server = Server::start(&place, &[]);
        assert_eq!(server.list(&place, &trusting).ok(), "[]\n");
        let told = server.list(&place, &["--os-cacert", "ca.pem"]).fails(1);
        assert!(told.contains("is not trusted"), "{told}");
        let told = server.list(&place, &[]).fails(1);
        assert!(told.contains("--os-cacert FILE"), "{told}");
    }
    own_certificate(&place, "-days 2", "DNS:elsewhere.example");
    {
        let server = Server::start(&place, &[]);
        let told = server.list(&place, &trusting).fails(1);
        assert!(
            told.contains("is for elsewhere.example, not for 127.0.0.1"),
            "{told}"
        );
        assert!(!told.contains("--os-cacert"), "{told}");
    }
    expired_certificate(&place);
    let server = Server::start(&place, &[]);
    let told = server.list(&place, &trusting).fails(1);
    assert!(
        told.contains("it expired at 2020-01-02T00:00:00Z"),
        "{told}"
    );
    assert!(told.contains("clock"), "{told}");
}

#[test]
fn certificates_to_trust_are_found_as_the_field_names_them() {
    let place = certificates();
    std::fs::create_dir(place.file("authorities")).unwrap();
    std::fs::copy(place.file("ca.pem"), place.file("authorities/x.pem")).unwrap();
    let server = Server::start(&place, &[]);
    let list = |variables: &[(&str, &str)]| {
        let mut command = place.command(GLANCE);
        command.args(["image", "list", "-f", "json"]);
        command.envs(variables.iter().copied());
        aim(&mut command, &server.url);
        Run::of(command.output().unwrap())
    };
    for variables in [
        [("REQUESTS_CA_BUNDLE", "ca.pem")].as_slice(),
        &[("REQUESTS_CA_BUNDLE", "authorities")],
        &[("CURL_CA_BUNDLE", "ca.pem")],
        &[("SSL_CERT_FILE", "ca.pem")],
        &[("SSL_CERT_DIR", "nowhere:authorities")],
        &[
            ("OS_CACERT", "ca.pem"),
            ("REQUESTS_CA_BUNDLE", "client.pem"),
        ],
        &[
            ("REQUESTS_CA_BUNDLE", "ca.pem"),
            ("CURL_CA_BUNDLE", "client.pem"),
        ],
    ] {
        assert_eq!(list(variables).ok(), "[]\n", "{variables:?}");
    }
    for variables in [
        [
            ("REQUESTS_CA_BUNDLE", "client.pem"),
            ("SSL_CERT_FILE", "ca.pem"),
        ]
        .as_slice(),
        &[
            ("OS_CACERT", "client.pem"),
            ("REQUESTS_CA_BUNDLE", "ca.pem"),
        ],
    ] {
        let told = list(variables).fails(1);
        assert!(told.contains("is not trusted"), "{variables:?}: {told}");
    }
}

#[test]
fn what_speaks_no_tls_is_said_to() {
    let place = certificates();
    let server = Server::start(&place, &[]);
    let list = |url: &str| {
        let mut command = place.command(GLANCE);
        command.args(["image", "list"]);
        aim(&mut command, url);
        Run::of(command.output().unwrap()).fails(1)
    };
    let plain = http::Server::serving(b"");
    let told = list(&plain.url("").replace("http:", "https:"));
    assert!(
        told.contains("does not speak TLS") && told.contains("http://"),
        "{told}"
    );
    let told = list(&server.url.replace("https:", "http:"));
    assert!(told.contains("https://"), "{told}");
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
