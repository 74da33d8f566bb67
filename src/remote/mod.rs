//! The client: the service traits for any cloud, with as few requests as possible.

mod answer;
pub mod auth;
mod cache;
mod data;
mod discovery;
mod download;
mod examine;
mod failure;
mod identity;
mod images;
mod imports;
mod locations;
mod members;
mod metadefs;
pub mod profile;
pub mod profiler;
mod projects;
mod tasks;

use std::time::Duration;

use auth::{Access, Prompt};
use bytes::Bytes;
pub use examine::Examined;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
pub use identity::Identity;
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::config::{Cloud, Keystone, Tls};
use crate::http::{Client, Observer, Options, Request, Response};
use crate::model::address::place;
use crate::{Error, ErrorKind, Operation, Parameter, Result};

/// The default timeout of a response, and of stalled image data.
///
/// *Source:* the timeout of python-glanceclient.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

/// Returns a client for the servers of a cloud.
fn client(tls: &Tls, timeout: Option<Duration>, observer: Observer) -> Client {
    Client::new(Options {
        tls: tls.clone(),
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        observer,
        ..Options::default()
    })
}

/// A cloud, from the view of one caller.
pub struct Remote {
    http: Client,
    cloud: Cloud,
    access: RwLock<Access>,
    /// Whether the image service used TLS when the cloud was opened.
    secure: bool,
    /// None if a rejected token is not replaced by another login.
    prompt: Option<Box<dyn Prompt + Send + Sync>>,
    /// Whether an image is downloaded after its upload, and its data compared.
    verifies_stored: bool,
}

/// The part of a login that may be outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outdated {
    /// The token.
    Token,
    /// The roles.
    Rights,
    /// The address of the service.
    Address,
}

impl Outdated {
    /// Returns the outdated part of the login that a response may be the result of. A request that may have
    /// changed something is not repeated.
    fn of_answer(request: &Request, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status.as_u16() {
            401 => Some(Self::Token),
            403 => Some(Self::Rights),
            // Glance sends a request ID in its responses, and always has images.
            404 if !headers.contains_key("x-openstack-request-id")
                || request.url.path().ends_with("/v2/images") =>
            {
                Some(Self::Address)
            }
            502..=504 if request.is_safe() => Some(Self::Address),
            _ => None,
        }
    }
}

/// The media type of most bodies.
const JSON: &str = "application/json";

impl Remote {
    /// Connects to a cloud, with a cached token if there is one, which needs no request.
    ///
    /// # Errors
    /// Any error from authentication.
    pub async fn open(
        cloud: Cloud,
        prompt: Box<dyn Prompt + Send + Sync>,
        observer: Observer,
    ) -> Result<Self> {
        let http = client(&cloud.tls, cloud.timeout, observer);
        let access = auth::connect(&http, &cloud, prompt.as_ref(), false).await?;
        Ok(Self {
            http,
            secure: access.endpoint.scheme() == "https",
            access: RwLock::new(access),
            cloud,
            prompt: Some(prompt),
            verifies_stored: false,
        })
    }

    /// Returns the same cloud, which downloads each image that it has uploaded, and compares its data.
    #[must_use]
    pub fn verifying_stored(mut self) -> Self {
        self.verifies_stored = true;
        self
    }

