//! The global options of python-glanceclient.

use super::option::{Global, also, flag, old, one_of, value};

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
