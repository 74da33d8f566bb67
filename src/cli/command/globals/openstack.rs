//! The global options of python-openstackclient.

use super::option::{Global, flag, old, one_of, repeated, value};

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
