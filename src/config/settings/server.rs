//! The settings of the image service, `glance-api`.
//!
//! *Source:* `glance/common/config.py`, `glance/api/versions.py`, `glance/api/middleware/context.py` of the reference
//! implementation; `oslo_middleware`; `bind_host` and those about connections: its releases before 2025.1, which served HTTP themselves.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::cors::{CorsOrigin, read_cors};
use super::identity::{KeystoneSettings, read_keystone, read_proxies};
use super::saturate;
use crate::config::oslo::options::{
    ALLOW_ANONYMOUS_ACCESS, API_LIMIT_MAX, BACKLOG, BIND_HOST, BIND_PORT, CA_FILE,
    CACHE_PREFETCHER_INTERVAL, CERT_FILE, CLIENT_SOCKET_TIMEOUT, ENABLE_PROXY_HEADERS, FLAVOR,
    HEALTHCHECK_FILE, HTTP_KEEPALIVE, KEY_FILE, LIMIT_PARAM_DEFAULT, MAX_HEADER_LINE,
    MAX_REQUEST_ID_LENGTH, METRICS_HOST, METRICS_PORT, OptionSpec, PUBLIC_ENDPOINT,
    WORKER_SELF_REFERENCE_URL,
};
use crate::config::oslo::reader::Reader;
use crate::{Error, Result};

/// The way in which callers are identified, and whether the cache is managed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flavor {
    /// The identification of callers.
    pub identity: IdentityKind,
    /// Whether the routes of the image cache exist.
    pub cache_management: bool,
}

/// The identification of callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityKind {
    /// None: every caller is an administrator without a project.
    #[default]
    None,
    /// By a token of Keystone.
    Keystone,
    /// By headers that a trusted proxy sets.
    TrustedHeaders,
}

impl Flavor {
    /// Reads the value of `[paste_deploy] flavor`, such as `keystone+caching`; None for an unknown one.
    fn parse(text: &str) -> Option<Self> {
        let mut flavor = Self::default();
        for part in text.split('+').filter(|part| !part.is_empty()) {
            match part {
                "keystone" => flavor.identity = IdentityKind::Keystone,
                "trusted-auth" => flavor.identity = IdentityKind::TrustedHeaders,
                // Read by the settings of the cache.
                "caching" => {}
                "cachemanagement" => flavor.cache_management = true,
                _ => return None,
            }
        }
        Some(flavor)
    }
}

/// The files of a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate and those that it depends on, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// The authorities of certificates that clients must show, in PEM; None: clients need none.
    pub client_authorities: Option<PathBuf>,
}

/// The settings of the image service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address that it listens on: a name, or an IPv4 or IPv6 address.
    pub host: String,
    /// The port; 0: one that the system chooses.
    pub port: u16,
    /// The maximum number of connections that wait to be accepted.
    pub backlog: u32,
    /// The certificate; None: HTTP without TLS.
    pub tls: Option<ServerTls>,
    /// The URL that clients reach the service at, for responses that contain it; None: that of the request.
    pub public_endpoint: Option<String>,
    /// The identification of callers, and whether the cache is managed.
    pub flavor: Flavor,
    /// Whether callers without a token may read.
    pub anonymous_access: bool,
    /// Keystone, if it identifies callers.
    pub keystone: Option<KeystoneSettings>,
    /// The networks of proxies that identify callers, in addition to this host.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether headers of proxies describe the address that clients use.
    pub proxy_headers: bool,
    /// The web sites whose pages may use the service.
    pub cors: Vec<CorsOrigin>,
    /// The file whose existence takes the service out of a load balancer; None without one.
    pub healthcheck_file: Option<PathBuf>,
    /// The time between attempts to fetch the images that are queued for the cache; None: only when `PUT /v2/cache/ID` queues one.
    pub prefetch_interval: Option<Duration>,
    /// The host and the port for metrics; None without one.
    pub metrics: Option<(String, u16)>,
    /// The number of images in a list if the caller does not choose.
    pub default_limit: u64,
    /// The maximum number of images in a list.
    pub maximum_limit: u64,
    /// The maximum length of the head of a request, in bytes.
    pub header_limit: usize,
    /// The maximum length of an ID that a request has already; 0: no limit.
    pub request_id_limit: usize,
    /// Whether a connection is kept after a response.
    pub keep_alive: bool,
    /// The time limit for each piece of a request or response; None: no limit.
    pub timeout: Option<Duration>,
}

/// The smallest head that is always accepted, in bytes: the limit of hyper.
const MIN_HEADER: u64 = 8192;

