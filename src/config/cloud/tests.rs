//! Precedence of options, variables and files, for each field.

use super::*;

/// Loads a cloud from options, variables, and a clouds.yaml whose cloud `c` is selected if it is given.
fn load(
    options: &[(&str, &str)],
    variables: &[(&str, &str)],
    cloud: Option<&str>,
) -> Result<Cloud> {
    let home = tempfile::tempdir().unwrap();
    let mut all = vec![("HOME".to_string(), home.path().display().to_string())];
    all.extend(
        variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into())),
    );
    if let Some(cloud) = cloud {
        let path = home.path().join("clouds.yaml");
        std::fs::write(&path, format!("clouds:\n  c:\n{cloud}")).unwrap();
        all.push(("OS_CLIENT_CONFIG_FILE".into(), path.display().to_string()));
        all.push(("OS_CLOUD".into(), "c".into()));
    }
    let environment: Environment = all.into_iter().collect();
    let option = |long: &str| {
        let found = options
            .iter()
            .find(|(name, _)| long.strip_prefix("--") == Some(*name));
        found.map(|(_, value)| (*value).to_string())
    };
    let options = CloudOptions {
        names: crate::cli::command::globals::cloud::OPTION_NAMES,
        value: &option,
    };
    Cloud::load(options, &environment)
}

/// The variables that [`load`] requires.
const ENOUGH: [(&str, &str); 3] = [
    ("OS_AUTH_URL", "http://keystone:5000"),
    ("OS_USERNAME", "u"),
    ("OS_PASSWORD", "p"),
];

fn keystone(cloud: &Cloud) -> &Keystone {
    cloud.keystone().unwrap()
}

