//! All options in one table.
//!
//! The rows drive the reading, and tests ensure that `docs/configuration.md` matches them and that every
//! row is read. Names, defaults and limits are Glance's. The section `local_limits` is an extension, for
//! limits of a deployment without those of Keystone; so are `trusted_auth`, the proxies that may identify callers, and
//! the time limits `s3_store_timeout` and `swift_store_timeout`.
//!
//! *Source:* `glance/common/config.py`, `glance/scrubber.py`, `glance/image_cache/__init__.py`,
//! `glance/image_cache/drivers/sqlite.py`, `glance/db/sqlalchemy/metadata.py`,
//! `glance_store/{backend,multi_backend,driver}.py`, `glance_store/_drivers/{filesystem,http,rbd,s3}.py`,
//! `glance_store/_drivers/swift/{store,utils,buffered}.py`,
//! `oslo_db/options.py`, `oslo_log/_options.py`, `oslo_middleware/{cors,http_proxy_to_wsgi}.py`,
//! `oslo_middleware/healthcheck/opts.py`, `glance/notifier.py`, `oslo_messaging/{transport.py,notify/notifier.py}`,
//! `oslo_messaging/_drivers/{impl_rabbit,amqp}.py`, `keystonemiddleware/auth_token/_opts.py`, `oslo_limit/opts.py`, keystoneauth1's login plugins.

/// The section of an option that every store has in its own section; without named stores that is
/// `glance_store`.
pub const EACH_STORE: &str = "STORE";

/// An option.
#[derive(Debug)]
pub struct OptionSpec {
    /// The section, or [`EACH_STORE`].
    pub section: &'static str,
    /// The key.
    pub name: &'static str,
    /// The type of the value.
    pub kind: Kind,
    /// The default value, as it would be written in a file.
    pub default: Option<&'static str>,
    /// Former sections and keys, which older files contain.
    pub former_names: &'static [(&'static str, &'static str)],
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text; never shown.
    Secret,
    /// One of these values.
    Choice(&'static [&'static str]),
    /// true, yes, on, 1, or false, no, off, 0, in any case.
    Boolean,
    /// A whole number within these limits.
    Integer {
        /// The minimum.
        minimum: i128,
        /// The maximum.
        maximum: i128,
    },
    /// `a, b`
    List,
    /// `[a, b]` with these items, or any items if the list is empty; quotes allowed.
    BracketedList(&'static [&'static str]),
    /// `key:value, key:value`
    Pairs,
    /// An option that may be repeated; every value counts.
    Repeated,
}

impl Kind {
    /// Returns the name of the type in the documentation.
    pub fn label(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "text",
            Self::Choice(_) => "choice",
            Self::Boolean => "boolean",
            Self::Integer { .. } => "integer",
            Self::List => "list",
            Self::BracketedList(_) => "bracketed list",
            Self::Pairs => "pairs",
            Self::Repeated => "repeated text",
        }
    }
}

/// A time limit.
const SECONDS: Kind = Kind::Integer {
    minimum: 1,
    maximum: 1 << 31,
};

const ANY_INTEGER: Kind = Kind::Integer {
    minimum: i128::MIN,
    maximum: i128::MAX,
};

/// The hash algorithms that `hashing_algorithm` may name.
pub const HASHING_ALGORITHMS: &[&str] = &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

/// The import plugins that `image_import_plugins` may name.
const IMPORT_PLUGINS: &[&str] = &[
    "no_op",
    "image_decompression",
    "image_conversion",
    "inject_image_metadata",
];

/// When a store of kind `s3` uses checksums.
const S3_CHECKSUMS: Kind = Kind::Choice(&["when_required", "when_supported"]);

macro_rules! options {
    ($($row:ident = [$section:expr] $name:literal, $kind:expr, $default:expr $(, was $($former:expr),+)?;)*) => {
        $(pub(in crate::config) static $row: OptionSpec = OptionSpec {
            section: $section,
            name: $name,
            kind: $kind,
            default: $default,
            former_names: &[$($($former),+)?],
        };)*

        /// All options.
        pub static OPTIONS: &[&OptionSpec] = &[$(&$row),*];
    };
}

