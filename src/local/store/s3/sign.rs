//! Signatures of requests: AWS Signature Version 4, in headers.
//!
//! *Source:* "Authenticating Requests: Using the Authorization Header" in AWS's reference of S3.

use std::fmt::Write;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};

use crate::config::Secret;
use crate::data::digest::hex;
use crate::http::Request;
use crate::{Error, Result};

/// The digest of a body that is not a part of the signature.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The keys of a user.
#[derive(Clone)]
pub(super) struct Keys {
    /// The identifier.
    pub(super) access: Secret,
    /// The key.
    pub(super) secret: Secret,
}

/// The part of a request that the signature of its body covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// The body in memory.
    Body,
    /// Nothing: the body has a digest in a header.
    Unsigned,
}

/// Signs a request at the time `now`. Its query MUST be sorted and encoded. All headers are signed except those that
/// proxies may change.
///
/// # Errors
/// `Invalid` for keys that cannot be sent.
pub(super) fn sign(
    request: &mut Request,
    payload: Payload,
    keys: &Keys,
    region: &str,
    now: jiff::Timestamp,
) -> Result<()> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let (date, _) = time.split_once('T').unwrap_or_default();
    let body = match payload {
        Payload::Body => hex(digest(&SHA256, &request.body).as_ref()),
        Payload::Unsigned => UNSIGNED.to_string(),
    };
    for (name, value) in [("x-amz-date", &time), ("x-amz-content-sha256", &body)] {
        let value = HeaderValue::try_from(value).map_err(|_| unsendable())?;
        request.headers.insert(HeaderName::from_static(name), value);
    }
    let headers = signed_headers(request);
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}\n", request.method, request.url.path());
    canonical.push_str(request.url.query().unwrap_or_default());
    canonical.push('\n');
    for (name, value) in &headers {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{body}");
    let scope = format!("{date}/{region}/s3/aws4_request");
    let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
    let first = format!("AWS4{}", keys.secret.reveal());
    let steps = [date, region, "s3", "aws4_request", &text];
    let mut last = first.into_bytes();
    for step in steps {
        let key = hmac::Key::new(HMAC_SHA256, &last);
        last = hmac::sign(&key, step.as_bytes()).as_ref().to_vec();
    }
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        keys.access.reveal(),
        hex(&last)
    );
    let mut value = HeaderValue::try_from(value).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    request.headers.insert(AUTHORIZATION, value);
    Ok(())
}

fn unsendable() -> Error {
    Error::invalid("the access key has characters that no header can contain")
}

/// Returns the signed headers, sorted by name, with their values.
fn signed_headers(request: &Request) -> Vec<(String, String)> {
    let host = request.url.host_str().unwrap_or_default();
    let host = match request.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    };
    let is_signed =
        |name: &str| name == "content-md5" || name == "range" || name.starts_with("x-amz-");
    let headers = request.headers.iter();
    let headers = headers.filter(|(name, _)| is_signed(name.as_str()));
    let headers = headers.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.trim().to_string())
    });
    let mut all: Vec<(String, String)> = headers.chain([("host".to_string(), host)]).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use http::Method;
    use url::Url;

    use super::*;

    /// Returns the signature of a request with AWS's example keys, at the time of its examples.
    fn signature(method: Method, path: &str, headers: &[(&'static str, &str)]) -> String {
        let url = format!("https://examplebucket.s3.amazonaws.com{path}");
        let mut request = Request::new(method, Url::parse(&url).unwrap());
        for (name, value) in headers {
            request.headers.insert(*name, value.parse().unwrap());
        }
        let keys = Keys {
            access: Secret::new("AKIAIOSFODNN7EXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        sign(&mut request, Payload::Body, &keys, "us-east-1", now).unwrap();
        let value = &request.headers[AUTHORIZATION];
        assert!(value.is_sensitive());
        let (_, signature) = value.to_str().unwrap().rsplit_once('=').unwrap();
        signature.to_string()
    }

    #[test]
    fn signatures_are_those_of_the_published_examples() {
        let get = signature(Method::GET, "/test.txt", &[("range", "bytes=0-9")]);
        assert_eq!(
            get,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let lifecycle = signature(Method::GET, "/?lifecycle=", &[]);
        assert_eq!(
            lifecycle,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        let list = signature(Method::GET, "/?max-keys=2&prefix=J", &[]);
        assert_eq!(
            list,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