fn project(cloud: &Cloud) -> String {
    keystone(cloud).scope.as_ref().unwrap().to_string()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn options_beat_variables_and_variables_beat_the_file() {
    type Show = fn(&Cloud) -> String;
    let fields: [(&str, &str, &str, [&str; 3], Show); 15] = [
        (
            "os-auth-url",
            "OS_AUTH_URL",
            "auth.auth_url",
            ["http://o/v3/", "http://v/v3/", "http://f/v3/"],
            |c| keystone(c).auth_url.to_string(),
        ),
        (
            "os-username",
            "OS_USERNAME",
            "auth.username",
            ["o", "v", "f"],
            |c| keystone(c).user.as_ref().unwrap().reference.to_string(),
        ),
        (
            "os-user-domain-name",
            "OS_USER_DOMAIN_NAME",
            "auth.user_domain_name",
            ["o", "v", "f"],
            |c| {
                keystone(c)
                    .user
                    .as_ref()
                    .unwrap()
                    .domain
                    .as_ref()
                    .unwrap()
                    .to_string()
            },
        ),
        (
            "os-password",
            "OS_PASSWORD",
            "auth.password",
            ["o", "v", "f"],
            |c| keystone(c).password.as_ref().unwrap().reveal().to_string(),
        ),
        (
            "os-project-name",
            "OS_PROJECT_NAME",
            "auth.project_name",
            [
                "project o of domain default",
                "project v of domain default",
                "project f of domain default",
            ],
            project,
        ),
        (
            "os-project-id",
            "OS_TENANT_ID",
            "auth.tenant_id",
            ["project o", "project v", "project f"],
            project,
        ),
        (
            "os-trust-id",
            "OS_TRUST_ID",
            "auth.trust_id",
            ["trust o", "trust v", "trust f"],
            project,
        ),
        (
            "os-domain-name",
            "OS_DOMAIN_NAME",
            "auth.domain_name",
            ["domain o", "domain v", "domain f"],
            project,
        ),
        (
            "os-region-name",
            "OS_REGION_NAME",
            "region_name",
            ["o", "v", "f"],
            |c| c.region.clone().unwrap(),
        ),
        (
            "os-interface",
            "OS_ENDPOINT_TYPE",
            "interface",
            ["admin", "internal", "public"],
            |c| c.interfaces[0].name().to_string(),
        ),
        (
            "os-service-type",
            "OS_SERVICE_TYPE",
            "image_service_type",
            ["o", "v", "f"],
            |c| c.service_type.clone(),
        ),
        (
            "os-endpoint-override",
            "OS_IMAGE_URL",
            "image_endpoint_override",
            ["http://o/", "http://v/", "http://f/"],
            |c| c.endpoint.as_ref().unwrap().to_string(),
        ),
        ("os-cacert", "OS_CACERT", "cacert", ["o", "v", "f"], |c| {
            format!("{:?}", c.tls.trust)
                .split('"')
                .nth(1)
                .unwrap()
                .to_string()
        }),
        ("os-cert", "OS_CERT", "cert", ["o", "v", "f"], |c| {
            c.tls.certificate.as_ref().unwrap().display().to_string()
        }),
        ("os-key", "OS_KEY", "key", ["o", "v", "f"], |c| {
            c.tls.key.as_ref().unwrap().display().to_string()
        }),
    ];
    for (option, variable, key, [of_option, of_variable, of_file], show) in fields {
        let word = |shown: &str| shown.split(' ').nth(1).unwrap_or(shown).to_string();
        let rest = "auth_url: http://k, username: u, password: p";
        let cloud = match key.strip_prefix("auth.") {
            Some(key) => {
                let others: Vec<&str> = rest
                    .split(", ")
                    .filter(|other| !other.starts_with(&format!("{key}:")))
                    .collect();
                format!(
                    "    auth: {{{key}: {}, {}}}\n",
                    word(of_file),
                    others.join(", ")
                )
            }
            None => format!("    {key}: {}\n    auth: {{{rest}}}\n", word(of_file)),
        };
        // The region must be one of the cloud's regions.
        let cloud = cloud.replace("region_name: f", "regions: [f, v, o]");
        let (o, v) = (word(of_option), word(of_variable));
        let loaded = load(&[], &[], Some(&cloud)).unwrap();
        assert_eq!(show(&loaded), of_file, "{key}");
        let loaded = load(&[], &[(variable, &v)], Some(&cloud)).unwrap();
        assert_eq!(show(&loaded), of_variable, "{variable}");
        let loaded = load(&[(option, &o)], &[(variable, &v)], Some(&cloud)).unwrap();
        assert_eq!(show(&loaded), of_option, "--{option}");
        let loaded = load(&[(option, "")], &[(variable, "")], Some(&cloud)).unwrap();
        assert_eq!(show(&loaded), of_file, "empty: {key}");
    }
}

#[test]
fn a_name_that_counts_more_hides_the_id() {
    let variables = [
        ENOUGH.as_slice(),
        &[("OS_PROJECT_ID", "id"), ("OS_USER_ID", "uid")],
    ]
    .concat();
    let cloud = load(
        &[("os-project-name", "n"), ("os-username", "un")],
        &variables,
        None,
    )
    .unwrap();
    assert_eq!(project(&cloud), "project n of domain default");
    assert_eq!(
        keystone(&cloud).user.as_ref().unwrap().to_string(),
        "un of domain default"
    );
    let cloud = load(&[], &variables, None).unwrap();
    assert_eq!(project(&cloud), "project id");
}

#[test]
fn a_scope_that_counts_more_hides_the_others_and_equals_are_refused() {
    let project_set = [ENOUGH.as_slice(), &[("OS_PROJECT_NAME", "p")]].concat();
    let scope = |options| {
        let cloud = load(options, &project_set, None).unwrap();
        keystone(&cloud).scope.clone().unwrap()
    };
    assert_eq!(scope(&[("os-system-scope", "all")]), Scope::System);
    assert_eq!(scope(&[("os-trust-id", "t")]), Scope::Trust("t".into()));
    let domain = Reference::Name("d".into());
    assert_eq!(scope(&[("os-domain-name", "d")]), Scope::Domain(domain));
    let both = [project_set.as_slice(), &[("OS_SYSTEM_SCOPE", "all")]].concat();
    let error = load(&[], &both, None).unwrap_err();
    assert!(error.message().contains("multiple targets"), "{error}");
    let error = load(&[("os-system-scope", "some")], &project_set, None).unwrap_err();
    assert_eq!(
        error.message(),
        "'some' of --os-system-scope is not a system scope: expected all"
    );
}

#[test]
fn a_domain_beside_a_project_is_that_of_user_and_project() {
    let variables = [
        ENOUGH.as_slice(),
        &[("OS_PROJECT_NAME", "p"), ("OS_DOMAIN_ID", "d")],
    ]
    .concat();
    let cloud = load(&[], &variables, None).unwrap();
    assert_eq!(project(&cloud), "project p of domain d");
    assert_eq!(
        keystone(&cloud).user.as_ref().unwrap().to_string(),
        "u of domain d"
    );
    let variables = [
        ENOUGH.as_slice(),
        &[("OS_PROJECT_NAME", "p"), ("OS_DEFAULT_DOMAIN", "d")],
    ]
    .concat();
    assert_eq!(
        project(&load(&[], &variables, None).unwrap()),
        "project p of domain d"
    );
}

#[test]
fn the_kind_of_login_is_named_or_guessed() {
    let url = ("OS_AUTH_URL", "http://k");
    let methods = |options: &[(&str, &str)], variables: &[(&str, &str)]| {
        let variables = [&[url], variables].concat();
        keystone(&load(options, &variables, None).unwrap())
            .methods
            .clone()
    };
    let user = [("OS_USERNAME", "u"), ("OS_PASSWORD", "p")];
    assert_eq!(methods(&[], &user), [Method::Password]);
    assert_eq!(methods(&[("os-token", "t")], &user), [Method::Token]);
    assert_eq!(methods(&[], &[("OS_TOKEN", "t")]), [Method::Token]);
    assert_eq!(
        methods(&[], &[("OS_TOKEN", "t"), user[0], user[1]]),
        [Method::Password]
    );
    let credential = [
        ("OS_APPLICATION_CREDENTIAL_ID", "i"),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "s"),
    ];
    assert_eq!(methods(&[], &credential), [Method::ApplicationCredential]);
    assert_eq!(
        methods(&[("os-auth-type", "v3totp")], &user),
        [Method::Totp]
    );
    let factors = [
        ("os-auth-type", "v3multifactor"),
        ("os-auth-methods", "v3password,v3totp"),
    ];
    assert_eq!(methods(&factors, &user), [Method::Password, Method::Totp]);
    // Values for version 2 of Keystone's API.
    assert_eq!(
        methods(&[("os-auth-type", "v2password")], &user),
        [Method::Password]
    );
    for (kind, reason) in [
        ("v3websso", ": it needs a browser"),
        ("v3samlpassword", ": it needs XML signatures"),
        ("v3oauth1", ": Keystone's OAuth 1.0"),
        ("v3nonsense", ""),
    ] {
        let error = load(&[("os-auth-type", kind)], &[url], None).unwrap_err();
        let message = format!("login type '{kind}' of --os-auth-type is not supported{reason}");
        assert!(error.message().starts_with(&message), "{error}");
        let hint = format!("{:?}", error.hints());
        assert!(hint.contains("v3applicationcredential"), "{hint}");
    }
    let elsewhere = [("os-service-provider", "sp")];
    let error = load(&elsewhere, &[url, user[0], user[1]], None).unwrap_err();
    assert!(
        error.message().contains("'sp' of --os-service-provider"),
        "{error}"
    );
}

