//! Requests that failed, and their errors.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};

use super::xml;
use crate::http::retry::{self, Delay};
use crate::http::{Failure, Reason, SetupError};
use crate::{Error, ErrorKind, Parameter};

/// The header with the region of a bucket.
const REGION: &str = "x-amz-bucket-region";

/// The number of characters of a service's message that are shown.
const MAX_MESSAGE: usize = 200;

/// A response that refuses a request.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The status.
    pub(super) status: StatusCode,
    /// The code, such as `NoSuchKey`; empty if the service sent none.
    pub(super) code: String,
    message: String,
    region: Option<String>,
    delay: Option<Delay>,
}

impl Refusal {
    /// Reads a response.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Self {
        let header = headers.get(REGION).map(HeaderValue::to_str);
        let header = header.and_then(Result::ok).map(str::to_string);
        Self {
            status,
            code: xml::first(body, "Code").unwrap_or_default(),
            message: xml::first(body, "Message").unwrap_or_default(),
            region: header.or_else(|| xml::first(body, "Region")),
            delay: retry::delay(status, headers),
        }
    }

    /// Returns the refusal for a missing bucket.
    pub(super) fn of_missing_bucket() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "NoSuchBucket".to_string(),
            message: String::new(),
            region: None,
            delay: None,
        }
    }

    /// Returns whether the bucket is missing.
    pub(super) fn is_missing_bucket(&self) -> bool {
        self.code == "NoSuchBucket"
    }

    /// Returns whether the service does not have such a request.
    pub(super) fn is_unsupported(&self) -> bool {
        self.code == "NotImplemented" || matches!(self.status.as_u16(), 405 | 501)
    }

    /// Returns whether there is other data, or a condition is not met.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED
    }

    /// Returns the reason in words, and the hint.
    fn reason(&self) -> (String, Option<&'static str>) {
        let code = self.code.as_str();
        let (reason, hint) = match (self.status.as_u16(), code) {
            (_, "NoSuchBucket") => (
                "the bucket is missing".to_string(),
                Some("Create it, or set s3_store_create_bucket_on_put."),
            ),
            (_, "InvalidAccessKeyId") => (
                "the access key is unknown".to_string(),
                Some("Check s3_store_access_key."),
            ),
            (_, "SignatureDoesNotMatch") => (
                "the secret key is wrong".to_string(),
                Some("Check s3_store_secret_key, and s3_store_region_name."),
            ),
            (_, "AccessDenied") => (
                "access is denied".to_string(),
                Some("Check the rights of s3_store_access_key in the bucket."),
            ),
            (_, "RequestTimeTooSkewed") => (
                "the clocks of the service and of this host differ".to_string(),
                Some("Set the clock of this host."),
            ),
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect")
            | (301 | 307, _) => (
                match &self.region {
                    Some(region) => format!("the bucket is in the region {region}"),
                    None => "the bucket is in another region".to_string(),
                },
                Some("Set s3_store_region_name, and s3_store_host to a host of that region."),
            ),
            (_, "QuotaExceeded") => ("the quota is exceeded".to_string(), None),
            (_, "InvalidBucketName") => ("the name of the bucket is invalid".to_string(), None),
            (_, "SlowDown" | "ServiceUnavailable" | "Busy") => {
                ("the service is overloaded".to_string(), None)
            }
            (_, "BadDigest") => ("the data changed on its way".to_string(), None),
            (status, "") => (format!("the service responded {status}"), None),
            (status, _) => (self.in_words(status), None),
        };
        let reason = if code.is_empty() || reason.contains(code) {
            reason
        } else {
            format!("{reason} ({code})")
        };
        (reason, hint)
    }

    /// Returns the code and the message of the service, without control characters.
    fn in_words(&self, status: u16) -> String {
        let message: String = self.message.chars().take(MAX_MESSAGE).collect();
        let message = message.escape_debug().to_string();
        let code = self.code.escape_debug();
        if message.is_empty() {
            return format!("the service responded {status} {code}");
        }
        format!("the service responded {status} {code}: {message}")
    }

    fn kind(&self) -> ErrorKind {
        match (self.status.as_u16(), self.code.as_str()) {
            (507, _) | (_, "QuotaExceeded" | "EntityTooLarge" | "InsufficientCapacity") => {
                ErrorKind::TooLarge
            }
            (412, _) => ErrorKind::Conflict,
            (416, _) => ErrorKind::RangeNotSatisfiable,
            (_, "BadDigest") => ErrorKind::Corrupt,
            (429 | 500..=599, _) => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        }
    }
}

