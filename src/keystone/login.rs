//! The request of a login and its response.
//!
//! *Source:* Identity API reference v3, "Authentication and token management"; keystoneauth1,
//! `identity/v3/base.py`.

use std::collections::HashMap;

use bytes::Bytes;
use http::Method as Verb;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use openstack_sdk_auth_core::{
    AuthToken, AuthTokenError, AuthTokenScope, Domain, OpenStackMultifactorAuthMethod, Project,
    System,
};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::config::{Keystone, Method, Named, Reference, Scope, Secret};
use crate::http::{Request, Response};
use crate::{Error, Result};

/// Returns the request of a login, which changes nothing and may be repeated. Its body is secret.
///
/// # Errors
/// `Internal` for a login that lacks a secret.
pub fn login_request(keystone: &Keystone) -> Result<Request> {
    let url = keystone.auth_url.join("auth/tokens");
    let url = url.map_err(|e| Error::internal("an address has no parts").because(e))?;
    let mut call = Request::new(Verb::POST, url);
    let json = HeaderValue::from_static("application/json");
    call.headers.insert(CONTENT_TYPE, json.clone());
    call.headers.insert(ACCEPT, json);
    let secrets = keystone.secrets().into_iter().flatten();
    call.secrets = secrets.filter(|secret| is_long(secret)).cloned().collect();
    let body = serde_json::to_vec(&json!({ "auth": body(keystone)? }));
    call.body = Bytes::from(body.map_err(|e| Error::internal("not JSON").because(e))?);
    call.is_body_secret = true;
    call.is_idempotent = true;
    Ok(call)
}

/// Returns whether a secret is long enough to be distinguished from the text around it.
pub fn is_long(secret: &Secret) -> bool {
    secret.reveal().len() >= 4
}

/// Returns the token of a successful response.
///
/// # Errors
/// The reason why it has none.
pub fn read_token(answer: Response) -> Result<AuthToken, AuthTokenError> {
    let mut response = http::Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    AuthToken::try_from(response)
}

/// Returns the body of the request: credentials and scope.
fn body(keystone: &Keystone) -> Result<Value> {
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
