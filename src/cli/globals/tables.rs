//! The tables of options: of each grammar's real client, and ours.

use super::Global;

const fn flag(long: &'static str, short: Option<char>, help: &'static str) -> Global {
    Global {
        long,
        short,
        aliases: &[],
        shown_aliases: false,
        value: None,
        choices: &[],
        help,
        repeated: false,
        hidden: false,
    }
}

const fn value(long: &'static str, value: &'static str, help: &'static str) -> Global {
    Global {
        long,
        short: None,
        aliases: &[],
        shown_aliases: false,
        value: Some(value),
        choices: &[],
        help,
        repeated: false,
        hidden: false,
    }
}

const fn old(mut global: Global, aliases: &'static [&'static str]) -> Global {
    global.aliases = aliases;
    global
}

const fn also(mut global: Global, aliases: &'static [&'static str]) -> Global {
    global.aliases = aliases;
    global.shown_aliases = true;
    global
}

const fn one_of(mut global: Global, choices: &'static [&'static str]) -> Global {
    global.choices = choices;
    global
}

const fn repeated(mut global: Global) -> Global {
    global.repeated = true;
    global
}

const fn hidden(mut global: Global) -> Global {
    global.hidden = true;
    global
}

/// python-glanceclient's.
pub static GLANCE: &[Global] = &[
    flag("version", None, "Print the version and leave"),
    flag("debug", Some('d'), "Show what is sent and received"),
    flag("verbose", Some('v'), "Show more columns"),
    flag(
        "get-schema",
        None,
        "Check values against the server's own schema, not the one built in",
    ),
    flag(
        "force",
        Some('f'),
        "Do not ask before doing what cannot be undone",
    ),
    old(
        value(
            "os-image-url",
            "OS_IMAGE_URL",
            "Address of the image service [env OS_IMAGE_URL]",
        ),
        &["os_image_url"],
    ),
    old(
        value(
            "os-image-api-version",
            "OS_IMAGE_API_VERSION",
            "Version of the Images API: 2, the only one left; help of \
              another --os-image-api-* version is refused",
        ),
        &["os_image_api_version"],
    ),
    value(
        "profile",
        "HMAC_KEY",
        "Key to sign tracing headers with (osprofiler)",
    ),
    old(
        value(
            "os-region-name",
            "OS_REGION_NAME",
            "Region [env OS_REGION_NAME]",
        ),
        &["os_region_name"],
    ),
    old(
        value(
            "os-auth-token",
            "OS_AUTH_TOKEN",
            "Token to use as it is [env OS_AUTH_TOKEN]",
        ),
        &["os_auth_token"],
    ),
    old(
        value(
            "os-service-type",
            "OS_SERVICE_TYPE",
            "Service type in the catalogue [env OS_SERVICE_TYPE]",
        ),
        &["os_service_type"],
    ),
    old(
        value(
            "os-endpoint-type",
            "OS_ENDPOINT_TYPE",
            "Interface of the endpoint [env OS_ENDPOINT_TYPE]",
        ),
        &["os_endpoint_type"],
    ),
    flag("insecure", None, "Do not verify the server's certificate"),
    value(
        "os-cacert",
        "ca-certificate",
        "Certificates to trust [env OS_CACERT]",
    ),
    value(
        "os-cert",
        "certificate",
        "Certificate to show [env OS_CERT]",
    ),
    value("os-key", "key", "Key of that certificate [env OS_KEY]"),
    value("timeout", "seconds", "How long an answer may take"),
    flag(
        "collect-timing",
        None,
        "Taken, and of no use: openstack shows times",
    ),
    value("tls-ciphers", "ciphers", "TLS ciphers to allow"),
    one_of(
        value("tls-min-version", "1.2|1.3", "Oldest TLS version to allow"),
        &["1.2", "1.3"],
    ),
    also(
        value("os-auth-type", "name", "Kind of login [env OS_AUTH_TYPE]"),
        &["os-auth-plugin"],
    ),
    value(
        "os-auth-url",
        "OS_AUTH_URL",
        "Address of Keystone [env OS_AUTH_URL]",
    ),
    value(
        "os-system-scope",
        "OS_SYSTEM_SCOPE",
        "Scope of system operations",
    ),
    value("os-domain-id", "OS_DOMAIN_ID", "Domain to act in, by id"),
    value(
        "os-domain-name",
        "OS_DOMAIN_NAME",
        "Domain to act in, by name",
    ),
    also(
        value("os-project-id", "OS_PROJECT_ID", "Project to act in, by id"),
        &["os-tenant-id", "os_tenant_id"],
    ),
    also(
        value(
            "os-project-name",
            "OS_PROJECT_NAME",
            "Project to act in, by name",
        ),
        &["os-tenant-name", "os_tenant_name"],
    ),
    value(
        "os-project-domain-id",
        "OS_PROJECT_DOMAIN_ID",
        "Domain of the project, by id",
    ),
    value(
        "os-project-domain-name",
        "OS_PROJECT_DOMAIN_NAME",
        "Domain of the project, by name",
    ),
    value("os-trust-id", "OS_TRUST_ID", "Trust to act under"),
    value(
        "os-default-domain-id",
        "OS_DEFAULT_DOMAIN_ID",
        "Domain of user and project, by id",
    ),
    value(
        "os-default-domain-name",
        "OS_DEFAULT_DOMAIN_NAME",
        "Domain of user and project, by name",
    ),
    value("os-user-id", "OS_USER_ID", "User, by id"),
    also(
        value("os-username", "OS_USERNAME", "User, by name"),
        &["os-user-name"],
    ),
    value(
        "os-user-domain-id",
        "OS_USER_DOMAIN_ID",
        "Domain of the user, by id",
    ),
    value(
        "os-user-domain-name",
        "OS_USER_DOMAIN_NAME",
        "Domain of the user, by name",
    ),
    value(
        "os-password",
        "OS_PASSWORD",
        "The user's password [env OS_PASSWORD]",
    ),
];

