//! The tables of global options: upstream's for each grammar, and the additional ones.

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

/// The global options of python-glanceclient.
pub static GLANCE: &[Global] = &[
    flag("version", None, "Print the version and exit"),
    flag(
        "debug",
        Some('d'),
        "Show HTTP requests and responses, without secrets",
    ),
    flag("verbose", Some('v'), "Print more columns"),
    flag(
        "get-schema",
        None,
        "Validate values against the server's schema instead of the built-in one",
    ),
    flag("force", Some('f'), "Do not ask for confirmation"),
    old(
        value(
            "os-image-url",
            "OS_IMAGE_URL",
            "URL of the image service [env OS_IMAGE_URL]",
        ),
        &["os_image_url"],
    ),
    old(
        value(
            "os-image-api-version",
            "OS_IMAGE_API_VERSION",
            "Images API version; 2 is the only one, any other --os-image-api-* is refused",
        ),
        &["os_image_api_version"],
    ),
    value(
        "profile",
        "HMAC_KEY",
        "HMAC key for osprofiler trace headers",
    ),
    old(
        value(
            "os-region-name",
            "OS_REGION_NAME",
            "Region name [env OS_REGION_NAME]",
        ),
        &["os_region_name"],
    ),
    old(
        value(
            "os-auth-token",
            "OS_AUTH_TOKEN",
            "Authentication token, used without logging in [env OS_AUTH_TOKEN]",
        ),
        &["os_auth_token"],
    ),
    old(
        value(
            "os-service-type",
            "OS_SERVICE_TYPE",
            "Service type in the service catalog [env OS_SERVICE_TYPE]",
        ),
        &["os_service_type"],
    ),
    old(
        value(
            "os-endpoint-type",
            "OS_ENDPOINT_TYPE",
            "Endpoint interface [env OS_ENDPOINT_TYPE]",
        ),
        &["os_endpoint_type"],
    ),
    flag("insecure", None, "Do not verify the server's certificate"),
    value(
        "os-cacert",
        "ca-certificate",
        "CA certificate bundle file [env OS_CACERT]",
    ),
    value(
        "os-cert",
        "certificate",
        "Client certificate file [env OS_CERT]",
    ),
    value(
        "os-key",
        "key",
        "Key file of the client certificate [env OS_KEY]",
    ),
    value("timeout", "seconds", "Seconds to wait for a response"),
    flag(
        "collect-timing",
        None,
        "Ignored; openstack can show timings",
    ),
    value("tls-ciphers", "ciphers", "TLS ciphers to allow"),
    one_of(
        value("tls-min-version", "1.2|1.3", "Minimum TLS version"),
        &["1.2", "1.3"],
    ),
    also(
        value(
            "os-auth-type",
            "name",
            "Authentication type [env OS_AUTH_TYPE]",
        ),
        &["os-auth-plugin"],
    ),
    value(
        "os-auth-url",
        "OS_AUTH_URL",
        "Keystone URL [env OS_AUTH_URL]",
    ),
    value(
        "os-system-scope",
        "OS_SYSTEM_SCOPE",
        "Scope for system operations",
    ),
    value("os-domain-id", "OS_DOMAIN_ID", "Domain ID for domain scope"),
    value(
        "os-domain-name",
        "OS_DOMAIN_NAME",
        "Domain name for domain scope",
    ),
    also(
        value("os-project-id", "OS_PROJECT_ID", "Project ID"),
        &["os-tenant-id", "os_tenant_id"],
    ),
    also(
        value("os-project-name", "OS_PROJECT_NAME", "Project name"),
        &["os-tenant-name", "os_tenant_name"],
    ),
    value(
        "os-project-domain-id",
        "OS_PROJECT_DOMAIN_ID",
        "Project's domain ID",
    ),
    value(
        "os-project-domain-name",
        "OS_PROJECT_DOMAIN_NAME",
        "Project's domain name",
    ),
    value("os-trust-id", "OS_TRUST_ID", "Trust ID"),
    value(
        "os-default-domain-id",
        "OS_DEFAULT_DOMAIN_ID",
        "Default domain ID of user and project",
    ),
    value(
        "os-default-domain-name",
        "OS_DEFAULT_DOMAIN_NAME",
        "Default domain name of user and project",
    ),
    value("os-user-id", "OS_USER_ID", "User ID"),
    also(
        value("os-username", "OS_USERNAME", "Username"),
        &["os-user-name"],
    ),
    value("os-user-domain-id", "OS_USER_DOMAIN_ID", "User's domain ID"),
    value(
        "os-user-domain-name",
        "OS_USER_DOMAIN_NAME",
        "User's domain name",
    ),
    value("os-password", "OS_PASSWORD", "Password [env OS_PASSWORD]"),
];

