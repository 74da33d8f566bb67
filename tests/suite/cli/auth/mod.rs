//! Being let in: logins, tokens that are kept, the catalogue, and what is said when it fails; against a
//! Keystone and Glance of a few lines on a free port.

mod aged;
mod choice;
mod completion;
mod federation;
mod messages;
mod proxy;
mod tokens;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use glance_tools::cli::command::globals::cloud::OPTION_NAMES;
use glance_tools::config::{Cloud, CloudOptions, Environment};
use glance_tools::http::{Client, Options};
use glance_tools::remote::auth::{Access, Prompt, connect};
use glance_tools::{Parameter, Result};
use serde_json::{Value, json};

use crate::support::keystone::{Server, catalog, refusal, reply, token_reply};
use crate::support::{GLANCE, Place, Run};

/// `glance` with these words and variables, and no data directory.
fn glance(place: &Place, words: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = place.command(GLANCE);
    command.env_remove("GLANCE_DATA_DIR");
    command.args(words).envs(variables.iter().copied());
    Run::of(command.output().unwrap())
}

/// Variables of a user with the right password.
fn demo(server: &Server) -> Vec<(&str, &str)> {
    vec![
        ("OS_AUTH_URL", server.url.as_str()),
        ("OS_USERNAME", "demo"),
        ("OS_PASSWORD", "right"),
        ("OS_PROJECT_NAME", "own"),
    ]
}

/// Those variables with others in their place, or besides.
fn with<'a>(
    mut variables: Vec<(&'a str, &'a str)>,
    others: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    variables.retain(|(name, _)| others.iter().all(|(other, _)| other != name));
    variables.extend(others);
    variables
}