/// The values that all logins with an identity provider need.
const PROVIDER: [(&str, &str); 5] = [
    ("OS_AUTH_URL", "http://k"),
    ("OS_IDENTITY_PROVIDER", "idp"),
    ("OS_PROTOCOL", "openid"),
    ("OS_CLIENT_ID", "cli"),
    (
        "OS_DISCOVERY_ENDPOINT",
        "http://p/.well-known/openid-configuration",
    ),
];

#[test]
fn logins_with_an_identity_provider_are_read_and_all_that_is_missing_is_said() {
    let read = |kind: &str, more: &[(&str, &str)]| {
        let variables = [&PROVIDER, more, &[("OS_AUTH_TYPE", kind)]].concat();
        let cloud = load(&[], &variables, None)?;
        Ok::<_, Error>(keystone(&cloud).clone())
    };
    let login = read(
        "v3oidcpassword",
        &[("OS_USERNAME", "u"), ("OS_PROJECT_NAME", "p")],
    )
    .unwrap();
    assert_eq!(login.needs(), [Need::Password]);
    assert!(login.methods.is_empty());
    let federation = login.federation.unwrap();
    assert_eq!(federation.scope, "openid profile");
    assert_eq!(federation.token_member, "access_token");
    assert!(matches!(federation.grant, Grant::Password { ref username, .. } if username == "u"));
    assert_eq!(
        login.scope.unwrap().to_string(),
        "project p of domain default"
    );
    let login = read(
        "v3oidcpassword",
        &[
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", "p"),
            ("OS_IDP_OTP_KEY", "otp"),
        ],
    )
    .unwrap();
    assert_eq!(login.needs(), [Need::Passcode]);
    assert!(!login.logs_in_silently());
    let challenge = [
        ("OS_CODE_CHALLENGE_METHOD", "S256"),
        ("OS_ACCESS_TOKEN_TYPE", "id_token"),
    ];
    let login = read("v3oidcdeviceauthz", &challenge).unwrap();
    assert!(!login.logs_in_silently());
    let federation = login.federation.unwrap();
    assert_eq!(federation.token_member, "id_token");
    assert!(matches!(
        federation.grant,
        Grant::Device {
            challenge: Some(Challenge::S256),
            endpoint: None
        }
    ));
    assert!(
        read("v3oidcclientcredentials", &[])
            .unwrap()
            .logs_in_silently()
    );
    assert!(read("v3oidcauthcode", &[("OS_CODE", "c")]).is_ok());
    assert!(read("v3oidcaccesstoken", &[("OS_ACCESS_TOKEN", "t")]).is_ok());
    for (kind, more, message) in [
        ("v3oidcpassword", vec![], "Missing: the user's name"),
        (
            "v3oidcaccesstoken",
            vec![],
            "Missing: the access token (--os-access-token, OS_ACCESS_TOKEN)",
        ),
        ("v3oidcauthcode", vec![], "Missing: the authorization code"),
        (
            "v3oidcdeviceauthz",
            vec![("OS_CODE_CHALLENGE_METHOD", "S512")],
            "'S512' of OS_CODE_CHALLENGE_METHOD",
        ),
        (
            "v3oidcclientcredentials",
            vec![("OS_ACCESS_TOKEN_TYPE", "x")],
            "'x' of OS_ACCESS_TOKEN_TYPE",
        ),
    ] {
        let error = read(kind, &more).unwrap_err();
        assert!(error.message().starts_with(message), "{error}");
    }
    let error = load(&[("os-auth-type", "v3oidcclientcredentials")], &[], None).unwrap_err();
    for part in [
        "address of Keystone",
        "identity provider",
        "protocol",
        "client ID",
        "discovery document",
    ] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    let error = load(&[("os-auth-type", "v3oauth2clientcredential")], &[], None).unwrap_err();
    assert!(error.message().contains("--os-oauth2-client-id"), "{error}");
}

