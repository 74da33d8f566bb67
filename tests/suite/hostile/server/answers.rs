//! Answers that are none.

use super::*;

#[test]
fn answers_that_are_no_images_are_told() {
    let id = "00000001-0000-4000-8000-000000000001";
    let image = |name: &str, value: Value| {
        let mut image = json!({"id": id, "name": "n", "status": "active"});
        image[name] = value;
        image.to_string()
    };
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", b"".to_vec()),
        (
            "HTML",
            b"<html><body>Welcome to the router</body></html>".to_vec(),
        ),
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999".to_vec()),
        ("half an object", br#"{"id": "x", "na"#.to_vec()),
        (
            "two objects",
            br#"{"id": "x", "status": "active"}{}"#.to_vec(),
        ),
        ("no id", br#"{"name": "n", "status": "active"}"#.to_vec()),
        ("an empty id", br#"{"id": "", "status": "active"}"#.to_vec()),
        ("no status", br#"{"id": "x"}"#.to_vec()),
        (
            "an unknown status",
            image("status", json!("\u{1b}[31mfine")).into_bytes(),
        ),
        ("a number as id", image("id", json!(5)).into_bytes()),
        ("a size below zero", image("size", json!(-1)).into_bytes()),
        ("a size in words", image("size", json!("many")).into_bytes()),
        ("a broken size", image("size", json!(1.5)).into_bytes()),
        ("a huge size", image("size", json!(1e300)).into_bytes()),
        (
            "a time that is none",
            image("created_at", json!("yesterday")).into_bytes(),
        ),
        (
            "a time far away",
            image("created_at", json!("999999-01-01T00:00:00Z")).into_bytes(),
        ),
        (
            "tags that are none",
            image("tags", json!({"a": 1})).into_bytes(),
        ),
        ("deep JSON", deep.clone().into_bytes()),
        (
            "a deep property",
            format!(r#"{{"id": "x", "status": "active", "p": {deep}}}"#).into_bytes(),
        ),
        (
            "invalid UTF-8",
            b"{\"id\": \"x\", \"status\": \"active\", \"name\": \"\xff\xfe\"}".to_vec(),
        ),
        (
            "half a surrogate",
            br#"{"id": "x", "status": "active", "name": "\ud800"}"#.to_vec(),
        ),
        ("zeros", vec![0; 1000]),
    ];
    at_once(bodies, |(name, body)| {
        let cloud = Cloud::new();
        cloud.server.always(tricks::say(Answer::new(
            200,
            "application/json",
            body.clone(),
        )));
        for words in [
            &["image-show", id][..],
            &["image-list"],
            &["image", "list"],
            &["image", "show", id],
            &["image-create", "--name", "n"],
            &["stores-info"],
            &["image-download", id, "--file", "out"],
        ] {
            let told = complaint(cloud.glance_within(5.0, words), 1);
            assert!(
                told.contains("unexpected response from") && told.len() < 1000,
                "{name} {words:?}: {told}"
            );
        }
        assert_eq!(cloud.saved(), None);
        // In a list, one of them spoils it.
        let list = [br#"{"images": ["#.as_slice(), &body, b"]}"].concat();
        let cloud = Cloud::new();
        cloud
            .server
            .always(tricks::say(Answer::new(200, "application/json", list)));
        if !name.starts_with("nothing") && name != "two objects" {
            complaint(cloud.glance_within(5.0, &["image-list"]), 1);
        }
    });
}

#[test]
fn numbers_that_are_large_are_shown_as_they_are() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", "x");
    for (name, number) in [
        ("size", json!(u64::MAX)),
        ("virtual_size", json!(i64::MAX)),
        ("min_ram", json!(i64::MAX)),
        ("min_disk", json!(i64::MIN)),
    ] {
        cloud.server.set(&id, name, number.clone());
        let shown = cloud.glance(&["image-show", &id]).ok();
        assert!(shown.contains(&number.to_string()), "{shown}");
        cloud.glance(&["image-show", "--human-readable", &id]).ok();
        cloud
            .glance(&["image", "show", "--human-readable", &id])
            .ok();
        cloud.glance(&["image", "list", "--long"]).ok();
    }
}

#[test]
fn every_status_that_is_no_success_is_told() {
    let statuses = [
        300, 302, 304, 400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 415, 416, 418, 426, 428,
        431, 451, 499, 500, 501, 505, 507, 511, 599, 600, 999,
    ];
    at_once(statuses, |status| {
        let cloud = Cloud::new();
        cloud.server.always(tricks::say(Answer::empty(status)));
        for words in [
            &["image-list"][..],
            &["image", "show", "x"],
            &["image-download", "x", "--file", "out"],
            &["image-create", "--name", "n"],
            &["image-delete", "x"],
        ] {
            let told = complaint(cloud.glance_within(5.0, words), 1);
            // These have words of their own in the clients.
            let own = [401, 403, 404, 409].contains(&status);
            assert!(
                told.contains(&status.to_string()) || own,
                "{status} {words:?}: {told}"
            );
        }
        assert_eq!(cloud.saved(), None);
    });
    // Those that ask to try again are tried again, a few times.
    at_once([429, 502, 503, 504], |status| {
        let cloud = Cloud::new();
        cloud.server.always(tricks::say(Answer::empty(status)));
        let told = complaint(cloud.glance_within(10.0, &["image-list"]), 1);
        assert!(told.contains(&status.to_string()), "{told}");
        assert_eq!(cloud.server.lines().len(), 4);
    });
}

#[test]
fn a_success_of_another_kind_is_no_record() {
    for status in [200, 201, 202, 203, 204, 205, 206, 226, 299] {
        let cloud = Cloud::new();
        cloud.server.always(tricks::say(Answer::empty(status)));
        for words in [
            &["image-list"][..],
            &["image-show", "x"],
            &["image-create", "--name", "n"],
        ] {
            complaint(cloud.glance_within(5.0, words), 1);
        }
    }
}

#[test]
fn a_token_that_ends_is_told() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(600_000));
    let file = cloud.place.write("f.img", data(600_000));
    let ended = || {
        Answer::json(
            401,
            &json!({"error": {"message": "The token has expired."}}),
        )
    };
    cloud
        .server
        .on("GET", "/file", 1..=1, tricks::cut_body(300_000));
    cloud.server.on("GET", "/file", 2..=9, tricks::say(ended()));
    let told = complaint(cloud.glance(&save(First, &id)), 1);
    assert!(told.contains("The token has expired"), "{told}");
    assert_eq!(cloud.saved(), None);
    cloud
        .server
        .on("PUT", "/file", 1..=9, tricks::say_early(100, ended()));
    let told = complaint(cloud.glance(&create(First, file.to_str().unwrap())), 1);
    assert!(told.contains("The token has expired"), "{told}");
    assert!(told.contains("Hint"), "{told}");
    let cloud = Cloud::new();
    cloud.server.always(tricks::say(ended()));
    for words in [
        &["image-list"][..],
        &["image", "list"],
        &["image-show", "x"],
    ] {
        let told = complaint(cloud.glance(words), 1);
        assert!(told.contains("The token has expired"), "{told}");
        assert!(told.contains("Hint"), "{told}");
    }
}

#[test]
fn what_is_no_http_is_told() {
    let pile = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n\r\n",
        format!("X-Pile: {}\r\n", "x".repeat(5000)).repeat(1000)
    );
    let one = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n{{}}",
        "x".repeat(5_000_000)
    );
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("garbage", data(5000)),
        ("a greeting", b"SSH-2.0-OpenSSH_9.7\r\n".to_vec()),
        ("mail", b"220 mail.example.org ESMTP\r\n".to_vec()),
        ("TLS", vec![0x15, 3, 3, 0, 2, 2, 70]),
        ("half a status", b"HTTP/1.1 2".to_vec()),
        ("a wrong version", b"HTTP/9.9 200 OK\r\n\r\n".to_vec()),
        ("a wrong status", b"HTTP/1.1 abc OK\r\n\r\n".to_vec()),
        ("a short status", b"HTTP/1.1 2 OK\r\n\r\n".to_vec()),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec()),
        (
            "a header without a name",
            b"HTTP/1.1 200 OK\r\n: x\r\n\r\n".to_vec(),
        ),
        (
            "a header with zeros",
            b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n".to_vec(),
        ),
        ("many headers", pile.into_bytes()),
        ("a long header", one.into_bytes()),
        (
            "another protocol",
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n".to_vec(),
        ),
        (
            "to go on, for ever",
            b"HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000),
        ),
    ];
    at_once(cases, |(name, bytes)| {
        let cloud = Cloud::new();
        cloud.server.always(tricks::raw(bytes));
        for words in [
            &["image-list"][..],
            &["image-create", "--name", "n"],
            &["image", "show", "x"],
        ] {
            let told = complaint(cloud.glance_within(8.0, words), 1);
            assert!(told.len() < 1000, "{name}: {told}");
            let place = if told.contains("101") {
                "101"
            } else {
                &cloud.server.url()
            };
            assert!(told.contains(place), "{name}: {told}");
        }
        let id = cloud.server.image("n", "x");
        complaint(cloud.glance_within(8.0, &save(First, &id)), 1);
        assert_eq!(cloud.saved(), None);
    });
}

