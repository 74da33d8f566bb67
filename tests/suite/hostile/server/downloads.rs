//! Data from a server that breaks off, lies, or does not end.

use super::*;

#[test]
fn a_download_that_is_cut_goes_on_where_it_was() {
    let content = data(LARGE);
    for grammar in [First, Second] {
        at_once([0, 1, 65_537, 262_144, 5_000_000, LARGE - 1], |cut| {
            let cloud = Cloud::new();
            let id = cloud.server.image("n", &content);
            cloud
                .server
                .on("GET", "/file", 1..=1, tricks::cut_body(cut));
            cloud.glance(&save(grammar, &id)).ok();
            assert_eq!(cloud.saved().as_deref(), Some(&content[..]));
            let requests = cloud.server.requests();
            let requests: Vec<_> = requests
                .iter()
                .filter(|seen| seen.target.ends_with("/file"))
                .collect();
            assert_eq!(requests.len(), 2);
            let range = requests[1].header("range").unwrap();
            let from: usize = range
                .trim_start_matches("bytes=")
                .trim_end_matches('-')
                .parse()
                .unwrap();
            assert!(from <= cut, "{range}");
        });
    }
}

#[test]
fn a_download_is_whole_wherever_the_answer_is_cut() {
    let content = data(1000);
    at_once((0..1100).step_by(29), |cut| {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", &content);
        cloud
            .server
            .on("GET", "/file", 1..=1, tricks::cut_answer(cut));
        cloud.glance(&save(First, &id)).ok();
        assert_eq!(cloud.saved().as_deref(), Some(&content[..]), "cut at {cut}");
    });
}

#[test]
fn a_download_goes_on_with_whatever_the_server_makes_of_a_range() {
    let content = data(LARGE);
    let whole = content.clone();
    let ranges: Vec<(&str, crate::support::glance::Trick)> = vec![
        (
            "200 with all of it",
            tricks::edit({
                let content = content.clone();
                move |answer| {
                    *answer = Answer::new(200, BINARY, content.clone());
                }
            }),
        ),
        (
            "206 with all of it",
            tricks::edit({
                let content = content.clone();
                move |answer| {
                    let range = format!("bytes 0-{}/{}", LARGE - 1, LARGE);
                    *answer =
                        Answer::new(206, BINARY, content.clone()).with("Content-Range", &range);
                }
            }),
        ),
        (
            "a part of what was asked for",
            tricks::edit(|answer| answer.body.truncate(1_000_000)),
        ),
    ];
    for (name, trick) in ranges {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", &whole);
        cloud
            .server
            .on("GET", "/file", 1..=1, tricks::cut_body(5_000_000));
        cloud.server.on("GET", "/file", 2..=2, trick);
        cloud.glance(&save(First, &id)).ok();
        assert_eq!(cloud.saved().as_deref(), Some(&content[..]), "{name}");
    }
}

