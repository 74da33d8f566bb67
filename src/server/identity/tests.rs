//! Tests of tokens against a Keystone of a few lines.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use http::Request;
use http::request::Parts;
use serde_json::{Value, json};

use super::*;
use crate::config::{Environment, Settings};
use crate::http::testing::{Answer, Exchange, Server, Then, block_on};

/// A Keystone that knows these tokens, and issues `own-1`, `own-2` and so on to the service.
#[derive(Default)]
struct Keystone {
    tokens: Mutex<HashMap<String, Value>>,
    logins: AtomicUsize,
    /// The number of tokens of the service, from the first one, that are no longer accepted.
    refused: AtomicUsize,
    is_broken: AtomicBool,
}

impl Keystone {
    fn respond(&self, exchange: &mut Exchange) -> Then {
        if self.is_broken.load(Ordering::SeqCst) {
            return Then::Close;
        }
        let request = exchange.request.clone();
        let answer = if request.method == "POST" {
            let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            let mut token = token("glance", &["admin"], 3600);
            token["methods"] = json!(["password"]);
            token["issued_at"] = json!("2024-01-01T00:00:00.000000Z");
            exchange.read_all();
            Answer::json(201, &json!({"token": token}))
                .with("X-Subject-Token", &format!("own-{number}"))
        } else {
            let own = request.header("x-auth-token").unwrap_or_default();
            let own: usize = own.trim_start_matches("own-").parse().unwrap();
            let tokens = self.tokens.lock().unwrap();
            let token = tokens.get(request.header("x-subject-token").unwrap_or_default());
            match token {
                _ if own <= self.refused.load(Ordering::SeqCst) => Answer::empty(401),
                Some(token) if is_shown(token, &request.target) => {
                    Answer::json(200, &json!({"token": token}))
                }
                _ => Answer::json(404, &json!({"error": {"code": 404}})),
            }
        };
        exchange.send(&answer)
    }

    fn add(&self, name: &str, token: Value) {
        self.tokens.lock().unwrap().insert(name.to_string(), token);
    }
}

/// Returns whether a token is shown: it is valid, or it has expired and that was asked for.
fn is_shown(token: &Value, target: &str) -> bool {
    let expires: jiff::Timestamp = token["expires_at"].as_str().unwrap().parse().unwrap();
    expires > jiff::Timestamp::now() || target.contains("allow_expired=1")
}

/// Returns the content of a token for a project, which expires in some seconds.
fn token(user: &str, roles: &[&str], seconds: i64) -> Value {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let roles = roles.iter().map(|name| json!({"id": "r", "name": name}));
    json!({
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string(),
        "user": {"id": user, "name": user, "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p1", "name": "own", "domain": {"id": "d1", "name": "D"}},
        "roles": roles.collect::<Vec<_>>(),
    })
}

/// The identification with a Keystone.
struct Place {
    keystone: Arc<Keystone>,
    server: Server,
    identity: Identity,
}

impl Place {
    fn new(more: &str) -> Self {
        let keystone = Arc::new(Keystone::default());
        let own = Arc::clone(&keystone);
        let server = Server::start(move |exchange| own.respond(exchange));
        let identity = identity(&server.url(""), more);
        Self {
            keystone,
            server,
            identity,
        }
    }

    fn identify(&self, headers: &[(&str, &str)]) -> Result<Caller, Refusal> {
        block_on(self.identity.identify(&request(headers)))
    }

    /// Returns the number of validations.
    fn validations(&self) -> usize {
        let lines = self.server.lines();
        lines.iter().filter(|line| line.starts_with("GET")).count()
    }
}

fn identity(url: &str, more: &str) -> Identity {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.conf");
    let text = format!(
        "[paste_deploy]\nflavor = keystone\n[keystone_authtoken]\nauth_url = {url}\nusername = glance\n\
         password = sesame\nproject_name = service\nhttp_request_max_retries = 0\nhttp_connect_timeout = 5\n{more}\n"
    );
    std::fs::write(&path, text).unwrap();
    let source = crate::config::ConfigSource::File(path);
    let settings = Settings::load(&[source], &Environment::default()).unwrap();
    Identity::new(settings.server.get().unwrap())
}

fn request(headers: &[(&str, &str)]) -> Parts {
    let request = headers
        .iter()
        .fold(Request::get("/v2/images/some"), |request, (name, value)| {
            request.header(*name, *value)
        });
    request.body(()).unwrap().into_parts().0
}

const TOKEN: [(&str, &str); 1] = [("X-Auth-Token", "t")];