#[test]
fn headers_that_are_no_text_do_no_harm() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", "x");
    let record = json!(cloud.server.only().record).to_string();
    let mut bytes = format!(
        "HTTP/1.1 200 \u{1b}[31mOK\r\nContent-Length: {}\r\nX-Odd: ",
        record.len()
    )
    .into_bytes();
    bytes.extend(b"\xff\xfe\x80\r\nContent-Type: \xff\r\n\r\n");
    bytes.extend(record.as_bytes());
    cloud.server.always(tricks::raw(bytes.clone()));
    let plain = cloud.glance(&["image-show", &id]);
    assert!(matches!(plain.code, 0 | 1), "{plain:?}");
    assert!(matches!(
        cloud.glance(&["--debug", "image-show", &id]).code,
        0 | 1
    ));
}

#[test]
fn json_without_end_is_given_up_in_little_memory() {
    let mut cloud = Cloud::new();
    cloud.memory = LARGEST_MEMORY;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"images\": [";
    cloud
        .server
        .always(tricks::endless(head, " ".repeat(65_536)));
    for words in [
        &["image-list"][..],
        &["image-show", "x"],
        &["image-create", "--name", "n"],
    ] {
        let told = complaint(cloud.glance_within(20.0, words), 1);
        assert!(told.contains("too large"), "{told}");
    }
    // One that says beforehand how large it is is not read at all.
    let cloud = Cloud::new();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{\"images\": [";
    cloud
        .server
        .always(tricks::endless(head, " ".repeat(65_536)));
    let told = complaint(cloud.glance_within(5.0, &["image-list"]), 1);
    assert!(told.contains("too large"), "{told}");
}
