//! Logins, and requests that are sent with their tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use url::Url;

use super::failure::{failed, redirected, refused_login};
use crate::config::{SwiftAccount, SwiftAuth, SwiftLogin, SwiftService};
use crate::http::{Client, Request, Response, StreamingResponse};
use crate::keystone::{
    CurrentSession, TOKEN, expiry, find_endpoint, login_request, read_token, secret_value,
};
use crate::model::address::place;
use crate::{Error, ErrorKind, Result};

/// A token, and the storage that it gives access to.
pub(super) struct Session {
    /// The storage address of the account.
    pub storage: Url,
    token: HeaderValue,
    /// The end of the token's validity, if the login reported it.
    expires: Option<Instant>,
}

impl Session {
    /// Returns a request with the token.
    pub fn request(&self, method: Method, url: Url) -> Request {
        let mut request = Request::new(method, url);
        request.headers.insert(TOKEN, self.token.clone());
        request
    }
}

/// An account of Swift. It logs in at the first request, and again when its token expires or is refused.
pub(super) struct Account {
    /// The name of the store, for messages.
    pub store: Arc<str>,
    /// The client.
    pub client: Client,
    login: SwiftAccount,
    service: SwiftService,
    expire_soon: Duration,
    session: CurrentSession<Session>,
}

impl Account {
    /// Creates an account that is not logged in yet.
    pub fn new(
        store: &Arc<str>,
        client: &Client,
        login: SwiftAccount,
        service: SwiftService,
        expire_soon: Duration,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            client: client.clone(),
            login,
            service,
            expire_soon,
            session: CurrentSession::default(),
        }
    }

    /// Returns a session whose token remains valid for a while.
    ///
    /// # Errors
    /// Errors of the login.
    pub async fn session(&self) -> Result<Arc<Session>> {
        let is_valid = |session: &Session| {
            let soon = Instant::now() + self.expire_soon;
            session.expires.is_none_or(|expires| expires > soon)
        };
        self.session.get(is_valid, || self.log_in()).await
    }

    /// Returns a session other than `refused`, whose token was refused.
    ///
    /// # Errors
    /// Errors of the login.
    pub async fn renew(&self, refused: &Arc<Session>) -> Result<Arc<Session>> {
        self.session.forget(refused).await;
        self.session().await
    }

    async fn log_in(&self) -> Result<Session> {
        let mut session = match self.login.version {
            SwiftAuth::V1 => self.log_in_to_swift().await?,
            SwiftAuth::V3 => self.log_in_to_keystone().await?,
        };
        if let Some(endpoint) = &self.service.endpoint {
            session.storage = endpoint.0.clone();
        }
        Ok(session)
    }

    /// Logs in at Swift itself.
    ///
    /// *Source:* `swift/common/middleware/tempauth.py` (`handle_get_token`).
    async fn log_in_to_swift(&self) -> Result<Session> {
        let mut request = Request::new(Method::GET, self.login.auth_url.0.clone());
        if let SwiftLogin::Key { user, key } = &self.login.login {
            for (name, value) in [("x-auth-user", user.as_str()), ("x-auth-key", key.reveal())] {
                request
                    .headers
                    .insert(HeaderName::from_static(name), self.secret(value)?);
            }
        }
        let response = self.send_login(&request).await?;
        let header = |name: &str| response.headers.get(name)?.to_str().ok();
        let seconds = header("x-auth-token-expires").and_then(|text| text.parse().ok());
        let storage = header("x-storage-url").and_then(|text| Url::parse(text).ok());
        match (storage, header("x-auth-token")) {
            (Some(storage), Some(token)) => Ok(Session {
                storage,
                token: self.secret(token)?,
                expires: seconds
                    .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds))),
            }),
            _ => Err(self.unexpected()),
        }
    }

    async fn log_in_to_keystone(&self) -> Result<Session> {
        let keystone = self.login.keystone();
        let response = self.send_login(&login_request(&keystone)?).await?;
        let token = read_token(response).map_err(|error| self.unexpected().because(error))?;
        let info = token.auth_info.as_ref().map(|info| &info.token);
        let storage = if let Some(endpoint) = &self.service.endpoint {
            endpoint.0.clone()
        } else {
            let catalog = info.and_then(|info| info.catalog.as_deref());
            self.find_storage(catalog.unwrap_or_default())?
        };
        Ok(Session {
            storage,
            token: self.secret(token.token.expose_secret())?,
            expires: expiry(&token),
        })
    }

    fn find_storage(&self, catalog: &[openstack_sdk_auth_core::ServiceEndpoints]) -> Result<Url> {
        let service = &self.service;
        let region = service.region.as_deref();
        let found = find_endpoint(catalog, &service.service_type, region, &[service.interface]);
        let url = found.and_then(|endpoint| Url::parse(&endpoint.url).ok());
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| {
            let place = region.map(|region| format!(" in region {region}"));
            Error::failed(format!(
                "store '{}': the catalogue of {} has no {} endpoint of type {}{}",
                self.store,
                self.login.auth_url,
                service.interface.name(),
                service.service_type,
                place.unwrap_or_default(),
            ))
            .hint(
                "See swift_store_region, swift_store_service_type, swift_store_endpoint_type and \
                 swift_store_endpoint.",
            )
        })
    }

    async fn send_login(&self, request: &Request) -> Result<Response> {
        let response = self.client.call(request).await;
        let response = response.map_err(|failure| {
            redirected(&self.store, &failure).unwrap_or_else(|| failed(&self.store, failure))
        })?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(refused_login(&self.store, &self.login, response.status))
    }

    fn unexpected(&self) -> Error {
        let message = format!(
            "store '{}': {} answers without a token",
            self.store, self.login.auth_url
        );
        Error::new(ErrorKind::Unreachable, message)
            .hint("The address may not be that of a login: see swift_store_auth_address.")
    }

    /// Returns a secret as the value of a header.
    fn secret(&self, text: &str) -> Result<HeaderValue> {
        secret_value(text).ok_or_else(|| {
            Error::failed(format!(
                "store '{}': a user, key or token has characters that cannot be sent",
                self.store
            ))
        })
    }
}