/// What openstackclient's plugins know of logins.
const AUTH_TYPES: &[&str] = &[
    "v3oidcaccesstoken",
    "v3oidcpassword",
    "admin_token",
    "v3multifactor",
    "v3oidcauthcode",
    "v3oidcclientcredentials",
    "v3applicationcredential",
    "v3oauth2clientcredential",
    "v3oidcdeviceauthz",
    "v3password",
    "none",
    "v3oauth2mtlsclientcredential",
    "v3token",
    "http_basic",
    "password",
    "token",
    "v2password",
    "v3tokenlessauth",
    "v3websso",
    "v3oauth1",
    "v3totp",
    "v2token",
];

/// python-openstackclient's, with those of its login plugins.
pub static OPENSTACK: &[Global] = &[
    flag("version", None, "Print the version and leave"),
    repeated(flag(
        "verbose",
        Some('v'),
        "Say a line on stderr about each request; twice: as --debug",
    )),
    flag("quiet", Some('q'), "Say nothing but errors"),
    value(
        "log-file",
        "LOG_FILE",
        "File to write what is said to as well",
    ),
    flag("debug", None, "Show what is sent and received"),
    value(
        "os-cloud",
        "cloud-config-name",
        "Cloud of clouds.yaml [env OS_CLOUD]",
    ),
    value(
        "os-region-name",
        "auth-region-name",
        "Region [env OS_REGION_NAME]",
    ),
    value(
        "os-cacert",
        "ca-bundle-file",
        "Certificates to trust [env OS_CACERT]",
    ),
    value(
        "os-cert",
        "certificate-file",
        "Certificate to show [env OS_CERT]",
    ),
    value("os-key", "key-file", "Key of that certificate [env OS_KEY]"),
    flag(
        "verify",
        None,
        "Verify the server's certificate (the default)",
    ),
    flag("insecure", None, "Do not verify the server's certificate"),
    value(
        "os-default-domain",
        "auth-domain",
        "Domain of user and project",
    ),
    one_of(
        value(
            "os-interface",
            "interface",
            "Interface of the endpoint: public, internal or admin",
        ),
        &["admin", "public", "internal"],
    ),
    value(
        "os-service-provider",
        "service_provider",
        "Not supported: logins from one Keystone to another",
    ),
    value(
        "os-remote-project-name",
        "remote_project_name",
        "Not supported: logins from one Keystone to another",
    ),
    value(
        "os-remote-project-id",
        "remote_project_id",
        "Not supported: logins from one Keystone to another",
    ),
    value(
        "os-remote-project-domain-name",
        "remote_project_domain_name",
        "Not supported: logins from one Keystone to another",
    ),
    value(
        "os-remote-project-domain-id",
        "remote_project_domain_id",
        "Not supported: logins from one Keystone to another",
    ),
    flag("timing", None, "Show how long each call took"),
    flag(
        "os-beta-command",
        None,
        "Allow commands that may still change",
    ),
    value(
        "os-profile",
        "hmac-key",
        "Key to sign tracing headers with (osprofiler)",
    ),
    value(
        "os-accelerator-api-version",
        "accelerator-api-version",
        "Taken, and of no use here",
    ),
    value(
        "os-compute-api-version",
        "compute-api-version",
        "Taken, and of no use here",
    ),
    value(
        "os-identity-api-version",
        "identity-api-version",
        "Version of the Identity API: 3",
    ),
    value(
        "os-image-api-version",
        "image-api-version",
        "Version of the Images API: 2",
    ),
    value(
        "os-network-api-version",
        "network-api-version",
        "Taken, and of no use here",
    ),
    value(
        "os-object-api-version",
        "object-api-version",
        "Taken, and of no use here",
    ),
    value(
        "os-volume-api-version",
        "volume-api-version",
        "Taken, and of no use here",
    ),
    value(
        "os-share-api-version",
        "shared-file-system-api-version",
        "Taken, and of no use here",
    ),
    value(
        "os-endpoint-override",
        "endpoint-override",
        "Address of the image service",
    ),
    value(
        "os-key-manager-api-version",
        "key-manager-api-version",
        "Taken, and of no use here",
    ),
    one_of(
        value(
            "os-auth-type",
            "auth-type",
            "Kind of login [env OS_AUTH_TYPE]",
        ),
        AUTH_TYPES,
    ),
    value(
        "os-auth-url",
        "auth-auth-url",
        "Address of Keystone [env OS_AUTH_URL]",
    ),
    value(
        "os-system-scope",
        "auth-system-scope",
        "Scope of system operations",
    ),
    value("os-domain-id", "auth-domain-id", "Domain to act in, by id"),
    value(
        "os-domain-name",
        "auth-domain-name",
        "Domain to act in, by name",
    ),
    old(
        value(
            "os-project-id",
            "auth-project-id",
            "Project to act in, by id",
        ),
        &["os-tenant-id"],
    ),
    old(
        value(
            "os-project-name",
            "auth-project-name",
            "Project to act in, by name",
        ),
        &["os-tenant-name"],
    ),
    value(
        "os-project-domain-id",
        "auth-project-domain-id",
        "Domain of the project, by id",
    ),
    value(
        "os-project-domain-name",
        "auth-project-domain-name",
        "Domain of the project, by name",
    ),
    value("os-trust-id", "auth-trust-id", "Trust to act under"),
    value(
        "os-identity-provider",
        "auth-identity-provider",
        "Identity provider (federation)",
    ),
    value("os-protocol", "auth-protocol", "Protocol of the federation"),
    value(
        "os-access-token",
        "auth-access-token",
        "OpenID Connect access token",
    ),
    value("os-client-id", "auth-client-id", "OAuth 2.0 client"),
    value("os-client-secret", "auth-client-secret", "Its secret"),
    value(
        "os-openid-scope",
        "auth-openid-scope",
        "OpenID Connect scope",
    ),
    value(
        "os-access-token-endpoint",
        "auth-access-token-endpoint",
        "Where OpenID Connect gives tokens",
    ),
    value(
        "os-discovery-endpoint",
        "auth-discovery-endpoint",
        "OpenID Connect discovery document",
    ),
    value(
        "os-access-token-type",
        "auth-access-token-type",
        "Which OpenID Connect token to use",
    ),
    value("os-username", "auth-username", "User, by name"),
    value(
        "os-password",
        "auth-password",
        "The user's password [env OS_PASSWORD]",
    ),
    value(
        "os-idp-otp-key",
        "auth-idp-otp-key",
        "Name of the identity provider's one-time field",
    ),
    value(
        "os-endpoint",
        "auth-endpoint",
        "Address of the service, with a token of its own",
    ),
    value("os-token", "auth-token", "Token to use as it is"),
    value(
        "os-auth-methods",
        "auth-auth-methods",
        "Login methods, separated by commas",
    ),
    value(
        "os-redirect-uri",
        "auth-redirect-uri",
        "OpenID Connect redirection",
    ),
    value("os-code", "auth-code", "OAuth 2.0 authorisation code"),
    value("os-user-id", "auth-user-id", "User, by id"),
    value(
        "os-user-domain-id",
        "auth-user-domain-id",
        "Domain of the user, by id",
    ),
    value(
        "os-user-domain-name",
        "auth-user-domain-name",
        "Domain of the user, by name",
    ),
    value(
        "os-application-credential-secret",
        "auth-application-credential-secret",
        "Secret of the application credential",
    ),
    value(
        "os-application-credential-id",
        "auth-application-credential-id",
        "Application credential, by id",
    ),
    value(
        "os-application-credential-name",
        "auth-application-credential-name",
        "Application credential, by name",
    ),
    value(
        "os-oauth2-endpoint",
        "auth-oauth2-endpoint",
        "OAuth 2.0 token endpoint",
    ),
    value(
        "os-oauth2-client-id",
        "auth-oauth2-client-id",
        "OAuth 2.0 client",
    ),
    value(
        "os-oauth2-client-secret",
        "auth-oauth2-client-secret",
        "Its secret",
    ),
    value(
        "os-device-authorization-endpoint",
        "auth-device-authorization-endpoint",
        "OAuth 2.0 device endpoint",
    ),
    value(
        "os-code-challenge-method",
        "auth-code-challenge-method",
        "PKCE challenge method",
    ),
    value(
        "os-default-domain-id",
        "auth-default-domain-id",
        "Domain of user and project, by id",
    ),
    value(
        "os-default-domain-name",
        "auth-default-domain-name",
        "Domain of user and project, by name",
    ),
    value(
        "os-redirect-host",
        "auth-redirect-host",
        "Not supported: logins through a browser on this machine",
    ),
    value(
        "os-redirect-port",
        "auth-redirect-port",
        "Not supported: logins through a browser on this machine",
    ),
    value(
        "os-login-timeout",
        "auth-login-timeout",
        "Not supported: logins through a browser on this machine",
    ),
    value(
        "os-consumer-key",
        "auth-consumer-key",
        "Not supported: OAuth 1.0",
    ),
    value(
        "os-consumer-secret",
        "auth-consumer-secret",
        "Not supported: OAuth 1.0",
    ),
    value(
        "os-access-key",
        "auth-access-key",
        "Not supported: OAuth 1.0",
    ),
    value(
        "os-access-secret",
        "auth-access-secret",
        "Not supported: OAuth 1.0",
    ),
    value("os-passcode", "auth-passcode", "One-time password (TOTP)"),
];

