//! A request of a login to Keystone, its response, and the errors of both.

use http::StatusCode;
use openstack_sdk_auth_core::AuthToken;

use super::super::answer::refusal;
use super::super::failure::failed;
use super::scope_in_words;
use crate::config::{Address, Keystone, Method};
use crate::http::{Client, Failure, Reason, Request, Response};
use crate::keystone::read_token;
use crate::{Error, ErrorKind, Parameter, Result};

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
