//! Services and endpoints: the requests of each command, what is printed, and messages; against a Keystone of a few
//! lines. `real/install.rs` compares with upstream's client and a real Keystone.

use serde_json::{Value, json};

use crate::support::keystone::{Answer, Asked, Server, refusal, reply, token_reply};
use crate::support::{GLANCE, Place, Run};

/// The ID of a service, as Keystone makes them.
const IMAGE: &str = "0123456789abcdef0123456789abcdef";

fn service(id: &str, name: &str, kind: &str) -> Value {
    json!({"id": id, "name": name, "type": kind, "enabled": true, "links": {}})
}

fn endpoint(id: &str) -> Value {
    json!({
        "id": id, "interface": "public", "region": "One", "region_id": "One", "service_id": IMAGE,
        "url": "http://controller:9292", "enabled": true, "links": {},
    })
}

/// Answers as a Keystone without an image service in the catalogue of its tokens.
fn answer(asked: &Asked) -> Answer {
    let line = asked.line.as_str();
    let path = line.split('?').next().unwrap();
    match path {
        "POST /v3/auth/tokens" => token_reply("t", 3600, &json!([])),
        "GET /v3/services" => reply(
            200,
            json!({"services": [service(IMAGE, "glance", "image"), service("k", "keystone", "identity")]}),
        ),
        "POST /v3/services" => {
            let mut made = asked.body.clone();
            made["service"]["id"] = json!(IMAGE);
            reply(201, made)
        }
        "GET /v3/regions" => reply(200, json!({"regions": [{"id": "Two"}, {"id": "One"}]})),
        "GET /v3/projects" => reply(200, json!({"projects": [{"id": "p2", "name": "acme"}]})),
        "GET /v3/endpoints" | "GET /v3/OS-EP-FILTER/projects/p2/endpoints" => {
            reply(200, json!({"endpoints": [endpoint("e1"), endpoint("e2")]}))
        }
        "POST /v3/endpoints" => reply(201, json!({"endpoint": endpoint("e3")})),
        "GET /v3/OS-EP-FILTER/endpoints/e1/projects" => {
            reply(200, json!({"projects": [{"id": "p2", "name": "acme"}]}))
        }
        "GET /v3/endpoints/e1" | "PATCH /v3/endpoints/e1" => {
            reply(200, json!({"endpoint": endpoint("e1")}))
        }
        _ if path.ends_with(&format!("/v3/services/{IMAGE}")) && !path.starts_with("DELETE") => {
            reply(200, json!({"service": service(IMAGE, "glance", "image")}))
        }
        _ if path.starts_with("DELETE") => reply(204, Value::Null),
        _ => refusal(404, "Could not find it."),
    }
}

/// Runs a command; returns what it did, its requests after the login, and the body of the last one.
fn run(words: &str) -> (Run, Vec<String>, Value) {
    let (place, server) = (Place::new(), Server::new(|_, asked| answer(asked)));
    let mut command = place.command(GLANCE);
    command.env_remove("GLANCE_DATA_DIR");
    let variables = [
        ("OS_AUTH_URL", server.url.as_str()),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", "right"),
        ("OS_PROJECT_NAME", "own"),
        ("OS_REGION_NAME", "Elsewhere"),
    ];
    command.args(words.split(' ')).envs(variables);
    let run = Run::of(command.output().unwrap());
    let asked = server.asked.lock().unwrap();
    let lines = asked.iter().map(|asked| asked.line.clone());
    let lines = lines
        .filter(|line| line != "POST /v3/auth/tokens")
        .collect();
    (run, lines, asked.last().unwrap().body.clone())
}

