//! Logins with a token of an identity provider (OpenID Connect), which Keystone maps to a user.
//!
//! *Source:* keystoneauth1, `identity/v3/oidc.py` and `loading/_plugins/identity/v3.py`.

use super::super::secret::Secret;
use super::fields::{self, Field, Sources};
use super::need::Need;
use super::urls::{self, Address};
use crate::config::oslo::values::quoted;
use crate::{Error, Result};

/// The default scope of a request to an identity provider.
const SCOPE: &str = "openid profile";

/// A login with a token of an identity provider.
#[derive(Clone, Debug)]
pub struct Federation {
    /// The name of the identity provider in Keystone.
    pub identity_provider: String,
    /// The name of the protocol in Keystone.
    pub protocol: String,
    /// The way to obtain the token.
    pub grant: Grant,
    /// The client ID at the identity provider; empty if none is needed.
    pub client_id: String,
    /// The client secret at the identity provider.
    pub client_secret: Option<Secret>,
    /// The scopes of OpenID Connect, separated by spaces.
    pub scope: String,
    /// The member of the identity provider's response that contains the token.
    pub token_member: String,
    /// The token endpoint of the identity provider; None: the one of the discovery document.
    pub token_endpoint: Option<Address>,
    /// The discovery document of the identity provider.
    pub discovery: Option<Address>,
}

/// A way to obtain a token from an identity provider.
#[derive(Clone, Debug)]
pub enum Grant {
    /// A token that the user provides.
    AccessToken(Secret),
    /// A user name and the password of the login.
    Password {
        /// The user's name.
        username: String,
        /// The form field for the one-time passcode, if the identity provider requires one.
        passcode_member: Option<String>,
    },
    /// The client's credentials alone.
    ClientCredentials,
    /// The consent of a user in a browser on any machine.
    Device {
        /// The device authorization endpoint; None: the one of the discovery document.
        endpoint: Option<Address>,
        /// The proof that the client that polls is the one that started the login.
        challenge: Option<Challenge>,
    },
    /// A code that a browser received.
    AuthorizationCode {
        /// The code; valid once.
        code: Secret,
        /// The redirect URI that the code was sent to.
        redirect_uri: Option<String>,
    },
}

/// The form in which a verifier is sent in advance (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The verifier itself.
    Plain,
    /// The SHA-256 of the verifier.
    S256,
}

/// A kind of grant, by the name of the login type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// `v3oidcaccesstoken`
    AccessToken,
    /// `v3oidcpassword`
    Password,
    /// `v3oidcclientcredentials`
    ClientCredentials,
    /// `v3oidcdeviceauthz`
    Device,
    /// `v3oidcauthcode`
    AuthorizationCode,
}

impl GrantKind {
    /// Returns the grant of a login type.
    pub fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "v3oidcaccesstoken" => Self::AccessToken,
            "v3oidcpassword" => Self::Password,
            "v3oidcclientcredentials" => Self::ClientCredentials,
            "v3oidcdeviceauthz" => Self::Device,
            "v3oidcauthcode" => Self::AuthorizationCode,
            _ => return None,
        })
    }
}

impl Federation {
    /// Returns the secrets that the user may have to enter.
    pub fn needs(&self) -> Vec<Need> {
        match &self.grant {
            Grant::Password {
                passcode_member: Some(_),
                ..
            } => vec![Need::Password, Need::Passcode],
            Grant::Password { .. } => vec![Need::Password],
            _ => Vec::new(),
        }
    }

    /// Returns whether the login can be repeated without interaction.
    pub fn is_silent(&self) -> bool {
        match &self.grant {
            Grant::Device { .. } | Grant::AuthorizationCode { .. } => false,
            Grant::Password {
                passcode_member, ..
            } => passcode_member.is_none(),
            Grant::AccessToken(_) | Grant::ClientCredentials => true,
        }
    }

