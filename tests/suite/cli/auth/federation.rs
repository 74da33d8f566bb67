//! Logins with a token of an identity provider: what is sent to whom, against servers of a few lines, and against
//! a real Keystone behind a small identity provider (`tests/realcloud/federated.py`).

use std::sync::Mutex;

use serde_json::{Value, json};

use super::{Typist, connect_with, glance};
use crate::support::Place;
use crate::support::keystone::{Server, catalog, refusal, reply, token_reply};
use crate::support::realcloud::{SharedCloud, known};

/// A Keystone that is its own identity provider. Of a device, the third question is answered; a token without a
/// scope is exchanged.
fn provider() -> Server {
    let asked_for = Mutex::new(0);
    Server::new(move |url, asked| {
        let text = |name: &str| asked.body[name].as_str().unwrap_or_default();
        match asked.line.as_str() {
            "GET /discovery" => reply(
                200,
                json!({"token_endpoint": format!("{url}/token"),
                       "device_authorization_endpoint": format!("{url}/device")}),
            ),
            "POST /device" => reply(
                200,
                json!({"device_code": "d", "user_code": "AB-CD", "verification_uri": "http://browse",
                       "expires_in": 30, "interval": 0}),
            ),
            "POST /token" if text("grant_type").ends_with("device_code") => {
                let mut asked_for = asked_for.lock().unwrap();
                *asked_for += 1;
                if *asked_for < 3 {
                    return reply(400, json!({"error": "authorization_pending"}));
                }
                reply(200, json!({"access_token": "good"}))
            }
            "POST /token" if text("password") == "wrong-sesame" => reply(
                400,
                json!({"error": "invalid_grant", "error_description": "wrong-sesame is wrong"}),
            ),
            "POST /token" => reply(200, json!({"access_token": "good", "id_token": "id"})),
            line if line.starts_with("POST /v3/OS-FEDERATION/") => {
                match asked.headers.get("authorization").map(String::as_str) {
                    Some("Bearer good" | "Bearer id") => token_reply("unscoped", 3600, &json!([])),
                    _ => refusal(401, "The request you have made requires authentication."),
                }
            }
            "POST /v3/auth/tokens" => token_reply("scoped", 3600, &catalog(url)),
            line if line.starts_with("GET /v2/images") => {
                reply(200, json!({"images": [], "first": "/v2/images"}))
            }
            _ => refusal(404, "Not found."),
        }
    })
}

#[tokio::test]
async fn each_grant_sends_what_it_needs_and_keystone_sees_the_token_alone() {
    let basic = "Basic Y2xpOnNlY3JldA==";
    for (kind, more, form) in [
        (
            "v3oidcpassword",
            vec![
                ("OS_USERNAME", "u"),
                ("OS_PASSWORD", "p"),
                ("OS_IDP_OTP_KEY", "otp"),
                ("OS_PASSCODE", "1"),
            ],
            json!({"username": "u", "password": "p", "scope": "openid profile", "otp": "1", "grant_type": "password"}),
        ),
        (
            "v3oidcclientcredentials",
            vec![
                ("OS_OPENID_SCOPE", "openid x"),
                ("OS_ACCESS_TOKEN_TYPE", "id_token"),
            ],
            json!({"scope": "openid x", "grant_type": "client_credentials"}),
        ),
        (
            "v3oidcauthcode",
            vec![("OS_CODE", "c"), ("OS_REDIRECT_URI", "http://back")],
            json!({"code": "c", "redirect_uri": "http://back", "grant_type": "authorization_code"}),
        ),
        (
            "v3oidcdeviceauthz",
            vec![],
            json!({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "d", "client_id": "cli"}),
        ),
        (
            "v3oidcaccesstoken",
            vec![("OS_ACCESS_TOKEN", "good")],
            Value::Null,
        ),
    ] {
        let server = provider();
        let discovery = format!("{}/discovery", server.url);
        let mut variables = vec![
            ("OS_AUTH_TYPE", kind),
            ("OS_AUTH_URL", server.url.as_str()),
            ("OS_IDENTITY_PROVIDER", "my idp"),
            ("OS_PROTOCOL", "openid"),
            ("OS_CLIENT_ID", "cli"),
            ("OS_CLIENT_SECRET", "secret"),
            ("OS_DISCOVERY_ENDPOINT", &discovery),
            ("OS_PROJECT_NAME", "own"),
        ];
        variables.extend(more);
        let typist = Typist::new(None);
        let access = connect_with(&variables, &typist).await.unwrap();
        assert_eq!(access.headers["x-auth-token"], "scoped", "{kind}");
        let asked = server.asked.lock().unwrap().clone();
        let last_form = asked.iter().rfind(|asked| asked.line == "POST /token");
        assert_eq!(
            last_form.map_or(Value::Null, |asked| asked.body.clone()),
            form,
            "{kind}"
        );
        if let Some(asked) = last_form {
            assert_eq!(asked.headers["authorization"], basic);
        }
        let to_keystone = &asked[asked.len() - 2];
        assert_eq!(
            to_keystone.line,
            "POST /v3/OS-FEDERATION/identity_providers/my%20idp/protocols/openid/auth"
        );
        let scoped = server.last().body;
        assert_eq!(scoped["auth"]["identity"]["token"]["id"], "unscoped");
        assert_eq!(scoped["auth"]["scope"]["project"]["name"], "own");
        let told = typist.1.lock().unwrap().clone();
        if kind == "v3oidcdeviceauthz" {
            assert_eq!(
                told,
                ["To log in, open http://browse in a browser and enter the code AB-CD."]
            );
            assert_eq!(server.count("POST /token"), 3);
        } else {
            assert!(told.is_empty(), "{told:?}");
        }
    }
}