    /// Connects to a cloud only if that needs no login: without Keystone, or with a cached token. A request with a token
    /// that is rejected fails.
    ///
    /// # Errors
    /// `Failed` if the cached login has no such image service.
    pub fn open_silently(cloud: Cloud, observer: Observer) -> Result<Option<Self>> {
        let Some(access) = auth::connect_silently(&cloud)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            http: client(&cloud.tls, cloud.timeout, observer),
            secure: access.endpoint.scheme() == "https",
            access: RwLock::new(access),
            cloud,
            prompt: None,
            verifies_stored: false,
        }))
    }

    /// Returns whether the image service uses TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the address of `path` in the image service, with each part escaped.
    ///
    /// # Errors
    /// `NotFound` for a part that servers would confuse with the path to another resource.
    async fn url(&self, path: &[&str]) -> Result<Url> {
        self.url_of("v2", path).await
    }

    /// Returns the address of `path` in a version of the service.
    async fn url_of(&self, version: &str, path: &[&str]) -> Result<Url> {
        let mut url = self.access.read().await.endpoint.clone();
        let mut whole = format!("{}/{version}", url.path().trim_end_matches('/'));
        for part in path {
            if matches!(*part, "" | "." | "..") {
                return Err(Error::not_found(format!("'{part}' not found")));
            }
            // Everything is escaped here: URL parsers drop tabs and newlines, which would change the ID to
            // that of another image.
            let part: String = byte_serialize(part.as_bytes()).collect();
            whole.push('/');
            whole.push_str(&part.replace('+', "%20"));
        }
        url.set_path(&whole);
        Ok(url)
    }

    /// Sends a request and returns any response. If an outdated login may be the reason of the response,
    /// logs in and repeats the request once.
    async fn ask(&self, mut call: Request) -> Result<Response> {
        let own = call.headers.clone();
        for renewed in [false, true] {
            let sent = self.access.read().await.clone();
            call.headers.clone_from(&own);
            call.headers.extend(sent.headers.clone());
            let outcome = self.http.call(&call).await;
            let outdated = match &outcome {
                Ok(answer) => Outdated::of_answer(&call, answer.status, &answer.headers)
                    // The redirect target did not receive the token.
                    .filter(|_| answer.stripped.is_none()),
                Err(failure) => failure.is_connect().then_some(Outdated::Address),
            };
            match outdated {
                Some(outdated)
                    if !renewed && self.refreshed(&sent, &mut call, outdated).await? => {}
                _ => return outcome.map_err(failure::failed),
            }
        }
        // The second round always returns.
        Err(Error::internal(
            "the request was never sent (internal error)",
        ))
    }

    /// Returns whether a request that was sent with `sent` has to be repeated after another login; updates
    /// its headers and address.
    ///
    /// # Errors
    /// Any error from authentication, for a rejected token.
    async fn refreshed(
        &self,
        sent: &Access,
        call: &mut Request,
        outdated: Outdated,
    ) -> Result<bool> {
        // Of several concurrent requests, only the first one logs in.
        let is_current = self.access.read().await.headers == sent.headers;
        if is_current {
            let silent = || {
                self.cloud
                    .keystone()
                    .is_some_and(Keystone::logs_in_silently)
            };
            match outdated {
                Outdated::Token if !self.renew().await? => return Ok(false),
                Outdated::Token => {}
                _ if !sent.kept || !silent() => return Ok(false),
                // The response is more informative than the failure of another login.
                _ if !matches!(self.renew().await, Ok(true)) => return Ok(false),
                _ => {}
            }
        }
        let now = self.access.read().await;
        let moved = now.endpoint != sent.endpoint;
        if moved {
            let path = call.url.as_str().strip_prefix(sent.endpoint.as_str());
            let url = path.and_then(|path| Url::parse(&format!("{}{path}", now.endpoint)).ok());
            let Some(url) = url else {
                return Ok(false);
            };
            call.url = url;
        }
        let roles = |access: &Access| access.caller.as_ref().map(|who| who.roles.clone());
        Ok(match outdated {
            Outdated::Token => true,
            Outdated::Rights => moved || roles(&now) != roles(sent),
            Outdated::Address => moved,
        })
    }

    /// Logs in again, if that is possible.
    async fn renew(&self) -> Result<bool> {
        let Some(prompt) = self.prompt.as_deref().filter(|_| self.cloud.can_renew()) else {
            return Ok(false);
        };
        let fresh = auth::connect(&self.http, &self.cloud, prompt, true).await?;
        *self.access.write().await = fresh;
        Ok(true)
    }

    /// Sends a request and returns a successful response only.
    async fn succeed(&self, call: Request) -> Result<Response> {
        let answer = self.ask(call).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.refused(&answer).await)
    }

    /// Returns the error for an unsuccessful response, with hints.
    async fn refused(&self, answer: &Response) -> Error {
        let error = answer::refusal(answer);
        if let Some(stripped) = &answer.stripped {
            let redirect = format!(
                "{} redirects to {}, to which the token is not sent.",
                place(&stripped.from),
                place(&stripped.to)
            );
            return error.hint(redirect).hint(Parameter::ImageServiceAddress);
        }
        if answer.status.is_redirection() {
            return error.hint(Parameter::ImageServiceAddress);
        }
        match error.kind() {
            ErrorKind::Unauthenticated => {
                error.hint("The token was refused. Log in with a password, or with a new token.")
            }
            ErrorKind::Forbidden if is_protected_definition(error.message()) => {
                error.hint(Operation::UnprotectNamespace("NAMESPACE".to_string()))
            }
            ErrorKind::Forbidden if error.message().contains("is protected") => {
                let id = error
                    .message()
                    .split_whitespace()
                    .find(|word| crate::model::schema::is_uuid(word))
                    .unwrap_or("IMAGE")
                    .to_string();
                error.hint(Operation::UnprotectImage(id))
            }
            ErrorKind::Forbidden => match &self.access.read().await.caller {
                Some(who) => error.hint(format!("Authenticated as {who}.")),
                None => error,
            },
            ErrorKind::TooLarge => error.hint(Operation::ShowUsage),
            _ => error,
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T> {
        self.read(Request::new(Method::GET, self.url(path).await?))
            .await
    }

    /// Sends a request and parses the JSON of the response.
    async fn read<T: DeserializeOwned>(&self, call: Request) -> Result<T> {
        let url = call.url.clone();
        let answer = self.succeed(call).await?;
        parse(&url, &answer)
    }

    /// Sends a request without a body whose response has no content.
    async fn command(&self, method: Method, path: &[&str]) -> Result<()> {
        let call = Request::new(method, self.url(path).await?);
        self.succeed(call).await?;
        Ok(())
    }

    /// Returns a request with a body.
    async fn with_body(
        &self,
        method: Method,
        path: &[&str],
        content_type: &'static str,
        body: &impl serde::Serialize,
    ) -> Result<Request> {
        let mut call = Request::new(method, self.url(path).await?);
        set_body(&mut call, content_type, body)?;
        Ok(call)
    }
}

/// Adds a body to a request.
fn set_body(
    call: &mut Request,
    content_type: &'static str,
    body: &impl serde::Serialize,
) -> Result<()> {
    let content_type = HeaderValue::from_static(content_type);
    call.headers.insert(CONTENT_TYPE, content_type);
    let body = serde_json::to_vec(body);
    call.body = Bytes::from(body.map_err(|e| Error::internal("not JSON").because(e))?);
    Ok(())
}

/// Returns whether a server's message is about a protected metadata definition.
fn is_protected_definition(message: &str) -> bool {
    message.starts_with("Metadata definition") && message.contains("is protected")
}

/// Parses the JSON of a response.
fn parse<T: DeserializeOwned>(url: &Url, answer: &Response) -> Result<T> {
    serde_json::from_slice(&answer.body)
        .map_err(|e| answer::unexpected_response(url, &format!("unexpected JSON: {e}")).because(e))
}
