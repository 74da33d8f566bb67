//! Logins that are kept, while roles, endpoints and regions change.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::{demo, glance, with};
use crate::support::Place;
use crate::support::keystone::{Server, catalog, refusal, reply, token_reply};

/// A Keystone whose first login gives `before`, and each later one `after`.
fn keystone(before: Value, after: Value) -> Server {
    let logins = Mutex::new(0);
    Server::new(move |_, asked| match asked.line.as_str() {
        "POST /v3/auth/tokens" => {
            let mut logins = logins.lock().unwrap();
            *logins += 1;
            let catalog = if *logins == 1 { &before } else { &after };
            token_reply(&format!("token-{logins}"), 36_000, catalog)
        }
        _ => refusal(404, "Not found."),
    })
}

/// A Glance that has one image, which no list shows, and takes namespaces.
fn service() -> Server {
    Server::new(|_, asked| match asked.line.as_str() {
        "POST /v2/metadefs/namespaces" => reply(201, json!({"namespace": "x"})),
        "PUT /v2/images/i/file" => reply(200, json!("")),
        "GET /v2/images/i" => reply(200, json!({"id": "i", "status": "active", "size": 4})),
        line if line.starts_with("GET /v2/images?") => {
            reply(200, json!({"images": [], "first": "/v2/images"}))
        }
        _ => refusal(404, "No image found."),
    })
}

#[test]
fn an_endpoint_that_moved_is_found_by_another_login() {
    for (why, status) in [
        ("nobody listens there", None),
        ("another server answers", Some(404)),
        ("a proxy has no service behind it", Some(503)),
    ] {
        let other = Server::new(move |_, _| {
            reply(status.unwrap_or(500), json!({"message": "no such page"}))
                .with("retry-after", "0")
        });
        let old = match status {
            Some(_) => other.url.clone(),
            None => "http://127.0.0.1:1".to_string(),
        };
        let service = service();
        let server = keystone(catalog(&old), catalog(&service.url));
        let place = Place::new();
        glance(&place, &["image-list"], &demo(&server)).fails(1);
        assert_eq!(server.counts().0, 1, "{why}: a fresh login is believed");
        glance(&place, &["image-list"], &demo(&server)).ok();
        assert_eq!(server.counts().0, 2, "{why}");
        assert_eq!(service.count("GET /v2/images?"), 1, "{why}");
    }
}

#[test]
fn what_changes_something_goes_to_the_new_address_once() {
    let service = service();
    let server = keystone(catalog("http://127.0.0.1:1"), catalog(&service.url));
    let place = Place::new();
    glance(&place, &["image-list"], &demo(&server)).fails(1);
    glance(&place, &["md-namespace-create", "x"], &demo(&server)).ok();
    assert_eq!(service.count("POST /v2/metadefs/namespaces"), 1);
    assert_eq!(server.counts().0, 2);
}

#[test]
fn data_goes_to_the_new_address_and_comes_from_there() {
    let service = service();
    let server = keystone(catalog("http://127.0.0.1:1"), catalog(&service.url));
    let place = Place::new();
    let file = place.write("f.img", "data");
    glance(&place, &["image-list"], &demo(&server)).fails(1);
    let words = [
        "--skip-verification",
        "image-upload",
        "i",
        "--file",
        file.to_str().unwrap(),
    ];
    glance(&place, &words, &demo(&server)).ok();
    assert_eq!(service.count("PUT /v2/images/i/file"), 1);
    assert_eq!(server.counts().0, 2);
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    let old = Server::new(|_, asked| {
        if asked.line.starts_with("GET") {
            return reply(200, json!({"images": [], "first": "/v2/images"}));
        }
        reply(504, json!({"message": "too slow"}))
    });
    let service = service();
    let server = keystone(catalog(&old.url), catalog(&service.url));
    let place = Place::new();
    glance(&place, &["image-list"], &demo(&server)).ok();
    glance(&place, &["md-namespace-create", "x"], &demo(&server)).fails(1);
    assert_eq!((old.count("POST"), service.count("POST")), (1, 0));
}

#[test]
fn a_region_that_was_added_is_seen() {
    let service = service();
    let mut before = catalog(&service.url);
    for endpoint in before[0]["endpoints"].as_array_mut().unwrap() {
        endpoint["region"] = "One".into();
    }
    let server = keystone(before, catalog(&service.url));
    let place = Place::new();
    glance(&place, &["image-list"], &demo(&server)).ok();
    let region = |name| with(demo(&server), &[("OS_REGION_NAME", name)]);
    glance(&place, &["image-list"], &region("Two")).ok();
    assert_eq!(server.counts().0, 2);
    // One that there is not is asked for once.
    let said = glance(&place, &["image-list"], &region("Three")).fails(1);
    assert!(said.contains("Three region not found"), "{said}");
    assert_eq!(server.counts().0, 3);
}

#[test]
fn a_role_that_was_granted_is_seen_and_one_that_was_not_is_no_loop() {
    for granted in [true, false] {
        let logins = Mutex::new(0);
        let server = Server::new(move |url, asked| match asked.line.as_str() {
            "POST /v3/auth/tokens" => {
                let mut logins = logins.lock().unwrap();
                *logins += 1;
                let mut reply = token_reply(&format!("token-{logins}"), 36_000, &catalog(url));
                if *logins > 1 && granted {
                    let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
                    body["token"]["roles"] = json!([{"id": "a", "name": "admin"}]);
                    reply.body = body.to_string().into();
                }
                reply
            }
            line if line.starts_with("GET /v2/images?") => {
                reply(200, json!({"images": [], "first": "/v2/images"}))
            }
            _ if granted && asked.headers["x-auth-token"] == "token-2" => {
                reply(201, json!({"namespace": "x"}))
            }
            _ => refusal(403, "You are not authorized."),
        });
        let place = Place::new();
        glance(&place, &["image-list"], &demo(&server)).ok();
        let run = glance(&place, &["md-namespace-create", "x"], &demo(&server));
        assert_eq!(run.code == 0, granted, "{}", run.stderr);
        assert_eq!(server.counts().0, 2);
        let expected = if granted { 2 } else { 1 };
        assert_eq!(
            server.count("POST /v2/metadefs/namespaces"),
            expected,
            "the same roles get the same answer"
        );
    }
}

#[test]
fn an_image_that_there_is_not_costs_no_login() {
    let service = Server::new(|_, asked| {
        if asked.line.starts_with("GET /v2/images?") {
            return reply(200, json!({"images": [], "first": "/v2/images"}));
        }
        refusal(404, "No image found.")
    });
    let server = keystone(catalog(&service.url), catalog(&service.url));
    let place = Place::new();
    glance(&place, &["image-list"], &demo(&server)).ok();
    let id = "0d1c5a5e-0000-4000-8000-000000000000";
    glance(&place, &["image-show", id], &demo(&server)).fails(1);
    assert_eq!(server.counts().0, 1);
}