/// The commands and their requests.
pub const COSTS: &[(&str, &[&str])] = &[
    ("service list", &["GET /v3/services"]),
    ("service show image", &["GET /v3/services"]),
    ("service create --name n image", &["POST /v3/services"]),
    ("service set glance", &["GET /v3/services"]),
    (
        "service set glance --name g",
        &[
            "GET /v3/services",
            "PATCH /v3/services/0123456789abcdef0123456789abcdef",
        ],
    ),
    (
        "service delete glance",
        &[
            "GET /v3/services",
            "DELETE /v3/services/0123456789abcdef0123456789abcdef",
        ],
    ),
    ("endpoint list", &["GET /v3/endpoints", "GET /v3/services"]),
    (
        "endpoint list --service image --interface public --region One",
        &[
            "GET /v3/services",
            "GET /v3/regions",
            "GET /v3/endpoints?service_id=0123456789abcdef0123456789abcdef&interface=public&region_id=One",
            "GET /v3/services",
        ],
    ),
    (
        "endpoint list --project acme",
        &[
            "GET /v3/projects?name=acme",
            "GET /v3/OS-EP-FILTER/projects/p2/endpoints",
            "GET /v3/services",
        ],
    ),
    (
        "endpoint list --endpoint e1",
        &[
            "GET /v3/endpoints/e1",
            "GET /v3/OS-EP-FILTER/endpoints/e1/projects",
        ],
    ),
    (
        "endpoint show e1",
        &[
            "GET /v3/endpoints/e1",
            "GET /v3/services/0123456789abcdef0123456789abcdef",
        ],
    ),
    (
        "endpoint create --region One image public http://controller:9292",
        &["GET /v3/services", "GET /v3/regions", "POST /v3/endpoints"],
    ),
    (
        "endpoint set e1 --url http://x --service image",
        &[
            "GET /v3/endpoints/e1",
            "GET /v3/services",
            "PATCH /v3/endpoints/e1",
        ],
    ),
    (
        "endpoint delete e1",
        &["GET /v3/endpoints/e1", "DELETE /v3/endpoints/e1"],
    ),
];

#[test]
fn commands_of_the_catalogue_send_few_requests_and_need_no_image_service() {
    let mut wrong = Vec::new();
    for (words, requests) in COSTS {
        let (run, came, _) = run(words);
        if run.code != 0 || came != *requests {
            wrong.push(format!("{words}: {came:#?}, {}: {}", run.code, run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_given_is_not_sent() {
    for (words, body) in [
        (
            "service create image",
            json!({"service": {"type": "image", "enabled": true}}),
        ),
        (
            "service create --disable --name n --description d image",
            json!({"service": {"type": "image", "name": "n", "description": "d", "enabled": false}}),
        ),
        (
            "service set image --enable --type t",
            json!({"service": {"type": "t", "enabled": true}}),
        ),
        (
            "endpoint create image internal http://h",
            json!({"endpoint": {
                "service_id": IMAGE, "interface": "internal", "url": "http://h", "enabled": true,
            }}),
        ),
        (
            "endpoint set e1 --disable --region Three --interface admin",
            json!({"endpoint": {"interface": "admin", "region_id": "Three", "enabled": false}}),
        ),
    ] {
        let (run, _, sent) = run(words);
        run.ok();
        assert_eq!(sent, body, "{words}");
    }
}

#[test]
fn a_failure_is_one_clear_line() {
    for (words, message) in [
        (
            "service show none",
            "No service with a type, name or ID of 'none' exists.",
        ),
        (
            "endpoint create --region Three image public http://h",
            "No Region found for Three\nHint: Regions that exist: One, Two.",
        ),
        ("endpoint show none", "No Endpoint found for none"),
        (
            "endpoint delete none e1",
            "Failed to delete endpoint with ID 'none': No Endpoint found for none\n\
             1 of 2 endpoints failed to delete.",
        ),
        (
            "service delete none other",
            "Failed to delete service with type, name or ID 'none': No service with a type, name or ID of 'none' \
             exists.\nFailed to delete service with type, name or ID 'other': No service with a type, name or ID \
             of 'other' exists.\n2 of 2 services failed to delete.",
        ),
    ] {
        let (run, _, _) = run(words);
        assert_eq!(run.fails(1).trim_end(), message, "{words}");
    }
}

#[test]
fn without_keystone_there_is_no_catalogue() {
    let place = Place::new();
    for (options, message) in [
        (
            &["--local"][..],
            "services and endpoints are in Keystone's catalogue, which a local deployment does not have",
        ),
        (
            &[
                "--os-auth-type",
                "none",
                "--os-image-url",
                "http://127.0.0.1:1",
            ],
            "the catalogue of services is Keystone's, and this login has no Keystone",
        ),
    ] {
        for words in [["service", "list"], ["endpoint", "list"]] {
            let mut command = place.command(GLANCE);
            command.env_remove("GLANCE_DATA_DIR");
            let run = Run::of(command.args(options).args(words).output().unwrap());
            let stderr = run.fails(1);
            assert_eq!(stderr.lines().next(), Some(message));
            assert!(stderr.lines().count() <= 2, "{stderr}");
        }
    }
}