#[test]
fn a_download_is_given_up_when_it_cannot_go_on() {
    let content = data(600_000);
    let refuse = |status| tricks::say(Answer::page(status, "No such thing as a range."));
    let shift = |by: i64| {
        tricks::edit(move |answer| {
            for (name, value) in &mut answer.headers {
                if name == "Content-Range" {
                    let from: i64 = value[6..].split('-').next().unwrap().parse().unwrap();
                    *value = format!("bytes {}-599999/600000", from + by);
                }
            }
        })
    };
    let without =
        || tricks::edit(|answer| answer.headers.retain(|(name, _)| name != "Content-Range"));
    let garble = || {
        tricks::edit(|answer| {
            answer.headers.retain(|(name, _)| name != "Content-Range");
            answer
                .headers
                .push(("Content-Range".to_string(), "bytes */600000".to_string()));
        })
    };
    let lie = tricks::edit(|answer| {
        // The whole of it, called the rest.
        let whole = data(600_000);
        answer.body = whole;
    });
    let cases: Vec<(&str, crate::support::glance::Trick, &str)> = vec![
        ("400", refuse(400), "No such thing"),
        ("416", refuse(416), "corrupt"),
        ("404", refuse(404), "No such thing"),
        ("403", refuse(403), "No such thing"),
        ("too far", shift(1), "part"),
        ("not far enough", shift(-1), "part"),
        ("no range", without(), "part"),
        ("no number", garble(), "part"),
        ("whole, called the rest", lie, "corrupt"),
        ("204", tricks::say(Answer::empty(204)), "part"),
    ];
    at_once(cases, |(name, trick, about)| {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", &content);
        cloud
            .server
            .on("GET", "/file", 1..=1, tricks::cut_body(300_000));
        cloud.server.on("GET", "/file", 2..=99, trick);
        cloud.place.write("out", "before");
        let told = complaint(cloud.glance_within(10.0, &save(First, &id)), 1);
        assert!(told.contains(about), "{name}: {told}");
        assert_eq!(
            cloud.saved().as_deref(),
            Some(b"before".as_slice()),
            "{name}"
        );
    });
    // The server that always hangs up at the same place.
    let cloud = Cloud::new();
    let id = cloud.server.image("n", &content);
    cloud.server.on("GET", "/file", 1..=99, tricks::cut_body(0));
    let told = complaint(cloud.glance_within(15.0, &save(Second, &id)), 1);
    assert!(
        told.contains("failed: end of file") && told.contains("Try again"),
        "{told}"
    );
    assert_eq!(cloud.saved(), None);
}

#[test]
fn data_that_was_changed_on_the_way_is_not_kept() {
    let content = data(600_000);
    for at in [0, 262_143, 262_144, 599_999] {
        for grammar in [First, Second] {
            let cloud = Cloud::new();
            let id = cloud.server.image("n", &content);
            let flip = move |answer: &mut Answer| answer.body[at] ^= 0x10;
            cloud.server.on("GET", "/file", 1..=9, tricks::edit(flip));
            cloud.nothing_is_saved("a bit", &save(grammar, &id), "corrupt");
        }
    }
    // On standard output it cannot be taken back, but it is told.
    let cloud = Cloud::new();
    let id = cloud.server.image("n", &content);
    cloud.server.on(
        "GET",
        "/file",
        1..=9,
        tricks::edit(|answer| answer.body[5] ^= 1),
    );
    let told = complaint(cloud.glance(&["image-download", &id]), 1);
    assert!(told.contains("corrupt"), "{told}");
}

#[test]
fn data_of_the_wrong_length_is_not_kept() {
    let content = data(300_000);
    let cases: Vec<(&str, crate::support::glance::Trick, &str)> = vec![
        (
            "more bytes than the record says",
            tricks::edit(|answer| answer.body.push(0)),
            "corrupt",
        ),
        (
            "a length below zero",
            tricks::raw("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nxxxxx"),
            "",
        ),
        (
            "two lengths",
            tricks::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nxxxxxxx"),
            "",
        ),
        (
            "a length that is none",
            tricks::raw("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx"),
            "",
        ),
        (
            "a chunk without end",
            tricks::raw(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
            ),
            "",
        ),
        (
            "a chunk that is none",
            tricks::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx"),
            "",
        ),
        (
            "an end that nobody announced",
            tricks::raw("HTTP/1.1 200 OK\r\n\r\nxxxxx"),
            "",
        ),
    ];
    at_once(cases, |(name, trick, about)| {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", &content);
        cloud.server.on("GET", "/file", 1..=99, trick);
        cloud.nothing_is_saved(name, &save(First, &id), about);
    });
    // A length that is too long does no harm to data that is right.
    let cloud = Cloud::new();
    let id = cloud.server.image("n", &content);
    let longer = Box::new(|exchange: &mut crate::support::glance::Exchange<'_>| {
        let answer = exchange.usual().unwrap().with("Content-Length", "400000");
        exchange.write(&answer.bytes());
        Then::Close
    });
    cloud.server.on("GET", "/file", 1..=1, longer);
    cloud.glance(&save(First, &id)).ok();
    assert_eq!(cloud.saved().as_deref(), Some(&content[..]));
    // A body that is too short by its own account is made whole.
    let cloud = Cloud::new();
    let id = cloud.server.image("n", &content);
    cloud.server.on(
        "GET",
        "/file",
        1..=1,
        tricks::edit(|answer| answer.body.truncate(299_999)),
    );
    cloud.glance(&save(First, &id)).ok();
    assert_eq!(cloud.saved().as_deref(), Some(&content[..]));
}

