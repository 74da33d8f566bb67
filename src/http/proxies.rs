//! The proxies of requests.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, Proxy};
use url::Url;

use super::setup::SetupError;
use crate::config::Secret;

/// The proxies of requests.
#[derive(Clone, Default)]
pub enum Proxies {
    /// The proxies of the environment: `http_proxy`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    Environment,
    /// No proxies, regardless of the environment.
    None,
    /// A proxy for each scheme of an address (`http`, `https`, `all`), which may contain passwords. If the
    /// list is empty, the proxies of the environment are used.
    Configured(Vec<(String, Secret)>),
}

impl Proxies {
    pub(super) fn configure(&self, builder: ClientBuilder) -> Result<ClientBuilder, SetupError> {
        match self {
            Self::Environment => Ok(builder),
            Self::None => Ok(builder.no_proxy()),
            Self::Configured(proxies) => {
                proxies
                    .iter()
                    .try_fold(builder, |builder, (scheme, proxy)| {
                        let proxy = match scheme.as_str() {
                            "http" => Proxy::http(proxy.reveal()),
                            "https" => Proxy::https(proxy.reveal()),
                            _ => Proxy::all(proxy.reveal()),
                        };
                        let proxy = proxy.map_err(|_| SetupError::InvalidProxy)?;
                        Ok(builder.proxy(proxy))
                    })
            }
        }
    }

    /// Returns the hosts of the proxies that requests to web servers may go through.
    pub fn hosts(&self) -> Vec<String> {
        let of_schemes = ["http://host.invalid", "https://host.invalid"].into_iter();
        let proxies = of_schemes.filter_map(|url| self.of(&Url::parse(url).ok()?));
        let hosts =
            proxies.filter_map(|proxy| Some(Url::parse(&proxy).ok()?.host_str()?.to_string()));
        hosts.collect()
    }

    /// Returns the proxy for requests to `url`, without its credentials.
    pub(super) fn of(&self, url: &Url) -> Option<String> {
        match self {
            Self::None => None,
            Self::Configured(proxies) if !proxies.is_empty() => {
                let fits = |scheme: &str| match scheme {
                    "http" | "https" => scheme == url.scheme(),
                    _ => true,
                };
                let (_, proxy) = proxies.iter().find(|(scheme, _)| fits(scheme))?;
                Some(without_credentials(proxy.reveal()))
            }
            Self::Environment | Self::Configured(_) => {
                let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
                let uri = proxy.uri();
                let scheme = uri.scheme_str().unwrap_or("http");
                let address = format!("{scheme}://{}", uri.authority()?);
                Some(without_credentials(&address))
            }
        }
    }
}

/// Returns scheme, host and port of a proxy.
fn without_credentials(proxy: &str) -> String {
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
    let authority = rest.trim_start_matches('/');
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = host.split('/').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_proxy_is_named_without_its_credentials() {
        let proxies = Proxies::Configured(vec![
            ("https".to_string(), Secret::new("u:sesame@secure:1/")),
            ("all".to_string(), Secret::new("socks5h://u:sesame@rest:2")),
        ]);
        for (url, proxy) in [
            ("https://h/x", "http://secure:1"),
            ("http://h/x", "socks5h://rest:2"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(proxies.of(&url).as_deref(), Some(proxy));
            assert_eq!(Proxies::None.of(&url), None);
        }
    }

    #[test]
    fn the_hosts_of_proxies_are_known() {
        let proxies = Proxies::Configured(vec![(
            "all".to_string(),
            Secret::new("http://u:sesame@proxy.example.org:3128/"),
        )]);
        assert_eq!(proxies.hosts(), ["proxy.example.org", "proxy.example.org"]);
        assert_eq!(Proxies::None.hosts(), [""; 0]);
    }

    #[test]
    fn a_proxy_that_is_not_an_address_is_refused_without_its_password() {
        let proxies = Proxies::Configured(vec![("http".to_string(), Secret::new("//:hunter2@[x"))]);
        let error = proxies.configure(reqwest::Client::builder()).unwrap_err();
        assert!(matches!(error, SetupError::InvalidProxy), "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
