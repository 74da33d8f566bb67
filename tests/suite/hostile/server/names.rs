//! Ids and names that mean harm.

use super::*;

const ODD_IDS: [&str; 12] = [
    "../../x",
    "..",
    ".",
    "",
    "%2e%2e",
    "a/b",
    "a?b",
    "a#b",
    "x y",
    "a\\..\\b",
    "é\u{202e}",
    "%00",
];

#[test]
fn odd_ids_of_the_user_never_leave_their_place() {
    for id in ODD_IDS {
        let cloud = Cloud::new();
        for words in [
            &["image-show", id][..],
            &["image-delete", id],
            &["image-download", id, "--file", "out"],
            &["image-deactivate", id],
            &["image", "show", id],
        ] {
            complaint(cloud.glance(words), 1);
        }
        complaint(
            cloud.glance(&[
                "image-tag-delete",
                "x",
                if id.is_empty() { "." } else { id },
            ]),
            1,
        );
        for seen in &cloud.server.requests() {
            let path = seen.target.split('?').next().unwrap();
            let parts: Vec<&str> = path.split('/').collect();
            let stays = matches!(parts[..], ["", "v2", "images"] if seen.method == "GET")
                || matches!(parts[..], ["", "v2", "images", id] | ["", "v2", "images", id, "file"]
                    | ["", "v2", "images", id, "actions", "deactivate"] | ["", "v2", "images", "x", "tags", id]
                    if !id.is_empty());
            assert!(stays, "{id}: {}", seen.line());
        }
    }
}

#[test]
fn an_id_with_a_newline_in_it_is_not_that_of_another_image() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", "x");
    let (before, after) = id.split_at(9);
    for odd in [
        format!("{id}\n"),
        format!("\n{id}"),
        format!("{before}\t{after}"),
        format!("{before}\r\n{after}"),
        ".\n.".to_string(),
        "..\n".to_string(),
        "\n".to_string(),
        "\t".to_string(),
    ] {
        for words in [
            &["image-delete", &odd][..],
            &["image-deactivate", &odd],
            &["image-tag-update", &odd, "t"],
            &["image-download", "--file", "out", &odd],
        ] {
            assert_eq!(cloud.glance(words).code, 1, "{words:?}");
        }
        for seen in &cloud.server.requests() {
            assert!(seen.target.starts_with("/v2/images/"), "{}", seen.line());
            assert!(!seen.target.contains("images//"), "{}", seen.line());
            assert_ne!(seen.target.split('/').nth(3), Some(&*id), "{}", seen.line());
        }
    }
    assert_eq!(cloud.server.only().record["status"], "active");
}

#[test]
fn odd_ids_of_the_server_never_leave_their_place() {
    for id in ODD_IDS
        .iter()
        .chain(&["id\nX-Evil: 1", "id\r\n\r\nGET /", "\u{1b}[2J", "\0"])
    {
        let cloud = Cloud::new();
        let record = json!({"id": id, "name": "n", "status": "queued", "tags": []});
        let answer = tricks::say(Answer::json(201, &record));
        cloud.server.on("POST", "/v2/images", 1..=9, answer);
        let page = Answer::json(200, &json!({"images": [record]}));
        cloud
            .server
            .on("GET", "/v2/images?", 1..=9, tricks::say(page));
        let file = cloud.place.write("f.img", data(10));
        cloud.glance(&create(First, file.to_str().unwrap()));
        cloud.glance(&create(Second, file.to_str().unwrap()));
        cloud.glance(&["image", "delete", "n"]);
        cloud.glance(&["image", "save", "n", "--file", "out"]);
        cloud.glance(&["image-list"]);
        for seen in &cloud.server.requests() {
            let path = seen.target.split('?').next().unwrap();
            let parts: Vec<&str> = path.split('/').collect();
            let stays = matches!(parts[..], ["", "v2", "images"]) && seen.method != "DELETE"
                || matches!(parts[..], ["", "v2", "images", id] | ["", "v2", "images", id, "file"]
                    if !id.is_empty());
            assert!(stays, "{id}: {}", seen.line());
            assert_eq!(seen.header("x-evil"), None);
        }
        let names = files(&cloud.place.file(""));
        assert!(names.iter().all(|name| name == "f.img"), "{names:?}");
    }
}

#[test]
fn names_do_not_reach_the_terminal_raw() {
    let name = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}\r\u{202e}\u{8}";
    let cloud = Cloud::new();
    let id = cloud.server.image(name, "x");
    cloud.server.set(&id, "os_\u{1b}[2J", "\u{1b}[3J");
    for words in [
        &["image-list"][..],
        &["image-show", &id],
        &["image", "list", "--long"],
        &["image", "show", &id],
        &["image", "list", "-f", "csv"],
        &["image", "show", &id, "-f", "value"],
        &["image", "list", "-f", "json"],
        &["image", "show", &id, "-f", "yaml"],
        &["--debug", "image-show", &id],
    ] {
        let shown = cloud.at_a_terminal(words);
        assert!(shown.contains("owned"), "{shown}");
        // The terminal itself ends lines with a carriage return.
        assert!(
            !shown.replace("\r\n", "\n").contains(is_raw),
            "{words:?}: {shown:?}"
        );
    }
    for (content_type, body) in [
        (
            "text/plain",
            "first\nsecond\r\n\u{1b}[31mthird\t\u{7}".to_string(),
        ),
        (
            "text/html",
            "<b>first</b>\n\u{1b}]0;x\u{7}<br/>\r\nsecond".to_string(),
        ),
        (
            "application/json",
            json!({"a": {"message": "one\ntwo"}, "b": {"message": "\u{1b}c"}}).to_string(),
        ),
        (
            "application/json",
            json!({"message": "x\n\n\nHint: rm -rf /\n"}).to_string(),
        ),
        ("text/plain", "long ".repeat(1_000_000)),
        (
            "text/html",
            (0..1_000_000).fold(String::new(), |page, line| page + &line.to_string() + "\n"),
        ),
    ] {
        let cloud = Cloud::new();
        cloud
            .server
            .always(tricks::say(Answer::new(404, content_type, body)));
        for words in [
            &["image-list"][..],
            &["image", "show", "x"],
            &["image-download", "x", "--file", "out"],
        ] {
            let told = complaint(cloud.glance_within(5.0, words), 1);
            assert!(told.len() < 5000, "{}", told.len());
        }
        // A listener shows all of it, and no raw character either.
        cloud.glance(&["--debug", "image-list"]);
    }
}
