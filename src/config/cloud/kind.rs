//! Which kind of login is meant: the one that is named, or the one that what is given is for.
//!
//! *Source:* `osc_lib/cli/client_config.py` (`_auth_select_default_plugin`), `glanceclient/shell.py`
//! (`_get_versioned_client`).

use super::super::values::quoted;
use super::fields::{self, Given, Sources};
use super::login::{Method, lacking};
use crate::{Error, Result};

/// Kinds of login that there are, as they are named in an error.
const KINDS: &str = "password, token, v3applicationcredential, v3totp, v3multifactor, admin_token, \
                     http_basic and none";

/// What kind of login is meant.
pub enum Kind {
    /// None.
    None,
    /// With a token as it is.
    Token,
    /// With a name and password in each request.
    Basic,
    /// With Keystone, by these methods.
    Keystone(Vec<Method>),
}

/// The kind of login that is named, or else the one that what is given is for.
pub fn kind(sources: &Sources<'_>) -> Result<Kind> {
    let Some(named) = sources.get(&fields::AUTH_TYPE)? else {
        return guess(sources);
    };
    let method = |method| Ok(Kind::Keystone(vec![method]));
    match named.value.trim().to_ascii_lowercase().as_str() {
        "none" | "noauth" => Ok(Kind::None),
        "admin_token" | "token_endpoint" => Ok(Kind::Token),
        "http_basic" => Ok(Kind::Basic),
        "v3multifactor" => {
            let methods = sources.get(&fields::AUTH_METHODS)?;
            let methods = methods.ok_or_else(|| lacking(&[&fields::AUTH_METHODS]))?;
            let parts = methods.value.split(',');
            let parts = parts.map(|part| parse_method(part).ok_or_else(|| unknown(part, &methods)));
            Ok(Kind::Keystone(parts.collect::<Result<_>>()?))
        }
        // A token with an endpoint is for that endpoint, as it is.
        "token" | "v3token"
            if sources.get(&fields::AUTH_URL)?.is_none() && is_bare_token(sources)? =>
        {
            Ok(Kind::Token)
        }
        text => match parse_method(text) {
            Some(known) => method(known),
            None => Err(unknown(&named.value, &named)),
        },
    }
}

fn parse_method(text: &str) -> Option<Method> {
    Some(match text.trim().to_ascii_lowercase().as_str() {
        "password" | "v3password" => Method::Password,
        "token" | "v3token" => Method::Token,
        "totp" | "v3totp" => Method::Totp,
        "v3applicationcredential" | "applicationcredential" | "application_credential" => {
            Method::ApplicationCredential
        }
        _ => return None,
    })
}

fn unknown(text: &str, given: &Given) -> Error {
    let message = format!(
        "the kind of login {} of {} is not supported",
        quoted(text),
        given.from
    );
    Error::failed(message).hint(format!("There are {KINDS}."))
}

/// What is given where it counts most says what is meant; a user there before a token, as there is
/// always a token in the environment of those who make scripts with it.
fn guess(sources: &Sources<'_>) -> Result<Kind> {
    if is_bare_token(sources)? {
        return Ok(Kind::Token);
    }
    let credential = sources.either(&fields::CREDENTIAL_ID, &fields::CREDENTIAL_NAME)?;
    let user = sources.either(&fields::USER_ID, &fields::USERNAME)?;
    let rank = |given: Option<(bool, Given)>| given.map(|(_, given)| given.rank);
    let candidates = [
        (rank(credential), Method::ApplicationCredential),
        (rank(user), Method::Password),
        (
            sources.get(&fields::TOKEN)?.map(|given| given.rank),
            Method::Token,
        ),
    ];
    let best = candidates
        .into_iter()
        .filter_map(|(rank, method)| Some((rank?, method)))
        .min_by_key(|(rank, _)| *rank);
    Ok(Kind::Keystone(vec![
        best.map_or(Method::Password, |(_, method)| method),
    ]))
}

/// Whether there is a token and a service to send it to as it is, and neither a Keystone nor a user
/// counts more.
fn is_bare_token(sources: &Sources<'_>) -> Result<bool> {
    let Some(token) = sources.get(&fields::TOKEN)? else {
        return Ok(false);
    };
    let user = sources.either(&fields::USER_ID, &fields::USERNAME)?;
    if user.is_some_and(|(_, user)| user.rank < token.rank) {
        return Ok(false);
    }
    let keystone = sources.get(&fields::AUTH_URL)?;
    let service = match sources.get(&fields::ENDPOINT_OVERRIDE)? {
        // Keystone is never asked then, whatever is known of it.
        Some(given) if matches!(given.from.as_str(), "--os-image-url" | "OS_IMAGE_URL") => {
            return Ok(true);
        }
        Some(given) => Some(given),
        None => sources.get(&fields::ENDPOINT)?,
    };
    let Some(service) = service else {
        return Ok(false);
    };
    Ok(keystone.is_none_or(|keystone| keystone.rank > service.rank.max(token.rank)))
}