    /// Returns the secrets of the grant.
    pub fn secrets(&self) -> Vec<&Secret> {
        let of_grant = match &self.grant {
            Grant::AccessToken(secret) | Grant::AuthorizationCode { code: secret, .. } => {
                Some(secret)
            }
            _ => None,
        };
        of_grant.into_iter().chain(&self.client_secret).collect()
    }
}

/// Reads a login with an identity provider. Missing values are added to `lacks`.
///
/// # Errors
/// `Failed` for invalid values.
pub fn load(
    sources: &Sources<'_>,
    kind: GrantKind,
    lacks: &mut Vec<&'static Field>,
) -> Result<Option<Federation>> {
    let mut need = |field: &'static Field| -> Result<String> {
        let value = sources.value(field)?;
        if value.is_none() {
            lacks.push(field);
        }
        Ok(value.unwrap_or_default())
    };
    let identity_provider = need(&fields::IDENTITY_PROVIDER)?;
    let protocol = need(&fields::PROTOCOL)?;
    let client_id = match kind {
        GrantKind::AccessToken => String::new(),
        _ => need(&fields::CLIENT_ID)?,
    };
    let grant = match kind {
        GrantKind::AccessToken => Grant::AccessToken(Secret::new(need(&fields::ACCESS_TOKEN)?)),
        GrantKind::Password => Grant::Password {
            username: need(&fields::USERNAME)?,
            passcode_member: sources.value(&fields::PASSCODE_MEMBER)?,
        },
        GrantKind::ClientCredentials => Grant::ClientCredentials,
        GrantKind::Device => Grant::Device {
            endpoint: address(sources, &fields::DEVICE_ENDPOINT)?,
            challenge: challenge(sources)?,
        },
        GrantKind::AuthorizationCode => Grant::AuthorizationCode {
            code: Secret::new(need(&fields::CODE)?),
            redirect_uri: sources.value(&fields::REDIRECT_URI)?,
        },
    };
    let token_endpoint = address(sources, &fields::ACCESS_TOKEN_ENDPOINT)?;
    let discovery = address(sources, &fields::DISCOVERY_ENDPOINT)?;
    if kind != GrantKind::AccessToken && token_endpoint.is_none() && discovery.is_none() {
        lacks.push(&fields::DISCOVERY_ENDPOINT);
    }
    if !lacks.is_empty() {
        return Ok(None);
    }
    Ok(Some(Federation {
        identity_provider,
        protocol,
        grant,
        client_id,
        client_secret: sources.value(&fields::CLIENT_SECRET)?.map(Secret::new),
        scope: sources
            .value(&fields::OPENID_SCOPE)?
            .unwrap_or_else(|| SCOPE.to_string()),
        token_member: token_member(sources)?,
        token_endpoint,
        discovery,
    }))
}

fn address(sources: &Sources<'_>, field: &Field) -> Result<Option<Address>> {
    let given = sources.get(field)?;
    Ok(given
        .map(|given| urls::parse(&given))
        .transpose()?
        .map(Address))
}

fn token_member(sources: &Sources<'_>) -> Result<String> {
    let Some(given) = sources.get(&fields::ACCESS_TOKEN_TYPE)? else {
        return Ok("access_token".to_string());
    };
    if matches!(given.value.as_str(), "access_token" | "id_token") {
        return Ok(given.value);
    }
    Err(Error::failed(format!(
        "{} of {} is unknown: access_token or id_token",
        quoted(&given.value),
        given.from
    )))
}

fn challenge(sources: &Sources<'_>) -> Result<Option<Challenge>> {
    let Some(given) = sources.get(&fields::CODE_CHALLENGE_METHOD)? else {
        return Ok(None);
    };
    match given.value.as_str() {
        "plain" => Ok(Some(Challenge::Plain)),
        "S256" => Ok(Some(Challenge::S256)),
        _ => Err(Error::failed(format!(
            "{} of {} is unknown: plain or S256",
            quoted(&given.value),
            given.from
        ))),
    }
}
