//! The sources of each value: options over variables over `clouds.yaml`; and the one table of variables and keys.
//!
//! *Source:* `osc_lib/api/auth.py`, `openstack/config/loader.py`, `glanceclient/shell.py`.

use std::fmt;

use super::super::environment::Environment;
use crate::config::yaml::{Map, Value};
use crate::{Error, Parameter, Result};

/// A value of a cloud, under its names in the environment and in clouds.yaml. The command line has names of its own for
/// it, see [`CloudOptions`].
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The description with its article.
    pub what: &'static str,
    /// Environment variables.
    pub variables: &'static [&'static str],
    /// Keys of a cloud, or of its `auth`; the first one that is present counts.
    pub keys: &'static [&'static str],
}

/// Declares the fields, each as one line of names.
macro_rules! fields {
    ($($name:ident: $what:literal, $variables:tt, $keys:tt;)*) => {
    $(
        #[doc = concat!("The field for ", $what, ".")]
        pub const $name: Field = Field {
            what: $what,
            variables: &$variables,
            keys: &$keys,
        };
    )*

    /// All fields.
    pub const ALL: &[&Field] = &[$(&$name),*];
    };
}

fields! {
    CLOUD: "the cloud", ["OS_CLOUD"], [];
    AUTH_TYPE: "the login type", ["OS_AUTH_TYPE", "OS_AUTH_PLUGIN"], ["auth_type", "auth_plugin"];
    AUTH_METHODS: "the login methods", ["OS_AUTH_METHODS"], ["auth_methods"];
    AUTH_URL: "the address of Keystone", ["OS_AUTH_URL"], ["auth_url"];
    USERNAME: "the user's name", ["OS_USERNAME", "OS_USER_NAME"], ["username", "user_name"];
    USER_ID: "the user's ID", ["OS_USER_ID"], ["user_id"];
    USER_DOMAIN_NAME: "the user's domain", ["OS_USER_DOMAIN_NAME"], ["user_domain_name"];
    USER_DOMAIN_ID: "the user's domain", ["OS_USER_DOMAIN_ID"], ["user_domain_id"];
    PASSWORD: "the password", ["OS_PASSWORD"], ["password"];
    PASSCODE: "the one-time passcode", ["OS_PASSCODE"], ["passcode"];
    TOKEN: "the token", ["OS_TOKEN", "OS_AUTH_TOKEN"], ["token", "auth_token"];
    CREDENTIAL_ID: "the application credential", ["OS_APPLICATION_CREDENTIAL_ID"], ["application_credential_id"];
    CREDENTIAL_NAME: "the application credential", ["OS_APPLICATION_CREDENTIAL_NAME"], ["application_credential_name"];
    CREDENTIAL_SECRET: "the secret of the application credential", ["OS_APPLICATION_CREDENTIAL_SECRET"], ["application_credential_secret"];
    PROJECT_ID: "the project", ["OS_PROJECT_ID", "OS_TENANT_ID"], ["project_id", "tenant_id"];
    PROJECT_NAME: "the project", ["OS_PROJECT_NAME", "OS_TENANT_NAME"], ["project_name", "tenant_name"];
    PROJECT_DOMAIN_ID: "the project's domain", ["OS_PROJECT_DOMAIN_ID"], ["project_domain_id"];
    PROJECT_DOMAIN_NAME: "the project's domain", ["OS_PROJECT_DOMAIN_NAME"], ["project_domain_name"];
    DOMAIN_ID: "the domain", ["OS_DOMAIN_ID"], ["domain_id"];
    DOMAIN_NAME: "the domain", ["OS_DOMAIN_NAME"], ["domain_name"];
    DEFAULT_DOMAIN_ID: "the default domain", ["OS_DEFAULT_DOMAIN_ID", "OS_DEFAULT_DOMAIN"], ["default_domain_id", "default_domain"];
    DEFAULT_DOMAIN_NAME: "the default domain", ["OS_DEFAULT_DOMAIN_NAME"], ["default_domain_name"];
    SYSTEM_SCOPE: "the system", ["OS_SYSTEM_SCOPE"], ["system_scope"];
    TRUST_ID: "the trust", ["OS_TRUST_ID"], ["trust_id"];
    IDENTITY_PROVIDER: "the identity provider", ["OS_IDENTITY_PROVIDER"], ["identity_provider"];
    PROTOCOL: "the federation protocol", ["OS_PROTOCOL"], ["protocol"];
    ACCESS_TOKEN: "the access token", ["OS_ACCESS_TOKEN"], ["access_token"];
    CLIENT_ID: "the client ID at the identity provider", ["OS_CLIENT_ID"], ["client_id"];
    CLIENT_SECRET: "the client secret at the identity provider", ["OS_CLIENT_SECRET"], ["client_secret"];
    OPENID_SCOPE: "the OpenID Connect scope", ["OS_OPENID_SCOPE"], ["openid_scope", "scope"];
    ACCESS_TOKEN_ENDPOINT: "the token endpoint of the identity provider", ["OS_ACCESS_TOKEN_ENDPOINT"], ["access_token_endpoint"];
    DISCOVERY_ENDPOINT: "the identity provider's discovery document", ["OS_DISCOVERY_ENDPOINT"], ["discovery_endpoint"];
    ACCESS_TOKEN_TYPE: "the type of the identity provider's token", ["OS_ACCESS_TOKEN_TYPE"], ["access_token_type"];
    DEVICE_ENDPOINT: "the device authorization endpoint of the identity provider", ["OS_DEVICE_AUTHORIZATION_ENDPOINT"], ["device_authorization_endpoint"];
    CODE_CHALLENGE_METHOD: "the code challenge method", ["OS_CODE_CHALLENGE_METHOD"], ["code_challenge_method"];
    CODE: "the authorization code", ["OS_CODE", "OS_AUTHORIZATION_CODE"], ["code", "authorization_code"];
    REDIRECT_URI: "the redirect address of the authorization code", ["OS_REDIRECT_URI"], ["redirect_uri"];
    PASSCODE_MEMBER: "the name of the passcode field at the identity provider", ["OS_IDP_OTP_KEY"], ["idp_otp_key"];
    OAUTH2_ENDPOINT: "the OAuth 2.0 token endpoint", ["OS_OAUTH2_ENDPOINT"], ["oauth2_endpoint"];
    OAUTH2_CLIENT_ID: "the OAuth 2.0 client", ["OS_OAUTH2_CLIENT_ID"], ["oauth2_client_id"];
    OAUTH2_CLIENT_SECRET: "the secret of the OAuth 2.0 client", ["OS_OAUTH2_CLIENT_SECRET"], ["oauth2_client_secret"];
    SERVICE_PROVIDER: "the service provider", ["OS_SERVICE_PROVIDER"], ["service_provider"];
    REGION: "the region", ["OS_REGION_NAME"], ["image_region_name", "region_name"];
    INTERFACE: "the interface", ["OS_ENDPOINT_TYPE", "OS_INTERFACE"], ["image_endpoint_type", "image_interface", "endpoint_type", "interface"];
    SERVICE_TYPE: "the service type", ["OS_SERVICE_TYPE"], ["image_service_type"];
    IMAGE_URL: "the address of the image service", ["OS_IMAGE_URL"], [];
    ENDPOINT_OVERRIDE: "the address of the image service", ["OS_IMAGE_ENDPOINT_OVERRIDE", "OS_ENDPOINT_OVERRIDE"], ["image_endpoint_override", "image_endpoint", "endpoint_override"];
    ENDPOINT: "the address of the image service", ["OS_ENDPOINT"], ["endpoint"];
    CACERT: "the certificates to trust", ["OS_CACERT"], ["cacert"];
    CERT: "the client certificate", ["OS_CERT"], ["cert"];
    KEY: "the key of the client certificate", ["OS_KEY"], ["key"];
    INSECURE: "whether to accept any certificate", ["OS_INSECURE"], ["insecure"];
    VERIFY: "whether to verify certificates", [], ["verify"];
    OLDEST_TLS: "the minimum TLS version", [], [];
    TLS_CIPHERS: "the TLS ciphers", [], [];
    TIMEOUT: "the response timeout", [], ["api_timeout"];
    NO_CACHE: "whether to disable the token cache", ["OS_NO_CACHE"], [];
    AUTH_CACHE: "whether to cache tokens", [], ["auth_cache"];
    API_VERSION: "the version of the Images API", ["OS_IMAGE_API_VERSION"], ["image_api_version"];
}

