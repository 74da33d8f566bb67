//! Proxies: named where they are dead, and those of SOCKS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::{demo, glance, with};
use crate::support::Place;
use crate::support::keystone::Server;

#[test]
fn a_dead_proxy_is_named_and_its_password_is_not() {
    let place = Place::new();
    let address = "http://keystone.example:5000/v3";
    for (variable, proxy, shown) in [
        (
            "http_proxy",
            "http://u:sesame@127.0.0.1:1",
            "http://127.0.0.1:1",
        ),
        ("HTTP_PROXY", "127.0.0.1:1", "http://127.0.0.1:1"),
        (
            "ALL_PROXY",
            "socks5h://127.0.0.1:1",
            "socks5h://127.0.0.1:1",
        ),
    ] {
        let variables = [
            ("OS_AUTH_URL", address),
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", "p"),
            (variable, proxy),
        ];
        let said = glance(&place, &["image-list"], &variables).fails(1);
        let message = format!("through the proxy {shown}");
        assert!(
            said.contains(&message) && said.contains("NO_PROXY=keystone.example"),
            "{said}"
        );
        assert!(!said.contains("sesame"), "{said}");
    }
    let variables = [
        ("OS_AUTH_URL", "https://keystone.example:5000/v3"),
        ("OS_USERNAME", "u"),
        ("OS_PASSWORD", "p"),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ];
    let said = glance(&place, &["image-list"], &variables).fails(1);
    assert!(
        said.contains("through the proxy http://127.0.0.1:1"),
        "{said}"
    );
}

/// Serves so many connections as a proxy of SOCKS 5 does, all of which go to `target`; the names that it was asked
/// for.
fn socks(listener: &TcpListener, target: &str, connections: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut copies = Vec::new();
    for _ in 0..connections {
        let (mut client, _) = listener.accept().unwrap();
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        client.read_exact(&mut methods).unwrap();
        client.write_all(&[5, 0]).unwrap();
        let mut head = [0; 5];
        client.read_exact(&mut head).unwrap();
        assert_eq!(head[..4], [5, 1, 0, 3], "the name is not resolved here");
        let mut name = vec![0; usize::from(head[4]) + 2];
        client.read_exact(&mut name).unwrap();
        name.truncate(usize::from(head[4]));
        names.push(String::from_utf8(name).unwrap());
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let server = TcpStream::connect(target).unwrap();
        for (mut from, mut to) in [
            (client.try_clone().unwrap(), server.try_clone().unwrap()),
            (server, client),
        ] {
            copies.push(std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            }));
        }
    }
    for copy in copies {
        copy.join().unwrap();
    }
    names
}

#[test]
fn a_socks_proxy_resolves_names_itself() {
    let (server, place) = (Server::cloud(0), Place::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    let target = server.url.trim_start_matches("http://").to_string();
    let serving = std::thread::spawn(move || socks(&listener, &target, 2));
    let variables = with(
        demo(&server),
        &[
            ("OS_AUTH_URL", "http://keystone.invalid/v3"),
            ("OS_IMAGE_ENDPOINT_OVERRIDE", "http://glance.invalid/"),
            ("ALL_PROXY", &proxy),
        ],
    );
    glance(&place, &["image-list"], &variables).ok();
    assert_eq!(
        serving.join().unwrap(),
        ["keystone.invalid", "glance.invalid"]
    );
    assert_eq!(server.counts(), (1, 1));
}
