//! What is said when a cloud lets nobody in, what `--debug` shows, and clouds and projects by their names.

use serde_json::json;

use super::{demo, glance, with};
use crate::support::Place;
use crate::support::keystone::{Server, catalog, refusal, reply, token_reply};

#[test]
fn a_cloud_of_clouds_yaml_is_reached_in_both_grammars() {
    let (server, place) = (Server::cloud(0), Place::new());
    let cloud = format!(
        "clouds:\n  My.Cloud:\n    auth:\n      auth_url: {}\n      username: demo\n      project_name: own\n    region_name: Two\n",
        server.url
    );
    place.write("clouds.yaml", cloud);
    place.write(
        "secure.yaml",
        "clouds: {My.Cloud: {auth: {password: right}}}\n",
    );
    glance(&place, &["--os-cloud", "My.Cloud", "image-list"], &[]).ok();
    glance(&place, &["image", "list"], &[("OS_CLOUD", "My.Cloud")]).ok();
    assert_eq!(server.counts(), (1, 2));
    let run = glance(&place, &["--os-cloud", "my.cloud", "image-list"], &[]);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stderr,
        "Cloud my.cloud was not found.\nHint: Clouds in secure.yaml and clouds.yaml: My.Cloud.\n"
    );
    place.write("clouds.yaml", "clouds:\n  a: [\n  b: {");
    let run = glance(&place, &["--os-cloud", "a", "image-list"], &[]);
    assert!(run.stderr.starts_with("clouds.yaml:3: "), "{}", run.stderr);
}

/// Variables, what is said because of them, and what the hint holds; no hint where that is empty.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn each_failure_is_one_line_and_a_hint() {
    let (server, place) = (Server::cloud(0), Place::new());
    let empty = Server::new(|_, _| token_reply("t", 3600, &json!([])));
    let other = Server::new(|_, _| {
        token_reply(
            "t",
            3600,
            &json!([{"id": "n", "name": "nova", "type": "compute", "endpoints": []}]),
        )
    });
    let none = Server::new(|_, _| reply(200, json!({"hello": "world"})));
    let missing = Server::new(|_, _| refusal(404, "Not found."));
    let choices = Server::new(|_, _| reply(300, json!({"versions": []})));
    let refused = "http://127.0.0.1:1";
    let cases: [Case; 15] = [
        (
            &[("OS_REGION_NAME", "Nope")],
            "public endpoint for image service in Nope region not found",
            "Regions it is in: One, Two",
        ),
        (
            &[("OS_INTERFACE", "admin")],
            "admin endpoint for image service not found",
            "Interfaces it has there: internal, public",
        ),
        (
            &[("OS_SERVICE_TYPE", "imagine")],
            "there is no service of type imagine in the catalogue",
            "It has: compute, image.",
        ),
        (
            &[("OS_AUTH_URL", &empty.url)],
            "The service catalog is empty.",
            "",
        ),
        (
            &[("OS_AUTH_URL", &empty.url), ("OS_PROJECT_NAME", "")],
            "The service catalog is empty.",
            "--os-project-name",
        ),
        (
            &[("OS_AUTH_URL", &other.url)],
            "there is no service of type image in the catalogue",
            "It has: compute.",
        ),
        (
            &[("OS_AUTH_URL", &none.url)],
            "answers without a token",
            "--os-auth-url",
        ),
        (
            &[("OS_AUTH_URL", &missing.url)],
            "Not found. (HTTP 404) (Request-ID: req-1)",
            "There is no Keystone at http://127.0.0.1:",
        ),
        (
            &[("OS_AUTH_URL", &choices.url)],
            "(HTTP 300)",
            "There is no Keystone at http://127.0.0.1:",
        ),
        (
            &[("OS_AUTH_URL", refused)],
            "cannot connect to http://127.0.0.1:1/v3/auth/tokens",
            "Check the address",
        ),
        (
            &[("OS_AUTH_URL", "nonsense")],
            "'nonsense' of OS_AUTH_URL is not the address",
            "https://HOST:PORT/PATH",
        ),
        (
            &[("OS_USERNAME", "")],
            "Missing: the user's name (--os-username, OS_USERNAME)",
            "--os-cloud",
        ),
        (
            &[("OS_PASSWORD", "")],
            "Missing: the password (--os-password, OS_PASSWORD)",
            "--os-cloud",
        ),
        (
            &[("OS_PASSWORD", "wrong-sesame")],
            "(HTTP 401) (Request-ID: req-1)",
            "refused demo of domain default for project own of domain default",
        ),
        (
            &[("OS_AUTH_TYPE", "v3websso")],
            "'v3websso' of OS_AUTH_TYPE is not supported: it needs a browser",
            "There are password, token,",
        ),
    ];
    for (others, message, hint) in cases {
        for words in [["image-list"].as_slice(), &["image", "list"]] {
            let run = glance(&place, words, &with(demo(&server), others));
            assert_eq!(
                (run.code, run.stdout.as_slice()),
                (1, b"".as_slice()),
                "{others:?}"
            );
            let lines: Vec<&str> = run.stderr.lines().collect();
            assert!(lines[0].contains(message), "{others:?}: {}", run.stderr);
            if hint.is_empty() {
                assert_eq!(lines.len(), 1, "{}", run.stderr);
            } else {
                assert_eq!(lines.len(), 2, "{}", run.stderr);
                assert!(
                    lines[1].starts_with("Hint: ") && lines[1].contains(hint),
                    "{}",
                    run.stderr
                );
            }
            assert!(!run.stderr.contains("sesame"));
        }
    }
}

