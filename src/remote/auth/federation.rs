//! Logins with a token of an identity provider: OpenID Connect and Keystone's federation.
//!
//! *Source:* keystoneauth1, `identity/v3/oidc.py`; RFC 6749 (grants), RFC 7636 (proof keys), RFC 8628
//! (devices); Identity API reference, "OS-FEDERATION API".

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method as Verb;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use openstack_sdk_auth_core::AuthToken;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;

use super::super::answer::{refusal, unexpected_response};
use super::super::failure::failed;
use super::{Prompt, basic_header, exchange};
use crate::config::{Address, Challenge, Federation, Grant, Keystone, Secret};
use crate::http::{Client, Request, Response};
use crate::keystone::is_long;
use crate::model::address::place;
use crate::{Error, Parameter, Result};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The maximum time to wait for a user's consent in a browser.
const CONSENT_TIMEOUT: Duration = Duration::from_hours(1);

/// Returns an unscoped token of Keystone, obtained with a token of an identity provider.
///
/// # Errors
/// `Failed` if either refuses; `Unreachable` if either does not respond.
pub async fn log_in(
    http: &Client,
    keystone: &Keystone,
    federation: &Federation,
    prompt: &(dyn Prompt + Sync),
) -> Result<AuthToken> {
    let provider = Provider {
        http,
        keystone,
        federation,
        prompt,
    };
    let token = provider.token().await?;
    let mut url = keystone.auth_url.0.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend([
            "OS-FEDERATION",
            "identity_providers",
            &federation.identity_provider,
            "protocols",
            &federation.protocol,
            "auth",
        ]);
    }
    let mut call = Request::new(Verb::POST, url);
    call.headers.insert(AUTHORIZATION, bearer(token.reveal())?);
    call.headers
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = exchange::send_login(http, keystone, call).await?;
    if answer.status.is_success() {
        return exchange::read(keystone, answer);
    }
    Err(exchange::refused(keystone, &answer))
}

/// Returns the header with an OAuth 2.0 token.
///
/// # Errors
/// `Failed` for a token that is not valid in a header.
fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        Error::failed("the access token contains characters that are not allowed in a token")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the header that a service with an OAuth 2.0 filter requires in addition to the token of
/// Keystone.
///
/// *Source:* keystoneauth1, `identity/v3/oauth2_client_credential.py`.
///
/// # Errors
/// The errors of [`log_in`].
pub async fn oauth2_header(
    http: &Client,
    endpoint: &Address,
    client_id: &str,
    client_secret: Option<&Secret>,
) -> Result<HeaderMap> {
    let client = client_secret.map(|secret| (client_id, secret));
    let form = [("grant_type", "client_credentials")];
    let secrets: Vec<&Secret> = client_secret.into_iter().collect();
    let answer = post(http, &endpoint.0, client, &form, &secrets).await?;
    let body = success(&endpoint.0, &answer, &secrets)?;
    let token = member(&endpoint.0, &body, "access_token")?;
    Ok([(AUTHORIZATION, bearer(&token)?)].into_iter().collect())
}

/// An identity provider and the parameters of the login.
struct Provider<'a> {
    http: &'a Client,
    keystone: &'a Keystone,
    federation: &'a Federation,
    prompt: &'a (dyn Prompt + Sync),
}

