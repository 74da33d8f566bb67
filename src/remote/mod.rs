//! The client: the service traits on any cloud, in as few requests as they can be done in.

mod answer;
pub mod auth;
mod cache;
mod data;
mod discovery;
mod download;
mod failure;
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
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::config::{Cloud, Keystone, Tls};
use crate::http::{Client, Observer, Options, Request, Response};
use crate::model::address::place;
use crate::{Error, ErrorKind, Operation, Parameter, Result};

/// How long a response may take, and image data may stand still, unless told otherwise.
///
/// *Source:* the timeout of python-glanceclient.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

/// Returns a client of the servers of a cloud.
fn client(tls: &Tls, timeout: Option<Duration>, observer: Observer) -> Client {
    Client::new(Options {
        tls: tls.clone(),
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        observer,
        ..Options::default()
    })
}

/// A cloud, as one caller meets it.
pub struct Remote {
    http: Client,
    cloud: Cloud,
    access: RwLock<Access>,
    /// Whether the image service was reached with TLS when the cloud was opened.
    secure: bool,
    prompt: Box<dyn Prompt + Send + Sync>,
}

/// The part of a login that may have aged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aged {
    /// The token.
    Token,
    /// The roles.
    Rights,
    /// The address of the service.
    Address,
}

impl Aged {
    /// Returns what an answer may come of. A request that may have changed something is not asked for again.
    fn of_answer(request: &Request, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status.as_u16() {
            401 => Some(Self::Token),
            403 => Some(Self::Rights),
            // A Glance numbers its answers, and always has images.
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

/// A body that is not JSON, or is JSON of a kind of its own.
const PATCH: &str = "application/openstack-images-v2.1-json-patch";
const JSON: &str = "application/json";

impl Remote {
    /// Reaches a cloud: with the token of an earlier command where there is one, which costs no request.
    ///
    /// # Errors
    /// Those of the login.
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
            prompt,
        })
    }

    /// Whether the image service is reached with TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The address of what `path` names under the image service, each of its parts taken as it is.
    ///
    /// # Errors
    /// `NotFound` for a part that no server could tell from the path to something else.
    async fn url(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.access.read().await.endpoint.clone();
        let mut whole = format!("{}/v2", url.path().trim_end_matches('/'));
        for part in path {
            if matches!(*part, "" | "." | "..") {
                return Err(Error::not_found(format!(
                    "there is nothing called '{part}'"
                )));
            }
            // Everything is escaped here: parsers of URLs drop tabs and newlines, which would make the
            // id of another image, or none, of this one.
            let part: String = byte_serialize(part.as_bytes()).collect();
            whole.push('/');
            whole.push_str(&part.replace('+', "%20"));
        }
        url.set_path(&whole);
        Ok(url)
    }

    /// Asks, and takes any answer; what a login that has aged may be the reason of is asked again after another
    /// login, once.
    async fn ask(&self, mut call: Request) -> Result<Response> {
        let own = call.headers.clone();
        for renewed in [false, true] {
            let sent = self.access.read().await.clone();
            call.headers.clone_from(&own);
            call.headers.extend(sent.headers.clone());
            let outcome = self.http.call(&call).await;
            let aged = match &outcome {
                Ok(answer) => Aged::of_answer(&call, answer.status, &answer.headers)
                    // Elsewhere, the token was not shown.
                    .filter(|_| answer.stripped.is_none()),
                Err(failure) => failure.is_connect().then_some(Aged::Address),
            };
            match aged {
                Some(aged) if !renewed && self.refreshed(&sent, &mut call, aged).await? => {}
                _ => return outcome.map_err(failure::failed),
            }
        }
        // The second round ends in any case.
        Err(Error::internal("a request was sent no time"))
    }

    /// Returns whether a request that was sent with `sent` is to be sent again, after another login: with what that gave, to
    /// where the service is now.
    ///
    /// # Errors
    /// Those of the login, for a token that was refused.
    async fn refreshed(&self, sent: &Access, call: &mut Request, aged: Aged) -> Result<bool> {
        // Of several requests at a time, the first one logs in.
        let is_current = self.access.read().await.headers == sent.headers;
        if is_current {
            let silent = || {
                self.cloud
                    .keystone()
                    .is_some_and(Keystone::logs_in_silently)
            };
            match aged {
                Aged::Token if !self.renew().await? => return Ok(false),
                Aged::Token => {}
                _ if !sent.kept || !silent() => return Ok(false),
                // What was answered says more than that a login failed on top of it.
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
        Ok(match aged {
            Aged::Token => true,
            Aged::Rights => moved || roles(&now) != roles(sent),
            Aged::Address => moved,
        })
    }

    /// Logs in anew, where that can be done.
    async fn renew(&self) -> Result<bool> {
        if !self.cloud.can_renew() {
            return Ok(false);
        }
        let fresh = auth::connect(&self.http, &self.cloud, self.prompt.as_ref(), true).await?;
        *self.access.write().await = fresh;
        Ok(true)
    }

    /// Asks, and takes success alone.
    async fn succeed(&self, call: Request) -> Result<Response> {
        let answer = self.ask(call).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.refused(&answer).await)
    }

    /// An answer that is no success, as an error, with what can be done about it.
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
                Some(who) => error.hint(format!("Asked as {who}.")),
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

    /// Asks, and reads the answer's JSON.
    async fn read<T: DeserializeOwned>(&self, call: Request) -> Result<T> {
        let url = call.url.clone();
        let answer = self.succeed(call).await?;
        parse(&url, &answer)
    }

    /// Sends a request that has no body, and whose answer says no more than that it was done.
    async fn command(&self, method: Method, path: &[&str]) -> Result<()> {
        let call = Request::new(method, self.url(path).await?);
        self.succeed(call).await?;
        Ok(())
    }

    /// A request with a body.
    async fn with_body(
        &self,
        method: Method,
        path: &[&str],
        content_type: &'static str,
        body: &impl serde::Serialize,
    ) -> Result<Request> {
        let mut call = Request::new(method, self.url(path).await?);
        let content_type = HeaderValue::from_static(content_type);
        call.headers.insert(CONTENT_TYPE, content_type);
        let body = serde_json::to_vec(body);
        call.body = Bytes::from(body.map_err(|e| Error::internal("no JSON").because(e))?);
        Ok(call)
    }
}

/// Whether a server says that a metadata definition is protected.
fn is_protected_definition(message: &str) -> bool {
    message.starts_with("Metadata definition") && message.contains("is protected")
}

/// Reads an answer's JSON.
fn parse<T: DeserializeOwned>(url: &Url, answer: &Response) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|e| {
        answer::nonsense(url, &format!("something else than asked for: {e}")).because(e)
    })
}
