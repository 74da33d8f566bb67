//! `glance-cache-manage` on a directory, and on a service.

use std::collections::BTreeSet;

use super::{DRIVERS, MANAGE, place};
use crate::support::glance::{Answer, Server, aim, tricks};
use crate::support::{Place, Run, files};

#[test]
fn a_directory_is_managed_without_a_service() {
    for driver in DRIVERS {
        let place = place(driver, "");
        let no = |what: &str| format!("No {what} images.\n");
        assert_eq!(place.manage(&["list-cached"]).ok(), no("cached"), "fresh");
        assert_eq!(place.manage(&["list-queued"]).ok(), no("queued"), "fresh");
        let ids = ["one", "two"].map(|name| place.image(name, name.as_bytes()));
        for id in &ids {
            place.manage(&["-f", "queue-image", id]).ok();
        }
        assert_eq!(place.queued(), ids, "in their order");
        let said = place.manage(&["list-queued"]).ok();
        assert!(said.starts_with("Found 2 queued images...\n+"), "{said}");
        assert!(place.cached().is_empty(), "it is left to the prefetcher");

        let said = place.manage(&["prefetch"]).ok();
        assert_eq!(said.matches("Fetched ").count(), 2, "{said}");
        let said = place.manage(&["list-cached"]).ok();
        assert!(said.starts_with("Found 2 cached images...\n+"), "{said}");
        // One that is cached is not queued.
        place.manage(&["-f", "queue-image", &ids[0]]).ok();
        assert!(place.queued().is_empty());

        let deleted = place.manage(&["-f", "-v", "delete-cached-image", &ids[0]]);
        let deleted = deleted.ok();
        assert!(deleted.starts_with(&format!("Deleted cached image {}\nCompleted in ", ids[0])));
        assert_eq!(place.cached(), BTreeSet::from([ids[1].clone()]));
        place.manage(&["-f", "delete-cached-image", &ids[0]]).ok();
        for _ in 0..2 {
            place.manage(&["-f", "queue-image", &ids[0]]).ok();
        }
        place.manage(&["-f", "delete-queued-image", &ids[0]]).ok();
        assert!(place.queued().is_empty());
        place.manage(&["-f", "queue-image", &ids[0]]).ok();
        for (words, said) in [
            ("delete-all-cached-images", "Deleted 1 cached images\n"),
            ("delete-all-queued-images", "Deleted 1 queued images\n"),
            ("delete-all-cached-images", "Deleted 0 cached images\n"),
        ] {
            let done = place.manage(&["-f", "-v", words]).ok();
            assert!(done.starts_with(said), "{done}");
        }
        let left = files(&place.cache());
        assert!(
            left.iter().all(|name| name.contains("cache")),
            "{driver}: {left:?}"
        );
    }
}

#[test]
fn what_is_not_an_image_is_refused() {
    let place = place("sqlite", "");
    for words in [
        &["-f", "queue-image", "../../etc/passwd"][..],
        &["-f", "delete-cached-image", ".."],
        &["-f", "delete-queued-image", "x"],
    ] {
        let run = place.manage(words);
        assert_eq!(run.code, 1);
        assert!(run.text().ends_with("is not a valid UUID.\n"), "{run:?}");
    }
    let run = place.manage(&["queue-image"]);
    assert_eq!(run.code, 1);
    assert!(run.text().starts_with("Please specify the ID"), "{run:?}");
    assert!(!place.cache().exists());
}

#[test]
fn it_asks_before_it_deletes() {
    let place = place("sqlite", "");
    let id = place.image("x", b"data");
    let question = format!("Queue image {id} for caching? [y/N] ");
    for (answer, queued) in [("\n", 0), ("no\n", 0), ("yess\n", 0), ("Yes\n", 1)] {
        let run = place.manage_with(&["queue-image", &id], answer);
        assert_eq!((run.code, run.text()), (0, question.clone()));
        assert_eq!(place.queued().len(), queued, "{answer}");
    }
    // Nobody answers.
    let run = place.manage_with(&["delete-all-queued-images"], "");
    assert_eq!(run.code, 1);
    assert!(run.text().ends_with("EOF when reading a line\n"), "{run:?}");
    assert_eq!(place.queued(), [id]);
    // Lists ask nothing.
    place.manage_with(&["list-queued"], "").ok();
}

/// `glance-cache-manage` against a server; the requests that it sent.
fn against(server: &Server, words: &[&str]) -> (Run, Vec<String>) {
    let place = Place::new();
    let mut command = place.command(MANAGE);
    aim(&mut command, &server.url());
    let before = server.lines().len();
    command.args(["-H", &server.url(), "-f", "-v"]).args(words);
    let run = Run::of(command.output().unwrap());
    (run, server.lines().split_off(before))
}

