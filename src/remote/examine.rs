//! The examination of a cloud by a check-up.

use futures_util::TryStreamExt;
use http::Method;
use http::header::DATE;
use serde::Deserialize;
use url::Url;

use super::auth::Who;
use super::{Remote, failure};
use crate::config::Address;
use crate::http::Request;
use crate::model::Timestamp;
use crate::{Error, Result};

/// The size of a list of versions at most, in bytes.
const MAX_LIST: usize = 1 << 20;

/// A cloud, examined.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The root of the image service, without a password.
    pub endpoint: String,
    /// Whether the service is reached without TLS, over a network.
    pub is_exposed: bool,
    /// The newest version of the API that the service supports, such as `2.17`; None if it supports no version 2.
    pub version: Option<String>,
    /// The lead of the service's clock over the clock of this host, in seconds.
    pub ahead: Option<i64>,
    /// When the certificate of the service expires.
    pub expiry: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Versions {
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    id: String,
}

impl Remote {
    /// Returns the user that the cloud knows the caller as, and whether that is from a cached token; None without
    /// Keystone.
    pub async fn who(&self) -> Option<(Who, bool)> {
        let access = self.access.read().await;
        access.caller.clone().map(|who| (who, access.kept))
    }

    /// Requests the versions of the image service, and examines the response. One request.
    ///
    /// # Errors
    /// `Unreachable`; `Failed` if what answers is no image service.
    pub async fn examine(&self) -> Result<Examined> {
        let endpoint = self.access.read().await.endpoint.clone();
        let url = versions_of(&endpoint);
        let sent = Timestamp::now();
        let request = Request::new(Method::GET, url.clone());
        let response = self.http.open(&request).await.map_err(failure::failed)?;
        let received = Timestamp::now();
        let date = response
            .headers()
            .get(DATE)
            .and_then(|date| date.to_str().ok());
        let ahead = date.and_then(Timestamp::parse_http).map(|date| {
            // The header has whole seconds and was written in between.
            if date
                .later(jiff::SignedDuration::from_secs(1))
                .is_some_and(|end| end < sent)
            {
                date.since(sent).as_secs()
            } else {
                date.since(received).as_secs().max(0)
            }
        });
        let seconds = response.certificate_expiry();
        let status = response.status();
        let mut body = Vec::new();
        let mut stream = std::pin::pin!(response.into_stream());
        while let Some(bytes) = stream.try_next().await.map_err(failure::failed)? {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_LIST {
                break;
            }
        }
        let shown = Address(url).to_string();
        let versions: Versions = serde_json::from_slice(&body).map_err(|_| {
            Error::failed(format!(
                "{shown} is not an image service: it answers {status}"
            ))
        })?;
        Ok(Examined {
            is_exposed: endpoint.scheme() == "http" && !is_loopback(&endpoint),
            endpoint: Address(endpoint).to_string(),
            version: newest(versions.versions.iter().map(|version| version.id.as_str())),
            ahead,
            #[expect(clippy::cast_precision_loss, reason = "seconds of our time are exact")]
            expiry: seconds.and_then(|seconds| Timestamp::from_seconds(seconds as f64)),
        })
    }
}

/// Returns the address of the list of versions.
fn versions_of(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    let path = format!("{}/versions", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns the newest of the versions 2, which have the form `v2.17`.
fn newest<'a>(versions: impl Iterator<Item = &'a str>) -> Option<String> {
    let minors = versions.filter_map(|id| id.strip_prefix("v2.")?.parse::<u32>().ok());
    minors.max().map(|minor| format!("2.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_largest_number() {
        assert_eq!(
            newest(["v2.9", "v2.17", "v2.0", "v1.0"].into_iter()).as_deref(),
            Some("2.17")
        );
        assert_eq!(newest(["v1.0", "v3.1", "v2.x"].into_iter()), None);
    }
}
