//! Selection of the login type: the one that is named, or the one that the provided values belong to.
//!
//! *Source:* `osc_lib/cli/client_config.py` (`_auth_select_default_plugin`), `glanceclient/shell.py`
//! (`_get_versioned_client`).

use super::federation::GrantKind;
use super::fields::{self, Given, Sources, missing_fields};
use super::need::Method;
use crate::config::oslo::values::quoted;
use crate::{Error, Result};

/// The supported login types, as an error lists them.
const KINDS: &str = "password, token, v3applicationcredential, v3totp, v3multifactor, v3oidcpassword, \
                     v3oidcclientcredentials, v3oidcaccesstoken, v3oidcdeviceauthz, v3oidcauthcode, \
                     v3oauth2clientcredential, admin_token, http_basic and none";

/// Upstream's login types that are not supported, each with the reason.
const REFUSED: [(&str, &str); 10] = [
    (
        "v3websso",
        "it needs a browser on this machine; v3oidcdeviceauthz works with a browser on any machine",
    ),
    (
        "v3samlpassword",
        "it needs XML signatures, which no maintained library provides",
    ),
    (
        "v3adfspassword",
        "it needs WS-Trust, which only older versions of AD FS support",
    ),
    ("v3kerberos", "it needs a Kerberos ticket"),
    ("v3fedkerb", "it needs a Kerberos ticket"),
    (
        "v3oauth1",
        "Keystone's OAuth 1.0 has been replaced by application credentials",
    ),
    ("v3tokenlessauth", "it is for requests to Keystone alone"),
    (
        "v3oauth2mtlsclientcredential",
        "it needs a Keystone that receives the client certificate; v3oauth2clientcredential uses a secret",
    ),
    ("v1password", "it is for Swift alone"),
    ("v3token_endpoint", "use admin_token instead"),
];

/// The selected login type.
pub enum Kind {
    /// No authentication.
    None,
    /// A token that is sent as it is.
    Token,
    /// A name and password in each request.
    Basic,
    /// A Keystone login with these methods.
    Keystone(Vec<Method>),
    /// A Keystone login with a token of an identity provider.
    Federation(GrantKind),
    /// A Keystone login with an additional OAuth 2.0 token.
    OAuth2,
}

/// Returns the login type that is named, or else the one that the provided values belong to.
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
            let methods = methods.ok_or_else(|| {
                missing_fields(
                    &[&fields::AUTH_METHODS],
                    sources.options.names,
                    sources.file,
                )
            })?;
            let parts = methods.value.split(',');
            let parts = parts.map(|part| parse_method(part).ok_or_else(|| unknown(part, &methods)));
            Ok(Kind::Keystone(parts.collect::<Result<_>>()?))
        }
        // A token with an endpoint is sent to that endpoint as it is.
        "token" | "v3token"
            if sources.get(&fields::AUTH_URL)?.is_none() && is_bare_token(sources)? =>
        {
            Ok(Kind::Token)
        }
        "v3oauth2clientcredential" => Ok(Kind::OAuth2),
        text => match (GrantKind::parse(text), parse_method(text)) {
            (Some(grant), _) => Ok(Kind::Federation(grant)),
            (None, Some(known)) => method(known),
            (None, None) => Err(unknown(&named.value, &named)),
        },
    }
}

fn parse_method(text: &str) -> Option<Method> {
    Some(match text.trim().to_ascii_lowercase().as_str() {
        // Values for version 2 of Keystone's API map to the default domain of version 3.
        "password" | "v3password" | "v2password" => Method::Password,
        "token" | "v3token" | "v2token" => Method::Token,
        "totp" | "v3totp" => Method::Totp,
        "v3applicationcredential" | "applicationcredential" | "application_credential" => {
            Method::ApplicationCredential
        }
        _ => return None,
    })
}

fn unknown(text: &str, given: &Given) -> Error {
    let message = format!(
        "login type {} of {} is not supported",
        quoted(text),
        given.from
    );
    let reason = REFUSED
        .iter()
        .find(|(kind, _)| text.trim().eq_ignore_ascii_case(kind));
    let message = match reason {
        Some((_, reason)) => format!("{message}: {reason}"),
        None => message,
    };
    Error::failed(message).hint(format!("There are {KINDS}."))
}

/// Selects the login type by the value with the highest precedence. At the same precedence a user comes
/// before a token, because scripts may have a token in the environment at all times.
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

/// Returns whether there is a token and a service to send it to as it is, and neither a Keystone address
/// nor a user has a higher precedence.
fn is_bare_token(sources: &Sources<'_>) -> Result<bool> {
    let Some(token) = sources.get(&fields::TOKEN)? else {
        return Ok(false);
    };
    let user = sources.either(&fields::USER_ID, &fields::USERNAME)?;
    if user.is_some_and(|(_, user)| user.rank < token.rank) {
        return Ok(false);
    }
    let keystone = sources.get(&fields::AUTH_URL)?;
    let service = match sources.either(&fields::IMAGE_URL, &fields::ENDPOINT_OVERRIDE)? {
        // Keystone is never asked then, whatever is known of it.
        Some((true, _)) => return Ok(true),
        Some((false, given)) => Some(given),
        None => sources.get(&fields::ENDPOINT)?,
    };
    let Some(service) = service else {
        return Ok(false);
    };
    Ok(keystone.is_none_or(|keystone| keystone.rank > service.rank.max(token.rank)))
}