/// Ours, in both grammars; `glance help local` and `glance help output` explain them.
pub static OURS: &[Global] = &[
    hidden(value(
        "data-dir",
        "DIR",
        "Work without a server, on the images kept in DIR [env GLANCE_DATA_DIR]",
    )),
    hidden(repeated(value(
        "config-file",
        "FILE",
        "Work without a server, on the deployment that FILE configures",
    ))),
    hidden(repeated(value(
        "config-dir",
        "DIR",
        "Read every *.conf in DIR behind the files",
    ))),
    hidden(flag(
        "local",
        None,
        "Work without a server, on the images of this user",
    )),
    hidden(value(
        "as",
        "PROJECT[:ROLE[:USER]]",
        "Who is asking, where there is no Keystone [env GLANCE_AS]",
    )),
    hidden(flag(
        "sparse",
        None,
        "Leave holes for zeros in a file that image data is saved to",
    )),
    hidden(value(
        "parallel",
        "N",
        "Parts of an image to ask a server for at a time",
    )),
    hidden(flag(
        "skip-verification",
        None,
        "Do not compare hashes of what was sent with what the server stored",
    )),
    hidden(flag(
        "os-no-cache",
        None,
        "Log in anew, and keep no token for the next command [env OS_NO_CACHE]",
    )),
    hidden(flag(
        "os-forget-tokens",
        None,
        "Forget the tokens of all clouds that earlier commands left",
    )),
    hidden(flag(
        "allow-format-mismatch",
        None,
        "Take image data that is not what its disk format says",
    )),
];

