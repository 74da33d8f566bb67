//! Completion never logs in.

use super::{demo, glance};
use crate::support::Place;
use crate::support::keystone::Server;

const ASKED: [&str; 5] = ["__complete", "fish", "glance", "image-show", ""];

#[test]
fn completion_uses_a_cached_token_and_never_logs_in() {
    let (server, place) = (Server::cloud(0), Place::new());
    // There is no token yet, and the password is at hand.
    assert_eq!(glance(&place, &ASKED, &demo(&server)).ok(), "words\n");
    assert_eq!(server.counts(), (0, 0));
    glance(&place, &["image-list"], &demo(&server)).ok();
    assert_eq!(server.counts(), (1, 1));
    glance(&place, &ASKED, &demo(&server)).ok();
    assert_eq!(server.counts(), (1, 2));
    // Not for whom nothing is cached.
    let no_cache = [
        "__complete",
        "fish",
        "glance",
        "--os-no-cache",
        "image-show",
        "",
    ];
    assert_eq!(glance(&place, &no_cache, &demo(&server)).ok(), "words\n");
    assert_eq!(server.counts(), (1, 2));
}

#[test]
fn a_token_that_is_rejected_ends_a_completion() {
    // The first request with a token is refused.
    let (server, place) = (Server::cloud(1), Place::new());
    glance(&place, &["image-list"], &demo(&server)).ok();
    let (logins, requests) = server.counts();
    let words = [
        "__complete",
        "fish",
        "glance",
        "member-list",
        "--image-id",
        "",
    ];
    glance(&place, &words, &demo(&server)).ok();
    assert_eq!(server.counts(), (logins, requests + 1));
    // A missing password is not asked for.
    let mut variables = demo(&server);
    variables.retain(|(name, _)| *name != "OS_PASSWORD");
    assert_eq!(glance(&place, &ASKED, &variables).ok(), "words\n");
    assert_eq!(server.counts().0, logins);
}
