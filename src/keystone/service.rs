//! Keystone as a service uses it: with a login of its own, which is made when it is needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::HeaderValue;
use secrecy::ExposeSecret;
use url::Url;

use super::{
    CurrentSession, TOKEN, expiry, find_endpoint, login_request, read_token, secret_value,
};
use crate::config::{Address, Interface, Keystone, keystone_of};
use crate::http::{Client, Failure, Request, Response};
use crate::{Error, ErrorKind, Result};

/// The time before its end at which the token of the service is replaced.
const MARGIN: Duration = Duration::from_secs(30);

/// The service type of Keystone in its catalogue.
const IDENTITY: &str = "identity";

/// A Keystone, and the login of the service.
pub struct ServiceAccount {
    /// The login.
    pub login: Keystone,
    /// The region of Keystone in the catalogue; None: any.
    pub region: Option<String>,
    /// The interfaces of Keystone in the catalogue, in order of preference.
    pub interfaces: Vec<Interface>,
    /// The client.
    pub client: Client,
    /// The session, once there is one.
    pub session: CurrentSession<Session>,
}

/// The session of the service.
pub struct Session {
    /// The address of Keystone's API version 3; ends in a slash.
    pub url: Url,
    token: HeaderValue,
    /// The end of the token's validity, if the login reported it.
    expires: Option<Instant>,
}

impl ServiceAccount {
    /// Sends the request that `build` makes for the address of Keystone, with the token of the service. A refused token is
    /// replaced once.
    ///
    /// # Errors
    /// `Unreachable` if Keystone does not respond, or refuses the login; errors of `build`.
    pub async fn call(
        &self,
        build: impl Fn(&Url) -> Result<Request> + Send + Sync,
    ) -> Result<Response> {
        let mut session = self.session().await?;
        let mut is_renewed = false;
        loop {
            let mut request = build(&session.url)?;
            request.headers.insert(TOKEN, session.token.clone());
            let response = self.client.call(&request).await;
            let response = response.map_err(|failure| unreachable(&session.url, &failure))?;
            if response.status != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            if is_renewed {
                let url = shown(&session.url);
                let message = format!("{url}: it refuses a new token of the service (HTTP 401)");
                return Err(Error::new(ErrorKind::Unreachable, message));
            }
            is_renewed = true;
            self.session.forget(&session).await;
            session = self.session().await?;
        }
    }

    async fn session(&self) -> Result<Arc<Session>> {
        let is_valid = |session: &Session| {
            let soon = Instant::now() + MARGIN;
            session.expires.is_none_or(|expires| expires > soon)
        };
        self.session.get(is_valid, || self.log_in()).await
    }

    async fn log_in(&self) -> Result<Session> {
        let url = &self.login.auth_url;
        let response = self.client.call(&login_request(&self.login)?).await;
        let response = response.map_err(|failure| unreachable(url, &failure))?;
        let code = response.status.as_u16();
        if !response.status.is_success() {
            let message = format!("{url} refuses the login of the service (HTTP {code})");
            return Err(Error::new(ErrorKind::Unreachable, message));
        }
        let no_token = || {
            let message = format!("{url} responds to the login of the service without a token");
            Error::new(ErrorKind::Unreachable, message)
        };
        let token = read_token(response).map_err(|error| no_token().because(error))?;
        let info = token.auth_info.as_ref().map(|info| &info.token);
        let catalog = info.and_then(|info| info.catalog.as_deref());
        let catalog = catalog.unwrap_or_default();
        let region = self.region.as_deref();
        let found = find_endpoint(catalog, IDENTITY, region, &self.interfaces);
        let found = found.and_then(|endpoint| Url::parse(&endpoint.url).ok());
        let found = found.filter(|url| matches!(url.scheme(), "http" | "https"));
        Ok(Session {
            // A catalogue without Keystone is that of a Keystone at one address.
            url: found.map_or_else(|| self.login.auth_url.0.clone(), keystone_of),
            token: secret_value(token.token.expose_secret()).ok_or_else(no_token)?,
            expires: expiry(&token),
        })
    }
}

/// Returns an address for messages.
fn shown(url: &Url) -> Address {
    Address(url.clone())
}

/// Returns the error for a Keystone that does not respond.
fn unreachable(url: &Url, failure: &Failure) -> Error {
    let (url, reason) = (shown(url), failure.reason());
    let message = format!("{url} cannot be reached: {reason}");
    Error::new(ErrorKind::Unreachable, message)
}
