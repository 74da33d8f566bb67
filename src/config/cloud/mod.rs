//! The parameters of a connection to a cloud: options over `OS_*` variables over `clouds.yaml`, the same in
//! both grammars.
//!
//! Alternative names of one thing exclude each other: an option `--os-project-name` hides the variable
//! `OS_PROJECT_ID` too, and a scope among the options hides every scope among the variables.

mod federation;
pub mod fields;
mod files;
mod kind;
mod login;
mod need;
mod urls;
mod vendors;

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::environment::Environment;
use super::reason::Reason;
use super::secret::Secret;
use crate::config::oslo::values::{parse_boolean, quoted};
use crate::{Error, Result};
use fields::{Rank, Sources};
use files::{Clouds, Described, ProfileInput};

pub use federation::{Challenge, Federation, Grant};
pub use fields::{CloudOptions, Field, OptionNames};
pub use files::Published;
pub use login::{Keystone, Login, Named, Reference, Scope};
pub use need::{Method, Need};
pub use urls::{Address, keystone_of, root_of};

/// The usual type of the image service in the catalogue.
const IMAGE: &str = "image";

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
}

/// The TLS configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether certificates of servers are not verified.
    pub insecure: bool,
    /// The trusted certificates.
    pub trust: Trust,
    /// The client certificate, in PEM; may include its key.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    pub key: Option<PathBuf>,
    /// The oldest allowed version.
    pub oldest: Option<TlsVersion>,
    /// The allowed cipher suites, in OpenSSL's notation; all suites of TLS 1.3 are allowed.
    pub ciphers: Option<String>,
}

/// The trusted certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only the certificates of a PEM file, or of all files of a directory.
    Only(PathBuf),
    /// The certificates of the system, at OpenSSL's locations.
    System {
        /// The file to use instead of the system's.
        file: Option<PathBuf>,
        /// The directories to use instead of the system's; empty: the system's.
        directories: Vec<PathBuf>,
    },
}

impl Default for Trust {
    fn default() -> Self {
        Self::System {
            file: None,
            directories: Vec::new(),
        }
    }
}

/// The kind of an endpoint in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// For all users.
    Public,
    /// For users in the cloud's internal network.
    Internal,
    /// For administrators.
    Admin,
}

impl Interface {
    /// Returns the name as catalogues spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }

    /// Parses `public`, or the older form `publicURL`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let name = text.strip_suffix("url").unwrap_or(&text);
        let all = [Self::Public, Self::Internal, Self::Admin];
        all.into_iter().find(|interface| interface.name() == name)
    }
}

/// The parameters of a connection to a cloud. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// The name in clouds.yaml.
    pub name: Option<String>,
    /// The TLS configuration.
    pub tls: Tls,
    /// The timeout of a response.
    pub timeout: Option<Duration>,
    /// The login.
    pub login: Login,
    /// The root of the image service, if the catalogue is not used; see [`root_of`].
    pub endpoint: Option<Address>,
    /// The type of the image service in the catalogue.
    pub service_type: String,
    /// The region in the catalogue; None: the first one.
    pub region: Option<String>,
    /// Interfaces in the catalogue, in order of preference.
    pub interfaces: Vec<Interface>,
    /// The directory of cached tokens; None: tokens are not cached.
    pub tokens: Option<PathBuf>,
    warnings: Vec<String>,
}

impl Cloud {
    /// Returns a cloud whose image service is at a known address, with a token that is sent as it is.
    pub fn with_token(image_service: Url, token: Secret, tls: Tls) -> Self {
        Self {
            name: None,
            tls,
            timeout: None,
            login: Login::Token(token),
            endpoint: Some(Address(root_of(image_service))),
            service_type: IMAGE.to_string(),
            region: None,
            interfaces: vec![Interface::Public],
            tokens: None,
            warnings: Vec::new(),
        }
    }