#[test]
fn a_record_that_lies_about_the_data_is_not_believed() {
    let lies: [(&str, Value); 6] = [
        ("size", json!(299_999)),
        ("size", json!(300_001)),
        ("size", json!(0)),
        ("size", json!(u64::MAX)),
        ("os_hash_value", json!("0".repeat(128))),
        ("os_hash_value", json!("")),
    ];
    for (name, value) in lies {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", data(300_000));
        cloud.server.set(&id, name, value);
        cloud.nothing_is_saved(name, &save(First, &id), "image");
    }
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(300_000));
    cloud.server.set(&id, "os_hash_algo", "rot13");
    cloud.nothing_is_saved("", &save(First, &id), "rot13");
}

#[test]
fn data_without_end_is_not_kept() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(3_000_000));
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    cloud.server.on(
        "GET",
        "/file",
        1..=99,
        tricks::endless(head, vec![7; 65_536]),
    );
    cloud.nothing_is_saved("", &save(First, &id), "more than its");
    let chunk = [b"10000\r\n".as_slice(), &vec![7; 65_536], b"\r\n"].concat();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(3_000_000));
    cloud
        .server
        .on("GET", "/file", 1..=99, tricks::endless(head, chunk));
    cloud.nothing_is_saved("", &save(Second, &id), "more than its");
}

#[test]
fn an_image_without_data_is_an_error_or_an_empty_file_and_never_a_lie() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(300));
    cloud
        .server
        .on("GET", "/file", 1..=99, tricks::say(Answer::empty(204)));
    // The record says that there are data.
    cloud.nothing_is_saved("", &save(Second, &id), "corrupt");
    cloud.nothing_is_saved("", &save(First, &id), "has no data");
}

/// What a case is called, the requests that it is about, what happens to them, and what is told of it.
type Case<'a> = (
    &'a str,
    std::ops::RangeInclusive<usize>,
    Option<crate::support::glance::Trick>,
    Option<&'a str>,
);

#[test]
fn parts_are_put_together_where_the_server_keeps_to_them() {
    let content = data(LARGE);
    let whole = || {
        let content = content.clone();
        tricks::edit(move |answer| *answer = Answer::new(200, BINARY, content.clone()))
    };
    let flipped = || {
        tricks::edit(|answer| {
            let last = answer.body.len() - 1;
            answer.body[last] ^= 1;
        })
    };
    let saving = |cloud: &Cloud, id: &str| {
        let words = ["--parallel", "3", "image-download", id, "--file", "out"];
        cloud.glance(&words)
    };
    let cases: [Case<'_>; 5] = [
        ("honest", 1..=1, None, None),
        ("a part is cut", 2..=2, Some(tricks::cut_body(70_000)), None),
        ("no parts at all", 1..=99, Some(whole()), None),
        (
            "all of it for the second part",
            2..=2,
            Some(whole()),
            Some("all data instead of a part"),
        ),
        ("a flipped byte", 2..=2, Some(flipped()), Some("corrupt")),
    ];
    for (name, which, trick, wrong) in cases {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", &content);
        if let Some(trick) = trick {
            cloud.server.on("GET", "/file", which, trick);
        }
        let run = saving(&cloud, &id);
        match wrong {
            None => {
                run.ok();
                assert_eq!(cloud.saved().as_deref(), Some(&content[..]), "{name}");
            }
            Some(about) => {
                let told = complaint(run, 1);
                assert!(told.contains(about), "{name}: {told}");
                assert_eq!(cloud.saved(), None, "{name}");
            }
        }
    }
}
