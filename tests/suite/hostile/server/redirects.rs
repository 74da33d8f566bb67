//! Answers that send us elsewhere.

use super::*;

#[test]
fn redirects_are_followed_and_the_token_stays_at_home() {
    for status in [301, 302, 303, 307, 308] {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", "data");
        let there = Answer::empty(status).with("Location", &format!("/v2/images/{id}?again"));
        cloud.server.on("GET", &id, 1..=1, tricks::say(there));
        let shown = cloud.glance(&["image-show", &id]).ok();
        assert!(shown.contains(&id));
        // Elsewhere, the data may be had; the token is not shown there.
        let (cloud, other) = (Cloud::new(), Server::start());
        let id = cloud.server.image("n", "data");
        let away = Answer::empty(status).with(
            "Location",
            &format!("{}/bucket/key?X-Amz-Signature={SECRET}", other.url()),
        );
        cloud.server.on("GET", "/file", 1..=9, tricks::say(away));
        other.always(tricks::say(Answer::new(200, BINARY, "data")));
        let mut words = vec!["--debug"];
        words.extend(save(First, &id));
        assert_eq!(cloud.glance(&words).code, 0);
        assert_eq!(cloud.saved().as_deref(), Some(b"data".as_slice()));
        let seen = other.requests();
        assert_eq!(seen.len(), 1);
        assert!(
            seen[0]
                .headers
                .iter()
                .all(|(_, value)| !value.contains(TOKEN)),
            "{seen:?}"
        );
        assert_eq!(seen[0].header("x-auth-token"), None);
    }
}

#[test]
fn a_redirect_after_which_the_token_was_missing_is_told() {
    let (cloud, other) = (Cloud::new(), Server::start());
    let away = Answer::empty(302).with("Location", &format!("{}/v2/images", other.url()));
    cloud.server.on("GET", "", 1..=9, tricks::say(away));
    other.always(tricks::say(Answer::new(401, "text/plain", "who are you?")));
    let told = complaint(cloud.glance(&["image-list"]), 1);
    assert!(
        told.contains("to which the token is not sent") && told.contains(&other.url()),
        "{told}"
    );
}

#[test]
fn redirects_that_do_not_end_are_given_up() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", "x");
    let again = Answer::empty(302).with("Location", &format!("/v2/images/{id}"));
    cloud.server.on("GET", "", 1..=99, tricks::say(again));
    let told = complaint(cloud.glance(&["image-show", &id]), 1);
    assert!(told.contains("redirects without end"), "{told}");
    assert!(cloud.server.lines().len() <= 7);
}

#[test]
fn redirects_to_nowhere_are_told() {
    let places = [
        "",
        "ftp://h/x",
        "file:///etc/passwd",
        "http://",
        "http://[",
        "javascript:x",
        "\u{1}",
        "http://127.0.0.1:1/",
    ];
    at_once(places, |place| {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", "x");
        let away = Answer::empty(302).with("Location", place);
        cloud.server.on("GET", "", 1..=99, tricks::say(away));
        complaint(cloud.glance_within(8.0, &["image-show", &id]), 1);
    });
    let cloud = Cloud::new();
    cloud
        .server
        .on("GET", "", 1..=99, tricks::say(Answer::empty(302)));
    let told = complaint(cloud.glance(&["image-list"]), 1);
    assert!(told.contains("302"), "{told}");
}

#[test]
fn what_changes_something_is_not_redirected() {
    for status in [301, 302, 303, 307, 308] {
        let (cloud, other) = (Cloud::new(), Server::start());
        let file = cloud.place.write("f.img", data(300_000));
        let away = Answer::empty(status).with("Location", &format!("{}/v2/images", other.url()));
        cloud
            .server
            .on("POST", "", 1..=9, tricks::say(away.clone()));
        let told = complaint(cloud.glance(&["image-create", "--name", "n"]), 1);
        assert!(told.contains("which is not followed"), "{told}");
        let cloud = Cloud::new();
        cloud
            .server
            .on("PUT", "", 1..=9, tricks::say_early(10, away));
        let told = complaint(cloud.glance(&create(First, file.to_str().unwrap())), 1);
        assert!(told.contains(&status.to_string()), "{told}");
        assert_eq!(other.lines(), Vec::<String>::new());
    }
}
