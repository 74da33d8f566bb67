//! The identification of callers.

use http::header::HeaderMap;

use crate::config::{IdentityKind, ServerSettings};
use crate::model::{Caller, Role};
use crate::{Error, ErrorKind, Result};

/// Returns the caller of a request.
///
/// # Errors
/// `Unauthenticated`.
#[expect(clippy::unused_async, reason = "Keystone is asked")]
pub async fn identify(settings: &ServerSettings, headers: &HeaderMap) -> Result<Caller> {
    let _ = headers;
    match settings.flavor.identity {
        // Upstream's callers without a login have no project either.
        IdentityKind::None => Ok(Caller::new("", Role::Admin, "")),
        IdentityKind::Keystone | IdentityKind::TrustedHeaders => Err(Error::new(
            ErrorKind::Unauthenticated,
            "This server could not verify that you are authorized to access the document you requested.",
        )),
    }
}
