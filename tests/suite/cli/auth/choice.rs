//! Which cloud is meant where no option says so, and what happens on this machine where none is.

use super::{demo, glance, with};
use crate::support::Place;
use crate::support::keystone::Server;

fn clouds(server: &Server, names: &[&str]) -> String {
    let mut text = "clouds:\n".to_string();
    for name in names {
        text += &format!(
            "  {name}: {{auth: {{auth_url: {}, username: demo, password: right, project_name: own}}}}\n",
            server.url
        );
    }
    text
}

#[test]
fn the_only_cloud_of_clouds_yaml_is_used() {
    let (server, place) = (Server::cloud(0), Place::new());
    place.write("clouds.yaml", clouds(&server, &["only"]));
    for words in [["image-list"].as_slice(), &["image", "list"]] {
        glance(&place, words, &[]).ok();
    }
    // What only modifies it changes nothing about that.
    glance(&place, &["image-list"], &[("OS_REGION_NAME", "Two")]).ok();
    glance(&place, &["--os-project-name", "own", "image-list"], &[]).ok();
    assert_eq!(server.counts(), (1, 4));
    assert!(!place.file("../home/.local").exists());
    // What describes another cloud hides it.
    let said = glance(&place, &["image-list"], &[("OS_USERNAME", "u")]).fails(1);
    assert!(
        said.starts_with("Missing: the address of Keystone"),
        "{said}"
    );
}

#[test]
fn several_clouds_are_named_and_none_is_used() {
    let (server, place) = (Server::cloud(0), Place::new());
    place.write("clouds.yaml", clouds(&server, &["b", "a"]));
    for words in [
        ["image-list"].as_slice(),
        &["image", "create", "x"],
        &["image", "delete", "x"],
    ] {
        let said = glance(&place, words, &[]).fails(1);
        assert!(
            said.contains("no cloud of clouds.yaml was selected: choose from a, b"),
            "{said}"
        );
        assert!(
            said.contains("--os-cloud") && said.contains("--local"),
            "{said}"
        );
    }
    glance(&place, &["--os-cloud", "a", "image-list"], &[]).ok();
    assert!(!place.file("../home/.local").exists());
}

#[test]
fn a_part_of_a_login_means_a_cloud() {
    let place = Place::new();
    for variable in [
        "OS_PROJECT_NAME",
        "OS_USER_DOMAIN_ID",
        "OS_CACERT",
        "OS_CLIENT_CONFIG_FILE",
    ] {
        let said = glance(&place, &["image", "create", "x"], &[(variable, "x")]).fails(1);
        assert!(
            said.contains("Missing: the address of Keystone"),
            "{variable}: {said}"
        );
        assert!(said.contains("--local"), "{said}");
    }
    for option in ["--os-project-name", "--os-region-name", "--os-auth-type"] {
        let value = if option == "--os-auth-type" {
            "password"
        } else {
            "x"
        };
        let said = glance(&place, &[option, value, "image", "list"], &[]).fails(1);
        assert!(
            said.contains("Missing: the address of Keystone"),
            "{option}: {said}"
        );
    }
    assert!(!place.file("../home/.local").exists());
}

