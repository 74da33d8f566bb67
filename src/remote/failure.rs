//! Failures of requests, in words, with hints.

use http::Method;
use url::Url;

use crate::http::{Failure, Reason, SetupError, TlsReason};
use crate::model::address::place;
use crate::{Error, ErrorKind, Hint, Parameter};

const SPEAKS_TLS: &str = "If it speaks TLS, its address begins with https://.";

/// Returns the error for a failed request.
pub(super) fn failed(failure: Failure) -> Error {
    let url = failure.url().clone();
    let (reason, source) = failure.into_parts();
    let error = match reason {
        // Failures of the caller's data and of the setup are not about the server.
        Reason::Upload(error) | Reason::RedirectBlocked(error) => return error,
        Reason::Setup(error) => return not_set_up(error),
        Reason::Tls(reason) => tls(&url, &reason),
        reason => about(&url, &reason),
    };
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

fn about(url: &Url, reason: &Reason) -> Error {
    let (place, host) = (place(url), url.host_str().unwrap_or_default());
    let unreachable = |message: String| Error::new(ErrorKind::Unreachable, message);
    match reason {
        Reason::Proxy { proxy, cause } => unreachable(format!(
            "cannot connect to {place} through the proxy {proxy}: {cause}"
        ))
        .hint(format!(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names that proxy; NO_PROXY={host} does without it."
        )),
        Reason::UnknownHost => {
            unreachable(format!("the name {host} of {place} cannot be resolved"))
                .hint("Check the address, and whether this machine is on the network.")
        }
        Reason::ConnectTimeout => unreachable(format!("connecting to {place} timed out"))
            .hint("Check the address, and whether a firewall is in between."),
        Reason::Connect(cause) => unreachable(format!("cannot connect to {place}: {cause}"))
            .hint("Check the address, and whether the service runs."),
        Reason::Disconnected { cause, maybe_tls } => {
            let hint = if *maybe_tls {
                "Try again; if the server speaks TLS, its address begins with https://."
            } else {
                "Try again."
            };
            unreachable(format!("the connection to {place} failed: {cause}")).hint(hint)
        }
        Reason::Protocol { cause, maybe_tls } => {
            let error =
                unreachable(format!("{place} did not respond as a web server: {cause}"));
            if *maybe_tls {
                error.hint(SPEAKS_TLS)
            } else {
                error
            }
        }
        Reason::TooSlow(limit) => {
            let seconds = limit.as_secs_f64();
            unreachable(format!("{place} did not respond within {seconds} s"))
                .hint("Try again.")
                .hint(Parameter::Timeout)
        }
        Reason::TooLarge => Error::failed(format!("the response of {place} is too large")),
        Reason::TooManyRedirects(_) => Error::failed(format!("{place} redirects without end")),
        Reason::NotRedirected { method, to, .. } => redirected(&place, method, to),
        reason => unreachable(format!("{place} cannot be reached: {reason}")),
    }
}

fn redirected(from: &str, method: &Method, to: &Url) -> Error {
    let to = place(to);
    Error::failed(format!(
        "{from} redirected {method} to {to}, which is not followed"
    ))
    .hint(Parameter::ImageServiceAddress)
}

fn tls(url: &Url, reason: &TlsReason) -> Error {
    let place = place(url);
    let message = match reason {
        TlsReason::ClientCertificateRequired => format!("{place} requires a client certificate"),
        TlsReason::Version => format!("{place} supports no allowed version of TLS"),
        TlsReason::NotTls => format!("{place} does not speak TLS"),
        TlsReason::WrongName(names) => {
            let host = url.host_str().unwrap_or_default();
            let names = match names.as_slice() {
                [] => "no name".to_string(),
                names => names.join(", "),
            };
            format!("the certificate of {place} is for {names}, not for {host}")
        }
        TlsReason::Expired(time) => {
            format!("the certificate of {place} is not trusted: it expired at {time}")
        }
        TlsReason::NotYetValid(time) => {
            format!("the certificate of {place} is not trusted: it is not valid before {time}")
        }
        TlsReason::UnknownIssuer => {
            format!("the certificate of {place} is not trusted: its issuer is unknown")
        }
        TlsReason::Untrusted(cause) | TlsReason::Authority(cause) => {
            format!("the certificate of {place} is not trusted: {cause}")
        }
    };
    let hint: Hint = match reason {
        TlsReason::ClientCertificateRequired => Parameter::ClientCertificate.into(),
        TlsReason::Version => Parameter::OlderTls.into(),
        TlsReason::NotTls => "If it speaks plain HTTP, its address begins with http://.".into(),
        TlsReason::WrongName(_) => {
            "Use a name of the certificate in the address, or have the certificate made for it."
                .into()
        }
        TlsReason::Expired(_) => {
            "Check the clock of this machine; otherwise the certificate has to be renewed.".into()
        }
        TlsReason::NotYetValid(_) => "Check the clock of this machine.".into(),
        TlsReason::UnknownIssuer | TlsReason::Untrusted(_) | TlsReason::Authority(_) => {
            Parameter::CaCertificates.into()
        }
    };
    Error::new(ErrorKind::Unreachable, message).hint(hint)
}

/// Returns the error for a client that cannot be set up.
fn not_set_up(error: SetupError) -> Error {
    let said = Error::failed(error.to_string());
    let said = match error {
        SetupError::File(error) => return error,
        SetupError::NoClientCertificate(..) => said.hint(Parameter::ClientCertificate),
        SetupError::NothingTrusted(_) => {
            said.hint(Parameter::CaCertificates)
        }
        SetupError::NoCipherSuite(_) => said.hint(
            "There are ECDHE-RSA-AES256-GCM-SHA384, ECDHE+CHACHA20 and the like; see openssl-ciphers(1).",
        ),
        SetupError::NoCertificate(_) | SetupError::InvalidProxy | SetupError::Tls(_) => said,
    };
    match error.into_source() {
        Some(source) => said.because(source),
        None => said,
    }
}