#[test]
fn certificates_to_trust_are_named_by_the_cloud_then_as_requests_then_as_openssl_does() {
    let trust = |options, more: &[(&str, &str)]| {
        let variables = [&ENOUGH, more].concat();
        load(options, &variables, None).unwrap().tls.trust
    };
    let all = [
        ("OS_CACERT", "a"),
        ("REQUESTS_CA_BUNDLE", "b"),
        ("CURL_CA_BUNDLE", "c"),
        ("SSL_CERT_FILE", "d"),
        ("SSL_CERT_DIR", "e:f"),
    ];
    let only = |path: &str| Trust::Only(PathBuf::from(path));
    assert_eq!(trust(&[("os-cacert", "file:///o")], &all), only("/o"));
    assert_eq!(trust(&[], &all), only("a"));
    assert_eq!(trust(&[], &all[1..]), only("b"));
    assert_eq!(trust(&[], &all[2..]), only("c"));
    let of_openssl = Trust::System {
        file: Some("d".into()),
        directories: vec!["e".into(), "f".into()],
    };
    assert_eq!(trust(&[], &all[3..]), of_openssl);
    assert_eq!(trust(&[], &[]), Trust::default());
}

#[test]
fn a_token_with_the_address_of_the_service_needs_no_keystone() {
    let is_bare = |options: &[(&str, &str)], variables: &[(&str, &str)]| {
        matches!(
            load(options, variables, None).unwrap().login,
            Login::Token(_)
        )
    };
    let token = ("os-auth-token", "t");
    assert!(is_bare(&[token, ("os-image-url", "http://i")], &[]));
    assert!(is_bare(&[token, ("os-image-url", "http://i")], &ENOUGH));
    let variables = [
        ENOUGH.as_slice(),
        &[("OS_AUTH_TOKEN", "t"), ("OS_IMAGE_URL", "http://i")],
    ]
    .concat();
    assert!(is_bare(&[], &variables));
    assert!(is_bare(
        &[("os-token", "t"), ("os-endpoint", "http://i")],
        &ENOUGH
    ));
    assert!(!is_bare(&[("os-username", "u")], &variables));
    assert!(!is_bare(&[token], &ENOUGH));
    let named = [
        ("os-auth-type", "admin_token"),
        token,
        ("os-endpoint", "http://i"),
    ];
    assert!(is_bare(&named, &ENOUGH));
}

