//! Tests of the client on servers on the loopback interface.

use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::testing::{Answer, Server, block_on};
use super::*;
use crate::config::{Secret, Tls, Trust};

/// Returns options with short timeouts.
fn options() -> Options {
    Options {
        timeout: Duration::from_secs(20),
        proxies: Proxies::None,
        retries: retry::Policy {
            retries: 3,
            min_delay: Duration::from_micros(1),
            max_delay: Duration::from_micros(5),
        },
        ..Options::default()
    }
}

fn request(method: Method, url: &str) -> Request {
    Request::new(method, Url::parse(url).unwrap())
}

/// Returns the reason why a request fails.
fn reason(options: Options, url: &str) -> Reason {
    let client = Client::new(options);
    let outcome = block_on(client.call(&request(Method::GET, url)));
    outcome.err().unwrap().into_parts().0
}

/// Returns an address whose port nothing listens on.
fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn busy(retry_after: u64) -> String {
    format!(
        "HTTP/1.1 503 Busy\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

fn fine() -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine".to_string()
}

#[test]
fn a_refused_connection_is_the_reason() {
    let reason = reason(options(), &format!("http://{}/", dead()));
    assert!(
        matches!(&reason, Reason::Connect(cause) if cause == "Connection refused"),
        "{reason:?}"
    );
}

#[test]
fn a_dead_proxy_is_named_without_its_password() {
    let dead = dead();
    for url in ["http://server.invalid/", "https://server.invalid/"] {
        let proxy = Secret::new(format!("http://u:sesame@{dead}"));
        let reason = reason(
            Options {
                proxies: Proxies::Configured(vec![("all".to_string(), proxy)]),
                tls: trusting(&Certificate::make("authority").file),
                ..options()
            },
            url,
        );
        let Reason::Proxy { proxy, cause } = reason else {
            panic!("{reason:?}")
        };
        assert_eq!(proxy, format!("http://{dead}"));
        assert!(!cause.contains("sesame"), "{cause}");
    }
}

#[test]
fn a_server_that_does_not_respond_in_time_is_the_reason() {
    // Connections to it are established but never accepted.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let timeout = Duration::from_millis(50);
    let reason = reason(
        Options {
            timeout,
            ..options()
        },
        &url,
    );
    assert!(
        matches!(reason, Reason::TooSlow(limit) if limit == timeout),
        "{reason:?}"
    );
}

#[test]
fn a_response_that_is_too_large_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\nx";
    let server = Server::scripted([head.to_string()]);
    let reason = reason(options(), &server.url("/"));
    assert!(matches!(reason, Reason::TooLarge), "{reason:?}");
}

#[test]
fn a_response_that_is_not_http_is_the_reason() {
    let server = Server::scripted(["what?\r\n\r\n".to_string()]);
    let reason = reason(options(), &server.url("/"));
    assert!(matches!(reason, Reason::Protocol { .. }), "{reason:?}");
}

#[test]
fn only_what_may_be_repeated_is_sent_again_after_a_broken_connection() {
    let mut idempotent = request(Method::POST, "http://h/");
    idempotent.is_idempotent = true;
    let cases = [
        (request(Method::GET, "http://h/"), 4),
        (request(Method::POST, "http://h/"), 1),
        (idempotent, 4),
    ];
    for (mut request, times) in cases {
        let server = Server::scripted(vec![String::new(); times]);
        request.url = Url::parse(&server.url("/")).unwrap();
        let failure = block_on(Client::new(options()).call(&request));
        let failure = failure.err().unwrap();
        assert!(failure.is_transient() && !failure.is_connect());
        let reason = failure.reason();
        assert!(
            matches!(
                reason,
                Reason::Disconnected {
                    maybe_tls: true,
                    ..
                }
            ),
            "{reason:?}"
        );
        assert_eq!(server.requests().len(), times);
    }
}

#[test]
fn a_server_that_asks_for_a_retry_gets_one_unless_it_may_have_changed_something() {
    let server = Server::scripted([busy(0), busy(0), fine()]);
    let response = block_on(Client::new(options()).call(&request(Method::GET, &server.url("/"))));
    assert_eq!(&*response.unwrap().body, b"fine");
    assert_eq!(server.requests().len(), 3);
    for (method, wait) in [(Method::POST, 0), (Method::GET, 31)] {
        let server = Server::scripted([busy(wait)]);
        let response = block_on(Client::new(options()).call(&request(method, &server.url("/"))));
        assert_eq!(response.unwrap().status, 503);
    }
}

#[test]
fn the_last_response_is_returned_when_there_are_no_retries_left() {
    for (policy, times) in [(options().retries, 4), (retry::Policy::NEVER, 1)] {
        let server = Server::scripted(vec![busy(0); times]);
        let client = Client::new(Options {
            retries: policy,
            ..options()
        });
        let response = block_on(client.open(&request(Method::GET, &server.url("/"))));
        assert_eq!(response.unwrap().status(), 503);
        assert_eq!(server.requests().len(), times);
    }
}

#[test]
fn data_that_cannot_be_had_is_the_reason_of_an_upload() {
    let server = Server::scripted([String::new()]);
    let blocks = futures_util::stream::iter([Err(crate::Error::invalid("the file has changed"))]);
    let client = Client::new(options());
    let failure = block_on(client.upload(&request(Method::PUT, &server.url("/")), blocks));
    let failure = failure.err().unwrap();
    assert!(!failure.is_transient());
    let Reason::Upload(error) = failure.reason() else {
        panic!("{failure:?}")
    };
    assert_eq!(error.message(), "the file has changed");
}

/// A guard that allows no host.
struct Nowhere;