    /// Collects the parameters from the command line options, the variables, and the files of the cloud
    /// that they name, without a profile that has to be fetched.
    ///
    /// # Errors
    /// Those of [`Cloud::prepare`]; `Failed` for a profile that has to be fetched.
    pub fn load(options: CloudOptions<'_>, environment: &Environment) -> Result<Self> {
        match Self::prepare(options, environment, None)? {
            Prepared::Cloud(cloud) => Ok(*cloud),
            Prepared::Profile(profile) => Err(Error::failed(format!(
                "profile {} has to be fetched",
                quoted(&profile.published.name)
            ))),
        }
    }

    /// Collects the parameters from the command line options, the variables, and the files of the cloud
    /// that they name, or the only cloud of the files if neither describes one. Returns the profile to
    /// fetch first, if there is one; `profile` is the fetched document.
    ///
    /// # Errors
    /// `Failed` for missing values (all in one message, except secrets that may still be entered), for
    /// invalid values, and for files that cannot be parsed.
    pub fn prepare(
        options: CloudOptions<'_>,
        environment: &Environment,
        profile: Option<&str>,
    ) -> Result<Prepared> {
        let none = crate::config::yaml::Map::default();
        let bare = Sources {
            options,
            environment,
            cloud: &none,
            file: "",
        };
        let mut name = bare.value(&fields::CLOUD)?;
        let clouds = if name.is_some() || !describes_cloud(&bare)? {
            Some(Clouds::read(environment)?)
        } else {
            None
        };
        if let (None, Some(clouds)) = (&name, &clouds) {
            name = clouds.only()?;
        }
        let described = match (&name, clouds) {
            (Some(name), Some(clouds)) => {
                let region = bare.value(&fields::REGION)?;
                let profile = ProfileInput {
                    fetched: profile,
                    has_address: has_address(&bare)?,
                };
                clouds.describe(name, region.as_deref(), environment, &profile)?
            }
            _ => Described::default(),
        };
        let file = described
            .files
            .first()
            .map(|path| path.display().to_string());
        let file = file.unwrap_or_default();
        let sources = Sources {
            options,
            environment,
            cloud: &described.cloud,
            file: &file,
        };
        if let Some(published) = described.published {
            return Ok(Prepared::Profile(Box::new(Profile {
                published,
                tls: tls(&sources)?,
                timeout: timeout(&sources)?,
                directory: Self::directory(environment, "profiles"),
            })));
        }
        check_api_version(&sources)?;
        refuse_second_cloud(&sources)?;
        let region = match sources.get(&fields::REGION)? {
            Some(given) if given.rank < Rank::File || given.from.starts_with("image_") => {
                Some(given.value)
            }
            _ => described.region.clone(),
        };
        let (login, endpoint) = login::load(&sources, region.as_deref())?;
        Ok(Prepared::Cloud(Box::new(Self {
            tls: tls(&sources)?,
            timeout: timeout(&sources)?,
            login,
            endpoint,
            service_type: service_type(&sources)?,
            region,
            interfaces: interfaces(&sources)?,
            tokens: if keeps_tokens(&sources, described.cache)? {
                Self::token_directory(environment)
            } else {
                None
            },
            warnings: described.warnings,
            name,
        })))
    }

