//! Limits of projects in a real Keystone, as our image service enforces them.

use http::Method;
use serde_json::{Value, json};

use super::server_identity::{Api, call, config, log_in, password, project, send};
use crate::support::Place;
use crate::support::realcloud::{SharedCloud, known};

/// Limits in Keystone, which are removed in the end.
struct Limits {
    keystone: String,
    token: String,
    /// The addresses of those that were made.
    made: Vec<String>,
}

impl Limits {
    fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{path}", self.keystone);
        let response = call(method, &url, &[("x-auth-token", &self.token)], body);
        assert!(response.status.is_success(), "{path}: {:?}", response.body);
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Makes limits: `kind` is `limits` or `registered_limits`.
    fn make(&mut self, kind: &str, limits: &[Value]) {
        let made = self.json(
            Method::POST,
            &format!("/{kind}"),
            Some(&json!({kind: limits})),
        );
        let ids = made[kind].as_array().unwrap().iter();
        let paths = ids.map(|one| format!("/{kind}/{}", one["id"].as_str().unwrap()));
        self.made.extend(paths);
    }
}

impl Drop for Limits {
    /// Removes the limits of projects first: registered limits that they are based on cannot be removed.
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            let url = format!("{}{path}", self.keystone);
            call(Method::DELETE, &url, &[("x-auth-token", &self.token)], None);
        }
    }
}

#[test]
fn limits_of_a_real_keystone_are_those_of_requests() {
    let cloud = SharedCloud::take();
    let keystone = known(cloud.directory())["KEYSTONE_URL"].clone();
    let system = json!({"system": {"all": true}});
    let (token, _) = log_in(&keystone, &password("admin", "secret"), Some(&system));
    let mut limits = Limits {
        keystone: keystone.clone(),
        token,
        made: Vec::new(),
    };
    let services = limits.json(Method::GET, "/services?type=image", None);
    let service = services["services"][0]["id"].as_str().unwrap().to_string();
    let endpoints = format!("/endpoints?service_id={service}&interface=public");
    let endpoint = limits.json(Method::GET, &endpoints, None)["endpoints"][0].clone();
    let of = |name: &str, key: &str, number: i64| {
        json!({
            "service_id": service, "region_id": endpoint["region_id"], "resource_name": name, key: number,
        })
    };
    let registered = [
        of("image_count_total", "default_limit", 2),
        of("image_count_uploading", "default_limit", -1),
        of("image_size_total", "default_limit", 1),
        of("image_stage_total", "default_limit", -1),
    ];
    limits.make("registered_limits", &registered);
    let (demo, demo_is) = log_in(&keystone, &password("demo", "demo"), Some(&project("demo")));
    let (other, _) = log_in(
        &keystone,
        &password("other", "other"),
        Some(&project("other")),
    );
    let mut own = of("image_count_total", "resource_limit", 3);
    own["project_id"] = demo_is["project"]["id"].clone();
    limits.make("limits", &[own]);

    let place = Place::new();
    let address = keystone.trim_end_matches("/v3");
    let more = format!(
        "[DEFAULT]\nuse_keystone_limits = True\n[oslo_limit]\nauth_url = {address}\nauth_type = password\n\
         user_domain_name = Default\nusername = admin\npassword = secret\nsystem_scope = all\n\
         endpoint_service_type = image\nendpoint_region_name = {}",
        endpoint["region_id"].as_str().unwrap()
    );
    let api = Api::start(&place, &config(&place, &keystone, &more));
    let create = |token: &str| {
        let body = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
        let url = format!("{}/v2/images", api.url);
        let response = call(Method::POST, &url, &[("x-auth-token", token)], Some(&body));
        let body = String::from_utf8(response.body.to_vec()).unwrap();
        (response.status.as_u16(), body)
    };
    // The limit of the project, and the one of all others.
    let made: Vec<u16> = (0..3).map(|_| create(&demo).0).collect();
    assert_eq!(made, [201, 201, 201]);
    let (status, message) = create(&demo);
    assert_eq!(status, 413);
    let reason = "Resource image_count_total is over limit of 3 due to current usage 3 and delta 1";
    assert!(message.contains(reason), "{message}");
    let (_, image) = create(&other);
    assert_eq!(create(&other).0, 201);
    assert_eq!(create(&other).0, 413);

    let image: Value = serde_json::from_str(&image).unwrap();
    let url = format!(
        "{}/v2/images/{}/file",
        api.url,
        image["id"].as_str().unwrap()
    );
    let upload = |size| {
        let headers = [
            ("x-auth-token", &*other),
            ("content-type", "application/octet-stream"),
        ];
        send(Method::PUT, &url, &headers, vec![7; size].into()).status
    };
    assert_eq!(upload(2 << 20), 413);
    assert_eq!(upload(1 << 20), 204);
    let usage = call(
        Method::GET,
        &format!("{}/v2/info/usage", api.url),
        &[("x-auth-token", &other)],
        None,
    );
    let usage: Value = serde_json::from_slice(&usage.body).unwrap();
    assert_eq!(
        usage["usage"]["image_size_total"],
        json!({"limit": 1, "usage": 1})
    );
    assert_eq!(
        usage["usage"]["image_count_total"],
        json!({"limit": 2, "usage": 2})
    );
}
