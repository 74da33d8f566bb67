//! Keystone logins: one request and its response.
//!
//! *Source:* Identity API reference v3, "Authentication and token management"; keystoneauth1,
//! `identity/v3/base.py`.

use http::StatusCode;
use openstack_sdk_auth_core::{AuthReceiptResponse, AuthToken};
use secrecy::ExposeSecret;

use super::super::answer::refusal;
use super::super::failure::failed;
use super::{Prompt, federation, scope_in_words};
use crate::config::{Address, Keystone, Method, Need, Secret};
use crate::http::{Client, Failure, Reason, Request, Response};
use crate::keystone::{login_request, read_token};
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
    send_login(http, keystone, login_request(keystone)?).await
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

/// Returns the token of a response.
pub(super) fn read(keystone: &Keystone, answer: Response) -> Result<AuthToken> {
    read_token(answer).map_err(|e| {
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
