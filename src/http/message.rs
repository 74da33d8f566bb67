//! Requests and responses.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use url::Url;

use super::pace::Pace;
use super::reason::{Failure, Reason};
use super::tls;
use crate::config::Secret;
use crate::model::ByteRange;

/// A redirect to another origin that the secret headers of the request were not sent to.
#[derive(Clone, Debug)]
pub struct Stripped {
    /// The redirecting address.
    pub from: Url,
    /// The target address.
    pub to: Url,
}

/// The maximum size of a response in memory, in bytes; a page of a thousand images is around one MiB.
const MAX_RESPONSE: usize = 64 * 1024 * 1024;

/// A request whose body, if any, is in memory.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// The headers; secret values MUST be marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether the body is secret, and never shown.
    pub is_body_secret: bool,
    /// Secrets of the body, which a response may repeat.
    pub secrets: Vec<Secret>,
    /// Whether the request may be sent again although the server may have received it.
    pub is_idempotent: bool,
}

impl Request {
    /// Returns a request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        let is_idempotent = is_safe(&method);
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            is_body_secret: false,
            secrets: Vec::new(),
            is_idempotent,
        }
    }

    /// Requests a range of the data. A server may still send all of it.
    pub fn ask_for(&mut self, range: ByteRange) {
        // The header consists of digits.
        if let Ok(value) = HeaderValue::try_from(range.header()) {
            self.headers.insert(RANGE, value);
        }
    }

    /// Returns whether the request changes nothing on the server.
    pub fn is_safe(&self) -> bool {
        is_safe(&self.method)
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A response that has been read completely.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The redirect to another origin that secret headers were not sent to.
    pub stripped: Option<Stripped>,
}

/// A response whose head has been read.
pub struct StreamingResponse {
    inner: reqwest::Response,
    stripped: Option<Stripped>,
    timeout: Duration,
    pace: Pace,
}

impl StreamingResponse {
    pub(super) fn new(
        inner: reqwest::Response,
        stripped: Option<Stripped>,
        timeout: Duration,
    ) -> Self {
        Self {
            inner,
            stripped,
            timeout,
            pace: Pace::new(timeout),
        }
    }

    /// Returns the address that responded, after redirects.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Returns when the certificate of the server expires, in seconds since the beginning of 1970; None without TLS.
    pub fn certificate_expiry(&self) -> Option<u64> {
        let info = self.inner.extensions().get::<reqwest::tls::TlsInfo>()?;
        tls::expiry(info.peer_certificate()?)
    }

    /// Returns the redirect to another origin that secret headers were not sent to.
    pub fn stripped(&self) -> Option<&Stripped> {
        self.stripped.as_ref()
    }

    /// Returns the size of the body in bytes from the header; None without a valid one. Also valid for a
    /// response to HEAD.
    pub fn content_length(&self) -> Option<u64> {
        let length = self.headers().get(CONTENT_LENGTH)?;
        length.to_str().ok()?.trim().parse().ok()
    }

    /// Returns the position in the data of the first byte of the body; None if a partial response does not
    /// contain it.
    ///
    /// *Source:* RFC 9110, section 14.4.
    pub fn first_byte(&self) -> Option<u64> {
        if self.status() != StatusCode::PARTIAL_CONTENT {
            return Some(0);
        }
        let range = self.headers().get(CONTENT_RANGE)?.to_str().ok()?;
        let (first, _) = range.strip_prefix("bytes ")?.split_once('-')?;
        first.parse().ok()
    }

    /// Returns the next bytes of the body; None at its end.
    ///
    /// # Errors
    /// [`Reason::TooSlow`] if no data, or almost none, arrives within the timeout of the client; the
    /// reasons of a failed connection.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let began = Instant::now();
        let next = tokio::time::timeout(self.timeout, self.inner.chunk()).await;
        let bytes = match next {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(Failure::of_body(self.url(), error)),
            Err(_) => return Err(self.failure(Reason::TooSlow(self.timeout))),
        };
        if let Some(bytes) = &bytes
            && !self.pace.keeps_up(bytes.len() as u64, began.elapsed())
        {
            return Err(self.failure(Reason::TooSlow(self.timeout)));
        }
        Ok(bytes)
    }

    /// Returns the body as a stream, which ends after the first failure.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
        futures_util::stream::unfold(Some(self), |response| async {
            let mut response = response?;
            match response.chunk().await {
                Ok(bytes) => Some((Ok(bytes?), Some(response))),
                Err(failure) => Some((Err(failure), None)),
            }
        })
    }

    /// Reads the body completely.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] for a body of more than 64 MiB; the errors of [`Self::chunk`].
    pub(super) async fn read(mut self) -> Result<Response, Failure> {
        let is_too_large = |length: u64| length > MAX_RESPONSE as u64;
        // A response to HEAD has a length but no body.
        if self.inner.content_length().is_some_and(is_too_large) {
            return Err(self.failure(Reason::TooLarge));
        }
        let mut body = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if is_too_large((body.len() + bytes.len()) as u64) {
                return Err(self.failure(Reason::TooLarge));
            }
            body.extend_from_slice(&bytes);
        }
        Ok(Response {
            status: self.status(),
            headers: self.headers().clone(),
            body: body.into(),
            stripped: self.stripped,
        })
    }

    fn failure(&self, reason: Reason) -> Failure {
        Failure::new(self.url(), reason)
    }
}
