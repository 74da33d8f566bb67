//! The reasons why a request has no complete response.

use std::error::Error as StdError;
use std::time::Duration;
use std::{fmt, io};

use http::{Method, StatusCode};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error as RustlsError};
use url::Url;

use super::proxies::Proxies;
use super::resolve::Blocked;
use super::setup::{SetupError, Source};
use crate::Error;
use crate::model::address::place;

/// The reason why a request has no complete response.
#[derive(Debug)]
pub enum Reason {
    /// The name of the host cannot be resolved.
    UnknownHost,
    /// The guard of the client allows no address of the host, for this reason.
    HostBlocked(String),
    /// The guard of the client does not allow the address of a redirect.
    RedirectBlocked(Error),
    /// The proxy, whose address is without credentials, cannot be reached, or cannot connect to the server.
    Proxy {
        /// The scheme, host and port.
        proxy: String,
        /// The cause.
        cause: String,
    },
    /// The connection attempt timed out.
    ConnectTimeout,
    /// The connection attempt failed, for a cause such as `Connection refused`.
    Connect(String),
    /// The TLS connection failed.
    Tls(TlsReason),
    /// The connection failed after it was established.
    Disconnected {
        /// The cause.
        cause: String,
        /// Whether the server may expect TLS, which was not used.
        maybe_tls: bool,
    },
    /// The response is not HTTP, or a part of it is invalid.
    Protocol {
        /// The cause.
        cause: String,
        /// Whether the server may expect TLS, which was not used.
        maybe_tls: bool,
    },
    /// The response, or the next part of it, did not arrive within this time.
    TooSlow(Duration),
    /// The response is too large to be read into memory.
    TooLarge,
    /// There are more redirects than this limit.
    TooManyRedirects(usize),
    /// The response is a redirect, but the request must not be sent to another address.
    NotRedirected {
        /// The status of the response.
        status: StatusCode,
        /// The method of the request.
        method: Method,
        /// The address that the response redirects to.
        to: Url,
    },
    /// The data to send could not be read.
    Upload(Error),
    /// The client cannot be set up.
    Setup(SetupError),
}

/// The reason why a TLS connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsReason {
    /// The server requires a client certificate.
    ClientCertificateRequired,
    /// The server supports no allowed version of TLS.
    Version,
    /// The server does not use TLS.
    NotTls,
    /// The certificate is for these names, which do not include the host.
    WrongName(Vec<String>),
    /// The certificate expired at this time.
    Expired(String),
    /// The certificate is not valid before this time.
    NotYetValid(String),
    /// The issuer of the certificate is not trusted.
    UnknownIssuer,
    /// The certificate is not trusted for another reason.
    Untrusted(String),
    /// The certificate belongs to an authority, not to a server.
    Authority(String),
}

impl TlsReason {
    /// Returns whether additional trusted certificates may help.
    pub fn is_about_trust(&self) -> bool {
        matches!(
            self,
            Self::UnknownIssuer | Self::Untrusted(_) | Self::Authority(_)
        )
    }
}

impl fmt::Display for TlsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientCertificateRequired => f.write_str("it asks for a client certificate"),
            Self::Version => f.write_str("it supports no allowed version of TLS"),
            Self::NotTls => f.write_str("it does not speak TLS"),
            Self::WrongName(names) if names.is_empty() => {
                f.write_str("its certificate has no names")
            }
            Self::WrongName(names) => write!(f, "its certificate is for {}", names.join(", ")),
            Self::Expired(time) => {
                write!(f, "its certificate is not trusted: it expired at {time}")
            }
            Self::NotYetValid(time) => {
                write!(
                    f,
                    "its certificate is not trusted: it is not valid before {time}"
                )
            }
            Self::UnknownIssuer => {
                f.write_str("its certificate is not trusted: its issuer is unknown")
            }
            Self::Untrusted(cause) | Self::Authority(cause) => {
                write!(f, "its certificate is not trusted: {cause}")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("the name of the host cannot be resolved"),
            Self::Proxy { proxy, cause } => write!(f, "through the proxy {proxy}: {cause}"),
            Self::ConnectTimeout => f.write_str("connecting took too long"),
            Self::HostBlocked(cause)
            | Self::Connect(cause)
            | Self::Disconnected { cause, .. }
            | Self::Protocol { cause, .. } => f.write_str(cause),
            Self::Tls(reason) => reason.fmt(f),
            Self::TooSlow(limit) => {
                write!(
                    f,
                    "almost no data was received within {} s",
                    limit.as_secs_f64()
                )
            }
            Self::TooLarge => f.write_str("the response is too large"),
            Self::TooManyRedirects(limit) => write!(f, "it redirects more than {limit} times"),
            Self::NotRedirected { method, to, .. } => {
                write!(f, "it redirects {method} to {}", place(to))
            }
            Self::RedirectBlocked(error) | Self::Upload(error) => error.fmt(f),
            Self::Setup(error) => error.fmt(f),
        }
    }
}

/// The failure of a request.
pub struct Failure(Box<Inner>);

struct Inner {
    url: Url,
    reason: Reason,
    source: Option<Source>,
    is_connect: bool,
    is_transient: bool,
}