#[test]
fn a_login_with_an_identity_provider_is_kept_and_its_refusals_show_no_secret() {
    let (server, place) = (provider(), Place::new());
    let discovery = format!("{}/discovery", server.url);
    let with_password = |password| {
        vec![
            ("OS_AUTH_TYPE", "v3oidcpassword"),
            ("OS_AUTH_URL", server.url.as_str()),
            ("OS_IDENTITY_PROVIDER", "idp"),
            ("OS_PROTOCOL", "openid"),
            ("OS_CLIENT_ID", "cli"),
            ("OS_DISCOVERY_ENDPOINT", discovery.as_str()),
            ("OS_PROJECT_NAME", "own"),
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", password),
        ]
    };
    for _ in 0..2 {
        glance(&place, &["image-list"], &with_password("p")).ok();
    }
    assert_eq!(server.count("POST /token"), 1);
    let said = glance(
        &place,
        &["--debug", "image-list"],
        &with_password("wrong-sesame"),
    )
    .fails(1);
    assert!(
        said.contains("refuses the login: *** is wrong (HTTP 400)"),
        "{said}"
    );
    assert!(!said.contains("sesame"), "{said}");
    let token = [
        &with_password("p")[..],
        &[
            ("OS_AUTH_TYPE", "v3oidcaccesstoken"),
            ("OS_ACCESS_TOKEN", "bad-sesame"),
        ],
    ];
    let said = glance(&place, &["--debug", "image-list"], &token.concat()).fails(1);
    assert!(
        said.contains("does not accept the identity provider's token"),
        "{said}"
    );
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn a_real_keystone_lets_in_whom_an_identity_provider_vouches_for() {
    let cloud = SharedCloud::take();
    let known = known(cloud.directory());
    let keystone = known["KEYSTONE_URL"].as_str();
    let provider = keystone.replace("/v3", "/idp");
    let discovery = format!("{provider}/.well-known/openid-configuration");
    let (token_url, device_url) = (format!("{provider}/token"), format!("{provider}/device"));
    let by_discovery = ("OS_DISCOVERY_ENDPOINT", discovery.as_str());
    let by_endpoint = ("OS_ACCESS_TOKEN_ENDPOINT", token_url.as_str());
    let secret = ("OS_CLIENT_SECRET", "client-secret");
    let alice = [("OS_USERNAME", "alice"), ("OS_PASSWORD", "wonderland")];
    let token = {
        use sha2::Digest;
        let digest = sha2::Sha256::digest("shared by the identity provider and Keystonealice");
        let digest: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("alice.{}", digest.concat())
    };
    let common = [
        ("OS_AUTH_URL", keystone),
        ("OS_IDENTITY_PROVIDER", "idp"),
        ("OS_PROTOCOL", "openid"),
        ("OS_CLIENT_ID", "glance-cli"),
        ("OS_PROJECT_NAME", "demo"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
    ];
    let cases: [(&str, Vec<(&str, &str)>); 9] = [
        (
            "v3oidcpassword",
            vec![by_discovery, secret, alice[0], alice[1]],
        ),
        ("v3oidcpassword", vec![by_endpoint, alice[0], alice[1]]),
        (
            "v3oidcpassword",
            vec![
                by_discovery,
                alice[0],
                alice[1],
                ("OS_IDP_OTP_KEY", "otp"),
                ("OS_PASSCODE", "123456"),
            ],
        ),
        ("v3oidcclientcredentials", vec![by_discovery, secret]),
        (
            "v3oidcauthcode",
            vec![
                by_discovery,
                secret,
                ("OS_CODE", "good-code"),
                ("OS_REDIRECT_URI", "http://x"),
            ],
        ),
        ("v3oidcdeviceauthz", vec![by_discovery, secret]),
        (
            "v3oidcdeviceauthz",
            vec![
                by_endpoint,
                ("OS_DEVICE_AUTHORIZATION_ENDPOINT", &device_url),
                ("OS_CODE_CHALLENGE_METHOD", "S256"),
            ],
        ),
        ("v3oidcaccesstoken", vec![("OS_ACCESS_TOKEN", &token)]),
        (
            "v3oidcpassword",
            vec![
                by_discovery,
                secret,
                alice[0],
                alice[1],
                ("OS_ACCESS_TOKEN_TYPE", "id_token"),
            ],
        ),
    ];
    for (kind, more) in cases {
        let place = Place::new();
        let variables = [&common[..], &[("OS_AUTH_TYPE", kind)], &more].concat();
        let words = ["image", "create", "federated", "-f", "value", "-c", "owner"];
        let run = glance(&place, &words, &variables);
        assert_eq!(run.code, 0, "{kind}: {}", run.stderr);
        assert_eq!(run.text().trim(), known["DEMO_PROJECT"], "{kind}");
        let asks = run
            .stderr
            .contains("in a browser and enter the code ABCD-EFGH");
        assert_eq!(asks, kind == "v3oidcdeviceauthz", "{}", run.stderr);
        // The token is kept: a device is not asked for its consent again.
        glance(&place, &["image", "list"], &variables).ok();
    }
    for (more, message) in [
        (
            vec![by_discovery, secret, alice[0], ("OS_PASSWORD", "sesame")],
            "refused: invalid_grant (HTTP 400)",
        ),
        (
            vec![
                by_discovery,
                ("OS_CLIENT_SECRET", "sesame"),
                alice[0],
                alice[1],
            ],
            "unknown client (HTTP 401)",
        ),
        (
            vec![
                by_discovery,
                secret,
                alice[0],
                alice[1],
                ("OS_IDENTITY_PROVIDER", "nosuch"),
            ],
            "(HTTP 404)",
        ),
        (
            vec![
                by_discovery,
                secret,
                alice[0],
                alice[1],
                ("OS_PROJECT_NAME", "other"),
            ],
            "(HTTP 401)",
        ),
    ] {
        let place = Place::new();
        let variables = [&common[..], &[("OS_AUTH_TYPE", "v3oidcpassword")], &more].concat();
        let said = glance(&place, &["image", "list"], &variables).fails(1);
        assert!(said.contains(message), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
    cloud.empty();
}

#[test]
fn an_application_credential_is_an_oauth2_client_of_a_real_keystone() {
    let cloud = SharedCloud::take();
    let known = known(cloud.directory());
    let keystone = known["KEYSTONE_URL"].as_str();
    let made = crate::support::realcloud::output_of(
        std::process::Command::new("python3")
            .arg(crate::support::realcloud::script("credential.py"))
            .arg(cloud.directory()),
    );
    let (id, secret) = made.trim().split_once(' ').unwrap();
    let endpoint = format!("{keystone}/OS-OAUTH2/token");
    let variables = [
        ("OS_AUTH_TYPE", "v3oauth2clientcredential"),
        ("OS_AUTH_URL", keystone),
        ("OS_OAUTH2_ENDPOINT", &endpoint),
        ("OS_OAUTH2_CLIENT_ID", id),
        ("OS_OAUTH2_CLIENT_SECRET", secret),
    ];
    let place = Place::new();
    let run = glance(&place, &["--debug", "image", "list"], &variables);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("-H 'authorization: ***'"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains(secret), "{}", run.stderr);
    let wrong = [&variables[..4], &[("OS_OAUTH2_CLIENT_SECRET", "wrong")]].concat();
    let said = glance(&place, &["image", "list"], &wrong).fails(1);
    assert!(said.contains("refuses the login"), "{said}");
}
