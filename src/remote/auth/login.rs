//! Keystone logins: one request and its response.
//!
//! *Source:* Identity API reference v3, "Authentication and token management"; keystoneauth1,
//! `identity/v3/base.py`.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method as Verb, StatusCode};
use openstack_sdk_auth_core::{
    AuthReceiptResponse, AuthToken, AuthTokenScope, Domain, OpenStackMultifactorAuthMethod,
    Project, System,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::super::answer::refusal;
use super::super::failure::failed;
use super::{Prompt, federation, scope_in_words};
use crate::config::{Address, Keystone, Method, Named, Need, Reference, Scope, Secret};
use crate::http::{Client, Failure, Reason, Request, Response};
use crate::{Error, ErrorKind, Parameter, Result};

/// The header of a receipt: the credentials are correct but not sufficient.
const RECEIPT: &str = "openstack-auth-receipt";

/// Logs in, and prompts for missing secrets.
///
/// # Errors
/// `Failed` if Keystone refuses, or a missing secret cannot be prompted for; `Unreachable` if it does not
/// respond, or not as Keystone does.
pub async fn log_in(
    http: &Client,
    keystone: &Keystone,
    prompt: &(dyn Prompt + Sync),
) -> Result<AuthToken> {
    let mut keystone = keystone.clone();
    loop {
        for need in keystone.needs() {
            ask(&mut keystone, need, prompt)?;
        }
        if let Some(federation) = keystone.federation.take() {
            let token = federation::log_in(http, &keystone, &federation, prompt).await?;
            if keystone.scope.is_none() {
                return Ok(token);
            }
            keystone.token = Some(Secret::new(token.token.expose_secret()));
            keystone.methods = vec![Method::Token];
        }
        let answer = send(http, &keystone).await?;
        if answer.status.is_success() {
            return read(&keystone, answer);
        }
        let Some(missing) = missing_methods(&answer, &keystone.methods) else {
            return Err(refused(&keystone, &answer));
        };
        // Of Keystone's additional methods, a passcode can be prompted for.
        let can_be_asked =
            missing == ["totp"] && ask(&mut keystone, Need::Passcode, prompt).is_ok();
        if !can_be_asked {
            return Err(insufficient(&keystone, &missing));
        }
        keystone.methods.push(Method::Totp);
    }
}

fn ask(keystone: &mut Keystone, need: Need, prompt: &(dyn Prompt + Sync)) -> Result<()> {
    let secret = prompt
        .secret(need.prompt())?
        .ok_or_else(|| keystone.missing(need))?;
    keystone.satisfy(need, Secret::new(secret));
    Ok(())
}

/// Sends the login.
async fn send(http: &Client, keystone: &Keystone) -> Result<Response> {
    let url = keystone.auth_url.join("auth/tokens");
    let url = url.map_err(|e| Error::internal("an address has no parts").because(e))?;
    let mut call = Request::new(Verb::POST, url);
    let json = HeaderValue::from_static("application/json");
    call.headers.insert(CONTENT_TYPE, json.clone());
    call.headers.insert(ACCEPT, json);
    let secrets = keystone.secrets().into_iter().flatten();
    call.secrets = secrets.filter(|secret| is_long(secret)).cloned().collect();
    let body = serde_json::to_vec(&json!({ "auth": request(keystone)? }));
    call.body = Bytes::from(body.map_err(|e| Error::internal("not JSON").because(e))?);
    send_login(http, keystone, call).await
}

/// Returns whether a secret is long enough to be distinguished from the text around it.
pub(super) fn is_long(secret: &Secret) -> bool {
    secret.reveal().len() >= 4
}

/// Sends a request to Keystone that changes nothing and may be repeated. Its body is not shown.
pub(super) async fn send_login(
    http: &Client,
    keystone: &Keystone,
    mut request: Request,
) -> Result<Response> {
    request.is_body_secret = true;
    request.is_idempotent = true;
    let response = http.call(&request).await;
    response.map_err(|failure| {
        let from = keystone.auth_url.to_string();
        match redirected(&failure, &from) {
            Some(error) => error
                .hint("A password is not sent on.")
                .hint(Parameter::KeystoneAddress),
            None => failed(failure),
        }
    })
}

/// Returns the error for a login that is redirected to another address.
pub(super) fn redirected(failure: &Failure, from: &str) -> Option<Error> {
    let Reason::NotRedirected { status, to, .. } = failure.reason() else {
        return None;
    };
    let (to, status) = (Address(to.clone()), status.as_u16());
    let message = format!("{from} sends logins on to {to} (HTTP {status})");
    Some(Error::failed(message))
}

/// Returns the body of the request: credentials and scope.
fn request(keystone: &Keystone) -> Result<Value> {
    let values = values(keystone);
    let (mut methods, mut identity) = (Vec::new(), Map::new());
    for method in &keystone.methods {
        let (name, data) = match method {
            Method::Password => shown(&openstack_sdk_auth_password::ANCHOR, &values)?,
            Method::Token => shown(&openstack_sdk_auth_token::ANCHOR, &values)?,
            Method::Totp => shown(&openstack_sdk_auth_totp::ANCHOR, &values)?,
            Method::ApplicationCredential => ("application_credential", credential(keystone)),
        };
        methods.push(name);
        if let Value::Object(data) = data {
            identity.extend(data);
        }
    }
    let mut auth = Map::new();
    identity.insert("methods".to_string(), methods.into());
    auth.insert("identity".to_string(), identity.into());
    if let Some(scope) = &keystone.scope {
        auth.insert("scope".to_string(), scope_value(scope)?);
    }
    Ok(auth.into())
}

fn shown(
    plugin: &dyn OpenStackMultifactorAuthMethod,
    values: &HashMap<String, SecretString>,
) -> Result<(&'static str, Value)> {
    let shown = plugin.get_auth_data(values);
    shown.map_err(|e| Error::internal(format!("the login is incomplete: {e}")))
}

/// Returns the values for the SDK's plugins.
fn values(keystone: &Keystone) -> HashMap<String, SecretString> {
    let mut values = HashMap::new();
    let mut put = |key: &str, value: &str| {
        values.insert(key.to_string(), SecretString::from(value));
    };
    if let Some(user) = &keystone.user {
        match &user.reference {
            Reference::Id(id) => put("user_id", id),
            Reference::Name(name) => put("username", name),
        }
        match &user.domain {
            Some(Reference::Id(id)) => put("user_domain_id", id),
            Some(Reference::Name(name)) => put("user_domain_name", name),
            None => {}
        }
    }
    let secrets = [
        ("password", &keystone.password),
        ("passcode", &keystone.passcode),
        ("token", &keystone.token),
    ];
    for (key, secret) in secrets {
        if let Some(secret) = secret {
            put(key, secret.reveal());
        }
    }
    values
}

/// Returns an application credential; by name, with its user. (The SDK's plugin puts the user's domain in
/// the wrong place, and requires its own HTTP client.)
fn credential(keystone: &Keystone) -> Value {
    let secret = keystone.credential_secret.as_ref().map(Secret::reveal);
    let mut credential = json!({ "secret": secret });
    match &keystone.credential {
        Some(Reference::Id(id)) => credential["id"] = id.as_str().into(),
        Some(Reference::Name(name)) => {
            credential["name"] = name.as_str().into();
            if let Some(user) = &keystone.user {
                credential["user"] = named(user);
            }
        }
        None => {}
    }
    json!({ "application_credential": credential })
}

fn named(named: &Named) -> Value {
    let mut value = reference(&named.reference);
    if let Some(domain) = &named.domain {
        value["domain"] = reference(domain);
    }
    value
}

fn reference(reference: &Reference) -> Value {
    match reference {
        Reference::Id(id) => json!({ "id": id }),
        Reference::Name(name) => json!({ "name": name }),
    }
}

fn scope_value(scope: &Scope) -> Result<Value> {
    let domain = |reference: &Reference| {
        let (id, name) = id_and_name(reference);
        Domain { id, name }
    };
    let scope = match scope {
        Scope::Project(project) => {
            let (id, name) = id_and_name(&project.reference);
            let domain = project.domain.as_ref().map(domain);
            AuthTokenScope::Project(Project { domain, id, name })
        }
        Scope::Domain(reference) => AuthTokenScope::Domain(domain(reference)),
        Scope::System => AuthTokenScope::System(System { all: Some(true) }),
        // The SDK has the type, but no scope that accepts it.
        Scope::Trust(id) => return Ok(json!({ "OS-TRUST:trust": { "id": id } })),
    };
    serde_json::to_value(scope).map_err(|e| Error::internal("not JSON").because(e))
}

/// Returns a reference's ID and name.
fn id_and_name(reference: &Reference) -> (Option<String>, Option<String>) {
    match reference {
        Reference::Id(id) => (Some(id.clone()), None),
        Reference::Name(name) => (None, Some(name.clone())),
    }
}

/// Returns the token of a response.
pub(super) fn read(keystone: &Keystone, answer: Response) -> Result<AuthToken> {
    let mut response = http::Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    AuthToken::try_from(response).map_err(|e| {
        let message = format!("{} answers without a token", keystone.auth_url);
        Error::new(ErrorKind::Unreachable, message)
            .hint("The address may not be that of Keystone.")
            .hint(Parameter::KeystoneAddress)
            .because(e)
    })
}

/// Returns the further methods that Keystone requires, if its response has a receipt for those that it accepted; of several
/// combinations the shortest.
fn missing_methods(answer: &Response, shown: &[Method]) -> Option<Vec<String>> {
    if answer.status != StatusCode::UNAUTHORIZED || !answer.headers.contains_key(RECEIPT) {
        return None;
    }
    let receipt: AuthReceiptResponse = serde_json::from_slice(&answer.body).ok()?;
    let ways = receipt.required_auth_methods.into_iter().map(|way| {
        let known = |name: &String| shown.iter().any(|method| name_of(*method) == name);
        way.into_iter()
            .filter(|name| !known(name))
            .collect::<Vec<_>>()
    });
    ways.filter(|way| !way.is_empty()).min_by_key(Vec::len)
}

fn name_of(method: Method) -> &'static str {
    match method {
        Method::Password => "password",
        Method::Token => "token",
        Method::Totp => "totp",
        Method::ApplicationCredential => "application_credential",
    }
}