impl Guard for Nowhere {
    fn follow(&self, _: &Url, location: &str) -> crate::Result<Url> {
        Url::parse(location).map_err(|_| crate::Error::invalid("not an address"))
    }

    fn select(&self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, String> {
        assert!(!found.is_empty());
        Err(format!("{host} is refused"))
    }
}

#[test]
fn a_host_whose_addresses_the_guard_refuses_is_not_connected_to() {
    let server = Server::scripted([fine()]);
    let guarded = Options {
        redirects: redirect::Policy {
            guard: Some(Arc::new(Nowhere)),
            ..redirect::Policy::default()
        },
        ..options()
    };
    let reason = reason(
        guarded.clone(),
        &server.url("/").replace("127.0.0.1", "localhost"),
    );
    assert!(
        matches!(&reason, Reason::HostBlocked(cause) if cause == "localhost is refused"),
        "{reason:?}"
    );
    let response = block_on(Client::new(options()).call(&request(Method::GET, &server.url("/"))));
    assert_eq!(response.unwrap().status, 200);
    assert_eq!(server.lines(), ["GET /"]);
}

#[test]
fn what_tls_needs_is_not_read_before_an_address_with_tls() {
    let missing = Tls {
        trust: Trust::Only(PathBuf::from("/nowhere/certificates.pem")),
        ciphers: Some("no-such".to_string()),
        ..Tls::default()
    };
    let client = Client::new(Options {
        tls: missing,
        ..options()
    });
    let server = Server::scripted([fine()]);
    let response = block_on(client.call(&request(Method::GET, &server.url("/"))));
    assert_eq!(response.unwrap().status, 200);
    let url = format!("https://{}/", dead());
    let failure = block_on(client.call(&request(Method::GET, &url)));
    let (reason, _) = failure.err().unwrap().into_parts();
    assert!(
        matches!(reason, Reason::Setup(SetupError::NoCipherSuite(_))),
        "{reason:?}"
    );
}

#[test]
fn secrets_do_not_reach_the_listener() {
    let shown = Arc::new(Mutex::new(String::new()));
    let text = Arc::clone(&shown);
    let client = Client::new(Options {
        observer: Observer {
            listener: Some(Arc::new(move |line| text.lock().unwrap().push_str(line))),
            ..Observer::default()
        },
        ..options()
    });
    let repeated = "HTTP/1.1 400 No\r\nContent-Length: 12\r\nConnection: close\r\n\r\nnot 'sesame'";
    let server = Server::scripted([repeated.to_string()]);
    let mut request = request(Method::POST, &server.url("/"));
    request.body = "open=sesame".into();
    request.is_body_secret = true;
    request.secrets.push(Secret::new("sesame"));
    let response = block_on(client.call(&request)).unwrap();
    assert_eq!(&*response.body, b"not '***'");
    let shown = shown.lock().unwrap();
    assert!(shown.contains("curl") && shown.contains("400") && shown.contains("not '***'"));
    assert!(!shown.contains("sesame"), "{shown}");
}

/// A certificate for 127.0.0.1 and its key.
struct Certificate {
    directory: tempfile::TempDir,
    file: PathBuf,
}

impl Certificate {
    fn make(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("certificate.pem");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", &format!("/CN={name}")])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .arg("-keyout")
            .arg(directory.path().join("key.pem"))
            .arg("-out")
            .arg(&file)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self { directory, file }
    }

    /// Starts a TLS server with the certificate.
    fn serve(&self) -> Server {
        let chain = CertificateDer::pem_file_iter(&self.file).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(self.directory.path().join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Server::start_tls(config, |exchange| exchange.send(&Answer::empty(200)))
    }
}

fn trusting(file: &Path) -> Tls {
    Tls {
        trust: Trust::Only(file.to_path_buf()),
        ..Tls::default()
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_the_reason() {
    let (own, other) = (Certificate::make("server"), Certificate::make("other"));
    let insecure = Tls {
        insecure: true,
        ..Tls::default()
    };
    for (tls, is_trusted) in [
        (trusting(&own.file), true),
        (insecure, true),
        (trusting(&other.file), false),
    ] {
        let server = own.serve();
        let client = Client::new(Options { tls, ..options() });
        let outcome = block_on(client.call(&request(Method::GET, &server.url("/"))));
        match outcome {
            Ok(response) => assert!(is_trusted && response.status == 200),
            Err(failure) => {
                assert!(!is_trusted, "{failure:?}");
                let Reason::Tls(reason) = failure.reason() else {
                    panic!("{failure:?}")
                };
                assert!(reason.is_about_trust(), "{reason:?}");
            }
        }
    }
}

#[test]
fn a_server_that_does_not_speak_tls_is_the_reason() {
    let server = Server::serving(b"");
    let url = server.url("/").replace("http:", "https:");
    let reason = reason(
        Options {
            tls: trusting(&Certificate::make("other").file),
            ..options()
        },
        &url,
    );
    assert!(
        matches!(reason, Reason::Tls(TlsReason::NotTls)),
        "{reason:?}"
    );
}

#[test]
fn the_end_of_a_servers_certificate_is_known() {
    let certificate = Certificate::make("server");
    let server = certificate.serve();
    let tls = trusting(&certificate.file);
    let client = Client::new(Options { tls, ..options() });
    let opened = block_on(client.open(&request(Method::GET, &server.url("/"))));
    let expiry = opened.unwrap().certificate_expiry().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let left = expiry - now.unwrap().as_secs();
    let days = 24 * 60 * 60;
    assert!((days..=2 * days).contains(&left), "{left}");

    let plain = Server::serving(b"");
    let client = Client::new(options());
    let opened = block_on(client.open(&request(Method::GET, &plain.url("/"))));
    assert_eq!(opened.unwrap().certificate_expiry(), None);
}
