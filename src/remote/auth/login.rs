//! Keystone logins: one request and its response.
//!
//! *Source:* Identity API reference v3, "Authentication and token management"; keystoneauth1,
//! `identity/v3/base.py`.

use http::StatusCode;
use openstack_sdk_auth_core::{AuthReceiptResponse, AuthToken};
use secrecy::ExposeSecret;

use super::exchange::{read, refused, send_login};
use super::{Prompt, federation};
use crate::config::{Keystone, Method, Need, Secret};
use crate::http::{Client, Response};
use crate::keystone::login_request;
use crate::{Error, Parameter, Result};

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