#[test]
fn a_token_is_validated_once_for_its_time() {
    let place = Place::new("");
    place
        .keystone
        .add("t", token("u", &["Member", "creator"], 3600));
    for _ in 0..3 {
        let caller = place.identify(&TOKEN).unwrap();
        assert_eq!(caller.to_string(), "p1:member:u");
        assert_eq!(caller.domain.as_deref(), Some("d1"));
        assert_eq!(caller.roles, ["reader", "member", "creator"]);
        assert!(caller.service_roles.is_empty());
        // What Keystone revokes is noticed once the time is over.
        place.keystone.tokens.lock().unwrap().clear();
    }
    let expected = ["POST /v3/auth/tokens", "GET /v3/auth/tokens?nocatalog"];
    assert_eq!(place.server.lines(), expected);
    let requests = place.server.requests();
    assert_eq!(requests[1].header("x-auth-token"), Some("own-1"));
    assert_eq!(requests[1].header("x-subject-token"), Some("t"));
    assert_eq!(
        requests[1].header("openstack-identity-access-rules"),
        Some("1")
    );
}

#[test]
fn a_revoked_token_is_refused_once_its_validation_is_forgotten() {
    let place = Place::new("token_cache_time = 0");
    place.keystone.add("t", token("u", &["reader"], 3600));
    assert!(place.identify(&TOKEN).is_ok());
    place.keystone.tokens.lock().unwrap().clear();
    assert_eq!(place.identify(&TOKEN), Err(Refusal::Unauthenticated));
    assert_eq!(place.validations(), 2);
}

#[test]
fn invalid_tokens_are_remembered_and_never_reach_keystone_if_they_cannot() {
    let place = Place::new("");
    for _ in 0..3 {
        assert_eq!(place.identify(&TOKEN), Err(Refusal::Unauthenticated));
    }
    assert_eq!(place.validations(), 1);
    for headers in [
        vec![],
        vec![("X-Auth-Token", " ")],
        vec![("X-Roles", "admin")],
    ] {
        assert_eq!(place.identify(&headers), Err(Refusal::Unauthenticated));
    }
    assert_eq!(place.validations(), 1);
}

#[test]
fn requests_at_the_same_time_with_one_token_are_one_validation() {
    let place = Place::new("token_cache_time = 0");
    place.keystone.add("t", token("u", &["reader"], 3600));
    let parts = request(&TOKEN);
    let all = (0..20).map(|_| place.identity.identify(&parts));
    let callers = block_on(join_all(all));
    assert!(callers.iter().all(Result::is_ok));
    assert_eq!(place.validations(), 1);
}

#[test]
fn the_token_of_the_service_is_replaced_when_it_is_refused() {
    let place = Place::new("token_cache_time = 0");
    place.keystone.add("t", token("u", &["reader"], 3600));
    assert!(place.identify(&TOKEN).is_ok());
    place.keystone.refused.store(1, Ordering::SeqCst);
    assert!(place.identify(&TOKEN).is_ok());
    assert_eq!(place.keystone.logins.load(Ordering::SeqCst), 2);
    // One that is refused at once is not replaced for ever.
    place.keystone.refused.store(100, Ordering::SeqCst);
    assert_eq!(place.identify(&TOKEN), Err(Refusal::Unavailable));
}

#[test]
fn nobody_gets_in_while_keystone_does_not_respond() {
    for more in ["", "[DEFAULT]\nallow_anonymous_access = true"] {
        let place = Place::new(&format!("token_cache_time = 0\n{more}"));
        place.keystone.add("t", token("u", &["reader"], 3600));
        place.keystone.is_broken.store(true, Ordering::SeqCst);
        let refusal = place.identify(&TOKEN).unwrap_err();
        assert_eq!(refusal, Refusal::Unavailable);
        let response = refusal.response(&HeaderMap::new());
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
        place.keystone.is_broken.store(false, Ordering::SeqCst);
        assert!(place.identify(&TOKEN).is_ok());
    }
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let identity = identity(&url, "");
    let refused = block_on(identity.identify(&request(&TOKEN)));
    assert_eq!(refused, Err(Refusal::Unavailable));
}

#[test]
fn callers_without_a_token_may_read_if_that_is_allowed_and_those_with_an_invalid_one_may_not() {
    let place = Place::new("[DEFAULT]\nallow_anonymous_access = true");
    let caller = place.identify(&[]).unwrap();
    assert_eq!(caller.role, Role::Reader);
    assert!(caller.roles.is_empty() && caller.project.is_empty());
    assert_eq!(place.identify(&TOKEN), Err(Refusal::Unauthenticated));
}

#[test]
fn a_token_that_has_expired_is_valid_for_a_service() {
    let service = [("X-Auth-Token", "old"), ("X-Service-Token", "s")];
    let place = Place::new("");
    place.keystone.add("old", token("u", &["member"], -60));
    place
        .keystone
        .add("s", token("nova", &["admin", "Service", "service"], 3600));
    assert_eq!(place.identify(&service[..1]), Err(Refusal::Unauthenticated));
    let caller = place.identify(&service).unwrap();
    assert_eq!(caller.to_string(), "p1:member:u");
    assert_eq!(caller.service_roles, ["admin", "service", "service"]);
    // That was for the service alone.
    assert_eq!(place.identify(&service[..1]), Err(Refusal::Unauthenticated));
}

