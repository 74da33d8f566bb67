//! Our image service with tokens of a real Keystone.

use std::time::{Duration, Instant};

use bytes::Bytes;
use glance_tools::http::{Client, Options, Request, Response, retry};
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::support::api::API;
use crate::support::realcloud::{SharedCloud, known};
use crate::support::{Place, Run, api, block_on};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");

/// The service with a configuration.
pub(super) struct Api {
    _running: api::Api,
    pub(super) url: String,
}

impl Api {
    /// Starts it, and waits until it listens.
    pub(super) fn start(place: &Place, config: &str) -> Self {
        place.write("glance-api.conf", config);
        let sync = ["--config-file", "glance-api.conf", "db", "sync"];
        Run::of(place.command(MANAGE).args(sync).output().unwrap()).ok();
        let running = api::Api::of(
            place
                .command(API)
                .args(["--config-file", "glance-api.conf"]),
        );
        Self {
            url: running.url.clone(),
            _running: running,
        }
    }

    fn get(&self, target: &str, token: Option<&str>) -> Response {
        let headers: Vec<_> = token
            .map(|token| ("x-auth-token", token))
            .into_iter()
            .collect();
        call(
            Method::GET,
            &format!("{}{target}", self.url),
            &headers,
            None,
        )
    }

    /// The status of a list of images.
    fn list(&self, token: &str) -> u16 {
        self.get("/v2/images", Some(token)).status.as_u16()
    }
}