fn insufficient(keystone: &Keystone, missing: &[String]) -> Error {
    let who = keystone
        .user
        .as_ref()
        .map_or("the user".to_string(), ToString::to_string);
    let shown = keystone.methods.iter().map(|method| name_of(*method));
    let methods = shown.chain(missing.iter().map(String::as_str));
    let methods = methods.map(|name| format!("v3{name}")).collect();
    let missing = missing.join(" and ");
    Error::failed(format!(
        "{who} must authenticate with {missing} as well (HTTP 401)"
    ))
    .hint(Parameter::LoginMethods(methods))
}

/// Returns the error for a refused login, in the format of upstream.
pub(super) fn refused(keystone: &Keystone, answer: &Response) -> Error {
    let status = answer.status;
    let address = &keystone.auth_url;
    let mut message = refusal(answer).message().to_string();
    for secret in keystone.secrets().into_iter().flatten() {
        // A server may repeat the rejected part of the request.
        if status == StatusCode::BAD_REQUEST && !secret.reveal().is_empty() {
            message = message.replace(secret.reveal(), "***");
        }
    }
    let request = answer.headers.get("x-openstack-request-id");
    let request = request
        .and_then(|id| id.to_str().ok())
        .map(|id| format!(" (Request-ID: {id})"));
    let request = request.unwrap_or_default();
    let error = Error::failed(format!("{message} (HTTP {}){request}", status.as_u16()));
    match status.as_u16() {
        // Keystone responds with 404 to a token that it cannot read.
        404 if !request.is_empty() && keystone.methods.contains(&Method::Token) => {
            error.hint(refusal_hint(keystone))
        }
        401 => error.hint(refusal_hint(keystone)),
        300 | 404 | 405 => error
            .hint(format!("There is no Keystone at {address}."))
            .hint(Parameter::KeystoneAddress),
        _ => error,
    }
}

/// Returns possible reasons of a refusal, which Keystone does not report.
fn refusal_hint(keystone: &Keystone) -> String {
    let who = keystone
        .user
        .as_ref()
        .map_or("the login".to_string(), ToString::to_string);
    let scope = scope_in_words(keystone.scope.as_ref());
    let place = &keystone.auth_url;
    match keystone.methods.first() {
        None => format!(
            "Keystone at {place} does not accept the identity provider's token: check the names of provider and \
             protocol, and whether the token is issued for Keystone."
        ),
        Some(Method::Token) => format!(
            "The token has expired, or is not valid for {scope}: get another one, or log in to {place} with a password."
        ),
        Some(Method::ApplicationCredential) => {
            format!(
                "Check the id and the secret of the application credential, and whether it has expired, at {place}."
            )
        }
        _ => format!(
            "{place} refused {who} for {scope}: check the name, the password, the domain, and the project's name."
        ),
    }
}
