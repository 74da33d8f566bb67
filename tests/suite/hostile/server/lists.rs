//! Lists without an end, and pages elsewhere.

use super::*;

#[test]
fn lists_that_do_not_end_are_given_up() {
    let images = |from: usize, count: usize| {
        let image = |n: usize| json!({"id": format!("id-{n}"), "name": "n", "status": "active"});
        (from..from + count).map(image).collect::<Vec<Value>>()
    };
    let page = |images: Vec<Value>, next: &str| {
        Answer::json(200, &json!({"images": images, "next": next}))
    };
    // The same next page each time; two that name each other; markers that change while the images do not.
    let round = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&round);
    let cases: Vec<crate::support::glance::Trick> = vec![
        tricks::say(page(images(0, 3), "/v2/images?marker=id-2")),
        tricks::say(page(images(0, 3), "/v2/images?limit=1000")),
        tricks::say(page(images(0, 3), "")),
        Box::new(move |exchange| {
            let odd = count.fetch_add(1, Ordering::Relaxed) % 2;
            let next = format!("/v2/images?marker=id-{odd}");
            exchange.send(&page(images(odd as usize * 3, 3), &next))
        }),
        {
            let round = Arc::new(AtomicU64::new(0));
            Box::new(move |exchange| {
                let next = format!(
                    "/v2/images?marker={}",
                    round.fetch_add(1, Ordering::Relaxed)
                );
                exchange.send(&page(images(0, 3), &next))
            })
        },
    ];
    for (number, trick) in cases.into_iter().enumerate() {
        let cloud = Cloud::new();
        cloud.server.on("GET", "/v2/images", 1..=usize::MAX, trick);
        for words in [&["image-list"][..], &["image", "list"]] {
            let run = cloud.glance_within(8.0, words);
            let told = complaint(run, 1);
            assert!(told.contains("endless"), "{number}: {told}");
        }
        assert!(cloud.server.lines().len() < 20, "{number}");
    }
}

#[test]
fn a_page_without_images_is_the_last_one() {
    let cloud = Cloud::new();
    let empty = Answer::json(200, &json!({"images": [], "next": "/v2/images?marker=x"}));
    cloud
        .server
        .on("GET", "/v2/images", 1..=99, tricks::say(empty));
    cloud.glance(&["image-list"]).ok();
    cloud.glance(&["image", "list"]).ok();
    assert_eq!(cloud.server.lines().len(), 2);
}

#[test]
fn a_long_list_is_not_held_in_memory_more_than_it_must() {
    let cloud = Cloud::new();
    let round = AtomicU64::new(0);
    let pages = Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
        let page = round.fetch_add(1, Ordering::Relaxed);
        let image = |n: u64| json!({"id": format!("{page}-{n}"), "name": "n".repeat(100), "status": "active", "p": "v".repeat(500)});
        let images: Vec<Value> = (0..1000).map(image).collect();
        let mut body = json!({"images": images});
        if page < 60 {
            body["next"] = json!(format!("/v2/images?marker={page}-999"));
        }
        exchange.send(&Answer::json(200, &body))
    });
    cloud.server.on("GET", "/v2/images", 1..=99, pages);
    let listed = cloud.glance(&["image-list"]).ok();
    assert_eq!(listed.lines().count(), 61_000 + 4);
}

#[test]
fn the_next_page_is_never_asked_of_another_server() {
    for next in [
        "{evil}/v2/images?marker=id-0",
        "//{host}/v2/images?marker=id-0",
        "http:{host}/v2/images?marker=id-0",
        "/v2/../../other?marker=id-0",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ] {
        let (cloud, evil) = (Cloud::new(), Server::start());
        let next = next.replace("{evil}", &evil.url());
        let next = next.replace("{host}", evil.url().trim_start_matches("http://"));
        let images = json!([{"id": "id-0", "name": "n", "status": "active"}]);
        let first = Answer::json(200, &json!({"images": images, "next": next}));
        cloud
            .server
            .on("GET", "/v2/images", 1..=1, tricks::say(first));
        cloud.glance(&["image-list"]);
        assert_eq!(evil.lines(), Vec::<String>::new(), "{next}");
        for line in cloud.server.lines() {
            assert!(line.starts_with("GET /v2/images?"), "{line}");
        }
    }
    let cloud = Cloud::new();
    let images = json!([{"id": "id-0", "name": "n", "status": "active"}]);
    let nonsense = Answer::json(200, &json!({"images": images, "next": "http://[::1"}));
    cloud
        .server
        .on("GET", "/v2/images", 1..=9, tricks::say(nonsense));
    complaint(cloud.glance(&["image-list"]), 1);
}
