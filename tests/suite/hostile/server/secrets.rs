//! What no message may show.

use super::*;

#[test]
fn secrets_are_never_told() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(1000));
    let url = format!("swift+https://user:{SECRET}@host/c/o");
    cloud.server.set(
        &id,
        "locations",
        json!([{"url": url, "metadata": {"password": SECRET}}]),
    );
    cloud.server.set(&id, "direct_url", url.clone());
    cloud.server.on(
        "",
        "",
        1..=usize::MAX,
        tricks::edit(|answer| {
            for (name, value) in [
                ("Set-Cookie", SECRET.to_string()),
                ("X-Subject-Token", SECRET.to_string()),
                ("X-Storage-Url", format!("https://u:{SECRET}@h/x")),
                (
                    "X-Back",
                    format!(
                        "https://h/x?temp_url_sig={SECRET}&X-Amz-Signature={SECRET}&token={SECRET}"
                    ),
                ),
            ] {
                answer.headers.push((name.to_string(), value));
            }
        }),
    );
    let other = format!("s3://{SECRET}:{SECRET}/{SECRET}@host/b");
    let file = cloud.place.write("f.img", data(1000));
    let file = file.to_str().unwrap();
    for words in [
        &["image-list"][..],
        &["image", "list", "--long"],
        &["image-show", &id],
        &["image-download", &id, "--file", "out"],
        &[
            "image-create",
            "--name",
            "n",
            "--disk-format",
            "raw",
            "--container-format",
            "bare",
            "--file",
            file,
        ],
        &["image-show", "nosuch"],
        &["location-add", &id, "--url", &other],
        &["location-update", &id, "--url", &other],
        &[
            "location-update",
            &id,
            "--url",
            &format!("{other}?token={SECRET}"),
        ],
        &[
            "location-delete",
            &id,
            "--url",
            &format!("{other}?token={SECRET}"),
        ],
        &["add-location", &id, "--url", &other],
        &["stores-info"],
    ] {
        let mut words = words.to_vec();
        words.insert(0, "--debug");
        let run = cloud.glance(&words);
        assert!(run.stderr.contains("curl -g -i"), "{}", run.stderr);
    }
    // What is no JSON, or none any more, and what says the token back.
    for (status, content_type, body) in [
        (
            200,
            "application/json",
            format!(r#"{{"password": "{SECRET}", "broken"#),
        ),
        (
            200,
            "application/json",
            format!(
                r#"{{"a": {}"password": "{SECRET}"{}}}"#,
                "{\"b\": ".repeat(300),
                "}".repeat(300)
            ),
        ),
        (200, "text/plain", format!("password={SECRET}")),
        (
            403,
            "text/plain",
            format!("nobody may do this with token {TOKEN}, see http://u:{SECRET}@h/x"),
        ),
        (
            403,
            "application/json",
            json!({"message": format!("token {TOKEN}")}).to_string(),
        ),
        (403, "text/html", format!("<p>X-Auth-Token: {TOKEN}</p>")),
        (
            500,
            "application/json",
            json!({"token": {"id": SECRET}, "secrets": [SECRET], "message": "no"}).to_string(),
        ),
    ] {
        let cloud = Cloud::new();
        cloud
            .server
            .always(tricks::say(Answer::new(status, content_type, body)));
        for words in [
            &["image-list"][..],
            &["--debug", "image-list"],
            &["--debug", "image-download", "x", "--file", "out"],
            &["--debug", "image-create", "--name", "n"],
            &["image", "show", "x"],
        ] {
            cloud.glance(words);
        }
    }
    // A user and password in the address of the service.
    let cloud = Cloud::new();
    for debug in [&["--debug", "image-list"][..], &["image-list"]] {
        let mut command = cloud.command(debug);
        aim(
            &mut command,
            &cloud
                .server
                .url()
                .replace("http://", &format!("http://user:{SECRET}@")),
        );
        finished(Run::of(command.output().unwrap()));
        let mut command = cloud.command(debug);
        aim(&mut command, &format!("http://user:{SECRET}@127.0.0.1:1/"));
        finished(Run::of(command.output().unwrap()));
    }
}
