//! The additional global options.

use super::option::{Global, flag, hidden, one_of, repeated, value};

/// Additional options in both grammars; see `glance help local` and `glance help output`.
pub static EXTENSIONS: &[Global] = &[
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
    hidden(flag("human", None, "Show sizes with units in tables")),
    hidden(flag(
        "watch",
        None,
        "Show a list or an image again every two seconds",
    )),
    hidden(flag(
        "local-time",
        None,
        "Show times in the time zone of this host in tables",
    )),
    hidden(flag(
        "allow-format-mismatch",
        None,
        "Accept image data that does not match its disk format",
    )),
    hidden(flag(
        "verify-stored",
        None,
        "Read stored image data back from its store, and compare its hashes",
    )),
];

/// Options documented by `glance help cloud` that python-openstackclient lacks.
pub static OPENSTACK_EXTENSIONS: &[Global] = &[
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
pub static GLANCE_EXTENSIONS: &[Global] = &[
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