/// What somebody at a terminal would type.
struct Typist(Option<&'static str>, Mutex<Vec<String>>);

impl Typist {
    fn new(answer: Option<&'static str>) -> Self {
        Self(answer, Mutex::default())
    }
}

impl Prompt for Typist {
    fn secret(&self, what: &str) -> Result<Option<String>> {
        self.1.lock().unwrap().push(what.to_string());
        Ok(self.0.map(str::to_string))
    }

    fn tell(&self, line: &str) {
        self.1.lock().unwrap().push(line.to_string());
    }
}

/// Connects with these variables, as a command does.
async fn connect_with(variables: &[(&str, &str)], typist: &Typist) -> Result<Access> {
    let environment: Environment = variables.iter().copied().collect();
    let options = CloudOptions {
        names: OPTION_NAMES,
        ..CloudOptions::NONE
    };
    let cloud = Cloud::load(options, &environment)?;
    let http = Client::new(Options::default());
    connect(&http, &cloud, typist, false).await
}

#[tokio::test]
async fn each_kind_of_login_sends_what_keystone_wants_and_no_more() {
    let server = Server::cloud(0);
    let user = [("OS_USERNAME", "u"), ("OS_USER_DOMAIN_NAME", "D")];
    let named = json!({"name": "u", "domain": {"name": "D"}});
    let with_password = |password: &str| {
        let mut user = named.clone();
        user["password"] = password.into();
        user
    };
    let project = ("OS_PROJECT_NAME", "p");
    let in_project = json!({"project": {"name": "p", "domain": {"id": "default"}}});
    let password = ("OS_PASSWORD", "right");
    let secret = ("OS_APPLICATION_CREDENTIAL_SECRET", "s");
    let by_password =
        json!({"methods": ["password"], "password": {"user": with_password("right")}});
    for (variables, identity, scope) in [
        (
            vec![user[0], user[1], password, project],
            by_password.clone(),
            in_project.clone(),
        ),
        (
            vec![user[0], user[1], password],
            by_password.clone(),
            Value::Null,
        ),
        (
            vec![("OS_USER_ID", "i"), password, ("OS_PROJECT_ID", "pi")],
            json!({"methods": ["password"], "password": {"user": {"id": "i", "password": "right"}}}),
            json!({"project": {"id": "pi"}}),
        ),
        (
            vec![user[0], user[1], password, ("OS_SYSTEM_SCOPE", "all")],
            by_password.clone(),
            json!({"system": {"all": true}}),
        ),
        (
            vec![user[0], user[1], password, ("OS_DOMAIN_ID", "d")],
            by_password.clone(),
            json!({"domain": {"id": "d"}}),
        ),
        (
            vec![user[0], user[1], password, ("OS_TRUST_ID", "t")],
            by_password,
            json!({"OS-TRUST:trust": {"id": "t"}}),
        ),
        (
            vec![("OS_TOKEN", "old"), project],
            json!({"methods": ["token"], "token": {"id": "old"}}),
            in_project.clone(),
        ),
        (
            vec![("OS_APPLICATION_CREDENTIAL_ID", "a"), secret, project],
            json!({"methods": ["application_credential"], "application_credential": {"id": "a", "secret": "s"}}),
            Value::Null,
        ),
        (
            vec![
                ("OS_APPLICATION_CREDENTIAL_NAME", "a"),
                secret,
                user[0],
                user[1],
            ],
            json!({
                "methods": ["application_credential"],
                "application_credential": {"name": "a", "secret": "s", "user": named},
            }),
            Value::Null,
        ),
        (
            vec![
                ("OS_AUTH_TYPE", "v3totp"),
                user[0],
                user[1],
                ("OS_PASSCODE", "123"),
                project,
            ],
            json!({"methods": ["totp"], "totp": {"user": {"name": "u", "domain": {"name": "D"}, "passcode": "123"}}}),
            in_project.clone(),
        ),
        (
            vec![
                ("OS_AUTH_TYPE", "v3multifactor"),
                ("OS_AUTH_METHODS", "v3password,v3totp"),
                user[0],
                user[1],
                password,
                ("OS_PASSCODE", "123"),
                project,
            ],
            json!({
                "methods": ["password", "totp"],
                "password": {"user": with_password("right")},
                "totp": {"user": {"name": "u", "domain": {"name": "D"}, "passcode": "123"}},
            }),
            in_project,
        ),
    ] {
        let variables = with(variables, &[("OS_AUTH_URL", &server.url)]);
        let access = connect_with(&variables, &Typist::new(None)).await.unwrap();
        let mut auth = json!({"identity": identity});
        if !scope.is_null() {
            auth["scope"] = scope;
        }
        assert_eq!(server.last().body, json!({"auth": auth}), "{variables:?}");
        assert!(access.headers["x-auth-token"].is_sensitive());
        assert_eq!(access.endpoint.as_str(), format!("{}/", server.url));
        assert_eq!(
            access.caller.unwrap().to_string(),
            "user demo in project own with the role member"
        );
    }
    assert_eq!(server.asked.lock().unwrap().len(), 11);
}

#[tokio::test]
async fn what_asks_no_keystone_sends_its_own_header_or_none() {
    let endpoint = ("OS_ENDPOINT", "http://127.0.0.1:1/image/v2");
    for (variables, header, value) in [
        (vec![("OS_AUTH_TYPE", "none")], "x-auth-token", None),
        (
            vec![("OS_AUTH_TYPE", "admin_token"), ("OS_TOKEN", "t")],
            "x-auth-token",
            Some("t"),
        ),
        (vec![("OS_TOKEN", "t")], "x-auth-token", Some("t")),
        (
            vec![
                ("OS_AUTH_TYPE", "http_basic"),
                ("OS_USERNAME", "u"),
                ("OS_PASSWORD", "p"),
            ],
            "authorization",
            Some("Basic dTpw"),
        ),
    ] {
        let access = connect_with(&with(variables, &[endpoint]), &Typist::new(None))
            .await
            .unwrap();
        assert_eq!(
            access
                .headers
                .get(header)
                .map(|value| value.to_str().unwrap()),
            value
        );
        assert!(access.headers.values().all(http_value_is_sensitive));
        assert_eq!(access.endpoint.as_str(), "http://127.0.0.1:1/image/");
        assert!(!format!("{access:?}").contains("dTpw"));
    }
}

fn http_value_is_sensitive(value: &reqwest::header::HeaderValue) -> bool {
    value.is_sensitive()
}

#[tokio::test]
async fn every_form_of_auth_url_leads_to_one_request() {
    let server = Server::cloud(0);
    for path in ["", "/", "/v3", "/v3/", "/v2.0"] {
        let url = format!("{}{path}", server.url);
        let variables = with(demo(&server), &[("OS_AUTH_URL", &url)]);
        connect_with(&variables, &Typist::new(None)).await.unwrap();
    }
    assert_eq!(server.counts(), (5, 0));
}

#[tokio::test]
async fn what_is_missing_is_asked_for_if_it_is_all_that_is() {
    let server = Server::cloud(0);
    let variables: Vec<_> = demo(&server)
        .into_iter()
        .filter(|(name, _)| *name != "OS_PASSWORD")
        .collect();
    let typist = Typist::new(Some("right"));
    connect_with(&variables, &typist).await.unwrap();
    assert_eq!(*typist.1.lock().unwrap(), ["Password"]);

    let error = connect_with(&variables, &Typist::new(None))
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "Missing: the password (--os-password, OS_PASSWORD)"
    );

    let typist = Typist::new(Some("right"));
    let error = connect_with(&variables[..1], &typist).await.unwrap_err();
    assert!(
        error.message().contains("the user's name") && error.message().contains("the password")
    );
    assert!(typist.1.lock().unwrap().is_empty());
    assert_eq!(server.counts(), (1, 0));
}

