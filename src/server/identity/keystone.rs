//! Callers that have a token of Keystone.
//!
//! *Source:* `keystonemiddleware/auth_token/{__init__,_identity,_request}.py`; `oslo_context/context.py`
//! (`from_environ`). Where Keystone does not respond, upstream treats a token as invalid.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use jiff::Timestamp;
use openstack_sdk_auth_core::ServiceEndpoints;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use url::Url;

use super::Refusal;
use super::access_rules::allows;
use super::regions::{CallersRegions, Catalogue};
use super::verdicts::Verdicts;
use crate::config::{Address, KeystoneSettings, Secret, Tls};
use crate::http::{Client, Options, Proxies, Response, retry};
use crate::keystone::{
    CurrentSession, ServiceAccount, ValidToken, Validation, read_catalog, secret_value,
    validation_request,
};
use crate::model::Caller;
use crate::{Error, ErrorKind, Result};

/// The maximum number of tokens whose validation is remembered.
const MAX_VERDICTS: usize = 10_000;

/// The maximum number of validations at the same time.
const MAX_REQUESTS: usize = 64;

/// The time limit of a validation with its retries and the login of the service.
const DEADLINE: Duration = Duration::from_mins(1);

/// The time for which an invalid token is not validated again.
const REFUSED_TIME: Duration = Duration::from_secs(10);

/// A token as its hash, and whether it may have expired.
type Key = ([u8; 32], bool);

/// The validation of tokens.
pub struct Validator {
    keystone: Arc<KeystoneService>,
    verdicts: Arc<Verdicts<Key, Verdict, Refusal>>,
    challenge: HeaderValue,
}

/// The result of a validation: the content of a valid token.
type Verdict = Option<Arc<ValidToken>>;

impl Validator {
    /// Creates the validation with a Keystone, which is not asked yet.
    pub fn new(settings: KeystoneSettings) -> Self {
        let challenge = format!("Keystone uri=\"{}\"", settings.public_url);
        // The address was parsed, and has neither quotes nor line breaks.
        let challenge = HeaderValue::try_from(challenge);
        Self {
            challenge: challenge.unwrap_or(HeaderValue::from_static("Keystone")),
            keystone: Arc::new(KeystoneService::new(settings)),
            verdicts: Verdicts::new(MAX_VERDICTS),
        }
    }

    /// Returns the value of `WWW-Authenticate`.
    pub fn challenge(&self) -> HeaderValue {
        self.challenge.clone()
    }

    /// Returns the caller of a request; None for a request without a token.
    ///
    /// # Errors
    /// `Unauthenticated` for an invalid token; `Unavailable` if Keystone does not respond.
    pub async fn identify(&self, request: &Parts) -> Result<Option<Caller>, Refusal> {
        let headers = &request.headers;
        let Some(token) = users_token(headers) else {
            return Ok(None);
        };
        let settings = &self.keystone.settings;
        let service = match token_in(headers, "x-service-token") {
            Some(token) => self.validate(token, false).await?,
            None => None,
        };
        let service_roles = service.map(|service| roles(&service)).unwrap_or_default();
        let mut wanted = settings.service_roles.iter();
        let is_service = wanted.any(|role| service_roles.contains(role));
        let valid = self.validate(token, is_service).await?;
        let valid = valid.ok_or(Refusal::Unauthenticated)?;
        // A service continues what an allowed request has begun.
        if !is_service && !self.is_allowed(&valid, &request.method, request.uri.path()) {
            return Err(Refusal::Unauthenticated);
        }
        let mut caller = caller(&valid);
        if is_service || !settings.service_roles_required {
            caller.service_roles = service_roles
                .iter()
                .map(|role| role.to_lowercase())
                .collect();
        }
        Ok(Some(caller))
    }

    /// Returns the regions that the caller of a request may use with its token.
    pub fn regions(&self, headers: &HeaderMap) -> Option<CallersRegions> {
        Some(CallersRegions {
            token: Secret::new(users_token(headers)?),
            // The certificate of the service is for Keystone alone.
            tls: Tls {
                certificate: None,
                key: None,
                ..self.keystone.settings.tls.clone()
            },
            catalogue: Catalogue::Keystone(Arc::clone(&self.keystone)),
        })
    }

    /// Returns whether the access rules of a token, if it has any, allow a request.
    fn is_allowed(&self, token: &ValidToken, method: &Method, path: &str) -> bool {
        let restriction = token.application_credential.as_ref();
        let rules = restriction.and_then(|restriction| restriction.access_rules.as_deref());
        let service = &self.keystone.settings.service_type;
        rules.is_none_or(|rules| allows(rules, service, method, path))
    }

    /// Returns the content of a token; None for an invalid one. With `expired`, it may have expired recently.
    async fn validate(&self, token: &str, expired: bool) -> Result<Verdict, Refusal> {
        let Some(value) = secret_value(token) else {
            return Ok(None);
        };
        let key = (Sha256::digest(token).into(), expired);
        let keystone = Arc::clone(&self.keystone);
        let obtain = || async move {
            match tokio::time::timeout(DEADLINE, keystone.validate(value, expired)).await {
                Ok(Ok(verdict)) => {
                    let limit = keystone.settings.cache_time;
                    let time = time_of(limit, verdict.as_deref(), expired);
                    Ok((verdict, time))
                }
                Ok(Err(error)) => {
                    log::error!("cannot validate tokens: {}", error.message());
                    Err(Refusal::Unavailable)
                }
                Err(_) => {
                    let seconds = DEADLINE.as_secs();
                    log::error!("cannot validate tokens: no result within {seconds} s");
                    Err(Refusal::Unavailable)
                }
            }
        };
        self.verdicts.get(key, Refusal::Unavailable, obtain).await
    }
}

