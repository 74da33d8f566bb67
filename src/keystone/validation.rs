//! The request that validates a token, and the content of a valid one.
//!
//! *Source:* Identity API reference v3, "Validate and show information for token"; keystoneclient,
//! `v3/tokens.py` (`get_token_data`).

use http::Method;
use http::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use openstack_sdk_auth_core::ServiceEndpoints;
use serde::Deserialize;
use url::Url;

use crate::Result;
use crate::error::Error;
use crate::http::Request;

/// The header of the token to validate.
const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

/// The header by which a service declares that it enforces access rules. Keystone does not validate tokens with such
/// rules otherwise.
const ACCESS_RULES: HeaderName = HeaderName::from_static("openstack-identity-access-rules");

/// The kind of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Of a token that has not expired.
    Current,
    /// Of a token that may have expired recently.
    Expired,
    /// Of a token that has not expired, with its catalogue.
    WithCatalog,
}

impl Validation {
    /// Returns the query of the request.
    const fn query(self) -> Option<&'static str> {
        match self {
            Self::Current => Some("nocatalog"),
            Self::Expired => Some("nocatalog&allow_expired=1"),
            Self::WithCatalog => None,
        }
    }
}

/// Returns the request that validates a token, without the token of the service. `keystone` is the address of version 3,
/// which ends in a slash.
///
/// # Errors
/// `Internal` for an address without a path.
pub fn validation_request(keystone: &Url, token: HeaderValue, kind: Validation) -> Result<Request> {
    let url = keystone.join("auth/tokens");
    let mut url = url.map_err(|e| Error::internal("an address has no parts").because(e))?;
    url.set_query(kind.query());
    let mut request = Request::new(Method::GET, url);
    request.headers.insert(SUBJECT, token);
    let version = HeaderValue::from_static("1");
    request.headers.insert(ACCESS_RULES, version);
    Ok(request)
}

/// The response to a successful validation.
#[derive(Deserialize)]
struct Validated<T> {
    token: T,
}

/// The catalogue of a token.
#[derive(Deserialize)]
struct Catalog {
    /// None for a token without a scope.
    #[serde(default)]
    catalog: Vec<ServiceEndpoints>,
}

/// Reads the catalogue in the body of a response.
///
/// # Errors
/// The reason why it is not a token.
pub fn read_catalog(body: &[u8]) -> Result<Vec<ServiceEndpoints>, serde_json::Error> {
    serde_json::from_slice(body).map(|Validated::<Catalog> { token }| token.catalog)
}

/// The content of a valid token.
#[derive(Clone, Debug, Deserialize)]
pub struct ValidToken {
    /// The end of its validity.
    pub expires_at: Timestamp,
    /// The user.
    pub user: Identified,
    /// The project of its scope.
    pub project: Option<InDomain>,
    /// The domain of its scope.
    pub domain: Option<Identified>,
    /// The system, if that is its scope.
    pub system: Option<SystemScope>,
    /// The roles; none without a scope.
    #[serde(default)]
    pub roles: Vec<NamedRole>,
    /// The application credential that it was issued for.
    pub application_credential: Option<Restriction>,
}

/// Something with an ID.
#[derive(Clone, Debug, Deserialize)]
pub struct Identified {
    /// The ID.
    pub id: String,
}

/// A project with its domain.
#[derive(Clone, Debug, Deserialize)]
pub struct InDomain {
    /// The ID.
    pub id: String,
    /// The domain.
    pub domain: Identified,
}

/// A scope of the system.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemScope {
    /// Whether it is the whole system.
    #[serde(default)]
    pub all: bool,
}

/// A role.
#[derive(Clone, Debug, Deserialize)]
pub struct NamedRole {
    /// The name.
    pub name: String,
}

/// The restrictions of the tokens of an application credential.
#[derive(Clone, Debug, Deserialize)]
pub struct Restriction {
    /// The requests that are allowed; None: all.
    pub access_rules: Option<Vec<AccessRule>>,
}

/// A kind of requests that an application credential allows.
#[derive(Clone, Debug, Deserialize)]
pub struct AccessRule {
    /// The type of the service.
    pub service: String,
    /// The method.
    pub method: String,
    /// The path, in which `*` and `{name}` stand for a part, and `**` for any parts.
    pub path: String,
}

impl ValidToken {
    /// Reads the body of a response.
    ///
    /// # Errors
    /// The reason why it is not a token.
    pub fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body).map(|Validated { token }| token)
    }
}