#[tokio::test]
async fn a_second_factor_that_keystone_wants_is_asked_for() {
    let server = Server::new(|url, asked| {
        if asked.body["auth"]["identity"]["totp"]["user"]["passcode"] == "123456" {
            return token_reply("t", 3600, &catalog(url));
        }
        let receipt = json!({
            "receipt": {
                "methods": ["password"],
                "expires_at": "2024-01-01T00:00:00.000000Z",
                "issued_at": "2024-01-01T00:00:00.000000Z",
                "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            },
            "required_auth_methods": [["password", "totp"]],
        });
        reply(401, receipt).with("openstack-auth-receipt", "r")
    });
    let typist = Typist::new(Some("123456"));
    connect_with(&demo(&server), &typist).await.unwrap();
    assert_eq!(*typist.1.lock().unwrap(), ["One-time passcode"]);
    assert_eq!(
        server.last().body["auth"]["identity"]["methods"],
        json!(["password", "totp"])
    );

    let error = connect_with(&demo(&server), &Typist::new(None))
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "demo of domain default must authenticate with totp as well (HTTP 401)"
    );
    let methods = Parameter::LoginMethods(vec!["v3password".to_string(), "v3totp".to_string()]);
    assert_eq!(error.hints(), [methods.into()]);
}

#[tokio::test]
async fn a_login_is_sent_again_where_keystone_is_busy_and_never_sent_on() {
    let failed = AtomicBool::new(false);
    let server = Server::new(move |url, _| {
        if failed.swap(true, Ordering::SeqCst) {
            return token_reply("t", 3600, &catalog(url));
        }
        refusal(503, "busy").with("retry-after", "0")
    });
    connect_with(&demo(&server), &Typist::new(None))
        .await
        .unwrap();
    assert_eq!(server.counts(), (2, 0));

    let server = Server::new(|_, _| {
        reply(301, Value::Null).with("location", "https://other.example:1/v3/auth/tokens")
    });
    let error = connect_with(&demo(&server), &Typist::new(None))
        .await
        .unwrap_err();
    assert!(
        error
            .message()
            .contains("to https://other.example:1/v3/auth/tokens (HTTP 301)"),
        "{error}"
    );
    assert_eq!(server.counts(), (1, 0));
}
