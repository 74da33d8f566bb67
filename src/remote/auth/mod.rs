//! Authentication: a cached token or a Keystone login, and the image endpoint.
//!
//! A login is one request; a cached token needs none. Its scope and the catalogue are cached with it.

mod cache;
mod catalog;
mod exchange;
mod federation;
mod login;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use openstack_sdk_auth_core::{AuthToken, Project};
use secrecy::ExposeSecret;
use url::Url;

pub use cache::forget_tokens;

use crate::config::{Cloud, Keystone, Login, Reference, Scope, Secret};
use crate::http::Client;
use crate::keystone::{TOKEN, secret_value};
use crate::{Error, Parameter, Result};

/// The parameters of requests to the image service.
#[derive(Clone, Debug)]
pub struct Access {
    /// The authentication headers, marked sensitive; empty without authentication.
    pub headers: HeaderMap,
    /// The root of the image service, without a version: `endpoint.join("v2/images")` is below it.
    pub endpoint: Url,
    /// The authenticated user, if Keystone reported it.
    pub caller: Option<Who>,
    /// Whether it comes from a cached token and may be outdated.
    pub kept: bool,
}

/// The authenticated user, as reported by Keystone.
#[derive(Clone, Debug)]
pub struct Who {
    /// The user's name.
    pub user: String,
    /// The project that the token is valid for.
    pub project: Option<Project>,
    /// The names of the user's roles in the project.
    pub roles: Vec<String>,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.user)?;
        if let Some(name) = self
            .project
            .as_ref()
            .and_then(|project| project.name.as_ref())
        {
            write!(f, " in project {name}")?;
        }
        match self.roles.as_slice() {
            [] => Ok(()),
            [role] => write!(f, " with the role {role}"),
            roles => write!(f, " with the roles {}", roles.join(", ")),
        }
    }
}

/// A way to prompt the user for secrets.
pub trait Prompt {
    /// Returns the secret called `what`; None if there is no user to prompt, or the input is empty.
    ///
    /// # Errors
    /// `Failed` if the terminal fails.
    fn secret(&self, what: &str) -> Result<Option<String>>;

    /// Shows a line that the user has to act on.
    fn tell(&self, line: &str);
}

/// Connects to a cloud: with a cached token, unless it is to be renewed, or by logging in. Prompts for
/// missing secrets.
///
/// # Errors
/// `Failed` if the cloud refuses the login, or has no such image service; `Unreachable` if it does not
/// respond.
pub async fn connect(
    http: &Client,
    cloud: &Cloud,
    prompt: &(dyn Prompt + Sync),
    renew: bool,
) -> Result<Access> {
    match &cloud.login {
        Login::None => direct(cloud, HeaderMap::new()),
        Login::Token(token) => direct(cloud, token_header(token.reveal())?),
        Login::Basic { username, password } => direct(cloud, basic_header(username, password)?),
        Login::Keystone(keystone) => {
            let more = match (&keystone.oauth2, &keystone.credential) {
                (Some(endpoint), Some(Reference::Id(client))) => {
                    let secret = keystone.credential_secret.as_ref();
                    federation::oauth2_header(http, endpoint, client, secret).await?
                }
                _ => HeaderMap::new(),
            };
            let (first, kept) = token(http, cloud, keystone, prompt, renew).await?;
            match access(cloud, keystone, &first, kept) {
                // The current catalogue may have the endpoint.
                Err(error) if kept && keystone.logs_in_silently() => {
                    let Ok((fresh, _)) = token(http, cloud, keystone, prompt, true).await else {
                        return Err(error);
                    };
                    access(cloud, keystone, &fresh, false)
                }
                access => access,
            }
            .map(|mut access| {
                access.headers.extend(more);
                access
            })
        }
    }
}

/// Returns the access to a cloud that needs no request and no secret from the user: without Keystone, or with a token that
/// is cached; None if there is no such token.
///
/// # Errors
/// `Failed` if the cached login has no such image service.
pub fn connect_silently(cloud: &Cloud) -> Result<Option<Access>> {
    let keystone = match &cloud.login {
        Login::None => return direct(cloud, HeaderMap::new()).map(Some),
        Login::Token(token) => return direct(cloud, token_header(token.reveal())?).map(Some),
        Login::Basic { username, password } => {
            return direct(cloud, basic_header(username, password)?).map(Some);
        }
        Login::Keystone(keystone) => keystone,
    };
    let (Some(directory), None) = (&cloud.tokens, &keystone.oauth2) else {
        return Ok(None);
    };
    let kept = cache::Place::of(directory, keystone).read();
    kept.map(|token| access(cloud, keystone, &token, true))
        .transpose()
}

/// Returns the access to an image service at a known address.
fn direct(cloud: &Cloud, headers: HeaderMap) -> Result<Access> {
    let endpoint = cloud.endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| Error::internal("the image service has no address"))?;
    Ok(Access {
        headers,
        endpoint: endpoint.0.clone(),
        caller: None,
        kept: false,
    })
}

/// Returns the token, and whether it was cached.
async fn token(
    http: &Client,
    cloud: &Cloud,
    keystone: &Keystone,
    prompt: &(dyn Prompt + Sync),
    renew: bool,
) -> Result<(AuthToken, bool)> {
    let place = cloud
        .tokens
        .as_deref()
        .map(|directory| cache::Place::of(directory, keystone));
    if let Some(kept) = place
        .as_ref()
        .filter(|_| !renew)
        .and_then(cache::Place::read)
    {
        return Ok((kept, true));
    }
    let token = login::log_in(http, keystone, prompt).await?;
    if let Some(place) = place {
        place.write(&token);
    }
    Ok((token, false))
}

/// Returns the access of a Keystone token.
fn access(cloud: &Cloud, keystone: &Keystone, token: &AuthToken, kept: bool) -> Result<Access> {
    let info = token.auth_info.as_ref().map(|info| &info.token);
    let endpoint = if let Some(endpoint) = &cloud.endpoint {
        endpoint.0.clone()
    } else {
        let services = info.and_then(|info| info.catalog.as_deref());
        let services = services.unwrap_or_default();
        catalog::endpoint(services, cloud).map_err(|error| {
            if services.is_empty() && keystone.scope.is_none() {
                return error.hint(Parameter::LoginProject);
            }
            error
        })?
    };
    Ok(Access {
        headers: token_header(token.token.expose_secret())?,
        endpoint,
        kept,
        caller: info.map(|info| Who {
            user: info.user.name.clone(),
            project: info.project.clone(),
            roles: info
                .roles
                .iter()
                .flatten()
                .map(|role| role.name.clone())
                .collect(),
        }),
    })
}

fn token_header(token: &str) -> Result<HeaderMap> {
    let value = secret_value(token).ok_or_else(|| {
        Error::failed("the token contains characters that are not allowed in a token")
    })?;
    Ok([(TOKEN, value)].into_iter().collect())
}

/// Returns the header of HTTP basic authentication.
///
/// # Errors
/// None in practice: base 64 is valid in a header.
fn basic_header(username: &str, password: &Secret) -> Result<HeaderMap> {
    let pair = STANDARD.encode(format!("{username}:{}", password.reveal()));
    let value = HeaderValue::try_from(format!("Basic {pair}"));
    let mut value =
        value.map_err(|e| Error::internal("invalid header for a name and password").because(e))?;
    value.set_sensitive(true);
    Ok([(AUTHORIZATION, value)].into_iter().collect())
}

/// Formats a scope for messages.
fn scope_in_words(scope: Option<&Scope>) -> String {
    scope.map_or_else(|| "no scope".to_string(), ToString::to_string)
}