/// Reads the URL under which the hosts of a deployment reach each other.
///
/// *Source:* `ImagesController.self_url` in `glance/api/v2/images.py`.
///
/// # Errors
/// `Failed` for an invalid value.
pub(super) fn read_self_url(reader: &Reader<'_>) -> Result<Option<String>> {
    let of_worker = reader.text_if_any(&WORKER_SELF_REFERENCE_URL)?;
    let url = match of_worker {
        None => reader.text_if_any(&PUBLIC_ENDPOINT)?,
        some => some,
    };
    Ok(url.map(|url| url.value))
}

/// Reads the settings.
///
/// # Errors
/// `Failed` for an invalid value.
pub(super) fn read_server(reader: &Reader<'_>) -> Result<ServerSettings> {
    let flavor = reader.text_or_default(&FLAVOR)?;
    let number =
        |option: &'static OptionSpec| Ok::<_, Error>(saturate(reader.integer(option)?.value));
    let seconds = |option: &'static OptionSpec| {
        let seconds = number(option)?;
        Ok::<_, Error>((seconds > 0).then(|| Duration::from_secs(seconds)))
    };
    let header = number(&MAX_HEADER_LINE)?.max(MIN_HEADER);
    let path = |option: &'static OptionSpec| {
        let path = reader.text_if_any(option)?;
        Ok::<_, Error>(path.map(|path| PathBuf::from(path.value)))
    };
    let tls = match (path(&CERT_FILE)?, reader.text_if_any(&KEY_FILE)?) {
        (Some(certificate), Some(key)) => Some(ServerTls {
            certificate,
            key: PathBuf::from(key.value),
            client_authorities: path(&CA_FILE)?,
        }),
        (None, None) => None,
        (None, Some(key)) => return Err(key.refuse("cert_file is required, too")),
        (Some(_), None) => {
            return Err(reader
                .text_or_default(&CERT_FILE)?
                .refuse("key_file is required, too"));
        }
    };
    let kind = Flavor::parse(&flavor.value).ok_or_else(|| {
        flavor.refuse(
            "the flavors are keystone, trusted-auth and none of them, each alone, with +caching or with \
             +cachemanagement",
        )
    })?;
    let uses_keystone = kind.identity == IdentityKind::Keystone;
    let uses_headers = kind.identity == IdentityKind::TrustedHeaders;
    Ok(ServerSettings {
        host: reader.text_or_default(&BIND_HOST)?.value,
        port: u16::try_from(number(&BIND_PORT)?).unwrap_or(u16::MAX),
        backlog: u32::try_from(number(&BACKLOG)?).unwrap_or(u32::MAX),
        tls,
        public_endpoint: reader.text_if_any(&PUBLIC_ENDPOINT)?.map(|url| url.value),
        flavor: kind,
        anonymous_access: reader.boolean(&ALLOW_ANONYMOUS_ACCESS)?,
        keystone: uses_keystone.then(|| read_keystone(reader)).transpose()?,
        trusted_proxies: if uses_headers {
            read_proxies(reader)?
        } else {
            Vec::new()
        },
        proxy_headers: reader.boolean(&ENABLE_PROXY_HEADERS)?,
        cors: read_cors(reader)?,
        healthcheck_file: path(&HEALTHCHECK_FILE)?,
        metrics: {
            let host = reader.text_or_default(&METRICS_HOST)?.value;
            let is_wanted = reader.is_set(&METRICS_PORT);
            let port = is_wanted.then(|| number(&METRICS_PORT)).transpose()?;
            port.map(|port| (host, u16::try_from(port).unwrap_or(u16::MAX)))
        },
        default_limit: number(&LIMIT_PARAM_DEFAULT)?,
        maximum_limit: number(&API_LIMIT_MAX)?,
        header_limit: usize::try_from(header).unwrap_or(usize::MAX),
        request_id_limit: usize::try_from(number(&MAX_REQUEST_ID_LENGTH)?).unwrap_or(usize::MAX),
        keep_alive: reader.boolean(&HTTP_KEEPALIVE)?,
        timeout: seconds(&CLIENT_SOCKET_TIMEOUT)?,
        prefetch_interval: seconds(&CACHE_PREFETCHER_INTERVAL)?,
    })
}

#[cfg(test)]
mod tests {
    use super::IdentityKind::{Keystone, None as Nobody, TrustedHeaders};
    use super::*;

    #[test]
    fn flavors_are_those_of_the_paste_configuration() {
        let of = |identity, cache_management| {
            Some(Flavor {
                identity,
                cache_management,
            })
        };
        for (text, flavor) in [
            ("", of(Nobody, false)),
            ("caching", of(Nobody, false)),
            ("cachemanagement", of(Nobody, true)),
            ("keystone", of(Keystone, false)),
            ("keystone+caching", of(Keystone, false)),
            ("keystone+cachemanagement", of(Keystone, true)),
            ("trusted-auth+cachemanagement", of(TrustedHeaders, true)),
            ("keystone+registry", None),
        ] {
            assert_eq!(Flavor::parse(text), flavor, "{text}");
        }
    }
}
