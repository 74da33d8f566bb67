//! The identification of callers: by a token of Keystone, by headers of a trusted proxy, or not at all.
//!
//! *Source:* `glance/api/middleware/context.py` of the reference implementation; `keystonemiddleware/auth_token/`.

mod access_rules;
mod keystone;
mod regions;
#[cfg(test)]
mod tests;
mod trusted;
mod verdicts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;

use super::answer;
use crate::config::{IdentityKind, ServerSettings};
use crate::model::{Caller, Role};
use crate::service::Regions;
use keystone::Validator;
use trusted::TrustedHeaders;

/// The address of the other end of the connection that a request came through.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The reason why a request is refused before it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller is not known.
    Unauthenticated,
    /// The caller is known, and may not use the service, for this reason.
    Forbidden(&'static str),
    /// The caller cannot be identified, because Keystone does not respond.
    Unavailable,
}

/// The time after which a client should try again if Keystone does not respond.
const PAUSE: Duration = Duration::from_secs(5);

impl Refusal {
    /// Returns the response. `headers` are those of the request.
    pub fn response(self, headers: &HeaderMap) -> Response<Body> {
        let (status, message) = match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "This server could not verify that you are authorized to access the document you requested. Either you \
                 supplied the wrong credentials (e.g., bad password), or your browser does not understand how to \
                 supply the credentials required.",
            ),
            Self::Forbidden(message) => (StatusCode::FORBIDDEN, message),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The Keystone service is temporarily unavailable.",
            ),
        };
        let mut response = answer::refused(status, message, headers);
        if self == Self::Unavailable {
            let pause = HeaderValue::from(PAUSE.as_secs());
            response.headers_mut().insert(RETRY_AFTER, pause);
        }
        response
    }
}

/// The identification of callers.
pub struct Identity {
    method: Method,
    /// Whether callers without any identification may read.
    anonymous_access: bool,
}

enum Method {
    /// Everyone is an administrator.
    None,
    /// No caller can be identified: there are no settings of Keystone.
    Unconfigured,
    Keystone(Box<Validator>),
    TrustedHeaders(TrustedHeaders),
}

impl Identity {
    /// Creates the identification that the settings select.
    pub fn new(settings: &ServerSettings) -> Self {
        let method = match (settings.flavor.identity, &settings.keystone) {
            (IdentityKind::None, _) => Method::None,
            (IdentityKind::Keystone, Some(keystone)) => {
                Method::Keystone(Box::new(Validator::new(keystone.clone())))
            }
            (IdentityKind::Keystone, None) => Method::Unconfigured,
            (IdentityKind::TrustedHeaders, _) => {
                Method::TrustedHeaders(TrustedHeaders::new(settings.trusted_proxies.clone()))
            }
        };
        Self {
            method,
            anonymous_access: settings.anonymous_access,
        }
    }

    /// Returns the caller of a request.
    ///
    /// # Errors
    /// The reason why the request is refused.
    pub async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
        let found = match &self.method {
            // Upstream's callers without a login have no project either.
            Method::None => return Ok(Caller::new("", Role::Admin, "")),
            Method::Unconfigured => return Err(Refusal::Unauthenticated),
            Method::Keystone(validator) => validator.identify(request).await?,
            Method::TrustedHeaders(trusted) => trusted.identify(request)?,
        };
        match found {
            Some(caller) => check(caller),
            None if self.anonymous_access => Ok(Caller::with_roles("", "", [])),
            None => Err(Refusal::Unauthenticated),
        }
    }

    /// Returns the regions that the identified caller of a request may use; None without a token.
    pub fn regions(&self, request: &Parts) -> Option<Arc<dyn Regions>> {
        let regions = match &self.method {
            Method::None | Method::Unconfigured => None,
            Method::Keystone(validator) => validator.regions(&request.headers),
            Method::TrustedHeaders(_) => trusted::regions(&request.headers),
        };
        regions.map(|regions| Arc::new(regions) as Arc<dyn Regions>)
    }

    /// Adds the address at which clients log in to a response that requires it.
    pub fn complete(&self, response: &mut Response<Body>) {
        if let Method::Keystone(validator) = &self.method
            && response.status() == StatusCode::UNAUTHORIZED
        {
            let headers = response.headers_mut();
            headers.extend([(WWW_AUTHENTICATE, validator.challenge())]);
        }
    }
}

/// Checks that a caller acts in a project. An administrator may act on the system as a whole. What roles permit is decided by
/// the policies, which may name any role.
///
/// *Source:* `glance/policies/base.py`: all rules but those for administrators require the project of the token.
fn check(caller: Caller) -> Result<Caller, Refusal> {
    if caller.project.is_empty() && !(caller.has_system_scope && caller.is_admin()) {
        return Err(Refusal::Forbidden(
            "You are not authorized to complete this action: the token is not for a project.",
        ));
    }
    Ok(caller)
}
