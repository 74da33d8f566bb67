//! Addresses: of data in records, and of requests to the service.
//!
//! *Source:* `StoreLocation`, `_create_s3_client` and `get_s3_location` in `glance_store/_drivers/s3.py`; botocore for
//! the form of requests' addresses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use crate::config::{Addressing, S3Store, is_host_label};
use crate::model::address::redacted;
use crate::{Error, Result};

/// The characters that are not encoded in a path or a query.
///
/// *Source:* `UriEncode` in AWS's description of Signature Version 4.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The region of services that have none.
const DEFAULT_REGION: &str = "us-east-1";

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// The name of the bucket.
    pub(super) bucket: String,
    /// The name in the bucket.
    pub(super) key: String,
}

/// An address of data: `s3://HOST/BUCKET/KEY`, or with `s3+https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether the service is reached over TLS.
    pub(super) is_secure: bool,
    /// The host, and the port if there is one.
    pub(super) host: String,
    /// The object.
    pub(super) object: Object,
}

/// Returns whether a URL has the scheme of such addresses.
pub(super) fn is_address(url: &str) -> bool {
    split_scheme(url).is_some()
}

/// Returns whether TLS is used, and the rest of a URL.
fn split_scheme(url: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    match scheme {
        "s3" | "s3+http" => Some((false, rest)),
        "s3+https" => Some((true, rest)),
        _ => None,
    }
}

impl Address {
    /// Parses an address. An older one contains keys, which are ignored.
    ///
    /// # Errors
    /// `Invalid` if it has another form.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let parse = || {
            let (is_secure, rest) = split_scheme(url)?;
            if rest.contains("://") {
                return None;
            }
            // A secret key may contain slashes.
            let mut parts = rest.trim_matches('/').rsplitn(3, '/');
            let (key, bucket, host) = (parts.next()?, parts.next()?, parts.next()?);
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            // A path with such parts would lead to something else.
            let is_name = |name: &str| !["", ".", ".."].contains(&name);
            let is_valid = is_name(key) && is_name(bucket) && !host.is_empty();
            is_valid.then(|| Self {
                is_secure,
                host: host.to_string(),
                object: Object {
                    bucket: bucket.to_string(),
                    key: key.to_string(),
                },
            })
        };
        parse().ok_or_else(|| {
            let shown = redacted(url);
            Error::invalid(format!("'{shown}' is not the address of an object in S3"))
        })
    }

    /// Returns the text.
    pub(super) fn text(&self) -> String {
        let scheme = if self.is_secure { "s3+https" } else { "s3" };
        let Object { bucket, key } = &self.object;
        format!("{scheme}://{}/{bucket}/{key}", self.host)
    }
}

/// The addresses of requests, and the region that they are signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    scheme: &'static str,
    host: String,
    /// Whether buckets are in the name of the host, if their names permit it.
    is_virtual: bool,
    /// The region.
    pub(super) region: String,
    /// The region for a new bucket; None: the service's default.
    pub(super) constraint: Option<String>,
}

impl Endpoint {
    /// Returns the endpoint of a store.
    pub(super) fn of(settings: &S3Store) -> Self {
        let scheme = if settings.is_secure { "https" } else { "http" };
        let known = region_of(&settings.host);
        // Without a configured region, requests go to the current name of the host that is named in the old way.
        let regional = match (&settings.region, &known) {
            (None, Some(known)) if known.is_old => Some(known.host()),
            _ => None,
        };
        let named = settings.region.clone().or(known.map(|known| known.name));
        let constraint = named.clone().filter(|region| region != DEFAULT_REGION);
        Self {
            scheme,
            is_virtual: match settings.addressing {
                Addressing::Auto => regional.is_some(),
                Addressing::Virtual => true,
                Addressing::Path => false,
            },
            host: regional.unwrap_or_else(|| settings.host.clone()),
            region: named.unwrap_or_else(|| DEFAULT_REGION.to_string()),
            constraint,
        }
    }

    /// Returns the address of a bucket for messages.
    pub(super) fn shown(&self, bucket: &str) -> String {
        format!("{}://{}/{bucket}", self.scheme, self.host)
    }

    /// Returns the address of a request. `query` MUST be sorted by name.
    ///
    /// # Errors
    /// `Invalid` for a bucket that cannot be a part of an address.
    pub(super) fn url(
        &self,
        bucket: &str,
        key: Option<&str>,
        query: &[(&str, &str)],
    ) -> Result<Url> {
        let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let base = format!("{}://{}/", self.scheme, self.host);
        let base = Url::parse(&base).ok();
        let is_name = base
            .as_ref()
            .is_some_and(|base| matches!(base.host(), Some(Host::Domain(_))));
        let key = key.map(encode).unwrap_or_default();
        let mut url = if self.is_virtual && is_name && is_host_label(bucket) {
            format!("{}://{bucket}.{}/{key}", self.scheme, self.host)
        } else if key.is_empty() {
            format!("{}://{}/{}", self.scheme, self.host, encode(bucket))
        } else {
            format!("{}://{}/{}/{key}", self.scheme, self.host, encode(bucket))
        };
        let pairs = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let pairs: Vec<String> = pairs.collect();
        if !pairs.is_empty() {
            url = format!("{url}?{}", pairs.join("&"));
        }
        let parsed = Url::parse(&url);
        parsed.map_err(|_| Error::invalid(format!("'{bucket}' is not the name of a bucket")))
    }
}