options! {
    CONNECTION = ["database"] "connection", Kind::Secret, None;
    CONNECTION_PARAMETERS = ["database"] "connection_parameters", Kind::Secret, Some("");
    MAX_POOL_SIZE = ["database"] "max_pool_size", Kind::Integer { minimum: 0, maximum: 1 << 16 }, Some("5");
    MAX_OVERFLOW = ["database"] "max_overflow", Kind::Integer { minimum: -1, maximum: 1 << 16 }, Some("50");
    POOL_TIMEOUT = ["database"] "pool_timeout", Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("30");
    CONNECTION_RECYCLE_TIME = ["database"] "connection_recycle_time",
        Kind::Integer { minimum: -1, maximum: 1 << 31 }, Some("3600");
    MAX_RETRIES = ["database"] "max_retries", Kind::Integer { minimum: -1, maximum: 1 << 31 }, None;
    RETRY_INTERVAL = ["database"] "retry_interval", Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("10");
    MYSQL_SQL_MODE = ["database"] "mysql_sql_mode", Kind::Text, Some("TRADITIONAL");
    MYSQL_WSREP_SYNC_WAIT = ["database"] "mysql_wsrep_sync_wait",
        Kind::Integer { minimum: 0, maximum: 15 }, None;

    ENABLED_BACKENDS = ["DEFAULT"] "enabled_backends", Kind::Pairs, None;
    DEFAULT_BACKEND = ["glance_store"] "default_backend", Kind::Text, None;
    STORES = ["glance_store"] "stores", Kind::List, Some("file,http");
    DEFAULT_STORE = ["glance_store"] "default_store",
        Kind::Choice(&["file", "filesystem", "http", "https", "swift", "swift+http", "swift+https",
            "swift+config", "rbd", "cinder", "vsphere", "s3"]),
        Some("file");
    STORE_DESCRIPTION = [EACH_STORE] "store_description", Kind::Text, None;
    WEIGHT = [EACH_STORE] "weight",
        Kind::Integer { minimum: -(1 << 63), maximum: (1 << 63) - 1 }, Some("0");
    DATADIR = [EACH_STORE] "filesystem_store_datadir", Kind::Text, Some("/var/lib/glance/images");
    DATADIRS = [EACH_STORE] "filesystem_store_datadirs", Kind::Repeated, None;
    FILE_PERM = [EACH_STORE] "filesystem_store_file_perm", ANY_INTEGER, Some("0");
    CHUNK_SIZE = [EACH_STORE] "filesystem_store_chunk_size",
        Kind::Integer { minimum: 1, maximum: (1 << 63) - 1 }, Some("65536");
    THIN_PROVISIONING = [EACH_STORE] "filesystem_thin_provisioning", Kind::Boolean, Some("false");
    RBD_POOL = [EACH_STORE] "rbd_store_pool", Kind::Text, Some("images");
    RBD_USER = [EACH_STORE] "rbd_store_user", Kind::Text, None;
    RBD_CEPH_CONF = [EACH_STORE] "rbd_store_ceph_conf", Kind::Text, Some("");
    RBD_CHUNK_SIZE = [EACH_STORE] "rbd_store_chunk_size",
        Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("8");
    RADOS_CONNECT_TIMEOUT = [EACH_STORE] "rados_connect_timeout", ANY_INTEGER, Some("-1");
    RBD_THIN_PROVISIONING = [EACH_STORE] "rbd_thin_provisioning", Kind::Boolean, Some("false");
    S3_HOST = [EACH_STORE] "s3_store_host", Kind::Text, None;
    S3_REGION = [EACH_STORE] "s3_store_region_name", Kind::Text, Some("");
    S3_ACCESS_KEY = [EACH_STORE] "s3_store_access_key", Kind::Secret, None;
    S3_SECRET_KEY = [EACH_STORE] "s3_store_secret_key", Kind::Secret, None;
    S3_BUCKET = [EACH_STORE] "s3_store_bucket", Kind::Text, None;
    S3_CREATE_BUCKET = [EACH_STORE] "s3_store_create_bucket_on_put", Kind::Boolean, Some("false");
    S3_BUCKET_URL_FORMAT = [EACH_STORE] "s3_store_bucket_url_format",
        Kind::Choice(&["auto", "virtual", "path"]), Some("auto");
    S3_LARGE_OBJECT_SIZE = [EACH_STORE] "s3_store_large_object_size",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("100");
    S3_LARGE_OBJECT_CHUNK_SIZE = [EACH_STORE] "s3_store_large_object_chunk_size",
        Kind::Integer { minimum: 5, maximum: 5 << 10 }, Some("10");
    S3_THREAD_POOLS = [EACH_STORE] "s3_store_thread_pools",
        Kind::Integer { minimum: 1, maximum: 1 << 16 }, Some("10");
    S3_TIMEOUT = [EACH_STORE] "s3_store_timeout", SECONDS, Some("60");
    S3_CACERT = [EACH_STORE] "s3_store_cacert", Kind::Text, Some("");
    S3_DATA_INTEGRITY = [EACH_STORE] "s3_store_enable_data_integrity_protection",
        Kind::Boolean, Some("false");
    S3_REQUEST_CHECKSUMS = [EACH_STORE] "s3_store_request_checksum_calculation",
        S3_CHECKSUMS, Some("when_required");
    S3_RESPONSE_CHECKSUMS = [EACH_STORE] "s3_store_response_checksum_validation",
        S3_CHECKSUMS, Some("when_required");
    HTTPS_CA_CERTIFICATES = [EACH_STORE] "https_ca_certificates_file", Kind::Text, None;
    HTTPS_INSECURE = [EACH_STORE] "https_insecure", Kind::Boolean, Some("true");
    HTTP_PROXIES = [EACH_STORE] "http_proxy_information", Kind::Pairs, None;
    DEFAULT_SWIFT_REFERENCE = [EACH_STORE] "default_swift_reference", Kind::Text, Some("ref1");
    SWIFT_CONFIG_FILE = [EACH_STORE] "swift_store_config_file", Kind::Text, None;
    SWIFT_AUTH_VERSION = [EACH_STORE] "swift_store_auth_version", Kind::Choice(&["1", "3"]), Some("3");
    SWIFT_AUTH_ADDRESS = [EACH_STORE] "swift_store_auth_address", Kind::Text, None;
    SWIFT_USER = [EACH_STORE] "swift_store_user", Kind::Secret, None;
    SWIFT_KEY = [EACH_STORE] "swift_store_key", Kind::Secret, None;
    SWIFT_CREDENTIAL_ID = [EACH_STORE] "swift_store_application_credential_id", Kind::Secret, None;
    SWIFT_CREDENTIAL_SECRET = [EACH_STORE] "swift_store_application_credential_secret", Kind::Secret, None;
    SWIFT_PROJECT_NAME = [EACH_STORE] "swift_store_project_name", Kind::Text, None;
    SWIFT_PROJECT_ID = [EACH_STORE] "swift_store_project_id", Kind::Text, None;
    SWIFT_AUTH_INSECURE = [EACH_STORE] "swift_store_auth_insecure", Kind::Boolean, Some("false");
    SWIFT_CACERT = [EACH_STORE] "swift_store_cacert", Kind::Text, None;
    SWIFT_SSL_COMPRESSION = [EACH_STORE] "swift_store_ssl_compression", Kind::Boolean, Some("true");
    SWIFT_REGION = [EACH_STORE] "swift_store_region", Kind::Text, None;
    SWIFT_SERVICE_TYPE = [EACH_STORE] "swift_store_service_type", Kind::Text, Some("object-store");
    SWIFT_ENDPOINT_TYPE = [EACH_STORE] "swift_store_endpoint_type",
        Kind::Choice(&["publicURL", "adminURL", "internalURL"]), Some("publicURL");
    SWIFT_ENDPOINT = [EACH_STORE] "swift_store_endpoint", Kind::Text, None;
    SWIFT_CONTAINER = [EACH_STORE] "swift_store_container", Kind::Text, Some("glance");
    SWIFT_CREATE_CONTAINER = [EACH_STORE] "swift_store_create_container_on_put",
        Kind::Boolean, Some("false");
    SWIFT_LARGE_OBJECT_SIZE = [EACH_STORE] "swift_store_large_object_size",
        Kind::Integer { minimum: 1, maximum: 1 << 40 }, Some("5120");
    SWIFT_CHUNK_SIZE = [EACH_STORE] "swift_store_large_object_chunk_size",
        Kind::Integer { minimum: 1, maximum: 1 << 40 }, Some("200");
    SWIFT_MULTI_TENANT = [EACH_STORE] "swift_store_multi_tenant", Kind::Boolean, Some("false");
    SWIFT_MULTIPLE_CONTAINERS_SEED = [EACH_STORE] "swift_store_multiple_containers_seed",
        Kind::Integer { minimum: 0, maximum: 32 }, Some("0");
    SWIFT_ADMIN_TENANTS = [EACH_STORE] "swift_store_admin_tenants", Kind::List, Some("");
    SWIFT_RETRY_GET_COUNT = [EACH_STORE] "swift_store_retry_get_count",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("0");
    SWIFT_TIMEOUT = [EACH_STORE] "swift_store_timeout", SECONDS, Some("60");
    SWIFT_EXPIRE_SOON_INTERVAL = [EACH_STORE] "swift_store_expire_soon_interval",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("60");
    SWIFT_USE_TRUSTS = [EACH_STORE] "swift_store_use_trusts", Kind::Boolean, Some("true");
    SWIFT_BUFFER_ON_UPLOAD = [EACH_STORE] "swift_buffer_on_upload", Kind::Boolean, Some("false");
    SWIFT_UPLOAD_BUFFER_DIR = [EACH_STORE] "swift_upload_buffer_dir", Kind::Text, None;

    STAGING_DATADIR = ["os_glance_staging_store"] "filesystem_store_datadir",
        Kind::Text, Some("/var/lib/glance/os_glance_staging_store");
    NODE_STAGING_URI = ["DEFAULT"] "node_staging_uri", Kind::Text, Some("file:///tmp/staging/");
    IMAGE_CACHE_DIR = ["DEFAULT"] "image_cache_dir", Kind::Text, None;
    IMAGE_CACHE_DRIVER = ["DEFAULT"] "image_cache_driver", Kind::Text, Some("centralized_db");
    IMAGE_CACHE_SQLITE_DB = ["DEFAULT"] "image_cache_sqlite_db", Kind::Text, Some("cache.db");
    IMAGE_CACHE_MAX_SIZE = ["DEFAULT"] "image_cache_max_size",
        Kind::Integer { minimum: 0, maximum: (1 << 63) - 1 }, Some("10737418240");
    IMAGE_CACHE_STALL_TIME = ["DEFAULT"] "image_cache_stall_time",
        Kind::Integer { minimum: 0, maximum: (1 << 63) - 1 }, Some("86400");
    CACHE_PREFETCHER_INTERVAL = ["DEFAULT"] "cache_prefetcher_interval",
        Kind::Integer { minimum: 0, maximum: (1 << 31) - 1 }, Some("300");
    WORKER_SELF_REFERENCE_URL = ["DEFAULT"] "worker_self_reference_url", Kind::Text, None;
    FLAVOR = ["paste_deploy"] "flavor", Kind::Text, None;

    IMAGE_SIZE_CAP = ["DEFAULT"] "image_size_cap",
        Kind::Integer { minimum: 1, maximum: 1 << 63 }, Some("1099511627776");
    USER_STORAGE_QUOTA = ["DEFAULT"] "user_storage_quota", Kind::Text, Some("0");
    IMAGE_PROPERTY_QUOTA = ["DEFAULT"] "image_property_quota", ANY_INTEGER, Some("128");
    IMAGE_TAG_QUOTA = ["DEFAULT"] "image_tag_quota", ANY_INTEGER, Some("128");
    IMAGE_MEMBER_QUOTA = ["DEFAULT"] "image_member_quota", ANY_INTEGER, Some("128");
    IMAGE_LOCATION_QUOTA = ["DEFAULT"] "image_location_quota", ANY_INTEGER, Some("10");

    IMAGE_SIZE_TOTAL = ["local_limits"] "image_size_total", ANY_INTEGER, Some("-1");
    IMAGE_STAGE_TOTAL = ["local_limits"] "image_stage_total", ANY_INTEGER, Some("-1");
    IMAGE_COUNT_TOTAL = ["local_limits"] "image_count_total", ANY_INTEGER, Some("-1");
    IMAGE_COUNT_UPLOADING = ["local_limits"] "image_count_uploading", ANY_INTEGER, Some("-1");

    USE_KEYSTONE_LIMITS = ["DEFAULT"] "use_keystone_limits", Kind::Boolean, Some("false");
    LIMIT_ENDPOINT_ID = ["oslo_limit"] "endpoint_id", Kind::Text, None;
    LIMIT_SERVICE_TYPE = ["oslo_limit"] "endpoint_service_type", Kind::Text, None;
    LIMIT_SERVICE_NAME = ["oslo_limit"] "endpoint_service_name", Kind::Text, None;
    LIMIT_ENDPOINT_REGION = ["oslo_limit"] "endpoint_region_name", Kind::Text, None;
    LIMIT_ENDPOINT_INTERFACE = ["oslo_limit"] "endpoint_interface", Kind::Text, Some("public");
    LIMIT_INTERFACES = ["oslo_limit"] "valid_interfaces", Kind::List, Some("public");

    HASHING_ALGORITHM = ["DEFAULT"] "hashing_algorithm",
        Kind::Choice(HASHING_ALGORITHMS), Some("sha512");
    DISK_FORMATS = ["image_format"] "disk_formats", Kind::List,
        Some("ami,ari,aki,vhd,vhdx,vmdk,raw,qcow2,vdi,iso,ploop,luks"),
        was ("DEFAULT", "disk_formats");
    CONTAINER_FORMATS = ["image_format"] "container_formats", Kind::List,
        Some("ami,ari,aki,bare,ovf,ova,docker,compressed"),
        was ("DEFAULT", "container_formats");
    REQUIRE_IMAGE_FORMAT_MATCH = ["image_format"] "require_image_format_match",
        Kind::Boolean, Some("true");
    GPT_SAFETY_CHECKS_NONFATAL = ["image_format"] "gpt_safety_checks_nonfatal",
        Kind::List, Some("");
    VMDK_ALLOWED_TYPES = ["image_format"] "vmdk_allowed_types",
        Kind::List, Some("streamOptimized,monolithicSparse");

    DELAYED_DELETE = ["DEFAULT"] "delayed_delete", Kind::Boolean, Some("false");
    METADATA_ENCRYPTION_KEY = ["DEFAULT"] "metadata_encryption_key", Kind::Secret, None;
    SCRUB_TIME = ["DEFAULT"] "scrub_time",
        Kind::Integer { minimum: 0, maximum: (1 << 63) - 1 }, Some("0");
    SCRUB_POOL_SIZE = ["DEFAULT"] "scrub_pool_size",
        Kind::Integer { minimum: 1, maximum: (1 << 63) - 1 }, Some("1");
    WAKEUP_TIME = ["DEFAULT"] "wakeup_time",
        Kind::Integer { minimum: 0, maximum: (1 << 63) - 1 }, Some("300");
    DAEMON = ["DEFAULT"] "daemon", Kind::Boolean, Some("false");
    DEBUG = ["DEFAULT"] "debug", Kind::Boolean, Some("false");
    LOG_FILE = ["DEFAULT"] "log_file", Kind::Text, None, was ("DEFAULT", "logfile");
    LOG_DIR = ["DEFAULT"] "log_dir", Kind::Text, None, was ("DEFAULT", "logdir");
    LOG_DATE_FORMAT = ["DEFAULT"] "log_date_format", Kind::Text, Some("%Y-%m-%d %H:%M:%S");
    LOG_CONFIG_APPEND = ["DEFAULT"] "log_config_append", Kind::Text, None,
        was ("DEFAULT", "log_config");
    USE_STDERR = ["DEFAULT"] "use_stderr", Kind::Boolean, Some("true");
    USE_SYSLOG = ["DEFAULT"] "use_syslog", Kind::Boolean, Some("false");
    USE_JOURNAL = ["DEFAULT"] "use_journal", Kind::Boolean, Some("false");
    USE_JSON = ["DEFAULT"] "use_json", Kind::Boolean, Some("false");
    SYSLOG_LOG_FACILITY = ["DEFAULT"] "syslog_log_facility", Kind::Text, Some("LOG_USER");
    SHOW_IMAGE_DIRECT_URL = ["DEFAULT"] "show_image_direct_url", Kind::Boolean, Some("false");
    SHOW_MULTIPLE_LOCATIONS = ["DEFAULT"] "show_multiple_locations", Kind::Boolean, Some("false");
    DO_SECURE_HASH = ["DEFAULT"] "do_secure_hash", Kind::Boolean, Some("true");
    HTTP_RETRIES = ["DEFAULT"] "http_retries", ANY_INTEGER, Some("3");
    ENABLED_IMPORT_METHODS = ["DEFAULT"] "enabled_import_methods",
        Kind::BracketedList(&[]),
        Some("[glance-direct,web-download,copy-image]");
    METADATA_SOURCE_PATH = ["DEFAULT"] "metadata_source_path",
        Kind::Text, Some("/etc/glance/metadefs/");

    BIND_HOST = ["DEFAULT"] "bind_host", Kind::Text, Some("0.0.0.0");
    BIND_PORT = ["DEFAULT"] "bind_port", Kind::Integer { minimum: 0, maximum: 65535 }, Some("9292");
    BACKLOG = ["DEFAULT"] "backlog", Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("4096");
    CERT_FILE = ["DEFAULT"] "cert_file", Kind::Text, None;
    KEY_FILE = ["DEFAULT"] "key_file", Kind::Text, None;
    CA_FILE = ["DEFAULT"] "ca_file", Kind::Text, None;
    PUBLIC_ENDPOINT = ["DEFAULT"] "public_endpoint", Kind::Text, None;
    ALLOW_ANONYMOUS_ACCESS = ["DEFAULT"] "allow_anonymous_access", Kind::Boolean, Some("false");
    LIMIT_PARAM_DEFAULT = ["DEFAULT"] "limit_param_default",
        Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("25");
    API_LIMIT_MAX = ["DEFAULT"] "api_limit_max", Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("1000");
    MAX_HEADER_LINE = ["DEFAULT"] "max_header_line", Kind::Integer { minimum: 1, maximum: 1 << 24 }, Some("16384");
    MAX_REQUEST_ID_LENGTH = ["DEFAULT"] "max_request_id_length",
        Kind::Integer { minimum: 0, maximum: 1 << 14 }, Some("64");
    HTTP_KEEPALIVE = ["DEFAULT"] "http_keepalive", Kind::Boolean, Some("true");
    CLIENT_SOCKET_TIMEOUT = ["DEFAULT"] "client_socket_timeout",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("900");

    AUTH_WWW_URI = ["keystone_authtoken"] "www_authenticate_uri", Kind::Text, None,
        was ("keystone_authtoken", "auth_uri");
    AUTH_SECTION = ["keystone_authtoken"] "auth_section", Kind::Text, None;
    AUTH_TYPE = ["keystone_authtoken"] "auth_type",
        Kind::Choice(&["password", "v3password", "v3applicationcredential"]), Some("password"),
        was ("keystone_authtoken", "auth_plugin");
    AUTH_URL = ["keystone_authtoken"] "auth_url", Kind::Text, None;
    AUTH_USERNAME = ["keystone_authtoken"] "username", Kind::Text, None,
        was ("keystone_authtoken", "user_name"), ("keystone_authtoken", "user-name");
    AUTH_USER_ID = ["keystone_authtoken"] "user_id", Kind::Text, None;
    AUTH_USER_DOMAIN_NAME = ["keystone_authtoken"] "user_domain_name", Kind::Text, None;
    AUTH_USER_DOMAIN_ID = ["keystone_authtoken"] "user_domain_id", Kind::Text, None;
    AUTH_PASSWORD = ["keystone_authtoken"] "password", Kind::Secret, None;
    AUTH_PROJECT_NAME = ["keystone_authtoken"] "project_name", Kind::Text, None,
        was ("keystone_authtoken", "tenant_name"), ("keystone_authtoken", "tenant-name");
    AUTH_PROJECT_ID = ["keystone_authtoken"] "project_id", Kind::Text, None,
        was ("keystone_authtoken", "tenant_id"), ("keystone_authtoken", "tenant-id");
    AUTH_PROJECT_DOMAIN_NAME = ["keystone_authtoken"] "project_domain_name", Kind::Text, None;
    AUTH_PROJECT_DOMAIN_ID = ["keystone_authtoken"] "project_domain_id", Kind::Text, None;
    AUTH_DOMAIN_NAME = ["keystone_authtoken"] "domain_name", Kind::Text, None;
    AUTH_DOMAIN_ID = ["keystone_authtoken"] "domain_id", Kind::Text, None;
    AUTH_DEFAULT_DOMAIN_NAME = ["keystone_authtoken"] "default_domain_name", Kind::Text, None;
    AUTH_DEFAULT_DOMAIN_ID = ["keystone_authtoken"] "default_domain_id", Kind::Text, None;
    AUTH_SYSTEM_SCOPE = ["keystone_authtoken"] "system_scope", Kind::Choice(&["all"]), None;
    AUTH_CREDENTIAL_ID = ["keystone_authtoken"] "application_credential_id", Kind::Text, None;
    AUTH_CREDENTIAL_NAME = ["keystone_authtoken"] "application_credential_name", Kind::Text, None;
    AUTH_CREDENTIAL_SECRET = ["keystone_authtoken"] "application_credential_secret", Kind::Secret, None;
    AUTH_REGION = ["keystone_authtoken"] "region_name", Kind::Text, None;
    AUTH_INTERFACE = ["keystone_authtoken"] "interface", Kind::Text, Some("internal");
    AUTH_CAFILE = ["keystone_authtoken"] "cafile", Kind::Text, None;
    AUTH_CERTFILE = ["keystone_authtoken"] "certfile", Kind::Text, None;
    AUTH_KEYFILE = ["keystone_authtoken"] "keyfile", Kind::Text, None;
    AUTH_INSECURE = ["keystone_authtoken"] "insecure", Kind::Boolean, Some("false");
    AUTH_CONNECT_TIMEOUT = ["keystone_authtoken"] "http_connect_timeout",
        Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("30");
    AUTH_MAX_RETRIES = ["keystone_authtoken"] "http_request_max_retries",
        Kind::Integer { minimum: 0, maximum: 100 }, Some("3");
    TOKEN_CACHE_TIME = ["keystone_authtoken"] "token_cache_time",
        Kind::Integer { minimum: -1, maximum: 1 << 31 }, Some("300");
    SERVICE_TOKEN_ROLES = ["keystone_authtoken"] "service_token_roles", Kind::List, Some("service");
    SERVICE_TOKEN_ROLES_REQUIRED = ["keystone_authtoken"] "service_token_roles_required",
        Kind::Boolean, Some("true");
    AUTH_SERVICE_TYPE = ["keystone_authtoken"] "service_type", Kind::Text, Some("image");
    TRUSTED_PROXIES = ["trusted_auth"] "proxies", Kind::List, Some("");
    ENABLE_PROXY_HEADERS = ["oslo_middleware"] "enable_proxy_headers_parsing", Kind::Boolean, Some("false");
    HEALTHCHECK_FILE = ["healthcheck"] "disable_by_file_path",
        Kind::Text, Some("/etc/glance/healthcheck_disable");
    METRICS_HOST = ["metrics"] "bind_host", Kind::Text, Some("127.0.0.1");
    METRICS_PORT = ["metrics"] "bind_port", Kind::Integer { minimum: 0, maximum: 65535 }, None;
    ALLOWED_ORIGIN = ["cors"] "allowed_origin", Kind::List, Some("");
    ALLOW_CREDENTIALS = ["cors"] "allow_credentials", Kind::Boolean, Some("true");
    EXPOSE_HEADERS = ["cors"] "expose_headers", Kind::List,
        Some("X-Image-Meta-Checksum,X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID");
    MAX_AGE = ["cors"] "max_age", Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("3600");
    ALLOW_METHODS = ["cors"] "allow_methods", Kind::List, Some("GET,PUT,POST,DELETE,PATCH");
    ALLOW_HEADERS = ["cors"] "allow_headers", Kind::List,
        Some("Content-MD5,X-Image-Meta-Checksum,X-Storage-Token,Accept-Encoding,X-Auth-Token,\
              X-Identity-Status,X-Roles,X-Service-Catalog,X-User-Id,X-Tenant-Id,X-OpenStack-Request-ID");
    POLICY_FILE = ["oslo_policy"] "policy_file", Kind::Text, Some("policy.yaml");
    POLICY_DIRS = ["oslo_policy"] "policy_dirs", Kind::Repeated, Some("policy.d");
    POLICY_DEFAULT_RULE = ["oslo_policy"] "policy_default_rule", Kind::Text, Some("default");
    ENFORCE_SCOPE = ["oslo_policy"] "enforce_scope", Kind::Boolean, Some("true");
    ENFORCE_NEW_DEFAULTS = ["oslo_policy"] "enforce_new_defaults", Kind::Boolean, Some("true");
    PROPERTY_PROTECTION_FILE = ["DEFAULT"] "property_protection_file", Kind::Text, None;
    PROPERTY_PROTECTION_RULE_FORMAT = ["DEFAULT"] "property_protection_rule_format",
        Kind::Choice(&["roles", "policies"]), Some("roles");

    NOTIFICATION_DRIVER = ["oslo_messaging_notifications"] "driver", Kind::Repeated, None,
        was ("DEFAULT", "notification_driver");
    NOTIFICATION_TRANSPORT_URL = ["oslo_messaging_notifications"] "transport_url", Kind::Secret, None,
        was ("DEFAULT", "notification_transport_url");
    NOTIFICATION_TOPICS = ["oslo_messaging_notifications"] "topics", Kind::List, Some("notifications"),
        was ("DEFAULT", "notification_topics");
    NOTIFICATION_RETRY = ["oslo_messaging_notifications"] "retry",
        Kind::Integer { minimum: -1, maximum: 1 << 31 }, Some("-1");
    TRANSPORT_URL = ["DEFAULT"] "transport_url", Kind::Secret, Some("rabbit://");
    CONTROL_EXCHANGE = ["DEFAULT"] "control_exchange", Kind::Text, Some("glance");
    DEFAULT_PUBLISHER_ID = ["DEFAULT"] "default_publisher_id", Kind::Text, Some("image.localhost");
    DISABLED_NOTIFICATIONS = ["DEFAULT"] "disabled_notifications", Kind::List, Some("");
    RABBIT_SSL = ["oslo_messaging_rabbit"] "ssl", Kind::Boolean, Some("false"),
        was ("oslo_messaging_rabbit", "rabbit_use_ssl");
    RABBIT_SSL_CA_FILE = ["oslo_messaging_rabbit"] "ssl_ca_file", Kind::Text, Some(""),
        was ("oslo_messaging_rabbit", "kombu_ssl_ca_certs");
    RABBIT_SSL_CERT_FILE = ["oslo_messaging_rabbit"] "ssl_cert_file", Kind::Text, Some(""),
        was ("oslo_messaging_rabbit", "kombu_ssl_certfile");
    RABBIT_SSL_KEY_FILE = ["oslo_messaging_rabbit"] "ssl_key_file", Kind::Text, Some(""),
        was ("oslo_messaging_rabbit", "kombu_ssl_keyfile");
    RABBIT_LOGIN_METHOD = ["oslo_messaging_rabbit"] "rabbit_login_method",
        Kind::Choice(&["PLAIN", "AMQPLAIN", "EXTERNAL", "RABBIT-CR-DEMO"]), Some("AMQPLAIN");
    AMQP_DURABLE_QUEUES = ["oslo_messaging_rabbit"] "amqp_durable_queues", Kind::Boolean, Some("false");
    AMQP_AUTO_DELETE = ["oslo_messaging_rabbit"] "amqp_auto_delete", Kind::Boolean, Some("false");
    RABBIT_HA_QUEUES = ["oslo_messaging_rabbit"] "rabbit_ha_queues", Kind::Boolean, Some("false");
    RABBIT_QUORUM_QUEUE = ["oslo_messaging_rabbit"] "rabbit_quorum_queue", Kind::Boolean, Some("false");
    RABBIT_QUORUM_DELIVERY_LIMIT = ["oslo_messaging_rabbit"] "rabbit_quorum_delivery_limit",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("0");
    RABBIT_QUORUM_MAX_MEMORY_LENGTH = ["oslo_messaging_rabbit"] "rabbit_quorum_max_memory_length",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("0");
    RABBIT_QUORUM_MAX_MEMORY_BYTES = ["oslo_messaging_rabbit"] "rabbit_quorum_max_memory_bytes",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("0");
    HEARTBEAT_TIMEOUT_THRESHOLD = ["oslo_messaging_rabbit"] "heartbeat_timeout_threshold",
        Kind::Integer { minimum: 0, maximum: 65535 }, Some("60");
    RABBIT_RETRY_INTERVAL = ["oslo_messaging_rabbit"] "rabbit_retry_interval",
        Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("1");
    RABBIT_RETRY_BACKOFF = ["oslo_messaging_rabbit"] "rabbit_retry_backoff",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("2");
    RABBIT_INTERVAL_MAX = ["oslo_messaging_rabbit"] "rabbit_interval_max",
        Kind::Integer { minimum: 1, maximum: 1 << 31 }, Some("30");

    IMAGE_IMPORT_PLUGINS = ["image_import_opts"] "image_import_plugins",
        Kind::BracketedList(IMPORT_PLUGINS), Some("[]");
    OUTPUT_FORMAT = ["image_conversion"] "output_format",
        Kind::Choice(&["qcow2", "raw", "vmdk"]), Some("raw");
    INJECT = ["inject_metadata_properties"] "inject", Kind::Pairs, None;
    IGNORE_USER_ROLES = ["inject_metadata_properties"] "ignore_user_roles",
        Kind::List, Some("admin");
    EXTRA_PROPERTIES = ["glance_download_properties"] "extra_properties",
        Kind::BracketedList(&[]), Some("[hw_,trait:,os_distro,os_secure_boot,os_type]");
    ALLOWED_SCHEMES = ["import_filtering_opts"] "allowed_schemes",
        Kind::BracketedList(&[]), Some("[http,https]");
    DISALLOWED_SCHEMES = ["import_filtering_opts"] "disallowed_schemes",
        Kind::BracketedList(&[]), Some("[]");
    ALLOWED_HOSTS = ["import_filtering_opts"] "allowed_hosts",
        Kind::BracketedList(&[]), Some("[]");
    DISALLOWED_HOSTS = ["import_filtering_opts"] "disallowed_hosts",
        Kind::BracketedList(&[]), Some("[]");
    ALLOWED_PORTS = ["import_filtering_opts"] "allowed_ports",
        Kind::BracketedList(&[]), Some("[80,443]");
    DISALLOWED_PORTS = ["import_filtering_opts"] "disallowed_ports",
        Kind::BracketedList(&[]), Some("[]");
    TASK_TIME_TO_LIVE = ["task"] "task_time_to_live",
        Kind::Integer { minimum: 0, maximum: 1 << 31 }, Some("48");
}

