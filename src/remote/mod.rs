//! The client: the service traits on any cloud, in as few requests as they can be done in.

mod answer;
pub mod auth;
mod cache;
mod ciphers;
mod data;
mod discovery;
mod download;
pub mod http;
mod images;
mod imports;
mod locations;
mod members;
mod metadefs;
mod projects;
mod tasks;
mod tls;
mod trace;
pub mod tracing;

use ::http::header::{CONTENT_TYPE, HeaderValue};
use ::http::{Method, StatusCode};
use auth::{Access, Prompt};
use bytes::Bytes;
use http::{Answer, Call, Http, Observer, Options};
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::config::Cloud;
use crate::{Error, ErrorKind, Result, service};

/// A cloud, as one caller meets it.
pub struct Remote {
    http: Http,
    cloud: Cloud,
    access: RwLock<Access>,
    prompt: Box<dyn Prompt + Send + Sync>,
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
        let options = Options {
            tls: cloud.tls.clone(),
            timeout: cloud.timeout,
            observer,
        };
        let http = Http::new(options, cloud.needs_tls())?;
        let access = auth::connect(&http, &cloud, prompt.as_ref(), false).await?;
        Ok(Self {
            http: http.able_to_reach(&access.endpoint)?,
            access: RwLock::new(access),
            cloud,
            prompt,
        })
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

    /// Asks, and takes any answer; a token that has expired is renewed, once.
    async fn ask(&self, mut call: Call) -> Result<Answer> {
        let own = call.headers.clone();
        for renewed in [false, true] {
            call.headers.clone_from(&own);
            let access = self.access.read().await;
            call.headers.extend(access.headers.clone());
            drop(access);
            let answer = self.http.call(&call).await?;
            if renewed || answer.status != StatusCode::UNAUTHORIZED || !self.renew().await? {
                return Ok(answer);
            }
        }
        // The second round ends in any case.
        Err(Error::internal("a request was sent no time"))
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
    async fn succeed(&self, call: Call) -> Result<Answer> {
        let answer = self.ask(call).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.refused(&answer).await)
    }

    /// An answer that is no success, as an error, with what can be done about it.
    async fn refused(&self, answer: &Answer) -> Error {
        let error = answer::refusal(answer);
        if answer.status.is_redirection() {
            return error.hint("Is that the address of an image service? See --os-image-url.");
        }
        match error.kind() {
            ErrorKind::Unauthenticated => {
                error.hint("The token was refused. Log in with a password, or with a new token.")
            }
            ErrorKind::Forbidden if is_protected_definition(error.message()) => {
                error.hint(service::how_to_unprotect_namespace("NAMESPACE"))
            }
            ErrorKind::Forbidden if error.message().contains("is protected") => {
                let id = error
                    .message()
                    .split_whitespace()
                    .find(|word| crate::model::schema::is_uuid(word))
                    .unwrap_or("IMAGE")
                    .to_string();
                error.hint(service::how_to_unprotect(&id))
            }
            ErrorKind::Forbidden => match &self.access.read().await.caller {
                Some(who) => error.hint(format!("Asked as {who}.")),
                None => error,
            },
            ErrorKind::TooLarge => error.hint("Compare with what glance usage shows."),
            _ => error,
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T> {
        self.read(Call::new(Method::GET, self.url(path).await?))
            .await
    }

    /// Asks, and reads the answer's JSON.
    async fn read<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let url = call.url.clone();
        let answer = self.succeed(call).await?;
        parse(&url, &answer)
    }

    /// Sends a request that has no body, and whose answer says no more than that it was done.
    async fn command(&self, method: Method, path: &[&str]) -> Result<()> {
        let call = Call::new(method, self.url(path).await?);
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
    ) -> Result<Call> {
        let mut call = Call::new(method, self.url(path).await?);
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
fn parse<T: DeserializeOwned>(url: &Url, answer: &Answer) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|e| {
        answer::nonsense(url, &format!("something else than asked for: {e}")).because(e)
    })
}