/// The precedence of a value; smaller ranks win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A command line option.
    Option,
    /// An environment variable.
    Variable,
    /// A cloud in clouds.yaml.
    File,
}

/// A value that was provided; may be a secret.
pub struct Given {
    /// The value; list items are joined with commas.
    pub value: String,
    /// The precedence of the value.
    pub rank: Rank,
    /// The source: an option, `OS_AUTH_URL`, `auth_url in clouds.yaml`.
    pub from: String,
}

/// The names of options as users write them, with dashes.
#[derive(Clone, Copy)]
pub struct OptionNames(pub fn(&Field) -> &'static [&'static str]);

impl OptionNames {
    /// Returns the options for a field; first the one to recommend.
    pub fn of(self, field: &Field) -> &'static [&'static str] {
        (self.0)(field)
    }
}

// The same in each process: the name of a token's file depends on it.
impl fmt::Debug for OptionNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OptionNames")
    }
}

/// The options of a command line for the fields of a cloud.
#[derive(Clone, Copy)]
pub struct CloudOptions<'a> {
    /// The names of the options.
    pub names: OptionNames,
    /// Returns the value of an option by its name; `true` for an option that takes none.
    pub value: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

impl CloudOptions<'_> {
    /// A command line without options for clouds.
    pub const NONE: CloudOptions<'static> = CloudOptions {
        names: OptionNames(|_| &[]),
        value: &|_| None,
    };
}