impl Provider<'_> {
    /// Returns a token of the identity provider.
    async fn token(&self) -> Result<Secret> {
        let federation = self.federation;
        if let Grant::AccessToken(token) = &federation.grant {
            return Ok(token.clone());
        }
        let discovered = self.discover().await?;
        let endpoint = Self::endpoint(
            federation.token_endpoint.as_ref(),
            &discovered,
            "token_endpoint",
        )?;
        let secret = |secret: &Option<Secret>| {
            let secret = secret.as_ref().map(Secret::reveal);
            secret.unwrap_or_default().to_string()
        };
        let mut form: Vec<(&str, String)> = Vec::new();
        let grant = match &federation.grant {
            Grant::Password {
                username,
                passcode_member,
            } => {
                form.push(("username", username.clone()));
                form.push(("password", secret(&self.keystone.password)));
                form.push(("scope", federation.scope.clone()));
                if let Some(member) = passcode_member {
                    form.push((member, secret(&self.keystone.passcode)));
                }
                "password"
            }
            Grant::ClientCredentials => {
                form.push(("scope", federation.scope.clone()));
                "client_credentials"
            }
            Grant::AuthorizationCode { code, redirect_uri } => {
                form.push(("code", code.reveal().to_string()));
                if let Some(uri) = redirect_uri {
                    form.push(("redirect_uri", uri.clone()));
                }
                "authorization_code"
            }
            Grant::Device {
                endpoint: device,
                challenge,
            } => {
                Self::check_grant(&discovered, DEVICE)?;
                let begin = Self::endpoint(
                    device.as_ref(),
                    &discovered,
                    "device_authorization_endpoint",
                )?;
                return self.consented(&begin, &endpoint, *challenge).await;
            }
            Grant::AccessToken(_) => {
                return Err(Error::internal(
                    "a token was requested for a grant that already has one",
                ));
            }
        };
        Self::check_grant(&discovered, grant)?;
        form.push(("grant_type", grant.to_string()));
        if federation.client_secret.is_none() {
            form.push(("client_id", federation.client_id.clone()));
        }
        let answer = self.post(&endpoint, &form).await?;
        let body = success(&endpoint, &answer, &self.secrets())?;
        Ok(Secret::new(member(
            &endpoint,
            &body,
            &federation.token_member,
        )?))
    }

    /// Returns the discovery document, or null if there is none.
    async fn discover(&self) -> Result<Value> {
        let Some(address) = &self.federation.discovery else {
            return Ok(Value::Null);
        };
        let call = Request::new(Verb::GET, address.0.clone());
        let answer = self.http.call(&call).await.map_err(failed)?;
        let body = success(&address.0, &answer, &[])?;
        if body.is_object() {
            return Ok(body);
        }
        Err(Error::failed(format!(
            "{} is not a discovery document of OpenID Connect",
            place(&address.0)
        ))
        .hint("Its address ends in /.well-known/openid-configuration.")
        .hint(Parameter::DiscoveryEndpoint))
    }

    /// Returns an error for a grant that the identity provider does not offer.
    fn check_grant(discovered: &Value, grant: &str) -> Result<()> {
        let offered = discovered["grant_types_supported"].as_array();
        match offered {
            Some(offered) if !offered.iter().any(|offered| offered == grant) => Err(Error::failed(
                format!("the identity provider does not support the grant {grant}"),
            )),
            _ => Ok(()),
        }
    }

    /// Returns an endpoint: the configured one, or that of the discovery document.
    fn endpoint(named: Option<&Address>, discovered: &Value, member: &str) -> Result<Url> {
        if let Some(named) = named {
            return Ok(named.0.clone());
        }
        let url = discovered[member]
            .as_str()
            .and_then(|text| Url::parse(text).ok());
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| {
            let parameter = if member == "token_endpoint" {
                Parameter::TokenEndpoint
            } else {
                Parameter::DeviceEndpoint
            };
            Error::failed(format!("the identity provider names no {member}")).hint(parameter)
        })
    }

    /// Waits for a user's consent in a browser, and returns the token.
    async fn consented(
        &self,
        begin: &Url,
        endpoint: &Url,
        challenge: Option<Challenge>,
    ) -> Result<Secret> {
        let federation = self.federation;
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let verifier = challenge.map(|challenge| (challenge, random() + &random()));
        let mut form = vec![
            ("client_id", federation.client_id.clone()),
            ("scope", federation.scope.clone()),
        ];
        if let Some((challenge, verifier)) = &verifier {
            let (method, shown) = match challenge {
                Challenge::Plain => ("plain", verifier.clone()),
                Challenge::S256 => ("S256", URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))),
            };
            form.push(("code_challenge_method", method.to_string()));
            form.push(("code_challenge", shown));
        }
        let answer = self.post(begin, &form).await?;
        let device = success(begin, &answer, &self.secrets())?;
        let seconds =
            |name: &str, usual| Duration::from_secs(device[name].as_u64().unwrap_or(usual));
        let ends = Instant::now() + seconds("expires_in", 600).min(CONSENT_TIMEOUT);
        let mut interval = seconds("interval", 5).clamp(Duration::from_millis(50), CONSENT_TIMEOUT);
        let mut form = vec![
            ("grant_type", DEVICE.to_string()),
            ("device_code", member(begin, &device, "device_code")?),
            ("client_id", federation.client_id.clone()),
        ];
        if let Some((_, verifier)) = verifier {
            form.push(("code_verifier", verifier));
        }
        let text = |name: &str| device[name].as_str().map(str::to_string);
        self.prompt.tell(&match text("verification_uri_complete") {
            Some(address) => format!("To log in, open {address} in a browser."),
            None => format!(
                "To log in, open {} in a browser and enter the code {}.",
                member(begin, &device, "verification_uri")?,
                member(begin, &device, "user_code")?
            ),
        });
        loop {
            let answer = self.post(endpoint, &form).await?;
            let refusal = || serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
            match refusal()["error"]
                .as_str()
                .filter(|_| !answer.status.is_success())
            {
                Some("authorization_pending") => {}
                Some("slow_down") => interval += Duration::from_secs(5),
                _ => {
                    let body = success(endpoint, &answer, &self.secrets())?;
                    let token = member(endpoint, &body, &federation.token_member)?;
                    return Ok(Secret::new(token));
                }
            }
            if Instant::now() + interval > ends {
                return Err(Error::failed("no user allowed the login in time").hint("Try again."));
            }
            tokio::time::sleep(interval).await;
        }
    }

    async fn post(&self, url: &Url, form: &[(&str, String)]) -> Result<Response> {
        let federation = self.federation;
        let client = federation.client_secret.as_ref();
        let client = client.map(|secret| (federation.client_id.as_str(), secret));
        post(self.http, url, client, form, &self.secrets()).await
    }

    fn secrets(&self) -> Vec<&Secret> {
        let own = [&self.keystone.password, &self.keystone.passcode];
        let own = own.into_iter().flatten();
        own.chain(self.federation.secrets()).collect()
    }
}