/// The authentication types of openstackclient's plugins.
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

/// The global options of python-openstackclient, including those of its authentication plugins.
pub static OPENSTACK: &[Global] = &[
    flag("version", None, "Print the version and exit"),
    repeated(flag(
        "verbose",
        Some('v'),
        "Print each request on stderr; given twice, same as --debug",
    )),
    flag(
        "quiet",
        Some('q'),
        "Suppress output except warnings and errors",
    ),
    value("log-file", "LOG_FILE", "File to append messages to"),
    flag(
        "debug",
        None,
        "Show HTTP requests and responses, without secrets",
    ),
    value(
        "os-cloud",
        "cloud-config-name",
        "Cloud name in clouds.yaml [env OS_CLOUD]",
    ),
    value(
        "os-region-name",
        "auth-region-name",
        "Region name [env OS_REGION_NAME]",
    ),
    value(
        "os-cacert",
        "ca-bundle-file",
        "CA certificate bundle file [env OS_CACERT]",
    ),
    value(
        "os-cert",
        "certificate-file",
        "Client certificate file [env OS_CERT]",
    ),
    value(
        "os-key",
        "key-file",
        "Key file of the client certificate [env OS_KEY]",
    ),
    flag("verify", None, "Verify the server's certificate (default)"),
    flag("insecure", None, "Do not verify the server's certificate"),
    value(
        "os-default-domain",
        "auth-domain",
        "Default domain ID of user and project",
    ),
    one_of(
        value(
            "os-interface",
            "interface",
            "Endpoint interface: public, internal or admin",
        ),
        &["admin", "public", "internal"],
    ),
    value(
        "os-service-provider",
        "service_provider",
        "Not supported (Keystone-to-Keystone federation)",
    ),
    value(
        "os-remote-project-name",
        "remote_project_name",
        "Not supported (Keystone-to-Keystone federation)",
    ),
    value(
        "os-remote-project-id",
        "remote_project_id",
        "Not supported (Keystone-to-Keystone federation)",
    ),
    value(
        "os-remote-project-domain-name",
        "remote_project_domain_name",
        "Not supported (Keystone-to-Keystone federation)",
    ),
    value(
        "os-remote-project-domain-id",
        "remote_project_domain_id",
        "Not supported (Keystone-to-Keystone federation)",
    ),
    flag("timing", None, "Print the duration of each request"),
    flag("os-beta-command", None, "Enable beta commands"),
    value(
        "os-profile",
        "hmac-key",
        "HMAC key for osprofiler trace headers",
    ),
    value(
        "os-accelerator-api-version",
        "accelerator-api-version",
        "Ignored",
    ),
    value("os-compute-api-version", "compute-api-version", "Ignored"),
    value(
        "os-identity-api-version",
        "identity-api-version",
        "Identity API version; 3 is the only one",
    ),
    value(
        "os-image-api-version",
        "image-api-version",
        "Images API version; 2 is the only one",
    ),
    value("os-network-api-version", "network-api-version", "Ignored"),
    value("os-object-api-version", "object-api-version", "Ignored"),
    value("os-volume-api-version", "volume-api-version", "Ignored"),
    value(
        "os-share-api-version",
        "shared-file-system-api-version",
        "Ignored",
    ),
    value(
        "os-endpoint-override",
        "endpoint-override",
        "URL of the image service",
    ),
    value(
        "os-key-manager-api-version",
        "key-manager-api-version",
        "Ignored",
    ),
    one_of(
        value(
            "os-auth-type",
            "auth-type",
            "Authentication type [env OS_AUTH_TYPE]",
        ),
        AUTH_TYPES,
    ),
    value(
        "os-auth-url",
        "auth-auth-url",
        "Keystone URL [env OS_AUTH_URL]",
    ),
    value(
        "os-system-scope",
        "auth-system-scope",
        "Scope for system operations",
    ),
    value(
        "os-domain-id",
        "auth-domain-id",
        "Domain ID for domain scope",
    ),
    value(
        "os-domain-name",
        "auth-domain-name",
        "Domain name for domain scope",
    ),
    old(
        value("os-project-id", "auth-project-id", "Project ID"),
        &["os-tenant-id"],
    ),
    old(
        value("os-project-name", "auth-project-name", "Project name"),
        &["os-tenant-name"],
    ),
    value(
        "os-project-domain-id",
        "auth-project-domain-id",
        "Project's domain ID",
    ),
    value(
        "os-project-domain-name",
        "auth-project-domain-name",
        "Project's domain name",
    ),
    value("os-trust-id", "auth-trust-id", "Trust ID"),
    value(
        "os-identity-provider",
        "auth-identity-provider",
        "Identity provider's name",
    ),
    value("os-protocol", "auth-protocol", "Federation protocol"),
    value(
        "os-access-token",
        "auth-access-token",
        "OpenID Connect access token",
    ),
    value("os-client-id", "auth-client-id", "OAuth 2.0 client ID"),
    value(
        "os-client-secret",
        "auth-client-secret",
        "OAuth 2.0 client secret",
    ),
    value(
        "os-openid-scope",
        "auth-openid-scope",
        "OpenID Connect scope",
    ),
    value(
        "os-access-token-endpoint",
        "auth-access-token-endpoint",
        "OpenID Connect token endpoint",
    ),
    value(
        "os-discovery-endpoint",
        "auth-discovery-endpoint",
        "OpenID Connect discovery document",
    ),
    value(
        "os-access-token-type",
        "auth-access-token-type",
        "OpenID Connect token type: access_token or id_token",
    ),
    value("os-username", "auth-username", "Username"),
    value("os-password", "auth-password", "Password [env OS_PASSWORD]"),
    value(
        "os-idp-otp-key",
        "auth-idp-otp-key",
        "Name of the one-time password field at the identity provider",
    ),
    value(
        "os-endpoint",
        "auth-endpoint",
        "Image service endpoint, used with a token",
    ),
    value("os-token", "auth-token", "Authentication token"),
    value(
        "os-auth-methods",
        "auth-auth-methods",
        "Comma-separated authentication methods",
    ),
    value(
        "os-redirect-uri",
        "auth-redirect-uri",
        "OpenID Connect redirect URI",
    ),
    value("os-code", "auth-code", "OAuth 2.0 authorization code"),
    value("os-user-id", "auth-user-id", "User ID"),
    value(
        "os-user-domain-id",
        "auth-user-domain-id",
        "User's domain ID",
    ),
    value(
        "os-user-domain-name",
        "auth-user-domain-name",
        "User's domain name",
    ),
    value(
        "os-application-credential-secret",
        "auth-application-credential-secret",
        "Application credential secret",
    ),
    value(
        "os-application-credential-id",
        "auth-application-credential-id",
        "Application credential ID",
    ),
    value(
        "os-application-credential-name",
        "auth-application-credential-name",
        "Application credential name",
    ),
    value(
        "os-oauth2-endpoint",
        "auth-oauth2-endpoint",
        "OAuth 2.0 token endpoint",
    ),
    value(
        "os-oauth2-client-id",
        "auth-oauth2-client-id",
        "OAuth 2.0 client ID",
    ),
    value(
        "os-oauth2-client-secret",
        "auth-oauth2-client-secret",
        "OAuth 2.0 client secret",
    ),
    value(
        "os-device-authorization-endpoint",
        "auth-device-authorization-endpoint",
        "OAuth 2.0 device authorization endpoint",
    ),
    value(
        "os-code-challenge-method",
        "auth-code-challenge-method",
        "PKCE challenge method",
    ),
    value(
        "os-default-domain-id",
        "auth-default-domain-id",
        "Default domain ID of user and project",
    ),
    value(
        "os-default-domain-name",
        "auth-default-domain-name",
        "Default domain name of user and project",
    ),
    value(
        "os-redirect-host",
        "auth-redirect-host",
        "Not supported (WebSSO)",
    ),
    value(
        "os-redirect-port",
        "auth-redirect-port",
        "Not supported (WebSSO)",
    ),
    value(
        "os-login-timeout",
        "auth-login-timeout",
        "Not supported (WebSSO)",
    ),
    value(
        "os-consumer-key",
        "auth-consumer-key",
        "Not supported (OAuth 1.0)",
    ),
    value(
        "os-consumer-secret",
        "auth-consumer-secret",
        "Not supported (OAuth 1.0)",
    ),
    value(
        "os-access-key",
        "auth-access-key",
        "Not supported (OAuth 1.0)",
    ),
    value(
        "os-access-secret",
        "auth-access-secret",
        "Not supported (OAuth 1.0)",
    ),
    value("os-passcode", "auth-passcode", "One-time password (TOTP)"),
];