#[test]
fn a_service_is_asked_by_its_newer_routes() {
    let server = Server::start();
    let (cached, queued) = (server.image("cached", "x"), server.image("queued", "y"));
    for (words, requests, said) in [
        (
            vec!["list-cached"],
            vec!["GET /v2/cache".to_string()],
            "Found 1 cached images...",
        ),
        (
            vec!["list-queued"],
            vec!["GET /v2/cache".to_string()],
            "Found 1 queued images...",
        ),
        (
            vec!["queue-image", &queued],
            vec![format!("PUT /v2/cache/{queued}")],
            "Queued image",
        ),
        (
            vec!["delete-cached-image", &cached],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/cache/{cached}"),
            ],
            "Deleted cached image",
        ),
        // One that is queued stays so: the newer route would drop it from there.
        (
            vec!["delete-cached-image", &queued],
            vec!["GET /v2/cache".to_string()],
            "Deleted cached image",
        ),
        (
            vec!["delete-queued-image", &queued],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/cache/{queued}"),
            ],
            "Deleted queued image",
        ),
        (
            vec!["delete-all-cached-images"],
            vec!["GET /v2/cache".to_string(), "DELETE /v2/cache".to_string()],
            "Deleted 1 cached images",
        ),
        (
            vec!["delete-all-queued-images", "--dry-run"],
            vec!["GET /v2/cache".to_string()],
            "Would delete 1 queued images",
        ),
    ] {
        let (run, sent) = against(&server, &words);
        assert_eq!(sent, requests, "{words:?}");
        let text = run.ok();
        assert!(text.starts_with(said), "{text}");
    }
    let nowhere = "88888888-8888-8888-8888-888888888888";
    let (run, sent) = against(&server, &["queue-image", nowhere]);
    assert_eq!(sent, [format!("PUT /v2/cache/{nowhere}")]);
    assert_eq!(run.code, 1);
    assert!(run.text().contains(&format!("Image {nowhere} not found.")));
}

#[test]
fn an_older_service_is_asked_by_its_older_routes() {
    let server = Server::start();
    let id = server.image("x", "x");
    for method in ["GET", "PUT", "DELETE"] {
        let unknown = Answer::page(404, "The resource could not be found.");
        server.on(method, "/v2/cache", 1..=usize::MAX, tricks::say(unknown));
    }
    let (run, sent) = against(&server, &["list-cached"]);
    assert_eq!(sent, ["GET /v2/cache", "GET /v2/cached_images"]);
    assert_eq!(run.code, 1);
    assert!(
        run.text()
            .starts_with("Cache management middleware not enabled on host http")
    );

    let cached = serde_json::json!({"cached_images": [{"image_id": id, "last_accessed": 0,
        "last_modified": 1_763_717_404.5, "size": 1, "hits": 0}]});
    let server = Server::start();
    let id = server.image("x", "x");
    for (method, part, answer) in [
        ("GET", "/v2/cached_images", Answer::json(200, &cached)),
        (
            "GET",
            "/v2/queued_images",
            Answer::json(200, &serde_json::json!({"queued_images": []})),
        ),
        ("PUT", "/v2/queued_images", Answer::empty(200)),
        ("DELETE", "/v2/cached_images/", Answer::empty(200)),
        ("DELETE", "/v2/queued_images/", Answer::empty(200)),
        (
            "DELETE",
            "_images",
            Answer::json(200, &serde_json::json!({"num_deleted": 7})),
        ),
        ("GET", "/v2/cache", Answer::page(404, "no")),
        ("PUT", "/v2/cache", Answer::page(404, "no")),
    ] {
        server.on(method, part, 1..=usize::MAX, tricks::say(answer));
    }
    for (words, requests, said) in [
        (
            vec!["list-cached"],
            vec![
                "GET /v2/cache".to_string(),
                "GET /v2/cached_images".to_string(),
            ],
            "Found 1 cached images...",
        ),
        (
            vec!["list-queued"],
            vec![
                "GET /v2/cache".to_string(),
                "GET /v2/queued_images".to_string(),
            ],
            "No queued images.",
        ),
        (
            vec!["queue-image", &id],
            vec![
                format!("PUT /v2/cache/{id}"),
                format!("PUT /v2/queued_images/{id}"),
            ],
            "Queued image",
        ),
        (
            vec!["delete-queued-image", &id],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/queued_images/{id}"),
            ],
            "Deleted queued image",
        ),
        (
            vec!["delete-cached-image", &id],
            vec![
                "GET /v2/cache".to_string(),
                format!("DELETE /v2/cached_images/{id}"),
            ],
            "Deleted cached image",
        ),
        (
            vec!["delete-all-cached-images"],
            vec![
                "GET /v2/cache".to_string(),
                "DELETE /v2/cached_images".to_string(),
            ],
            "Deleted 7 cached images",
        ),
        (
            vec!["delete-all-queued-images"],
            vec![
                "GET /v2/cache".to_string(),
                "DELETE /v2/queued_images".to_string(),
            ],
            "Deleted 7 queued images",
        ),
    ] {
        let (run, sent) = against(&server, &words);
        assert_eq!(sent, requests, "{words:?}");
        let text = run.ok();
        assert!(text.starts_with(said), "{text}");
    }
}