#[test]
fn what_needs_no_keystone_needs_an_address() {
    for (kind, message) in [
        (
            "none",
            "Missing: the address of the image service (--os-image-url, OS_IMAGE_URL)",
        ),
        (
            "admin_token",
            "Missing: the address of the image service (--os-image-url, OS_IMAGE_URL); the token (--os-token, OS_TOKEN)",
        ),
        (
            "http_basic",
            "Missing: the address of the image service (--os-image-url, OS_IMAGE_URL); the user's name (--os-username, OS_USERNAME); the password (--os-password, OS_PASSWORD)",
        ),
    ] {
        let error = load(&[("os-auth-type", kind)], &[], None).unwrap_err();
        assert_eq!(error.message(), message);
    }
    let cloud = load(
        &[("os-auth-type", "noauth"), ("os-endpoint", "https://i/v2")],
        &[],
        None,
    )
    .unwrap();
    assert!(matches!(cloud.login, Login::None) && cloud.needs_tls() && !cloud.can_renew());
}

#[test]
fn all_that_is_missing_is_said_at_once() {
    let error = load(&[], &[("OS_REGION_NAME", "r")], None).unwrap_err();
    assert_eq!(
        error.message(),
        "Missing: the address of Keystone (--os-auth-url, OS_AUTH_URL); the user's name (--os-username, OS_USERNAME); the password (--os-password, OS_PASSWORD)"
    );
    let kind = [("os-auth-type", "v3applicationcredential")];
    let error = load(&kind, &[("OS_AUTH_URL", "http://k")], None).unwrap_err();
    assert_eq!(
        error.message(),
        "Missing: the application credential (--os-application-credential-id, OS_APPLICATION_CREDENTIAL_ID); the secret of the application credential (--os-application-credential-secret, OS_APPLICATION_CREDENTIAL_SECRET)"
    );
    // A password alone may be entered.
    let cloud = load(&[], &ENOUGH[..2], None).unwrap();
    assert_eq!(keystone(&cloud).needs(), [Need::Password]);
}

#[test]
fn insecure_and_verify_and_their_warning() {
    let insecure = |options, variables: &[(&str, &str)], cloud: &str| {
        let variables = [ENOUGH.as_slice(), variables].concat();
        let cloud = load(options, &variables, Some(&format!("    {cloud}\n"))).unwrap();
        assert_eq!(cloud.tls_warning().is_none(), !cloud.tls.insecure);
        // Without encryption there is nothing to verify.
        assert!(cloud.warnings().is_empty());
        cloud.tls.insecure
    };
    assert!(!insecure(&[], &[], "verify: true"));
    assert!(insecure(&[], &[], "verify: no"));
    assert!(insecure(&[], &[], "insecure: true"));
    assert!(insecure(&[("insecure", "true")], &[], "verify: true"));
    assert!(!insecure(&[("verify", "true")], &[], "verify: false"));
    assert!(!insecure(
        &[("verify", "true")],
        &[("OS_INSECURE", "1")],
        "region_name: x"
    ));
}