/// Additional options in both grammars; see `glance help local` and `glance help output`.
pub static OURS: &[Global] = &[
    hidden(value(
        "data-dir",
        "DIR",
        "Use the local deployment in DIR [env GLANCE_DATA_DIR]",
    )),
    hidden(repeated(value(
        "config-file",
        "FILE",
        "Use the local deployment configured by FILE",
    ))),
    hidden(repeated(value(
        "config-dir",
        "DIR",
        "Read every *.conf file in DIR, after the configuration files",
    ))),
    hidden(flag("local", None, "Use the local deployment of this user")),
    hidden(value(
        "as",
        "PROJECT[:ROLE[:USER]]",
        "Identity in a local deployment [env GLANCE_AS]",
    )),
    hidden(flag(
        "sparse",
        None,
        "Write runs of zeros as holes when saving to a file",
    )),
    hidden(value(
        "parallel",
        "N",
        "Number of parts of an image to download at a time",
    )),
    hidden(flag(
        "skip-verification",
        None,
        "Do not verify uploads against the hashes the server computed",
    )),
    hidden(flag(
        "os-no-cache",
        None,
        "Do not read or write the token cache [env OS_NO_CACHE]",
    )),
    hidden(flag("os-forget-tokens", None, "Delete all cached tokens")),
    hidden(flag(
        "allow-format-mismatch",
        None,
        "Accept image data that does not match its disk format",
    )),
];