pub(super) fn call(
    method: Method,
    url: &str,
    headers: &[(&'static str, &str)],
    body: Option<&Value>,
) -> Response {
    let Some(body) = body else {
        return send(method, url, headers, Bytes::new());
    };
    let headers = [headers, &[("content-type", "application/json")]].concat();
    send(method, url, &headers, body.to_string().into())
}

/// The response to a request with a body of any type.
pub(super) fn send(
    method: Method,
    url: &str,
    headers: &[(&'static str, &str)],
    body: Bytes,
) -> Response {
    let client = Client::new(Options {
        retries: retry::Policy::NEVER,
        ..Options::default()
    });
    let mut request = Request::new(method, Url::parse(url).unwrap());
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers.insert(HeaderName::from_static(name), value);
    }
    request.body = body;
    let Ok(response) = block_on(client.call(&request)) else {
        panic!("no response of {url}")
    };
    response
}

/// A token of Keystone and its content.
pub(super) fn log_in(keystone: &str, identity: &Value, scope: Option<&Value>) -> (String, Value) {
    let mut auth = json!({"auth": {"identity": identity}});
    if let Some(scope) = scope {
        auth["auth"]["scope"] = scope.clone();
    }
    let response = call(
        Method::POST,
        &format!("{keystone}/auth/tokens"),
        &[],
        Some(&auth),
    );
    assert_eq!(response.status, StatusCode::CREATED, "{:?}", response.body);
    let token = response.headers["x-subject-token"]
        .to_str()
        .unwrap()
        .to_string();
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    (token, body["token"].clone())
}

pub(super) fn password(user: &str, password: &str) -> Value {
    let user = json!({"name": user, "domain": {"id": "default"}, "password": password});
    json!({"methods": ["password"], "password": {"user": user}})
}

pub(super) fn project(name: &str) -> Value {
    json!({"project": {"name": name, "domain": {"id": "default"}}})
}

/// A token of a new application credential of the user demo.
fn credential(keystone: &str, more: &Value) -> String {
    let (token, content) = log_in(keystone, &password("demo", "demo"), Some(&project("demo")));
    let mut body = json!({"name": uuid::Uuid::new_v4().to_string()});
    let fields = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    let user = content["user"]["id"].as_str().unwrap();
    let url = format!("{keystone}/users/{user}/application_credentials");
    let body = json!({"application_credential": body});
    let made = call(Method::POST, &url, &[("x-auth-token", &token)], Some(&body));
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let made = &made["application_credential"];
    let identity = json!({
        "methods": ["application_credential"],
        "application_credential": {"id": made["id"], "secret": made["secret"]},
    });
    log_in(keystone, &identity, None).0
}

/// The configuration of a deployment in a directory, with a login of the service.
pub(super) fn config(place: &Place, keystone: &str, more: &str) -> String {
    let at = place.file("");
    let (at, keystone) = (at.display(), keystone.trim_end_matches("/v3"));
    format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 0\nnode_staging_uri = file://{at}staging\n\
         [database]\nconnection = sqlite:///{at}glance.db\n[glance_store]\nfilesystem_store_datadir = {at}images\n\
         [paste_deploy]\nflavor = keystone\n[healthcheck]\ndisable_by_file_path = {at}disabled\n\
         [keystone_authtoken]\nwww_authenticate_uri = {keystone}\nauth_url = {keystone}\nauth_type = password\n\
         project_domain_name = Default\nuser_domain_name = Default\nproject_name = service\nusername = glance\n\
         password = glance\n{more}\n"
    )
}

#[test]
fn tokens_of_a_real_keystone_identify_callers() {
    let cloud = SharedCloud::take();
    let keystone = known(cloud.directory())["KEYSTONE_URL"].clone();
    let place = Place::new();
    let api = Api::start(&place, &config(&place, &keystone, "token_cache_time = 0"));

    let without = api.get("/v2/images", None);
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    let challenge = without.headers["www-authenticate"].to_str().unwrap();
    let base = keystone.trim_end_matches("/v3");
    assert_eq!(challenge, format!("Keystone uri=\"{base}\""));
    // The real one responds with the same body and challenge.
    let theirs = call(
        Method::GET,
        &format!("{}/v2/images", cloud.glance()),
        &[],
        None,
    );
    assert_eq!(theirs.status, StatusCode::UNAUTHORIZED);
    assert_eq!(theirs.headers["www-authenticate"], challenge);
    let text = |response: &Response| String::from_utf8_lossy(&response.body).replace('\n', "");
    assert_eq!(text(&theirs), text(&without));
    assert_eq!(api.list("nonsense"), 401);

    let create = |token: &str, name: &str| {
        let (url, image) = (format!("{}/v2/images", api.url), json!({"name": name}));
        let response = call(Method::POST, &url, &[("x-auth-token", token)], Some(&image));
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status.as_u16(), body["owner"].clone())
    };
    let (member_project, member) = cloud.caller("one", "member", "m");
    let (_, reader) = cloud.caller("one", "reader", "r");
    let (_, admin) = cloud.caller("two", "admin", "a");
    let (_, other) = cloud.caller("one", "creator", "c");
    assert_eq!(create(&member, "theirs"), (201, json!(member_project)));
    assert_eq!(create(&reader, "none").0, 403);
    assert_eq!(
        api.list(&other),
        403,
        "none of the roles that the policies name"
    );
    let names = |token: &str| {
        let response = api.get("/v2/images", Some(token));
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        body["images"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((names(&reader), names(&admin)), (1, 1));

    let system = json!({"system": {"all": true}});
    let (system, _) = log_in(&keystone, &password("admin", "secret"), Some(&system));
    // Policies of images have the scope of a project.
    let theirs = call(
        Method::GET,
        &format!("{}/v2/images", cloud.glance()),
        &[("x-auth-token", &system)],
        None,
    );
    assert_eq!(api.list(&system), theirs.status.as_u16());
    assert_eq!(theirs.status, StatusCode::FORBIDDEN);
    let (unscoped, _) = log_in(
        &keystone,
        &json!({"methods": ["token"], "token": {"id": member}}),
        Some(&json!("unscoped")),
    );
    assert_eq!(api.list(&unscoped), 403);

    let service = log_in(
        &keystone,
        &password("glance", "glance"),
        Some(&project("service")),
    )
    .0;
    let both = [
        ("x-auth-token", member.as_str()),
        ("x-service-token", service.as_str()),
    ];
    let url = format!("{}/v2/images", api.url);
    assert_eq!(call(Method::GET, &url, &both, None).status, StatusCode::OK);

    let revoked = log_in(&keystone, &password("demo", "demo"), Some(&project("demo"))).0;
    assert_eq!(api.list(&revoked), 200);
    let subject = [
        ("x-auth-token", revoked.as_str()),
        ("x-subject-token", revoked.as_str()),
    ];
    let url = format!("{keystone}/auth/tokens");
    assert_eq!(
        call(Method::DELETE, &url, &subject, None).status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(api.list(&revoked), 401);

    let rules = json!([{"service": "image", "method": "GET", "path": "/v2/images"}]);
    let restricted = credential(&keystone, &json!({"access_rules": rules}));
    assert_eq!(api.list(&restricted), 200);
    assert_eq!(create(&restricted, "none").0, 401);
}

#[test]
fn a_token_that_expires_is_refused_although_its_validation_is_remembered() {
    let cloud = SharedCloud::take();
    let keystone = known(cloud.directory())["KEYSTONE_URL"].clone();
    let place = Place::new();
    let api = Api::start(&place, &config(&place, &keystone, "token_cache_time = 300"));
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
    let end = end.strftime("%Y-%m-%dT%H:%M:%S.000000").to_string();
    let token = credential(&keystone, &json!({"expires_at": end}));
    assert_eq!(api.list(&token), 200);
    let began = Instant::now();
    while api.list(&token) == 200 {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "it does not expire"
        );
    }
    assert_eq!(api.list(&token), 401);
}

#[test]
fn what_stands_around_the_service_needs_no_token() {
    let place = Place::new();
    let keystone = "http://127.0.0.1:1/v3";
    let more = "[cors]\nallowed_origin = https://horizon\n[oslo_middleware]\nenable_proxy_headers_parsing = true\n";
    let api = Api::start(
        &place,
        &config(
            &place,
            keystone,
            &format!("http_request_max_retries = 0\n{more}"),
        ),
    );
    let health = api.get("/healthcheck", None);
    assert_eq!(
        (health.status.as_u16(), &health.body[..]),
        (200, &b"OK"[..])
    );
    place.write("disabled", "");
    assert_eq!(
        api.get("/healthcheck", None).status,
        StatusCode::SERVICE_UNAVAILABLE
    );

    let forwarded = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "images.example"),
    ];
    let versions = call(
        Method::GET,
        &format!("{}/versions", api.url),
        &forwarded,
        None,
    );
    let versions: Value = serde_json::from_slice(&versions.body).unwrap();
    let href = &versions["versions"][0]["links"][0]["href"];
    assert_eq!(href, "https://images.example/v2/");

    let origin = [
        ("origin", "https://horizon"),
        ("access-control-request-method", "PATCH"),
    ];
    let url = format!("{}/v2/images", api.url);
    let preflight = call(Method::OPTIONS, &url, &origin, None);
    assert_eq!(preflight.status, StatusCode::OK);
    assert_eq!(preflight.headers["access-control-allow-methods"], "PATCH");
    let refused = call(Method::GET, &url, &origin[..1], None);
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.headers["access-control-allow-origin"],
        "https://horizon"
    );

    // Keystone does not run.
    let down = api.get("/v2/images", Some("t"));
    assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(down.headers["retry-after"], "5");
}

#[test]
fn headers_of_this_host_identify_callers_with_trusted_auth() {
    let place = Place::new();
    let config = config(&place, "http://127.0.0.1:1/v3", "")
        .replace("flavor = keystone", "flavor = trusted-auth");
    let api = Api::start(&place, &config);
    let url = format!("{}/v2/images", api.url);
    let list =
        |headers: &[(&'static str, &str)]| call(Method::GET, &url, headers, None).status.as_u16();
    let known = [
        ("x-identity-status", "Confirmed"),
        ("x-user-id", "u"),
        ("x-project-id", "p"),
        ("x-roles", "member,reader"),
    ];
    assert_eq!(list(&known), 200);
    assert_eq!(list(&known[1..]), 401);
    assert_eq!(list(&known[..3]), 403);
}