    /// Returns the warnings to print before each connection to the cloud.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        if self.needs_tls() {
            warnings.extend(self.tls_warning());
        }
        warnings
    }

    /// Returns the warning about unverified certificates, if they are not verified.
    pub fn tls_warning(&self) -> Option<String> {
        let warning = "Warning: certificates are not verified; anyone in between can read and change what is sent.";
        self.tls.insecure.then(|| warning.to_string())
    }

    /// Returns whether a server that is known before the catalogue is read uses TLS.
    pub fn needs_tls(&self) -> bool {
        let keystone = self.keystone().map(|keystone| &keystone.auth_url);
        let mut known = keystone.into_iter().chain(&self.endpoint);
        known.any(|url| url.scheme() == "https")
    }

    /// Returns whether a rejected token can be replaced by a new one.
    pub fn can_renew(&self) -> bool {
        self.keystone().is_some()
    }

    /// Returns the Keystone login, if there is one.
    pub fn keystone(&self) -> Option<&Keystone> {
        match &self.login {
            Login::Keystone(keystone) => Some(keystone),
            Login::None | Login::Token(_) | Login::Basic { .. } => None,
        }
    }

    /// Returns the same login for Keystone itself in place of the image service, at the address of the login; None
    /// without Keystone.
    pub fn for_identity(mut self) -> Option<Self> {
        let keystone = self.keystone()?.auth_url.0.clone();
        self.endpoint = Some(Address(root_of(keystone)));
        Some(self)
    }

    /// Returns the directory of cached tokens: `glance/tokens` in `XDG_CACHE_HOME` or `~/.cache`; None
    /// without a home directory.
    pub fn token_directory(environment: &Environment) -> Option<PathBuf> {
        Self::directory(environment, "tokens")
    }

    /// Returns the directory of cached names, beside that of the tokens.
    pub fn name_directory(environment: &Environment) -> Option<PathBuf> {
        Self::directory(environment, "names")
    }

    /// Returns a directory below `glance` in `XDG_CACHE_HOME` or `~/.cache`; None without a home directory.
    fn directory(environment: &Environment, name: &str) -> Option<PathBuf> {
        let cache = environment.get("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || Some(Path::new(environment.get("HOME")?).join(".cache"));
        Some(cache.or_else(home)?.join("glance").join(name))
    }
}

/// Returns the names of the clouds in clouds.yaml.
///
/// # Errors
/// `Failed` for a file that cannot be parsed.
pub fn cloud_names(environment: &Environment) -> Result<Vec<String>> {
    Ok(Clouds::read(environment)?.names())
}

/// A cloud, or the profile to fetch before it is known.
#[derive(Debug)]
pub enum Prepared {
    /// The cloud.
    Cloud(Box<Cloud>),
    /// A profile that has to be fetched.
    Profile(Box<Profile>),
}

/// A profile to fetch, with the parameters of the connection.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its address.
    pub published: Published,
    /// The TLS configuration.
    pub tls: Tls,
    /// The timeout of a response.
    pub timeout: Option<Duration>,
    /// The directory of cached profiles; None: profiles are not cached.
    pub directory: Option<PathBuf>,
}

/// Variables that only select a cloud of a file or modify the connection.
const MODIFIERS: [&fields::Field; 14] = [
    &fields::REGION,
    &fields::INTERFACE,
    &fields::SERVICE_TYPE,
    &fields::CACERT,
    &fields::CERT,
    &fields::KEY,
    &fields::INSECURE,
    &fields::VERIFY,
    &fields::OLDEST_TLS,
    &fields::TLS_CIPHERS,
    &fields::TIMEOUT,
    &fields::NO_CACHE,
    &fields::AUTH_CACHE,
    &fields::API_VERSION,
];

/// Variables that belong to no field and that only a cloud uses.
const OTHER_VARIABLES: [&str; 4] = [
    "OS_CLIENT_CONFIG_FILE",
    "OS_CLIENT_SECURE_FILE",
    "OS_CLOUD_NAME",
    "OS_IDENTITY_API_VERSION",
];

impl Field {
    /// Returns whether the field only modifies the connection to a cloud, or selects one of several.
    pub fn is_modifier(&self) -> bool {
        MODIFIERS.contains(&self)
    }
}

/// Returns whether options or variables describe a cloud, so that the files do not count: an address among
/// the options, or any part of a login among the variables.
///
/// *Source:* `openstack/config/loader.py` (`_get_os_environ`), which also accepts every other `OS_*`.
fn describes_cloud(bare: &Sources<'_>) -> Result<bool> {
    for field in fields::ALL {
        let is_given = |name: &&str| bare.environment.get(name).is_some();
        if !field.is_modifier() && field.variables.iter().any(is_given) {
            return Ok(true);
        }
    }
    has_address(bare)
}

