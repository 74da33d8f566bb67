//! Tokens that are kept from one command to the next.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::{demo, glance, with};
use crate::support::Place;
use crate::support::keystone::{Server, catalog, reply, token_reply};

#[test]
fn a_token_that_is_kept_costs_no_request() {
    let (server, place) = (Server::cloud(0), Place::new());
    for _ in 0..3 {
        glance(&place, &["image-list"], &demo(&server)).ok();
    }
    assert_eq!(server.counts(), (1, 3));
    glance(&place, &["image", "list"], &demo(&server)).ok();
    assert_eq!(server.counts(), (1, 4));
    let other_cloud = server.url.clone() + "/v3";
    glance(
        &place,
        &["image-list"],
        &with(demo(&server), &[("OS_AUTH_URL", &other_cloud)]),
    )
    .ok();
    assert_eq!(server.counts().0, 1);
}

#[test]
fn a_token_is_kept_in_private_and_without_the_password() {
    let (server, place) = (Server::cloud(0), Place::new());
    glance(&place, &["image-list"], &demo(&server)).ok();
    let directory = tokens(&place);
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1);
    assert_eq!(mode(&files[0]), 0o600);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("token-1") && !text.contains("right"));
}

fn tokens(place: &Place) -> PathBuf {
    place.file("../home/.cache/glance/tokens")
}

#[test]
fn no_token_is_read_or_kept_where_that_is_switched_off() {
    let (server, place) = (Server::cloud(0), Place::new());
    glance(&place, &["--os-no-cache", "image-list"], &demo(&server)).ok();
    assert!(!tokens(&place).exists());
    glance(&place, &["image-list"], &demo(&server)).ok();
    glance(
        &place,
        &["image-list"],
        &with(demo(&server), &[("OS_NO_CACHE", "1")]),
    )
    .ok();
    assert_eq!(server.counts().0, 3);
}

#[test]
fn tokens_are_forgotten_when_told_to() {
    let (server, place) = (Server::cloud(0), Place::new());
    glance(&place, &["image-list"], &demo(&server)).ok();
    glance(
        &place,
        &["--os-forget-tokens", "--os-no-cache", "image-list"],
        &demo(&server),
    )
    .ok();
    assert_eq!(std::fs::read_dir(tokens(&place)).unwrap().count(), 0);
    assert_eq!(server.counts().0, 2);
}

#[test]
fn a_wrong_password_is_never_covered_by_a_kept_token() {
    let (server, place) = (Server::cloud(0), Place::new());
    glance(&place, &["image-list"], &demo(&server)).ok();
    let run = glance(
        &place,
        &["image-list"],
        &with(demo(&server), &[("OS_PASSWORD", "wrong")]),
    );
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with(
        "The request you have made requires authentication. (HTTP 401) (Request-ID: req-1)\n"
    ));
    glance(&place, &["image-list"], &demo(&server)).ok();
    assert_eq!(server.counts(), (2, 2));
}

#[test]
fn who_logs_in_elsewhere_or_for_something_else_gets_another_token() {
    let (server, place) = (Server::cloud(0), Place::new());
    for (number, other) in [
        ("OS_USERNAME", "other"),
        ("OS_PROJECT_NAME", "other"),
        ("OS_PROJECT_DOMAIN_NAME", "other"),
        ("OS_USER_DOMAIN_ID", "other"),
        ("OS_PROJECT_NAME", "own"),
    ]
    .into_iter()
    .enumerate()
    {
        glance(&place, &["image-list"], &with(demo(&server), &[other])).ok();
        assert_eq!(server.counts().0, number + 1, "{other:?}");
    }
    // Where the image service is sought makes no difference.
    let elsewhere = [("OS_REGION_NAME", "Two"), ("OS_INTERFACE", "internal")];
    glance(&place, &["image-list"], &with(demo(&server), &elsewhere)).ok();
    assert_eq!(server.counts().0, 5);
}

#[test]
fn a_kept_token_that_is_refused_is_renewed_once() {
    let (server, place) = (Server::cloud(1), Place::new());
    glance(&place, &["image-list"], &demo(&server)).ok();
    assert_eq!(server.counts(), (2, 2));
    glance(&place, &["image-list"], &demo(&server)).ok();
    assert_eq!(server.counts(), (2, 3));

    let (server, place) = (Server::cloud(usize::MAX), Place::new());
    let run = glance(&place, &["image-list"], &demo(&server));
    assert_eq!(run.code, 1);
    assert_eq!(server.counts(), (2, 2));
}

#[test]
fn a_token_about_to_expire_and_a_broken_file_are_not_used() {
    let server = Server::new(|url, asked| match asked.line.as_str() {
        "POST /v3/auth/tokens" => token_reply("t", 50, &catalog(url)),
        _ => reply(200, json!({"images": [], "first": "/v2/images"})),
    });
    let place = Place::new();
    glance(&place, &["image-list"], &demo(&server)).ok();
    glance(&place, &["image-list"], &demo(&server)).ok();
    assert_eq!(server.counts().0, 2);

    let (server, place) = (Server::cloud(0), Place::new());
    glance(&place, &["image-list"], &demo(&server)).ok();
    let entry = std::fs::read_dir(tokens(&place))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::write(entry.path(), "{").unwrap();
    glance(&place, &["image-list"], &demo(&server)).ok();
    assert_eq!(server.counts().0, 2);
}