#[test]
fn an_expired_token_is_explained() {
    let server =
        Server::new(|_, _| refusal(401, "The request you have made requires authentication."));
    let place = Place::new();
    let words = [
        "--os-auth-url",
        &server.url,
        "--os-token",
        "sesame",
        "image-list",
    ];
    let run = glance(&place, &words, &[]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("Hint: The token has expired"),
        "{}",
        run.stderr
    );
    assert_eq!(
        server.last().body["auth"]["identity"]["token"]["id"],
        "sesame"
    );
    assert!(!run.stderr.contains("sesame"));
}

#[test]
fn a_token_that_keystone_cannot_read_is_no_missing_keystone() {
    let server = Server::new(|_, _| refusal(404, "Could not recognize Fernet token"));
    let place = Place::new();
    let words = [
        "--os-auth-url",
        &server.url,
        "--os-token",
        "x",
        "image-list",
    ];
    let run = glance(&place, &words, &[]);
    assert!(
        run.stderr.contains("Hint: The token has expired"),
        "{}",
        run.stderr
    );
}

#[test]
fn no_secret_is_in_what_debug_shows() {
    let (server, place) = (Server::cloud(0), Place::new());
    let run = glance(&place, &["--debug", "image-list"], &demo(&server));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("/v3/auth/tokens'"), "{}", run.stderr);
    assert!(
        run.stderr.contains("x-subject-token: ***"),
        "{}",
        run.stderr
    );
    for secret in ["right", "token-1"] {
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
    let token = [("OS_AUTH_URL", server.url.as_str()), ("OS_TOKEN", "sesame")];
    let run = glance(&place, &["--debug", "image-list"], &token);
    assert!(!run.stderr.contains("sesame"), "{}", run.stderr);
}

#[test]
fn projects_are_found_by_name_and_id() {
    let id = "0123456789abcdef0123456789abcdef";
    let server = Server::new(move |url, asked| match asked.line.as_str() {
        "POST /v3/auth/tokens" => token_reply("t", 3600, &catalog(url)),
        "GET /v3/projects?name=there" | "GET /v3/projects?name=there&domain_id=d1" => {
            reply(200, json!({"projects": [{"id": "p9", "name": "there"}]}))
        }
        "GET /v3/projects?name=two" => reply(200, json!({"projects": [{"id": "a"}, {"id": "b"}]})),
        "GET /v3/projects?name=secret" => refusal(403, "You may not."),
        "GET /v3/domains?name=Dom" => reply(200, json!({"domains": [{"id": "d1"}]})),
        line if line == format!("GET /v3/projects/{id}") => {
            reply(200, json!({"project": {"id": id, "name": "x"}}))
        }
        line if line.starts_with("GET /v3/projects?") => reply(200, json!({"projects": []})),
        line if line.starts_with("GET /v2/images") => {
            reply(200, json!({"images": [], "first": "/v2/images"}))
        }
        _ => refusal(404, "Could not find it."),
    });
    let place = Place::new();
    // A project, the owner that is asked for, and how many requests to Keystone that took.
    for (words, owner, requests) in [
        (vec!["own"], "p1", 0),
        (vec!["p1"], "p1", 0),
        (vec!["there"], "p9", 1),
        (vec![id], id, 1),
        (vec!["secret"], "secret", 1),
        (vec!["there", "--project-domain", "Dom"], "p9", 2),
        (vec!["own", "--project-domain", "Default"], "p1", 0),
    ] {
        let before = server.count("GET /v3/");
        let words = [vec!["image", "list", "--project"], words].concat();
        glance(&place, &words, &demo(&server)).ok();
        let line = server.last().line;
        assert!(
            line.contains(&format!("owner={owner}")),
            "{words:?}: {line}"
        );
        assert_eq!(server.count("GET /v3/") - before, requests, "{words:?}");
    }
    let run = glance(
        &place,
        &["image", "list", "--project", "nobody"],
        &demo(&server),
    );
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (1, "No project found for nobody\n")
    );
    let run = glance(
        &place,
        &["image", "list", "--project", "two"],
        &demo(&server),
    );
    assert!(
        run.stderr
            .contains("More than one project exists with the name 'two'.\nHint:")
    );
    assert!(run.stderr.contains("a, b"));
}

#[test]
fn an_offer_is_answered_for_the_project_of_the_token() {
    let id = "0d1c5a5e-0000-4000-8000-000000000000";
    let image = format!("GET /v2/images/{id}");
    let member = format!("PUT /v2/images/{id}/members/p1");
    let answered = member.clone();
    let server = Server::new(move |url, asked| match asked.line.as_str() {
        "POST /v3/auth/tokens" => token_reply("t", 3600, &catalog(url)),
        line if line == image => reply(200, json!({"id": id, "status": "active"})),
        line if line == answered => {
            let member = json!({"image_id": id, "member_id": "p1", "status": "accepted"});
            reply(200, member)
        }
        _ => refusal(404, "Could not find it."),
    });
    let place = Place::new();
    glance(&place, &["image", "set", "--accept", id], &demo(&server)).ok();
    let last = server.last();
    assert_eq!(last.line, member);
    assert_eq!(last.body, json!({"status": "accepted"}));
    let token = [("OS_TOKEN", "t"), ("OS_ENDPOINT", server.url.as_str())];
    let said = glance(&place, &["image", "set", "--accept", id], &token).fails(1);
    assert!(said.contains("Keystone did not report it"), "{said}");
    let words = ["image", "set", "--accept", "--project", "p1", id];
    glance(&place, &words, &token).ok();
    assert_eq!(server.last().line, member);
}
