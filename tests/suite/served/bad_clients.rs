//! Clients that send nonsense, too much, too little or too slowly.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use glance_tools::config::{ServerSettings, Settings};
use glance_tools::server::Limits;
use http::Method;
use tokio::task::spawn_blocking;

use super::{PROMPT, Site};
use crate::support::{Place, block_on, files};

/// The limit for a client that is silent.
const SILENCE: Duration = Duration::from_millis(500);

async fn start(place: &Place) -> Site {
    let change = |_: &mut Settings, server: &mut ServerSettings, _: &str| {
        server.timeout = Some(SILENCE);
    };
    Site::start(&place.data(), Limits::default(), change).await
}

/// A connection to the service whose reads end.
fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(site.address).unwrap();
    stream.set_read_timeout(Some(PROMPT)).unwrap();
    stream
}

/// Sends bytes, and returns the statuses of all responses; none if the connection is closed without one. A client that ends its
/// direction of the connection early has gone away: its request is not carried out further.
async fn statuses(site: &Site, bytes: Vec<u8>, ends_early: bool) -> Vec<u16> {
    let mut stream = connect(site);
    let received = spawn_blocking(move || {
        // The service may close before it has read everything.
        let _ = stream.write_all(&bytes);
        if ends_early {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        received
    });
    let received = received.await.unwrap();
    let text = String::from_utf8_lossy(&received).into_owned();
    let heads = text.split("HTTP/1.").skip(1);
    heads
        .filter_map(|head| head.get(2..5)?.parse().ok())
        .collect()
}

/// A request with a body in JSON.
fn request(method: &str, target: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn create(body: &str) -> Vec<u8> {
    request("POST", "/v2/images", "application/json", body)
}

fn get(target: &str, more: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{more}\r\n").into_bytes()
}

const PATCH: &str = "application/openstack-images-v2.1-json-patch";

/// Each case: its name, the bytes, and the statuses that may be the response. 0 is a connection that is closed without one.
fn cases(id: &str) -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let image = format!("/v2/images/{id}");
    let many = |count: usize| "X-A: b\r\n".repeat(count);
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let operations = vec![r#"{"op": "add", "path": "/k", "value": "v"}"#; 200_000].join(",");
    vec![
        ("no HTTP", b"\x16\x03\x01\x02\x00garbage\r\n\r\n".to_vec(), &[400]),
        ("an unknown version", b"GET / HTTP/9.9\r\n\r\n".to_vec(), &[400, 505]),
        ("an invented method", b"INVENTED /v2/images HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_vec(), &[501, 405]),
        ("a long method", format!("{} /v2/images HTTP/1.1\r\nHost: h\r\n\r\n", "M".repeat(10_000)).into_bytes(), &[501, 405, 400, 431]),
        ("a long address", get(&format!("/v2/images?name={}", "x".repeat(100_000)), ""), &[414, 431]),
        ("a long header", get("/v2/images", &format!("X-A: {}\r\n", "x".repeat(100_000))), &[431]),
        ("many headers", get("/v2/images", &many(1000)), &[431]),
        ("a header without a name", get("/v2/images", ": x\r\n"), &[400]),
        ("a header with a NUL", get("/v2/images", "X-A: a\0b\r\n"), &[400]),
        ("a length that is not a number", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n{}".to_vec(), &[400]),
        ("a negative length", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n{}".to_vec(), &[400]),
        ("two lengths", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{}".to_vec(), &[400]),
        ("an endless length", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n{}".to_vec(), &[400, 413]),
        ("a chunk without a size", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n".to_vec(), &[400, 0]),
        ("an unknown encoding", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n{}".to_vec(), &[400, 501]),
        ("a body that ends early", b"POST /v2/images HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"name\"".to_vec(), &[400, 0]),
        ("no body", get(&format!("{image}/import"), ""), &[405]),
        ("no JSON", create("name=x"), &[400]),
        ("JSON of another type", create("\"x\""), &[400]),
        ("JSON that is cut", create("{\"name\": \"x\""), &[400]),
        ("JSON that is deep", create(&deep), &[400]),
        ("a number without limits", create("{\"min_disk\": 1e999}"), &[400]),
        ("a body that is too long", create(&format!("{{\"name\": \"{}\"}}", "x".repeat(17 << 20))), &[413, 0]),
        ("a name that is too long", create(&format!("{{\"name\": \"{}\"}}", "x".repeat(256))), &[400]),
        ("half of a surrogate", create("{\"name\": \"\\ud800\"}"), &[400]),
        ("a patch of another type", request("PATCH", &image, "text/plain", "[]"), &[415]),
        ("a patch that is an object", request("PATCH", &image, PATCH, "{}"), &[400]),
        ("a patch with a path of nothing", request("PATCH", &image, PATCH, r#"[{"op": "add", "path": "", "value": "v"}]"#), &[400]),
        ("a patch of 200,000 steps", request("PATCH", &image, PATCH, &format!("[{operations}]")), &[413, 400]),
        ("a path with a NUL", get("/v2/images/%00", ""), &[404, 400]),
        ("a path out of the root", get("/v2/images/../../../etc/passwd", ""), &[404, 300]),
        ("an encoded path out of the root", get("/v2/images/..%2f..%2fetc%2fpasswd/file", ""), &[404]),
        ("a path that is not encoded", get("/v2/images/%zz", ""), &[400, 404]),
        ("a path that is not UTF-8", b"GET /v2/images/\xff\xfe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_vec(), &[400, 404]),
        ("a negative limit", get("/v2/images?limit=-1", ""), &[400]),
        ("a limit that is not a number", get("/v2/images?limit=all", ""), &[400]),
        ("a large limit", get("/v2/images?limit=999999999999999999999", ""), &[200, 400]),
        ("an unknown marker", get("/v2/images?marker=x", ""), &[400]),
        ("an unknown sort key", get("/v2/images?sort=nothing:sideways", ""), &[400]),
        ("a list that is not closed", get("/v2/images?id=in:%22a", ""), &[400]),
        ("a range of nonsense", get(&format!("{image}/file"), "Range: bytes=z-\r\n"), &[400, 204, 416, 404]),
        ("an ID that is too long", get("/v2/images", &format!("X-Openstack-Request-Id: {}\r\n", "x".repeat(300))), &[431]),
        ("a change of protocol", get("/v2/images", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), &[200]),
        ("an expectation that cannot be met", get("/v2/images", "Expect: the-impossible\r\n"), &[200, 417]),
    ]
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    block_on(async {
        let place = Place::new();
        let site = start(&place).await;
        let id = site.queued().await;
        let before = files(&place.data().join("images"));
        let (_, image) = site.get(&format!("/images/{id}")).await;
        let mut wrong = Vec::new();
        let all = cases(&id);
        assert!(all.len() >= 30);
        for (name, bytes, expected) in all {
            let began = Instant::now();
            let statuses = statuses(&site, bytes, name == "a body that ends early").await;
            let status = statuses.first().copied().unwrap_or(0);
            if !expected.contains(&status) || statuses.len() > 1 || began.elapsed() > PROMPT {
                wrong.push(format!("{name}: {statuses:?} after {:?}", began.elapsed()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let (code, list) = site.get("/images").await;
        assert_eq!(code, 200);
        assert_eq!(list["images"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(site.get(&format!("/images/{id}")).await.1, image);
        assert_eq!(files(&place.data().join("images")), before);
        site.stop().await;
    });
}

#[test]
fn requests_in_one_piece_are_answered_in_their_order() {
    block_on(async {
        let place = Place::new();
        let site = start(&place).await;
        let mut bytes = b"GET /v2/images HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
        bytes.extend(b"GET /v2/images/none HTTP/1.1\r\nHost: h\r\n\r\n");
        bytes.extend(get("/healthcheck", ""));
        assert_eq!(statuses(&site, bytes, false).await, [200, 404, 200]);
    });
}

#[test]
fn uploads_that_break_off_or_stall_leave_the_image_queued() {
    block_on(async {
        let place = Place::new();
        let site = start(&place).await;
        let before = files(&place.data().join("images"));
        for (stalls, head) in [
            (false, "Content-Length: 1000000"),
            (true, "Content-Length: 1000000"),
            (false, "Transfer-Encoding: chunked"),
            (true, "Transfer-Encoding: chunked"),
        ] {
            let id = site.queued().await;
            let mut stream = connect(&site);
            let head = format!(
                "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: h\r\nContent-Type: application/octet-stream\r\n{head}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(b"186A0\r\n").unwrap();
            stream.write_all(&[7; 1000]).unwrap();
            if !stalls {
                drop(stream);
                site.wait_for(&id, "queued").await;
                continue;
            }
            // The service ends the silence.
            let ended = spawn_blocking(move || {
                let began = Instant::now();
                let _ = stream.read_to_end(&mut Vec::new());
                began.elapsed()
            });
            assert!(ended.await.unwrap() < PROMPT);
            site.wait_for(&id, "queued").await;
        }
        assert_eq!(files(&place.data().join("images")), before);
        site.stop().await;
    });
}

#[test]
fn a_silent_client_and_one_that_does_not_read_are_cut_off() {
    block_on(async {
        let place = Place::new();
        let site = start(&place).await;
        let id = site.queued().await;
        let target = format!("/images/{id}/file");
        let data = vec![7; 32 << 20];
        let stored = site.call(Method::PUT, &target, &data[..]).await;
        assert_eq!(stored.status, 204);
        for bytes in [
            Vec::new(),
            b"GET /v2".to_vec(),
            get(&format!("/v2{target}"), ""),
        ] {
            let mut stream = connect(&site);
            stream.write_all(&bytes).unwrap();
            // Nothing is read until the service has closed: stopping it waits for connections.
            std::mem::forget(stream);
        }
        // A request in between is answered at once.
        assert_eq!(site.get("/images").await.0, 200);
        let began = Instant::now();
        site.stop().await;
        assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    });
}

#[test]
fn connections_beyond_the_limit_wait() {
    block_on(async {
        let place = Place::new();
        let limits = Limits {
            connections: 2,
            ..Limits::default()
        };
        let site = Site::start(&place.data(), limits, |_, _, _| {}).await;
        let idle = [connect(&site), connect(&site)];
        let mut waiting = connect(&site);
        waiting.write_all(&get("/v2/images", "")).unwrap();
        waiting
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut byte = [0];
        assert!(waiting.read(&mut byte).is_err(), "it is served");
        drop(idle);
        waiting.set_read_timeout(Some(PROMPT)).unwrap();
        let served = spawn_blocking(move || {
            let mut text = String::new();
            waiting.read_to_string(&mut text).map(|_| text)
        });
        let text = served.await.unwrap().unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        site.stop().await;
    });
}