/// Sends a form with the client's ID and secret.
async fn post<T: AsRef<str>>(
    http: &Client,
    url: &Url,
    client: Option<(&str, &Secret)>,
    form: &[(&str, T)],
    secrets: &[&Secret],
) -> Result<Response> {
    let mut call = Request::new(Verb::POST, url.clone());
    let secrets = secrets.iter().filter(|secret| is_long(secret));
    call.secrets = secrets.map(|secret| (*secret).clone()).collect();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    call.headers.insert(CONTENT_TYPE, kind);
    call.headers
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some((id, secret)) = client {
        call.headers.extend(basic_header(id, secret)?);
    }
    call.body = form_of(form).into();
    call.is_body_secret = true;
    // A code or passcode is valid once, so a request that the server may have received is not repeated.
    call.is_idempotent = false;
    let response = http.call(&call).await;
    response.map_err(|failure| {
        let redirected = exchange::redirected(&failure, &place(url));
        let hint = "Secrets are not sent on: configure the endpoint to which it redirects.";
        redirected.map_or_else(|| failed(failure), |error| error.hint(hint))
    })
}

/// Returns a form in its encoded form.
fn form_of<T: AsRef<str>>(form: &[(&str, T)]) -> String {
    let mut body = Serializer::new(String::new());
    for (name, value) in form {
        body.append_pair(name, value.as_ref());
    }
    body.finish()
}

/// Returns the JSON of a successful response.
fn success(url: &Url, answer: &Response, secrets: &[&Secret]) -> Result<Value> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if answer.status.is_success() {
        return body.ok_or_else(|| unexpected_response(url, "not JSON"));
    }
    let text = |name: &str| Some(body.as_ref()?[name].as_str()?.to_string());
    let message = text("error_description").or_else(|| text("error"));
    let mut message = message.unwrap_or_else(|| refusal(answer).message().to_string());
    for secret in secrets {
        if !secret.reveal().is_empty() {
            message = message.replace(secret.reveal(), "***");
        }
    }
    let (place, status) = (place(url), answer.status.as_u16());
    Err(Error::failed(format!(
        "{place} refuses the login: {} (HTTP {status})",
        message.escape_debug()
    ))
    .hint("Check the user, the client and its secret at the identity provider."))
}

/// Returns a string member of a response.
fn member(url: &Url, body: &Value, name: &str) -> Result<String> {
    let text = body[name].as_str().map(str::to_string);
    text.ok_or_else(|| unexpected_response(url, &format!("no {name}")))
}
