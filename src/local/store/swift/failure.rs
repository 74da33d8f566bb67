//! Failures of requests to Swift, in words: each names the store.

use http::StatusCode;

use crate::config::{SwiftAccount, SwiftLogin};
use crate::http::{Failure, Reason, SetupError};
use crate::model::address::place;
use crate::{Error, ErrorKind, Parameter};

/// Returns the error for a request without a response.
pub(super) fn failed(store: &str, failure: Failure) -> Error {
    let url = failure.url().clone();
    // The path names an account, which is not what fails.
    let server = url.origin().ascii_serialization();
    let (reason, source) = failure.into_parts();
    let unreachable = |message: String| Error::new(ErrorKind::Unreachable, message);
    let error = match reason {
        // An error of the data that is sent.
        Reason::Upload(error) => return error,
        Reason::Setup(error) => return not_set_up(store, error),
        Reason::TooSlow(limit) => unreachable(format!(
            "store '{store}': {server} did not respond within {} s",
            limit.as_secs_f64()
        )),
        Reason::NotRedirected { to, .. } => Error::failed(format!(
            "store '{store}': {server} redirects to {}, which is not followed",
            place(&to)
        )),
        reason => unreachable(format!(
            "store '{store}': {server} cannot be reached: {reason}"
        )),
    };
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

/// Returns the error for a login that is redirected: a password is not sent to another address.
pub(super) fn redirected(store: &str, failure: &Failure) -> Option<Error> {
    let Reason::NotRedirected { to, .. } = failure.reason() else {
        return None;
    };
    let (from, to) = (place(failure.url()), place(to));
    let message = format!("store '{store}': {from} redirects logins to {to}");
    let hint = "A password is not sent to another address: change swift_store_auth_address.";
    Some(Error::failed(message).hint(hint))
}

fn not_set_up(store: &str, error: SetupError) -> Error {
    let said = Error::failed(format!("store '{store}': {error}"));
    match error {
        SetupError::File(error) => error.context(format_args!("store '{store}'")),
        SetupError::NoCertificate(_) => said.hint("See swift_store_cacert."),
        error => match error.into_source() {
            Some(source) => said.because(source),
            None => said,
        },
    }
}

/// Returns the error for a refused login.
pub(super) fn refused_login(store: &str, login: &SwiftAccount, status: StatusCode) -> Error {
    let who = match &login.login {
        SwiftLogin::Key { user, .. } => format!("user {user}"),
        SwiftLogin::ApplicationCredential { .. } => "the application credential".to_owned(),
    };
    let (place, code) = (&login.auth_url, status.as_u16());
    match code {
        401 | 403 => Error::failed(format!(
            "store '{store}': {place} refused {who} (HTTP {code})"
        ))
        .hint("Check the user, the project, the key and the domains of the store."),
        300 | 404 | 405 => Error::failed(format!(
            "store '{store}': no login was found at {place} (HTTP {code})"
        ))
        .hint("See swift_store_auth_address and swift_store_auth_version."),
        _ => Error::new(
            ErrorKind::Unreachable,
            format!("store '{store}': {place} responded to a login with HTTP {code}"),
        ),
    }
}

/// Returns the error for a response with an unexpected status. `what` is the subject, such as a container with its
/// address.
pub(super) fn refused(store: &str, what: &str, status: StatusCode) -> Error {
    let code = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("no reason");
    match code {
        413 | 507 => {
            let why = if code == 413 {
                "a quota, or the largest size of an object, is exceeded"
            } else {
                "no space is left"
            };
            Error::too_large(format!(
                "Image storage media is full: store '{store}': {what}: {why} (HTTP {code})"
            ))
            .hint(Parameter::Store)
        }
        401 => Error::failed(format!(
            "store '{store}': {what}: a new token was refused (HTTP 401)"
        )),
        403 => Error::failed(format!("store '{store}': {what}: access denied (HTTP 403)"))
            .hint("Check the roles of the store's user, and the container's ACLs."),
        500.. => Error::new(
            ErrorKind::Unreachable,
            format!("store '{store}': {what}: HTTP {code} {reason}"),
        ),
        _ => Error::failed(format!("store '{store}': {what}: HTTP {code} {reason}")),
    }
}