/// Returns whether options or variables contain an address of Keystone or the image service.
fn has_address(bare: &Sources<'_>) -> Result<bool> {
    for field in [
        &fields::AUTH_URL,
        &fields::IMAGE_URL,
        &fields::ENDPOINT_OVERRIDE,
        &fields::ENDPOINT,
    ] {
        if bare.get(field)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns what selects a cloud though no option does: a variable of a cloud, or the only cloud in clouds.yaml.
///
/// # Errors
/// `Failed` where clouds.yaml has several clouds, or cannot be parsed.
pub(super) fn selection(environment: &Environment) -> Result<Option<Reason>> {
    let fields = fields::ALL
        .iter()
        .filter(|field| ***field != fields::NO_CACHE);
    let mut variables = fields
        .flat_map(|field| field.variables)
        .chain(&OTHER_VARIABLES);
    if let Some(variable) = variables.find(|variable| environment.get(variable).is_some()) {
        return Ok(Some(Reason::Variable(variable)));
    }
    let clouds = Clouds::read(environment)?;
    let only = clouds.only()?;
    Ok(only.map(|name| Reason::OnlyCloud {
        name,
        files: clouds.files(),
    }))
}

/// Types of other services, which a variable may still contain after the use of their client.
///
/// *Source:* the OpenStack service types authority.
const OTHER_SERVICES: [&str; 30] = [
    "accelerator",
    "alarm",
    "alarming",
    "baremetal",
    "block-storage",
    "block-store",
    "clustering",
    "compute",
    "compute_legacy",
    "container-infra",
    "container-infrastructure-management",
    "database",
    "dns",
    "ec2",
    "identity",
    "identityv3",
    "key-manager",
    "load-balancer",
    "metering",
    "network",
    "object-store",
    "object-storage",
    "orchestration",
    "placement",
    "share",
    "sharev2",
    "shared-file-system",
    "volume",
    "volumev2",
    "volumev3",
];

/// Returns the type of the image service in the catalogue. A variable that names another service is
/// ignored.
fn service_type(sources: &Sources<'_>) -> Result<String> {
    let given = sources.get(&fields::SERVICE_TYPE)?;
    let given = given.filter(|given| {
        given.rank != Rank::Variable || !OTHER_SERVICES.contains(&given.value.as_str())
    });
    Ok(given.map_or_else(|| IMAGE.to_string(), |given| given.value))
}

/// Rejects a login from one cloud into another one, which would otherwise reach the wrong cloud.
fn refuse_second_cloud(sources: &Sources<'_>) -> Result<()> {
    match sources.get(&fields::SERVICE_PROVIDER)? {
        None => Ok(()),
        Some(given) => Err(Error::failed(format!(
            "{} of {} is not supported: this program logs in to one Keystone only",
            quoted(&given.value),
            given.from
        ))
        .hint("Log in to that cloud itself, with an application credential for example.")),
    }
}

fn check_api_version(sources: &Sources<'_>) -> Result<()> {
    match sources.get(&fields::API_VERSION)? {
        // Options are checked where they are parsed.
        Some(given) if given.rank > Rank::Option && !given.value.starts_with('2') => {
            let message = format!(
                "{} of {} is not supported: only version 2 of the Images API is",
                quoted(&given.value),
                given.from
            );
            Err(Error::failed(message))
        }
        _ => Ok(()),
    }
}

fn tls(sources: &Sources<'_>) -> Result<Tls> {
    let path = |field| -> Result<Option<PathBuf>> {
        let value = sources.value(field)?;
        Ok(value.map(|path| expand_home(&path, sources.environment)))
    };
    let oldest = sources.value(&fields::OLDEST_TLS)?;
    Ok(Tls {
        insecure: is_insecure(sources)?,
        trust: match path(&fields::CACERT)? {
            Some(path) => Trust::Only(path),
            None => trust_of_variables(sources.environment),
        },
        certificate: path(&fields::CERT)?,
        key: path(&fields::KEY)?,
        oldest: match oldest.as_deref() {
            Some("1.2") => Some(TlsVersion::V1_2),
            Some("1.3") => Some(TlsVersion::V1_3),
            _ => None,
        },
        ciphers: sources.value(&fields::TLS_CIPHERS)?,
    })
}

/// Returns the certificates to trust if the cloud names none.
///
/// *Source:* requests, `sessions.py` (`merge_environment_settings`); OpenSSL,
/// `SSL_CTX_load_verify_locations(3)`.
fn trust_of_variables(environment: &Environment) -> Trust {
    let path = |name| environment.get(name).map(PathBuf::from);
    if let Some(path) = path("REQUESTS_CA_BUNDLE").or_else(|| path("CURL_CA_BUNDLE")) {
        return Trust::Only(path);
    }
    let directories = environment.get("SSL_CERT_DIR").map(std::env::split_paths);
    let directories = directories.into_iter().flatten();
    Trust::System {
        file: path("SSL_CERT_FILE"),
        directories: directories
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
    }
}

/// Returns whether verification is off. `insecure` wins over `verify` of the same precedence; so do the options.
fn is_insecure(sources: &Sources<'_>) -> Result<bool> {
    let insecure = boolean(sources, &fields::INSECURE)?;
    let verify = boolean(sources, &fields::VERIFY)?;
    Ok(match (insecure, verify) {
        (Some((_, insecure_rank)), Some((verify, verify_rank))) if verify_rank < insecure_rank => {
            !verify
        }
        (Some((true, _)), _) => true,
        (_, Some((verify, _))) => !verify,
        (_, None) => false,
    })
}

fn boolean(sources: &Sources<'_>, field: &fields::Field) -> Result<Option<(bool, Rank)>> {
    let Some(given) = sources.get(field)? else {
        return Ok(None);
    };
    match parse_boolean(&given.value) {
        Some(value) => Ok(Some((value, given.rank))),
        None => Err(Error::failed(format!(
            "{} of {} is neither true nor false",
            quoted(&given.value),
            given.from
        ))),
    }
}

fn timeout(sources: &Sources<'_>) -> Result<Option<Duration>> {
    let Some(given) = sources.get(&fields::TIMEOUT)? else {
        return Ok(None);
    };
    let seconds = given
        .value
        .trim()
        .parse()
        .ok()
        .filter(|seconds: &f64| *seconds > 0.0);
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let refused = || {
        let message = format!(
            "{} of {} is not a number of seconds",
            quoted(&given.value),
            given.from
        );
        Error::failed(message)
    };
    timeout.map(Some).ok_or_else(refused)
}

fn interfaces(sources: &Sources<'_>) -> Result<Vec<Interface>> {
    let Some(given) = sources.get(&fields::INTERFACE)? else {
        return Ok(vec![Interface::Public]);
    };
    let interfaces: Option<Vec<_>> = given.value.split(',').map(Interface::parse).collect();
    interfaces.ok_or_else(|| {
        Error::failed(format!(
            "{} of {} is not an interface: expected public, internal or admin",
            quoted(&given.value),
            given.from
        ))
    })
}

fn keeps_tokens(sources: &Sources<'_>, of_all: Option<bool>) -> Result<bool> {
    if let Some((true, _)) = boolean(sources, &fields::NO_CACHE)? {
        return Ok(false);
    }
    let of_cloud = boolean(sources, &fields::AUTH_CACHE)?.map(|(keeps, _)| keeps);
    Ok(of_cloud.or(of_all).unwrap_or(true))
}

fn expand_home(path: &str, environment: &Environment) -> PathBuf {
    let path = path.strip_prefix("file://").unwrap_or(path);
    match (path.strip_prefix("~/"), environment.get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests;
