//! Parsing of service addresses.

use std::fmt;
use std::ops::Deref;

use url::Url;

use super::fields::Given;
use crate::config::oslo::values::quoted;
use crate::{Error, Result};

/// An address whose user and password are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub Url);

impl Address {
    /// Parses the address of a web server.
    ///
    /// # Errors
    /// The reason, without the text, which may contain a password.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, &'static str> {
        let found = web_server(text).map(Self);
        found.ok_or("it is not the address of a web server")
    }
}

/// Returns the address of a web server; None if the text is something else.
fn web_server(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

impl Deref for Address {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority) = (self.0.scheme(), self.0.authority());
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        write!(f, "{scheme}://{host}{}", self.0.path())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Parses the address of a web server.
///
/// # Errors
/// `Failed` for an invalid address; a user and password in it are not shown.
pub fn parse(given: &Given) -> Result<Url> {
    let text = given.value.trim();
    web_server(text).ok_or_else(|| {
        // The part before an @ is a secret.
        let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
        Error::failed(format!(
            "{} of {} is not the address of a server",
            quoted(shown),
            given.from
        ))
        .hint("An address looks like https://HOST:PORT/PATH.")
    })
}

/// Returns the root of a service, from any of its addresses: `http://h:9292/v2/` → `http://h:9292/`. It
/// ends in a slash, so that `root.join("v2/images")` is below it.
pub fn root_of(mut url: Url) -> Url {
    let path = without_version(url.path()).to_string();
    url.set_path(&format!("{path}/"));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Returns the address of Keystone's API version 3, from any address of Keystone: `http://h:5000/v2.0` →
/// `http://h:5000/v3/`.
pub fn keystone_of(url: Url) -> Url {
    let mut url = root_of(url);
    let path = format!("{}v3/", url.path());
    url.set_path(&path);
    url
}

/// Removes trailing slashes and a version as the last part of a path.
fn without_version(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        Some((before, last)) if is_version(last) => before.trim_end_matches('/'),
        _ => path,
    }
}

/// Returns whether a part of a path is a version: `v2`, `v2.1`, `V3`.
fn is_version(part: &str) -> bool {
    let number = part.strip_prefix(['v', 'V']).unwrap_or_default();
    !number.is_empty()
        && number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::super::fields::Rank;
    use super::*;

    #[test]
    fn every_form_of_an_endpoint_has_one_root() {
        for (path, root) in [
            ("", "/"),
            ("/", "/"),
            ("/v2", "/"),
            ("/v2/", "/"),
            ("//v2.1//", "/"),
            ("/image", "/image/"),
            ("/image/v2/", "/image/"),
            ("/image/v2?x=y#z", "/image/"),
            ("/vault", "/vault/"),
            ("/v", "/v/"),
        ] {
            let url = Url::parse(&format!("http://h:9292{path}")).unwrap();
            assert_eq!(
                root_of(url).as_str(),
                format!("http://h:9292{root}"),
                "{path}"
            );
        }
    }

    #[test]
    fn every_form_of_an_auth_url_leads_to_version_3() {
        for (path, api) in [
            ("", "/v3/"),
            ("/", "/v3/"),
            ("/v3", "/v3/"),
            ("/v3/", "/v3/"),
            ("/v2.0", "/v3/"),
            ("/identity", "/identity/v3/"),
            ("/identity/v3", "/identity/v3/"),
        ] {
            let url = Url::parse(&format!("https://h{path}")).unwrap();
            assert_eq!(
                keystone_of(url).as_str(),
                format!("https://h{api}"),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_credentials() {
        for text in [
            "nonsense",
            "h:5000/v3",
            "ftp://h/",
            "http://",
            "u:sesame@h:5000",
        ] {
            let given = Given {
                value: text.to_string(),
                rank: Rank::Variable,
                from: "OS_AUTH_URL".to_string(),
            };
            let message = parse(&given).unwrap_err().message().to_string();
            assert!(
                message.contains("OS_AUTH_URL is not the address"),
                "{message}"
            );
            assert!(!message.contains("sesame"));
        }
    }
}