#[test]
fn a_service_without_its_role_counts_if_that_is_not_required() {
    let both = [("X-Auth-Token", "t"), ("X-Service-Token", "s")];
    for (more, expected) in [
        ("", vec![]),
        ("service_token_roles_required = false", vec!["member"]),
        ("service_token_roles = nova, member", vec!["member"]),
    ] {
        let place = Place::new(more);
        place.keystone.add("t", token("u", &["reader"], 3600));
        place.keystone.add("old", token("u", &["reader"], -60));
        place.keystone.add("s", token("other", &["member"], 3600));
        assert_eq!(place.identify(&both).unwrap().service_roles, expected);
        // An invalid token of a service is none.
        let invalid = [("X-Auth-Token", "t"), ("X-Service-Token", "x")];
        assert!(place.identify(&invalid).unwrap().service_roles.is_empty());
        let old = [("X-Auth-Token", "old"), ("X-Service-Token", "s")];
        assert_eq!(
            place.identify(&old).is_ok(),
            more.contains("nova"),
            "{more}"
        );
    }
}

#[test]
fn scopes_become_callers() {
    let place = Place::new("");
    let scoped = |scope: Value, roles: &[&str]| {
        let mut token = token("u", roles, 3600);
        token.as_object_mut().unwrap().remove("project");
        token
            .as_object_mut()
            .unwrap()
            .extend(scope.as_object().unwrap().clone());
        token
    };
    place.keystone.add(
        "system",
        scoped(json!({"system": {"all": true}}), &["admin"]),
    );
    place.keystone.add(
        "watch",
        scoped(json!({"system": {"all": true}}), &["reader"]),
    );
    place
        .keystone
        .add("domain", scoped(json!({"domain": {"id": "d"}}), &["admin"]));
    place.keystone.add("none", scoped(json!({}), &[]));
    let of = |name| place.identify(&[("X-Auth-Token", name)]);
    let system = of("system").unwrap();
    assert!(system.has_system_scope && system.is_admin() && system.project.is_empty());
    for name in ["watch", "domain", "none"] {
        assert!(matches!(of(name), Err(Refusal::Forbidden(_))), "{name}");
    }
}

#[test]
fn a_credential_with_access_rules_allows_these_requests_alone() {
    let place = Place::new("");
    let with = |rules: Value| {
        let mut token = token("u", &["member"], 3600);
        token["application_credential"] = json!({"id": "c", "access_rules": rules});
        token
    };
    let rule = |path: &str| json!([{"service": "image", "method": "GET", "path": path}]);
    place.keystone.add("all", with(Value::Null));
    place.keystone.add("this", with(rule("/v2/images/{id}")));
    place.keystone.add("other", with(rule("/v2/images")));
    place.keystone.add("none", with(json!([])));
    place.keystone.add("s", token("nova", &["service"], 3600));
    for (name, is_allowed) in [
        ("all", true),
        ("this", true),
        ("other", false),
        ("none", false),
    ] {
        let found = place.identify(&[("X-Auth-Token", name)]);
        assert_eq!(found.is_ok(), is_allowed, "{name}");
    }
    let continued = [("X-Auth-Token", "other"), ("X-Service-Token", "s")];
    assert!(place.identify(&continued).is_ok());
    let pretended = [("X-Auth-Token", "other"), ("X-Service-Token", "all")];
    assert!(place.identify(&pretended).is_err());
}

#[test]
fn a_refusal_has_the_address_of_the_login() {
    let place = Place::new("www_authenticate_uri = http://public:5000");
    let mut response = Refusal::Unauthenticated.response(&HeaderMap::new());
    place.identity.complete(&mut response);
    assert_eq!(
        response.headers()["www-authenticate"],
        "Keystone uri=\"http://public:5000\""
    );
    let mut other = Refusal::Forbidden("no").response(&HeaderMap::new());
    place.identity.complete(&mut other);
    assert!(!other.headers().contains_key("www-authenticate"));
}

#[test]
fn callers_need_a_project() {
    let may = |project: &str, roles: &[&str], has_system_scope: bool| {
        let mut caller = Caller::with_roles(project, "u", roles.iter().copied());
        caller.has_system_scope = has_system_scope;
        check(caller).is_ok()
    };
    assert!(may("p", &["reader"], false));
    assert!(may("p", &["service"], false));
    assert!(may("", &["admin"], true));
    assert!(!may("", &["admin"], false), "a domain");
    assert!(!may("", &["member", "reader"], true));
    // Policies may name any role.
    assert!(may("p", &["creator"], false));
    assert!(may("p", &[], false));
}