#[test]
fn the_users_own_directory_is_announced_and_only_made_by_what_creates() {
    let place = Place::new();
    let own = place.file("../home/.local/share/glance");
    let id = "0d1c5a5e-0000-4000-8000-000000000000";
    for (words, code) in [
        (["image-list"].as_slice(), 0),
        (&["image", "list"], 0),
        (&["image-show", id], 1),
        (&["image", "show", "x"], 1),
        (&["image", "delete", "x"], 1),
        (&["md-namespace-list"], 0),
    ] {
        let run = glance(&place, words, &[]);
        assert_eq!(run.code, code, "{words:?}: {}", run.stderr);
        assert!(
            run.stderr.starts_with("No cloud selected; no images in "),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("(--local)"), "{}", run.stderr);
        assert!(!own.exists(), "{words:?}");
    }
    let run = glance(
        &place,
        &["image", "create", "x", "-f", "value", "-c", "name"],
        &[],
    );
    assert_eq!(
        (run.code, run.text().as_str()),
        (0, "x\n"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.starts_with("Using local images in "),
        "{}",
        run.stderr
    );
    assert!(own.join("glance.db").exists());
    let run = glance(&place, &["image", "list", "-f", "value", "-c", "Name"], &[]);
    assert_eq!(run.text(), "x\n");
    assert!(
        run.stderr.starts_with("Using local images in "),
        "{}",
        run.stderr
    );
    // What is asked for is not announced.
    let local = ["--local", "image", "list", "-f", "value", "-c", "Name"];
    assert_eq!(glance(&place, &local, &[]).ok(), "x\n");
}

#[test]
fn a_variable_that_names_another_service_is_not_about_images() {
    let (server, place) = (Server::cloud(0), Place::new());
    for service in ["compute", "volumev3", "identity"] {
        let variables = with(demo(&server), &[("OS_SERVICE_TYPE", service)]);
        glance(&place, &["image-list"], &variables).ok();
    }
    let words = ["--os-service-type", "compute", "image-list"];
    let said = glance(&place, &words, &demo(&server)).fails(1);
    assert!(said.contains("endpoint for compute"), "{said}");
}

#[test]
fn no_verification_is_no_matter_without_tls() {
    let (server, place) = (Server::cloud(0), Place::new());
    let cloud = clouds(&server, &["a"]).replace("{auth:", "{verify: false, auth:");
    place.write("clouds.yaml", cloud);
    glance(&place, &["image-list"], &[]).ok();
    glance(&place, &["--insecure", "image-list"], &[]).ok();
}

#[test]
fn the_old_name_of_an_interface_wins() {
    use crate::support::keystone::{reply, token_reply};
    use serde_json::json;
    let server = Server::new(|url, asked| {
        if asked.line.starts_with("POST") {
            let endpoint = |interface| {
                json!({"id": "e", "interface": interface, "region": "One", "region_id": "One",
                       "url": format!("{url}/{interface}")})
            };
            let endpoints = ["public", "internal", "admin"].map(endpoint);
            let catalog =
                json!([{"id": "s", "name": "glance", "type": "image", "endpoints": endpoints}]);
            return token_reply("t", 3600, &catalog);
        }
        reply(200, json!({"images": [], "first": "/v2/images"}))
    });
    let place = Place::new();
    let both = with(
        demo(&server),
        &[
            ("OS_INTERFACE", "public"),
            ("OS_ENDPOINT_TYPE", "internalURL"),
        ],
    );
    glance(&place, &["image-list"], &both).ok();
    assert!(
        server.last().line.starts_with("GET /internal/v2/"),
        "{:?}",
        server.last()
    );
    let cloud = clouds(&server, &["a"])
        .replace("{auth:", "{interface: public, endpoint_type: admin, auth:");
    place.write("clouds.yaml", cloud);
    glance(&place, &["image-list"], &[]).ok();
    assert!(
        server.last().line.starts_with("GET /admin/v2/"),
        "{:?}",
        server.last()
    );
}

#[test]
fn a_profile_that_a_server_publishes_is_fetched_once_and_kept() {
    use crate::support::keystone::{catalog, refusal, reply, token_reply};
    use serde_json::json;
    let server = Server::new(|url, asked| match asked.line.as_str() {
        "GET /.well-known/openstack/api" => reply(
            200,
            json!({"name": "x", "profile": {"auth": {"auth_url": url}, "regions": ["Two", "One"]}}),
        ),
        "POST /v3/auth/tokens" => token_reply("t", 3600, &catalog(url)),
        line if line.starts_with("GET /v2/") => {
            reply(200, json!({"images": [], "first": "/v2/images"}))
        }
        _ => refusal(404, "Not found."),
    });
    let place = Place::new();
    let cloud = |profile: &str| {
        format!(
            "clouds: {{a: {{profile: '{profile}', auth: {{username: demo, password: right, project_name: own}}}}}}"
        )
    };
    place.write("clouds.yaml", cloud(&server.url));
    for _ in 0..2 {
        glance(&place, &["image-list"], &[]).ok();
    }
    assert_eq!(server.count("GET /.well-known/"), 1);
    assert_eq!(server.counts(), (1, 2));
    let nothing = Server::new(|_, _| refusal(404, "Not found."));
    place.write("clouds.yaml", cloud(&nothing.url));
    let said = glance(&place, &["image-list"], &[]).fails(1);
    assert!(
        said.contains("is not published at http://127.0.0.1:"),
        "{said}"
    );
}
