//! What it takes to reach a cloud: options over `OS_*` variables over `clouds.yaml`, the same in both
//! grammars.
//!
//! What names one thing is given once: an option `--os-project-name` hides the variable `OS_PROJECT_ID`
//! too, and a scope among the options every scope among the variables.

mod fields;
mod files;
mod kind;
mod login;
mod urls;
mod yaml;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::values::{parse_boolean, quoted};
use crate::{Error, Result};
use fields::{Rank, Sources};

pub use fields::CloudOptions;
pub use login::{Keystone, Login, Method, Named, Need, Reference, Scope};
pub use urls::{Address, root_of};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
}

/// How TLS connections are made.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whether the server's certificate is taken as it is.
    pub insecure: bool,
    /// File of certificates to trust, in PEM; none: the system's.
    pub authorities: Option<PathBuf>,
    /// Certificate to show, in PEM; may hold its key.
    pub certificate: Option<PathBuf>,
    /// Key of that certificate, in PEM.
    pub key: Option<PathBuf>,
    /// The oldest version to allow.
    pub oldest: Option<TlsVersion>,
    /// The cipher suites to allow, as OpenSSL lists them; those of TLS 1.3 are all allowed.
    pub ciphers: Option<String>,
}

/// For whom an endpoint of the catalogue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// Everybody.
    Public,
    /// Those in the cloud's own network.
    Internal,
    /// Administrators.
    Admin,
}

impl Interface {
    /// As catalogues spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }

    /// `public`, or `publicURL` as it was once spelled.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let name = text.strip_suffix("url").unwrap_or(&text);
        let all = [Self::Public, Self::Internal, Self::Admin];
        all.into_iter().find(|interface| interface.name() == name)
    }
}

/// What it takes to reach a cloud. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Its name in clouds.yaml.
    pub name: Option<String>,
    /// How TLS connections are made.
    pub tls: Tls,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// How to show who is asking.
    pub login: Login,
    /// The root of the image service, where the catalogue is not asked; see [`root_of`].
    pub endpoint: Option<Address>,
    /// The type of the image service in the catalogue.
    pub service_type: String,
    /// The region in the catalogue; none: the first one.
    pub region: Option<String>,
    /// Interfaces in the catalogue, the best one first.
    pub interfaces: Vec<Interface>,
    /// Directory that tokens are kept in; none: they are neither kept nor read.
    pub tokens: Option<PathBuf>,
    warnings: Vec<String>,
}

impl Cloud {
    /// Gathers it from the command line's options, the variables, and the files of the cloud that they
    /// name.
    ///
    /// # Errors
    /// `Failed` for what is missing (all of it in one line, but for secrets that may still be asked for),
    /// for values that mean nothing, and for files that cannot be parsed.
    pub fn load(options: &CloudOptions<'_>, environment: &Environment) -> Result<Self> {
        let none = yaml::Map::default();
        let bare = Sources {
            options,
            environment,
            cloud: &none,
            file: "",
        };
        let name = bare.value(&fields::CLOUD)?;
        let described = match &name {
            None => files::Described::default(),
            Some(name) => {
                let region = bare.value(&fields::REGION)?;
                files::describe(name, region.as_deref(), environment)?
            }
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
        check_api_version(&sources)?;
        let region = match sources.get(&fields::REGION)? {
            Some(given) if given.rank < Rank::File || given.from.starts_with("image_") => {
                Some(given.value)
            }
            _ => described.region.clone(),
        };
        let (login, endpoint) = login::load(&sources, region.as_deref())?;
        Ok(Self {
            tls: tls(&sources)?,
            timeout: timeout(&sources)?,
            login,
            endpoint,
            service_type: sources
                .value(&fields::SERVICE_TYPE)?
                .unwrap_or_else(|| "image".to_string()),
            region,
            interfaces: interfaces(&sources)?,
            tokens: if keeps_tokens(&sources, described.cache)? {
                Self::token_directory(environment)
            } else {
                None
            },
            warnings: described.warnings,
            name,
        })
    }

    /// What is to be said before the cloud is reached, each time.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        if self.tls.insecure {
            warnings.push(
                "Warning: certificates are not verified (--insecure); anyone in between can read and change \
                 what is sent."
                    .to_string(),
            );
        }
        warnings
    }

    /// Whether a server that is known before the catalogue is speaks TLS.
    pub fn needs_tls(&self) -> bool {
        let keystone = self.keystone().map(|keystone| &keystone.auth_url);
        let mut known = keystone.into_iter().chain(&self.endpoint);
        known.any(|url| url.scheme() == "https")
    }

    /// Whether there is another token where one is refused.
    pub fn can_renew(&self) -> bool {
        self.keystone().is_some()
    }

    /// The Keystone to log in to, where there is one.
    pub fn keystone(&self) -> Option<&Keystone> {
        match &self.login {
            Login::Keystone(keystone) => Some(keystone),
            Login::None | Login::Token(_) | Login::Basic { .. } => None,
        }
    }

    /// Where tokens are kept: `glance/tokens` in `XDG_CACHE_HOME` or `~/.cache`; none without a home.
    pub fn token_directory(environment: &Environment) -> Option<PathBuf> {
        let cache = environment.get("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || Some(Path::new(environment.get("HOME")?).join(".cache"));
        Some(cache.or_else(home)?.join("glance").join("tokens"))
    }
}

fn check_api_version(sources: &Sources<'_>) -> Result<()> {
    match sources.get(&fields::API_VERSION)? {
        // Options are checked where they are parsed.
        Some(given) if given.rank > Rank::Option && !given.value.starts_with('2') => {
            let message = format!(
                "{} of {} is not supported: the Images API has version 2 only",
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
        authorities: path(&fields::CACERT)?,
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

/// `--insecure` and `insecure: true` beat `--verify` and `verify: true`, where they count the same.
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
            "{} of {} is no number of seconds",
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
            "{} of {} is no interface: public, internal or admin",
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
    match (path.strip_prefix("~/"), environment.get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests;
