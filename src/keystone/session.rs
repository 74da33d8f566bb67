//! Tokens of a login that is made when it is needed, and their replacement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HeaderName, HeaderValue};
use openstack_sdk_auth_core::AuthToken;
use tokio::sync::Mutex;

/// The header of a token.
pub const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// The session of a login. Requests at the same time wait for one login.
pub struct CurrentSession<S>(Mutex<Option<Arc<S>>>);

impl<S> Default for CurrentSession<S> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<S> CurrentSession<S> {
    /// Returns the current session if it is valid, or else a new one.
    ///
    /// # Errors
    /// Errors of the login.
    pub async fn get<E>(
        &self,
        is_valid: impl Fn(&S) -> bool,
        log_in: impl AsyncFnOnce() -> Result<S, E>,
    ) -> Result<Arc<S>, E> {
        let mut current = self.0.lock().await;
        if let Some(session) = current.as_ref().filter(|session| is_valid(session)) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(log_in().await?);
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Removes a session whose token was refused, unless it has been replaced.
    pub async fn forget(&self, refused: &Arc<S>) {
        let mut current = self.0.lock().await;
        if current
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, refused))
        {
            *current = None;
        }
    }
}

/// Returns the end of a token's validity, if the login reported it.
pub fn expiry(token: &AuthToken) -> Option<Instant> {
    let expires = token.auth_info.as_ref()?.token.expires_at.timestamp();
    let seconds = expires - jiff::Timestamp::now().as_second();
    Instant::now().checked_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Returns a secret as the value of a header; None if it has characters that cannot be sent.
pub fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