/// Options documented by `glance help cloud` that python-openstackclient lacks.
pub static OURS_IN_OPENSTACK: &[Global] = &[
    hidden(value(
        "os-image-url",
        "URL",
        "URL of the image service [env OS_IMAGE_URL]",
    )),
    hidden(value(
        "os-auth-token",
        "TOKEN",
        "Authentication token, used without logging in [env OS_AUTH_TOKEN]",
    )),
    hidden(value(
        "timeout",
        "SECONDS",
        "Seconds to wait for a response",
    )),
    hidden(value("tls-ciphers", "CIPHERS", "TLS ciphers to allow")),
    one_of(
        hidden(value("tls-min-version", "VERSION", "Minimum TLS version")),
        &["1.2", "1.3"],
    ),
];

/// Options that python-glanceclient lacks: those for clouds.yaml, and output formats.
pub static OURS_IN_GLANCE: &[Global] = &[
    hidden(value(
        "os-cloud",
        "CLOUD",
        "Cloud name in clouds.yaml [env OS_CLOUD]",
    )),
    hidden(value(
        "os-endpoint",
        "URL",
        "Image service endpoint, used with a token [env OS_ENDPOINT]",
    )),
    hidden(value(
        "os-endpoint-override",
        "URL",
        "URL of the image service",
    )),
    hidden(value(
        "os-interface",
        "public|internal|admin",
        "Endpoint interface [env OS_INTERFACE]",
    )),
    hidden(value(
        "os-token",
        "TOKEN",
        "Token to log in with, or with --os-endpoint the token to use [env OS_TOKEN]",
    )),
    hidden(value(
        "os-passcode",
        "CODE",
        "One-time password (TOTP) [env OS_PASSCODE]",
    )),
    hidden(value(
        "os-auth-methods",
        "METHODS",
        "Comma-separated authentication methods [env OS_AUTH_METHODS]",
    )),
    hidden(value(
        "os-application-credential-id",
        "ID",
        "Application credential ID [env OS_APPLICATION_CREDENTIAL_ID]",
    )),
    hidden(value(
        "os-application-credential-name",
        "NAME",
        "Application credential name [env OS_APPLICATION_CREDENTIAL_NAME]",
    )),
    hidden(value(
        "os-application-credential-secret",
        "SECRET",
        "Application credential secret [env OS_APPLICATION_CREDENTIAL_SECRET]",
    )),
    hidden(value(
        "os-identity-provider",
        "NAME",
        "Identity provider's name in Keystone [env OS_IDENTITY_PROVIDER]",
    )),
    hidden(value(
        "os-protocol",
        "NAME",
        "Federation protocol [env OS_PROTOCOL]",
    )),
    hidden(value(
        "os-access-token",
        "TOKEN",
        "OpenID Connect access token [env OS_ACCESS_TOKEN]",
    )),
    hidden(value(
        "os-client-id",
        "ID",
        "OpenID Connect client ID [env OS_CLIENT_ID]",
    )),
    hidden(value(
        "os-client-secret",
        "SECRET",
        "OpenID Connect client secret [env OS_CLIENT_SECRET]",
    )),
    hidden(value(
        "os-openid-scope",
        "SCOPE",
        "OpenID Connect scope [env OS_OPENID_SCOPE]",
    )),
    hidden(value(
        "os-access-token-endpoint",
        "URL",
        "OpenID Connect token endpoint [env OS_ACCESS_TOKEN_ENDPOINT]",
    )),
    hidden(value(
        "os-discovery-endpoint",
        "URL",
        "OpenID Connect discovery document [env OS_DISCOVERY_ENDPOINT]",
    )),
    hidden(value(
        "os-access-token-type",
        "access_token|id_token",
        "OpenID Connect token type: access_token or id_token [env OS_ACCESS_TOKEN_TYPE]",
    )),
    hidden(value(
        "os-device-authorization-endpoint",
        "URL",
        "OAuth 2.0 device authorization endpoint [env OS_DEVICE_AUTHORIZATION_ENDPOINT]",
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
        "OpenID Connect redirect URI [env OS_REDIRECT_URI]",
    )),
    hidden(value(
        "os-idp-otp-key",
        "NAME",
        "Name of the one-time password field at the identity provider [env OS_IDP_OTP_KEY]",
    )),
    hidden(value(
        "os-oauth2-endpoint",
        "URL",
        "OAuth 2.0 token endpoint [env OS_OAUTH2_ENDPOINT]",
    )),
    hidden(value(
        "os-oauth2-client-id",
        "ID",
        "OAuth 2.0 client ID [env OS_OAUTH2_CLIENT_ID]",
    )),
    hidden(value(
        "os-oauth2-client-secret",
        "SECRET",
        "OAuth 2.0 client secret [env OS_OAUTH2_CLIENT_SECRET]",
    )),
    hidden(value(
        "os-default-domain",
        "DOMAIN",
        "Default domain ID of user and project [env OS_DEFAULT_DOMAIN]",
    )),
    hidden(value(
        "format",
        "table|json|yaml|csv|value|shell",
        "Output format",
    )),
    hidden(repeated(value(
        "column",
        "COLUMN",
        "Column to print; may be repeated",
    ))),
    hidden(repeated(value(
        "sort-column",
        "COLUMN",
        "Column to sort by; may be repeated",
    ))),
    hidden(flag("sort-ascending", None, "Sort in ascending order")),
    hidden(flag("sort-descending", None, "Sort in descending order")),
    hidden(flag("noindent", None, "Print JSON on one line")),
    hidden(value(
        "quote",
        "all|minimal|none|nonnumeric",
        "When to quote values in CSV: all, minimal, none or nonnumeric",
    )),
    hidden(flag(
        "print-empty",
        None,
        "Print a table even if it is empty",
    )),
];