/// The options that `glance help cloud` documents for either grammar and the second one's client lacks.
pub static OURS_IN_OPENSTACK: &[Global] = &[
    hidden(value(
        "os-image-url",
        "URL",
        "Address of the image service [env OS_IMAGE_URL]",
    )),
    hidden(value(
        "os-auth-token",
        "TOKEN",
        "Token to use as it is [env OS_AUTH_TOKEN]",
    )),
    hidden(value("timeout", "SECONDS", "How long an answer may take")),
    hidden(value("tls-ciphers", "CIPHERS", "TLS ciphers to allow")),
    one_of(
        hidden(value(
            "tls-min-version",
            "VERSION",
            "Oldest TLS version to allow",
        )),
        &["1.2", "1.3"],
    ),
];

/// What the first grammar lacked: clouds.yaml, and more than tables.
pub static OURS_IN_GLANCE: &[Global] = &[
    hidden(value(
        "os-cloud",
        "CLOUD",
        "Cloud of clouds.yaml [env OS_CLOUD]",
    )),
    hidden(value(
        "os-endpoint",
        "URL",
        "Address of the image service, with a token of its own [env OS_ENDPOINT]",
    )),
    hidden(value(
        "os-endpoint-override",
        "URL",
        "Address of the image service",
    )),
    hidden(value(
        "os-interface",
        "public|internal|admin",
        "Interface of the endpoint [env OS_INTERFACE]",
    )),
    hidden(value(
        "os-token",
        "TOKEN",
        "Token to log in with, or to use as it is with --os-endpoint [env OS_TOKEN]",
    )),
    hidden(value(
        "os-passcode",
        "CODE",
        "One-time password (TOTP) [env OS_PASSCODE]",
    )),
    hidden(value(
        "os-auth-methods",
        "METHODS",
        "Login methods, separated by commas [env OS_AUTH_METHODS]",
    )),
    hidden(value(
        "os-application-credential-id",
        "ID",
        "Application credential, by id [env OS_APPLICATION_CREDENTIAL_ID]",
    )),
    hidden(value(
        "os-application-credential-name",
        "NAME",
        "Application credential, by name [env OS_APPLICATION_CREDENTIAL_NAME]",
    )),
    hidden(value(
        "os-application-credential-secret",
        "SECRET",
        "Secret of the application credential [env OS_APPLICATION_CREDENTIAL_SECRET]",
    )),
    hidden(value(
        "os-identity-provider",
        "NAME",
        "Identity provider in Keystone [env OS_IDENTITY_PROVIDER]",
    )),
    hidden(value(
        "os-protocol",
        "NAME",
        "Protocol of the identity provider in Keystone [env OS_PROTOCOL]",
    )),
    hidden(value(
        "os-access-token",
        "TOKEN",
        "Token of the identity provider [env OS_ACCESS_TOKEN]",
    )),
    hidden(value(
        "os-client-id",
        "ID",
        "Client at the identity provider [env OS_CLIENT_ID]",
    )),
    hidden(value(
        "os-client-secret",
        "SECRET",
        "Its secret [env OS_CLIENT_SECRET]",
    )),
    hidden(value(
        "os-openid-scope",
        "SCOPE",
        "OpenID Connect scope [env OS_OPENID_SCOPE]",
    )),
    hidden(value(
        "os-access-token-endpoint",
        "URL",
        "Where the identity provider gives tokens [env OS_ACCESS_TOKEN_ENDPOINT]",
    )),
    hidden(value(
        "os-discovery-endpoint",
        "URL",
        "OpenID Connect discovery document [env OS_DISCOVERY_ENDPOINT]",
    )),
    hidden(value(
        "os-access-token-type",
        "access_token|id_token",
        "Token of the identity provider to use [env OS_ACCESS_TOKEN_TYPE]",
    )),
    hidden(value(
        "os-device-authorization-endpoint",
        "URL",
        "Where logins of devices begin [env OS_DEVICE_AUTHORIZATION_ENDPOINT]",
    )),
    hidden(value(
        "os-code-challenge-method",
        "plain|S256",
        "PKCE challenge method [env OS_CODE_CHALLENGE_METHOD]",
    )),
    hidden(value(
        "os-code",
        "CODE",
        "OAuth 2.0 authorization code [env OS_CODE]",
    )),
    hidden(value(
        "os-redirect-uri",
        "URI",
        "Address that the code was sent to [env OS_REDIRECT_URI]",
    )),
    hidden(value(
        "os-idp-otp-key",
        "NAME",
        "Name of the identity provider's one-time field [env OS_IDP_OTP_KEY]",
    )),
    hidden(value(
        "os-oauth2-endpoint",
        "URL",
        "OAuth 2.0 token endpoint [env OS_OAUTH2_ENDPOINT]",
    )),
    hidden(value(
        "os-oauth2-client-id",
        "ID",
        "OAuth 2.0 client [env OS_OAUTH2_CLIENT_ID]",
    )),
    hidden(value(
        "os-oauth2-client-secret",
        "SECRET",
        "Its secret [env OS_OAUTH2_CLIENT_SECRET]",
    )),
    hidden(value(
        "os-default-domain",
        "DOMAIN",
        "Domain of user and project, by id [env OS_DEFAULT_DOMAIN]",
    )),
    hidden(value(
        "format",
        "table|json|yaml|csv|value|shell",
        "How to print the answer",
    )),
    hidden(repeated(value(
        "column",
        "COLUMN",
        "Print this column; may be repeated",
    ))),
    hidden(repeated(value(
        "sort-column",
        "COLUMN",
        "Sort by this column; may be repeated",
    ))),
    hidden(flag("sort-ascending", None, "Sort smallest first")),
    hidden(flag("sort-descending", None, "Sort largest first")),
    hidden(flag("noindent", None, "Print JSON in one line")),
    hidden(value(
        "quote",
        "all|minimal|none|nonnumeric",
        "What to quote in CSV",
    )),
    hidden(flag(
        "print-empty",
        None,
        "Print the table even when it is empty",
    )),
];