impl Failure {
    /// Creates a failure that a retry cannot fix.
    pub(super) fn new(url: &Url, reason: Reason) -> Self {
        Self(Box::new(Inner {
            url: url.clone(),
            reason,
            source: None,
            is_connect: false,
            is_transient: false,
        }))
    }

    /// Creates the failure of a request that was sent through these proxies.
    pub(super) fn of_request(url: &Url, error: reqwest::Error, proxies: &Proxies) -> Self {
        let proxy = error.is_connect().then(|| proxies.of(url)).flatten();
        Self::of_error(url, error, proxy)
    }

    /// Creates the failure of reading the body of a response.
    pub(super) fn of_body(url: &Url, error: reqwest::Error) -> Self {
        Self::of_error(url, error, None)
    }

    fn of_error(url: &Url, error: reqwest::Error, proxy: Option<String>) -> Self {
        Self(Box::new(Inner {
            url: url.clone(),
            reason: reason(url, &error, proxy),
            is_connect: error.is_connect(),
            is_transient: is_transient(&error),
            // The address may contain secrets.
            source: Some(error.without_url().into()),
        }))
    }

    /// Returns the address of the request; the last one if redirects were followed.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Returns the reason.
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// Returns the reason and the underlying error.
    pub fn into_parts(self) -> (Reason, Option<Source>) {
        (self.0.reason, self.0.source)
    }

    /// Returns whether a retry may succeed: the connection failed after it was established.
    pub fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// Returns whether there was no connection, so that the server has not received the request.
    pub fn is_connect(&self) -> bool {
        self.0.is_connect
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", place(&self.0.url), self.0.reason)
    }
}

/// Returns the reason of an error of a request or a response.
fn reason(url: &Url, error: &reqwest::Error, proxy: Option<String>) -> Reason {
    if let Some(own) = find::<Error>(error) {
        return Reason::Upload(Error::new(own.kind(), own.message()));
    }
    if let Some(Blocked(cause)) = find::<Blocked>(error) {
        return Reason::HostBlocked(cause.clone());
    }
    if let Some(tls) = find::<RustlsError>(error).and_then(tls_reason) {
        return Reason::Tls(tls);
    }
    let cause = innermost(error);
    let is_plain = url.scheme() == "http";
    if cause.contains("certificate") {
        Reason::Tls(TlsReason::Untrusted(cause))
    } else if let Some(proxy) = proxy {
        let cause = if error.is_timeout() {
            "it took too long".to_string()
        } else {
            cause
        };
        Reason::Proxy { proxy, cause }
    } else if error.is_dns() {
        Reason::UnknownHost
    } else if error.is_timeout() {
        Reason::ConnectTimeout
    } else if error.is_connect() {
        Reason::Connect(cause)
    } else if is_transient(error) {
        let maybe_tls = is_plain && cause.contains(INCOMPLETE);
        Reason::Disconnected { cause, maybe_tls }
    } else {
        let maybe_tls = is_plain && cause.contains("HTTP version");
        Reason::Protocol { cause, maybe_tls }
    }
}

/// hyper's message for a response that ends within its head.
const INCOMPLETE: &str = "before message completed";

/// Returns whether the connection failed after it was established.
fn is_transient(error: &reqwest::Error) -> bool {
    if find::<Error>(error).is_some() {
        return false;
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(kind) => matches!(
            kind,
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::BrokenPipe
        ),
        None => innermost(error).contains(INCOMPLETE),
    }
}

/// Returns the first error of a type among the sources of an error.
fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<T>() {
            return Some(error);
        }
        // An I/O error does not return its inner error as its source.
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        source = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

/// Returns the innermost message, without Rust's "(os error N)".
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    }
}

/// Returns the reason of a TLS error; None for an error that is not about the server.
fn tls_reason(error: &RustlsError) -> Option<TlsReason> {
    let certificate = match error {
        RustlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            return Some(TlsReason::ClientCertificateRequired);
        }
        RustlsError::AlertReceived(AlertDescription::ProtocolVersion) => {
            return Some(TlsReason::Version);
        }
        RustlsError::InvalidMessage(_) => return Some(TlsReason::NotTls),
        RustlsError::InvalidCertificate(certificate) => certificate,
        _ => return None,
    };
    Some(match certificate {
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsReason::WrongName(presented.iter().map(|name| shown_name(name)).collect())
        }
        CertificateError::ExpiredContext { not_after, .. } => TlsReason::Expired(date(*not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            TlsReason::NotYetValid(date(*not_before))
        }
        CertificateError::UnknownIssuer => TlsReason::UnknownIssuer,
        CertificateError::Other(_) => {
            TlsReason::Authority(format!("it belongs to an authority ({certificate})"))
        }
        _ => TlsReason::Untrusted(certificate.to_string()),
    })
}

fn date(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok();
    let time = time.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown date".to_string(), |time| time.to_string())
}

/// Returns a name of a certificate in the usual form: `DnsName("h")` → `h`.
fn shown_name(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner
        .unwrap_or(name)
        .trim_matches('"')
        .escape_debug()
        .to_string()
}