/// Returns the option `name` in `section` (normalized), if it is in the table.
pub(in crate::config) fn find_option(section: &str, name: &str) -> Option<&'static OptionSpec> {
    let exact = OPTIONS
        .iter()
        .find(|spec| spec.name == name && spec.section == section);
    let of_a_store = || {
        OPTIONS
            .iter()
            .find(|spec| spec.name == name && spec.section == EACH_STORE && section != "DEFAULT")
    };
    exact.or_else(of_a_store).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Returns the rows of the tables: (section, option) → (type, default).
    fn documented() -> BTreeMap<(String, String), (String, String)> {
        let text = include_str!("../../../docs/configuration.md");
        let mut rows = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let plain = |cell: usize| cells[cell].replace('`', "");
            let key = (plain(1).trim_matches(['[', ']']).to_owned(), plain(0));
            assert_eq!(cells.len(), 5, "{line}");
            assert!(
                rows.insert(key, (plain(2), plain(3))).is_none(),
                "twice: {line}"
            );
        }
        rows
    }

    #[test]
    fn the_documentation_lists_exactly_the_options_that_are_read() {
        let ours: BTreeMap<_, _> = OPTIONS
            .iter()
            .map(|spec| {
                let default = match spec.default {
                    Some("") => "(empty)",
                    Some(text) => text,
                    None => "(none)",
                };
                let key = (spec.section.to_owned(), spec.name.to_owned());
                (key, (spec.kind.label().to_owned(), default.to_owned()))
            })
            .collect();
        assert_eq!(documented(), ours);
    }
}