/// The reason why a request has no successful response.
pub(super) enum Trouble {
    /// The service refused it.
    Refused(Box<Refusal>),
    /// There is no complete response.
    Failed(Failure),
    /// The response is wrong; the text has the service as its subject.
    Wrong(ErrorKind, String),
    /// Another reason.
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Trouble {
    /// Returns the refusal of the service.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(_) | Self::Wrong(..) | Self::Other(_) => None,
        }
    }

    /// Returns whether the bucket is missing.
    pub(super) fn is_missing_bucket(&self) -> bool {
        self.refusal().is_some_and(Refusal::is_missing_bucket)
    }

    /// Returns the delay before a request is repeated that may be repeated; None if that would not help.
    pub(super) fn retry(&self) -> Option<Delay> {
        match self {
            Self::Failed(failure) => failure.is_transient().then_some(Delay::Backoff),
            Self::Refused(refusal) => {
                let is_transient = refusal.status == StatusCode::INTERNAL_SERVER_ERROR
                    || [
                        "BadDigest",
                        "RequestTimeout",
                        "OperationAborted",
                        "ConditionalRequestConflict",
                    ]
                    .contains(&refusal.code.as_str());
                refusal
                    .delay
                    .or_else(|| is_transient.then_some(Delay::Backoff))
            }
            Self::Wrong(..) | Self::Other(_) => None,
        }
    }

    /// Returns whether the service may have executed the request.
    pub(super) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Failed(failure) => !failure.is_connect(),
            Self::Refused(refusal) => {
                refusal.status.is_server_error() || refusal.status.is_success()
            }
            Self::Wrong(..) | Self::Other(_) => false,
        }
    }

    /// Returns the error, which names the store and the address of its bucket.
    pub(super) fn into_error(self, store: &str, place: &str) -> Error {
        let subject = format!("store '{store}' at {place}");
        match self {
            Self::Other(error) => error,
            Self::Wrong(kind, what) => Error::new(kind, format!("{subject}: the service {what}")),
            Self::Refused(refusal) => {
                let (reason, hint) = refusal.reason();
                let kind = refusal.kind();
                if kind == ErrorKind::TooLarge {
                    return full(&format!("{subject}: {reason}"));
                }
                let error = Error::new(kind, format!("{subject}: {reason}"));
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            Self::Failed(failure) => of_failure(failure, &subject),
        }
    }
}

/// Returns the error for a store without space.
fn full(why: &str) -> Error {
    Error::too_large(format!("Image storage media is full: {why}"))
        .hint("Free space in the store, or raise its quota.")
        .hint(Parameter::Store)
}

fn of_failure(failure: Failure, subject: &str) -> Error {
    let (reason, source) = failure.into_parts();
    let error = match reason {
        Reason::Upload(error) => return error,
        Reason::Setup(SetupError::File(error)) => return error.context(subject),
        Reason::Setup(error) => {
            let message = format!("{subject}: cannot set up TLS: {error}");
            Error::failed(message).hint("Check s3_store_cacert.")
        }
        Reason::TooSlow(limit) => {
            let seconds = limit.as_secs();
            let message = format!("{subject}: no response within {seconds} s");
            Error::new(ErrorKind::Unreachable, message)
        }
        Reason::Tls(reason) => {
            let is_about_trust = reason.is_about_trust();
            let message = format!("{subject} cannot be reached: {reason}");
            let error = Error::new(ErrorKind::Unreachable, message);
            if is_about_trust {
                error.hint("Set s3_store_cacert to the certificate of its authority.")
            } else {
                error
            }
        }
        reason => {
            let message = format!("{subject} cannot be reached: {reason}");
            Error::new(ErrorKind::Unreachable, message)
        }
    };
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}
