//! Servers that are not there, and addresses in every form.

use super::*;

#[test]
fn servers_that_are_not_there_are_told() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let cases = [
        (format!("http://{free}"), "cannot connect"),
        (
            "http://nosuch.invalid:9292".to_string(),
            "cannot be resolved",
        ),
        (format!("https://{free}"), "cannot connect"),
        ("http://127.0.0.1:0".to_string(), "cannot connect"),
    ];
    for (url, about) in cases {
        for words in [
            &["image-list"][..],
            &["image", "create", "n"],
            &["image-show", "x"],
        ] {
            let mut command = place.command("/usr/bin/timeout");
            command.args(["-k", "1", "20", GLANCE]).args(words);
            aim(&mut command, &url);
            let told = complaint(finished(Run::of(command.output().unwrap())), 1);
            assert!(
                told.contains(about) && told.contains("Hint"),
                "{url}: {told}"
            );
        }
    }
    // A server that speaks no TLS, where TLS is meant.
    let server = Server::start();
    let mut command = place.command("/usr/bin/timeout");
    command.args(["-k", "1", "20", GLANCE, "image-list"]);
    aim(&mut command, &server.url().replace("http:", "https:"));
    complaint(finished(Run::of(command.output().unwrap())), 1);
}

#[test]
fn addresses_lead_to_the_service_in_every_form() {
    let forms: [(&str, &[&str]); 2] = [
        ("", &["", "/", "/v2", "/v2/", "/v2.1/", "//"]),
        ("/image", &["/image", "/image/", "/image/v2", "/image/v2/"]),
    ];
    for (mount, paths) in forms {
        let server = Server::start_at(mount);
        let place = Place::new();
        let id = server.image("n", "x");
        for path in paths {
            let mut command = place.command(GLANCE);
            command.args(["image-show", &id]);
            aim(&mut command, &format!("{}{path}", server.url()));
            let shown = finished(Run::of(command.output().unwrap()));
            assert_eq!(shown.code, 0, "{path}: {}", shown.stderr);
            let line = server.lines().pop().unwrap();
            assert_eq!(line, format!("GET {mount}/v2/images/{id}"), "{path}");
        }
        // One that leads elsewhere is told in one line.
        let mut command = place.command(GLANCE);
        command.args(["image-list"]);
        aim(&mut command, &format!("{}/elsewhere", server.url()));
        complaint(finished(Run::of(command.output().unwrap())), 1);
    }
}

#[test]
fn options_lead_to_the_service_in_both_grammars() {
    let (place, server) = (Place::new(), Server::start());
    let id = server.image("n", "x");
    let url = server.url();
    let options = [
        "--timeout",
        "9",
        "--os-auth-token",
        TOKEN,
        "--os-image-url",
        &url,
    ];
    for words in [&["image-show", &id][..], &["image", "show", &id]] {
        let mut command = place.command(GLANCE);
        let run = command.args(options).args(words).output().unwrap();
        assert_eq!(finished(Run::of(run)).code, 0, "{words:?}");
    }
    assert_eq!(server.count("GET", &id), 2);
}