#[test]
fn tokens_are_kept_unless_that_is_switched_off() {
    let keeps = |options, variables: &[(&str, &str)], cloud: &str| {
        let variables = [ENOUGH.as_slice(), variables].concat();
        load(options, &variables, Some(cloud))
            .unwrap()
            .tokens
            .is_some()
    };
    let plain = "    region_name: x\n";
    assert!(keeps(&[], &[], plain));
    assert!(!keeps(&[("os-no-cache", "true")], &[], plain));
    assert!(!keeps(&[], &[("OS_NO_CACHE", "1")], plain));
    assert!(keeps(&[], &[("OS_NO_CACHE", "0")], plain));
    assert!(!keeps(&[], &[], "    auth_cache: false\n"));
    assert!(!keeps(
        &[],
        &[],
        "    region_name: x\ncache: {auth: false}\n"
    ));
    assert!(keeps(
        &[],
        &[],
        "    auth_cache: true\ncache: {auth: false}\n"
    ));
    let cloud = load(
        &[],
        &[ENOUGH.as_slice(), &[("XDG_CACHE_HOME", "/x")]].concat(),
        None,
    )
    .unwrap();
    assert_eq!(cloud.tokens.unwrap(), Path::new("/x/glance/tokens"));
}

#[test]
fn values_that_mean_nothing_are_named_with_where_they_come_from() {
    for (options, cloud, message) in [
        (
            vec![("os-interface", "outer")],
            "x: y",
            "'outer' of --os-interface is not an interface: expected public, internal or admin",
        ),
        (
            vec![("timeout", "soon")],
            "x: y",
            "'soon' of --timeout is not a number of seconds",
        ),
        (
            vec![("timeout", "-1")],
            "x: y",
            "'-1' of --timeout is not a number of seconds",
        ),
        (
            vec![],
            "verify: maybe",
            "'maybe' of verify in /clouds.yaml is neither true nor false",
        ),
        (
            vec![],
            "image_api_version: 1",
            "'1' of image_api_version in /clouds.yaml is not supported: only version 2 of the Images API is",
        ),
        (
            vec![("os-image-url", "nonsense")],
            "x: y",
            "'nonsense' of --os-image-url is not the address of a server",
        ),
        (
            vec![],
            "interface: {a: b}",
            "/clouds.yaml:3: interface is not a string",
        ),
    ] {
        let error = load(&options, &ENOUGH, Some(&format!("    {cloud}\n"))).unwrap_err();
        let said = error.message();
        let said = match (said.find("/tmp"), said.find("/clouds.yaml")) {
            (Some(from), Some(to)) => format!("{}{}", &said[..from], &said[to..]),
            _ => said.to_string(),
        };
        assert_eq!(said, message);
    }
}

#[test]
fn debug_shows_no_secret() {
    let secrets = [
        ("OS_PASSWORD", "sesame-1"),
        ("OS_PASSCODE", "sesame-2"),
        ("OS_TOKEN", "sesame-3"),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "sesame-4"),
        ("OS_AUTH_URL", "http://a:sesame-5@k"),
        ("OS_IMAGE_ENDPOINT_OVERRIDE", "http://a:sesame-6@i"),
        ("OS_USERNAME", "u"),
    ];
    let cloud = load(&[], &secrets, None).unwrap();
    assert!(!format!("{cloud:?}").contains("sesame"), "{cloud:?}");
    let basic = load(&[("os-auth-type", "http_basic")], &secrets, None).unwrap();
    assert!(!format!("{basic:?}").contains("sesame"), "{basic:?}");
}

#[test]
fn a_region_fills_the_address_of_keystone_in() {
    let cloud = "    region_name: r1\n    auth: {auth_url: 'http://{region_name}.k', username: u, password: p}\n";
    let cloud = load(&[], &[], Some(cloud)).unwrap();
    assert_eq!(keystone(&cloud).auth_url.to_string(), "http://r1.k/v3/");
}