/// Describes a field and how to give it: `the password (--os-password, OS_PASSWORD)`.
pub fn describe(field: &Field, names: OptionNames) -> String {
    match (names.of(field).first(), field.variables.first()) {
        (Some(option), Some(variable)) => format!("{} ({option}, {variable})", field.what),
        (None, Some(variable)) => format!("{} ({variable})", field.what),
        _ => field.what.to_string(),
    }
}

/// Returns the error for fields that were not given, for a cloud that is described in `file`, if it is not empty.
pub fn missing_fields(fields: &[&Field], names: OptionNames, file: &str) -> Error {
    let mut what: Vec<String> = fields.iter().map(|field| describe(field, names)).collect();
    what.dedup();
    let error = Error::failed(format!("Missing: {}", what.join("; ")));
    if file.is_empty() {
        return error
            .hint(Parameter::Cloud)
            .hint(Parameter::LocalDeployment);
    }
    error.hint(format!(
        "Add it to the description of the cloud in {file}, or to secure.yaml beside it."
    ))
}

/// All sources of values.
pub struct Sources<'a> {
    /// Options of the command line.
    pub options: CloudOptions<'a>,
    /// Variables.
    pub environment: &'a Environment,
    /// The contents of the files.
    pub cloud: &'a Map,
    /// The file to name in errors.
    pub file: &'a str,
}

impl Sources<'_> {
    /// Returns the value with the highest precedence. Empty values do not count.
    ///
    /// # Errors
    /// `Failed` for a value that is not a string.
    pub fn get(&self, field: &Field) -> Result<Option<Given>> {
        for option in self.options.names.of(field) {
            if let Some(value) = (self.options.value)(option).filter(|value| !value.is_empty()) {
                let (from, rank) = ((*option).to_string(), Rank::Option);
                return Ok(Some(Given { value, rank, from }));
            }
        }
        for variable in field.variables {
            if let Some(value) = self.environment.get(variable) {
                let value = value.to_str();
                let value =
                    value.ok_or_else(|| Error::failed(format!("{variable} is not UTF-8")))?;
                let (value, rank) = (value.to_string(), Rank::Variable);
                let from = (*variable).to_string();
                return Ok(Some(Given { value, rank, from }));
            }
        }
        self.in_file(field)
    }

    /// Returns the value with the highest precedence, without its source.
    pub fn value(&self, field: &Field) -> Result<Option<String>> {
        Ok(self.get(field)?.map(|given| given.value))
    }

    /// Returns the one of two fields for the same thing that has the higher precedence; the first one if
    /// they are equal.
    pub fn either(&self, first: &Field, second: &Field) -> Result<Option<(bool, Given)>> {
        Ok(match (self.get(first)?, self.get(second)?) {
            (Some(first), Some(second)) if second.rank < first.rank => Some((false, second)),
            (Some(first), _) => Some((true, first)),
            (None, second) => second.map(|second| (false, second)),
        })
    }

    fn in_file(&self, field: &Field) -> Result<Option<Given>> {
        let auth = self.cloud.map("auth");
        for key in field.keys {
            let Some(node) = self.cloud.get(key).or(auth.and_then(|auth| auth.get(key))) else {
                continue;
            };
            let from = format!("{key} in {}", self.file);
            let fault = || {
                Error::failed(format!(
                    "{}:{}: {key} is not a string",
                    self.file, node.line
                ))
            };
            let value = match &node.value {
                Value::Text(text) => text.clone(),
                Value::List(items) => {
                    let texts = items.iter().map(|item| match &item.value {
                        Value::Text(text) => Ok(text.as_str()),
                        _ => Err(fault()),
                    });
                    texts.collect::<Result<Vec<_>>>()?.join(",")
                }
                Value::Map(_) | Value::Nothing => return Err(fault()),
            };
            if !value.is_empty() {
                let rank = Rank::File;
                return Ok(Some(Given { value, rank, from }));
            }
        }
        Ok(None)
    }
}