/// The storage of an account, in which containers are.
#[derive(Clone)]
pub(super) struct Storage {
    /// The account whose token is sent.
    pub account: Arc<Account>,
    /// The storage address; None for that of the login.
    pub url: Option<Url>,
}

/// A request to a container or an object.
pub(super) struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The container; empty for the account.
    pub container: &'a str,
    /// The object; None for the container itself.
    pub object: Option<&'a str>,
    /// The parameters.
    pub query: &'a [(&'a str, &'a str)],
    /// Further headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: bytes::Bytes,
}

impl<'a> Call<'a> {
    /// Returns a request for an object.
    pub fn object(method: Method, container: &'a str, object: &'a str) -> Self {
        Self {
            object: Some(object),
            ..Self::container(method, container)
        }
    }

    /// Returns a request for the account.
    pub fn account(method: Method) -> Self {
        Self::container(method, "")
    }

    /// Returns a request for a container.
    pub fn container(method: Method, container: &'a str) -> Self {
        Self {
            method,
            container,
            object: None,
            query: &[],
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
        }
    }
}

impl Storage {
    /// Returns a request with the token of a session. It may be sent again.
    ///
    /// # Errors
    /// `Invalid` for a storage address to which the token is not sent, because it is not one of the service.
    pub fn request(&self, session: &Session, call: &Call<'_>) -> Result<Request> {
        let mut url = match &self.url {
            None => session.storage.clone(),
            // An address may come from anyone who can add locations.
            Some(url) if url.origin() == session.storage.origin() => url.clone(),
            Some(url) => {
                return Err(Error::invalid(format!(
                    "store '{}': {} is not an address of the Swift at {}",
                    self.account.store,
                    place(url),
                    place(&session.storage)
                )));
            }
        };
        if let Ok(mut path) = url.path_segments_mut() {
            let container = Some(call.container).filter(|name| !name.is_empty());
            path.pop_if_empty().extend(container).extend(call.object);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = session.request(call.method.clone(), url);
        request.headers.extend(call.headers.clone());
        request.body = call.body.clone();
        request.is_idempotent = true;
        Ok(request)
    }

    /// Sends a request and reads its response, regardless of the status. A refused token is replaced once.
    ///
    /// # Errors
    /// Errors of the login; `Unreachable`.
    pub async fn call(&self, call: &Call<'_>) -> Result<Response> {
        let (client, store) = (&self.account.client, &self.account.store);
        let session = self.account.session().await?;
        let first = client.call(&self.request(&session, call)?).await;
        let first = first.map_err(|failure| failed(store, failure))?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let session = self.account.renew(&session).await?;
        let second = client.call(&self.request(&session, call)?).await;
        second.map_err(|failure| failed(store, failure))
    }

    /// Sends a request and returns its response as soon as the head has arrived. Otherwise the same as
    /// [`Self::call`].
    ///
    /// # Errors
    /// Errors of the login; `Unreachable`.
    pub async fn open(&self, call: &Call<'_>) -> Result<StreamingResponse> {
        let (client, store) = (&self.account.client, &self.account.store);
        let session = self.account.session().await?;
        let first = client.open(&self.request(&session, call)?).await;
        let first = first.map_err(|failure| failed(store, failure))?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let session = self.account.renew(&session).await?;
        let second = client.open(&self.request(&session, call)?).await;
        second.map_err(|failure| failed(store, failure))
    }

    /// Returns the address of a container, without secrets, for messages; as far as it is known.
    pub async fn shown(&self, container: &str) -> String {
        let storage = if let Some(url) = &self.url {
            Some(url.clone())
        } else {
            let session = self.account.session().await.ok();
            session.map(|session| session.storage.clone())
        };
        match storage {
            Some(url) => format!(
                "container '{container}' at {}",
                place(&url).trim_end_matches('/')
            ),
            None => format!("container '{container}'"),
        }
    }
}