/// Returns the token of a user.
fn users_token(headers: &HeaderMap) -> Option<&str> {
    token_in(headers, "x-auth-token").or_else(|| token_in(headers, "x-storage-token"))
}

/// Returns the token in a header; None without one, or with an empty one.
fn token_in<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let token = headers.get(name)?.to_str().ok()?.trim();
    (!token.is_empty()).then_some(token)
}

/// Returns the roles of a token.
fn roles(token: &ValidToken) -> Vec<String> {
    token.roles.iter().map(|role| role.name.clone()).collect()
}

/// Returns the caller that a token identifies.
fn caller(token: &ValidToken) -> Caller {
    let project = token.project.as_ref();
    let domain = project.map(|project| &project.domain);
    let roles = token.roles.iter().map(|role| role.name.as_str());
    let id = project.map_or("", |project| project.id.as_str());
    let mut caller = Caller::with_roles(id, &token.user.id, roles);
    let domain = domain.or(token.domain.as_ref());
    caller.domain = domain.map(|domain| domain.id.clone());
    caller.has_system_scope = token.system.as_ref().is_some_and(|system| system.all);
    caller
}

/// Keystone, and the login of the service.
pub struct KeystoneService {
    settings: KeystoneSettings,
    account: ServiceAccount,
    places: Semaphore,
}

impl KeystoneService {
    fn new(settings: KeystoneSettings) -> Self {
        let default = Options::default();
        let client = Client::new(Options {
            tls: settings.tls.clone(),
            proxies: Proxies::Environment,
            connect_timeout: default.connect_timeout.min(settings.timeout),
            timeout: settings.timeout,
            retries: retry::Policy {
                retries: settings.retries,
                ..retry::Policy::default()
            },
            ..default
        });
        let account = ServiceAccount {
            login: settings.login(),
            region: settings.region.clone(),
            interfaces: vec![settings.interface],
            client,
            session: CurrentSession::default(),
        };
        Self {
            settings,
            account,
            places: Semaphore::new(MAX_REQUESTS),
        }
    }

    /// Returns the content of a token, or None if Keystone does not know it or it has expired.
    async fn validate(&self, token: HeaderValue, expired: bool) -> Result<Verdict> {
        let kind = if expired {
            Validation::Expired
        } else {
            Validation::Current
        };
        let Some(response) = self.ask(token, kind).await? else {
            return Ok(None);
        };
        let token = ValidToken::read(&response.body);
        let token = token.map_err(|error| not_a_token(&self.settings.auth_url, error))?;
        let is_valid = expired || token.expires_at > Timestamp::now();
        Ok(is_valid.then(|| Arc::new(token)))
    }

    /// Returns the catalogue of a token.
    ///
    /// # Errors
    /// `Unauthenticated` if the token is no longer valid; `Unreachable`.
    pub async fn services_of(&self, token: HeaderValue) -> Result<Vec<ServiceEndpoints>> {
        let response = self.ask(token, Validation::WithCatalog).await?;
        let response = response.ok_or_else(|| {
            let message = "the token of the request is no longer valid";
            Error::new(ErrorKind::Unauthenticated, message)
        })?;
        read_catalog(&response.body).map_err(|error| not_a_token(&self.settings.auth_url, error))
    }

    /// Returns Keystone's response to a validation; None if it does not know the token or it has expired.
    async fn ask(&self, token: HeaderValue, kind: Validation) -> Result<Option<Response>> {
        // It is never closed.
        let _place = self.places.acquire().await;
        let build = |keystone: &Url| validation_request(keystone, token.clone(), kind);
        let response = self.account.call(build).await?;
        match response.status {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            status => {
                let (url, code) = (&self.settings.auth_url, status.as_u16());
                let message = match code {
                    403 => "the service's user may not validate tokens",
                    _ => "an unexpected response",
                };
                let message = format!("{url}: {message} (HTTP {code})");
                Err(Error::new(ErrorKind::Unreachable, message))
            }
        }
    }
}

/// Returns the time for which a verdict may be remembered. `limit` is that for a valid token.
fn time_of(limit: Duration, token: Option<&ValidToken>, expired: bool) -> Duration {
    match token {
        None => limit.min(REFUSED_TIME),
        Some(_) if expired => limit,
        Some(token) => {
            let left = token.expires_at.duration_since(Timestamp::now());
            limit.min(left.try_into().unwrap_or_default())
        }
    }
}

fn not_a_token(url: &Address, error: serde_json::Error) -> Error {
    let message = format!("the response of {url} is not a token");
    Error::new(ErrorKind::Unreachable, message).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validation_of_a_token_is_remembered_until_its_end_at_most() {
        let limit = Duration::from_mins(5);
        let of = |seconds, expired| {
            let expires = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            let body =
                format!(r#"{{"token": {{"expires_at": "{expires}", "user": {{"id": "u"}}}}}}"#);
            let token = ValidToken::read(body.as_bytes()).unwrap();
            time_of(limit, Some(&token), expired)
        };
        assert_eq!(of(3600, false), limit);
        assert_eq!(of(3600, true), limit);
        let time = of(60, false);
        assert!(time > Duration::from_secs(30) && time <= Duration::from_mins(1));
        assert_eq!(of(-60, true), limit);
        assert_eq!(of(-60, false), Duration::ZERO);
        assert_eq!(time_of(limit, None, false), REFUSED_TIME);
        assert_eq!(time_of(Duration::ZERO, None, false), Duration::ZERO);
    }
}