/// A region of Amazon's in the name of a host.
struct Region {
    name: String,
    /// The end of the name of the host.
    suffix: &'static str,
    /// Whether the name of the host is of the old form `s3-REGION`.
    is_old: bool,
}

impl Region {
    /// Returns the current name of the host.
    fn host(&self) -> String {
        format!("s3.{}.{}", self.name, self.suffix)
    }
}

/// Returns the region in the name of a host of Amazon's: `s3-REGION.amazonaws.com` or `s3.REGION.amazonaws.com`.
fn region_of(host: &str) -> Option<Region> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let suffixes = ["amazonaws.com", "amazonaws.com.cn"].into_iter();
    let mut parts = suffixes.filter_map(|suffix| Some((name.strip_suffix(suffix)?, suffix)));
    let (name, suffix) = parts.next_back()?;
    let name = name.strip_suffix('.')?;
    let (region, is_old) = match name.strip_prefix("s3-") {
        Some(region) => (region, true),
        None => (name.strip_prefix("s3.")?, false),
    };
    let is_region = region.contains('-')
        && region.ends_with(|last: char| last.is_ascii_digit())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_region.then(|| Region {
        name: region.to_string(),
        suffix,
        is_old,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn addresses_are_those_of_the_driver() {
        for (url, is_secure, host, bucket, key) in [
            ("s3://h:9000/b/k", false, "h:9000", "b", "k"),
            ("s3+http://h/b/k", false, "h", "b", "k"),
            ("s3+https://h/b/k", true, "h", "b", "k"),
            ("s3://AK:sec/ret+@h:1/b/k", false, "h:1", "b", "k"),
            ("s3://h/b/a%20b", false, "h", "b", "a%20b"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.is_secure, &*address.host), (is_secure, host));
            let object = &address.object;
            assert_eq!((&*object.bucket, &*object.key), (bucket, key), "{url}");
            assert_eq!(Address::parse(&address.text()).unwrap(), address);
        }
        for url in [
            "",
            "s3://",
            "s3://k",
            "s3://b/k",
            "s3:///b/k",
            "s3://h//k",
            "s3://h/b/..",
            "s3://h/../k",
            "s3://https://h/b/k",
            "http://h/b/k",
            "s3://AK:hunter2@h/b/.",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.message().contains("hunter2"), "{error}");
        }
    }

    fn settings(host: &str, is_secure: bool) -> S3Store {
        S3Store {
            host: host.to_string(),
            is_secure,
            region: None,
            access_key: Secret::new("ak"),
            secret_key: Secret::new("sk"),
            bucket: "images".to_string(),
            creates_bucket: false,
            addressing: Addressing::Auto,
            large_object_size: 0,
            chunk_size: 1,
            thread_pools: 1,
            timeout: std::time::Duration::from_mins(1),
            authorities: None,
            sends_checksums: false,
            verifies_checksums: false,
        }
    }

    #[test]
    fn requests_are_addressed_as_botocore_does() {
        let of = |settings: &S3Store| {
            let endpoint = Endpoint::of(settings);
            let url = endpoint.url(&settings.bucket, Some("a b"), &[]).unwrap();
            (url.to_string(), endpoint.region)
        };
        let is = |url: &str, region: &str| (url.to_string(), region.to_string());
        let own = settings("h:9000", false);
        let path = is("http://h:9000/images/a%20b", "us-east-1");
        assert_eq!(of(&own), path);
        let of_style = |addressing, host: &str| {
            of(&S3Store {
                addressing,
                region: Some("r".to_string()),
                ..settings(host, true)
            })
        };
        let in_host = is("https://images.h:9000/a%20b", "r");
        assert_eq!(of_style(Addressing::Virtual, "h:9000"), in_host);
        let of_number = is("https://127.0.0.1/images/a%20b", "r");
        assert_eq!(of_style(Addressing::Virtual, "127.0.0.1"), of_number);
        let old = settings("s3-eu-west-1.amazonaws.com", true);
        let current = "https://images.s3.eu-west-1.amazonaws.com/a%20b";
        assert_eq!(of(&old), is(current, "eu-west-1"));
        let china = settings("s3-cn-north-1.amazonaws.com.cn", false);
        let current = "http://images.s3.cn-north-1.amazonaws.com.cn/a%20b";
        assert_eq!(of(&china), is(current, "cn-north-1"));
        let dots = S3Store {
            bucket: "a.b".to_string(),
            ..old.clone()
        };
        let current = "https://s3.eu-west-1.amazonaws.com/a.b/a%20b";
        assert_eq!(of(&dots), is(current, "eu-west-1"));
        let global = settings("s3.amazonaws.com", true);
        let path = "https://s3.amazonaws.com/images/a%20b";
        assert_eq!(of(&global), is(path, "us-east-1"));
        let new = settings("s3.eu-west-1.amazonaws.com", true);
        let path = "https://s3.eu-west-1.amazonaws.com/images/a%20b";
        assert_eq!(of(&new), is(path, "eu-west-1"));
    }
}
