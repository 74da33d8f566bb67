//! The login: the credentials and their scope.
//!
//! *Source:* `osc_lib/cli/client_config.py`, `keystoneauth1/loading/_plugins`.

use std::fmt;

use url::Url;

use super::super::secret::Secret;
use super::federation::{self, Federation, GrantKind};
use super::fields::{self, Field, Given, OptionNames, Rank, Sources, missing_fields};
use super::kind::{Kind, kind};
use super::need::{Method, Need};
use super::urls::{self, Address};
use crate::config::oslo::values::quoted;
use crate::{Error, Result};

/// The domain of users and projects if none is named.
const DEFAULT_DOMAIN: &str = "default";

/// A way to authenticate.
#[derive(Clone, Debug)]
pub enum Login {
    /// No authentication.
    None,
    /// A token that is sent as it is.
    Token(Secret),
    /// A name and password in each request.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that Keystone issues.
    Keystone(Box<Keystone>),
}

/// A login to Keystone.
#[derive(Clone, Debug)]
pub struct Keystone {
    /// The address of its API version 3; ends in a slash.
    pub auth_url: Address,
    /// The methods, all used in one request.
    pub methods: Vec<Method>,
    /// The user.
    pub user: Option<Named>,
    /// The password; may still have to be entered.
    pub password: Option<Secret>,
    /// The one-time passcode; may still have to be entered.
    pub passcode: Option<Secret>,
    /// A token to exchange for another one.
    pub token: Option<Secret>,
    /// The application credential.
    pub credential: Option<Reference>,
    /// The secret of the application credential; may still have to be entered.
    pub credential_secret: Option<Secret>,
    /// The scope of the token; None: Keystone's default for the user.
    pub scope: Option<Scope>,
    /// The identity provider, if its token replaces the methods.
    pub federation: Option<Federation>,
    /// The OAuth 2.0 token endpoint, if the service requires such a token in addition to the application
    /// credential.
    pub oauth2: Option<Address>,
    /// The options that give missing values, for messages.
    pub option_names: OptionNames,
    /// The file that describes the cloud, for messages; empty without one.
    pub file: String,
}

/// A reference by ID or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// By ID.
    Id(String),
    /// By name.
    Name(String),
}

/// A user or project, by ID, or by name in a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The ID or name.
    pub reference: Reference,
    /// The domain; None with an ID.
    pub domain: Option<Reference>,
}

/// The scope of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A project.
    Project(Named),
    /// A domain.
    Domain(Reference),
    /// The whole cloud.
    System,
    /// The trust with this ID.
    Trust(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(text) | Self::Name(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "{} of domain {domain}", self.reference),
            None => write!(f, "{}", self.reference),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => write!(f, "project {project}"),
            Self::Domain(domain) => write!(f, "domain {domain}"),
            Self::System => f.write_str("the system"),
            Self::Trust(id) => write!(f, "trust {id}"),
        }
    }
}

impl Keystone {
    /// Returns a login without credentials.
    pub(in crate::config) fn at(auth_url: Url) -> Self {
        Self {
            auth_url: Address(urls::keystone_of(auth_url)),
            methods: Vec::new(),
            user: None,
            password: None,
            passcode: None,
            token: None,
            credential: None,
            credential_secret: None,
            scope: None,
            federation: None,
            oauth2: None,
            option_names: OptionNames(|_| &[]),
            file: String::new(),
        }
    }

    /// Returns the secrets that the methods need and that are missing.
    pub fn needs(&self) -> Vec<Need> {
        let needs = self.methods.iter().filter_map(|method| method.need());
        let needs = needs.chain(self.federation.iter().flat_map(Federation::needs));
        let is_missing = |need: &Need| match need {
            Need::Password => self.password.is_none(),
            Need::Passcode => self.passcode.is_none(),
            Need::CredentialSecret => self.credential_secret.is_none(),
        };
        needs.filter(is_missing).collect()
    }

    /// Returns whether the login needs no interaction and can be repeated.
    pub fn logs_in_silently(&self) -> bool {
        self.needs().is_empty()
            && !self.methods.contains(&Method::Totp)
            && self.federation.as_ref().is_none_or(Federation::is_silent)
    }

    /// Returns the error for a secret that was not given and cannot be asked for.
    pub fn missing(&self, need: Need) -> Error {
        missing_fields(&[need.field()], self.option_names, &self.file)
    }

    /// Takes a secret that was asked for.
    pub fn satisfy(&mut self, need: Need, secret: Secret) {
        let place = match need {
            Need::Password => &mut self.password,
            Need::Passcode => &mut self.passcode,
            Need::CredentialSecret => &mut self.credential_secret,
        };
        *place = Some(secret);
    }

    /// Returns all secrets of the login.
    pub fn secrets(&self) -> Vec<Option<&Secret>> {
        let Self {
            password,
            passcode,
            token,
            credential_secret,
            federation,
            ..
        } = self;
        let own = [password, passcode, token, credential_secret].map(Option::as_ref);
        let others = federation.iter().flat_map(Federation::secrets);
        own.into_iter().chain(others.map(Some)).collect()
    }
}

/// Reads the login, and the image service's address if it does not come from the catalogue.
pub fn load(sources: &Sources<'_>, region: Option<&str>) -> Result<(Login, Option<Address>)> {
    let kind = kind(sources)?;
    let asks_keystone = matches!(kind, Kind::Keystone(_) | Kind::Federation(_) | Kind::OAuth2);
    let given = sources.either(&fields::IMAGE_URL, &fields::ENDPOINT_OVERRIDE)?;
    let mut given = given.map(|(_, given)| given);
    if given.is_none() {
        // With Keystone it is an old name for Keystone's own endpoint, unless it is an option of the
        // command line.
        let endpoint = sources.get(&fields::ENDPOINT)?;
        given = endpoint.filter(|endpoint| endpoint.rank == Rank::Option || !asks_keystone);
    }
    let endpoint = given
        .as_ref()
        .map(urls::parse)
        .transpose()?
        .map(urls::root_of)
        .map(Address);
    let mut lacks: Vec<&Field> = Vec::new();
    if endpoint.is_none() && !asks_keystone {
        lacks.push(&fields::IMAGE_URL);
    }
    let login = match kind {
        Kind::Keystone(methods) => {
            return Ok((keystone(sources, region, methods)?, endpoint));
        }
        Kind::Federation(grant) => {
            return Ok((federated(sources, region, grant)?, endpoint));
        }
        Kind::OAuth2 => {
            return Ok((oauth2(sources, region)?, endpoint));
        }
        Kind::None => Login::None,
        Kind::Token => {
            if let Some(token) = sources.value(&fields::TOKEN)? {
                Login::Token(Secret::new(token))
            } else {
                lacks.push(&fields::TOKEN);
                Login::None
            }
        }
        Kind::Basic => {
            match (
                sources.value(&fields::USERNAME)?,
                sources.value(&fields::PASSWORD)?,
            ) {
                (Some(username), Some(password)) => {
                    let password = Secret::new(password);
                    Login::Basic { username, password }
                }
                (username, password) => {
                    let both = [(&fields::USERNAME, username), (&fields::PASSWORD, password)];
                    lacks.extend(both.iter().filter(|(_, v)| v.is_none()).map(|(f, _)| *f));
                    Login::None
                }
            }
        }
    };
    if lacks.is_empty() {
        return Ok((login, endpoint));
    }
    Err(missing_fields(&lacks, sources.options.names, sources.file))
}

fn keystone(sources: &Sources<'_>, region: Option<&str>, methods: Vec<Method>) -> Result<Login> {
    let scope = if methods.contains(&Method::ApplicationCredential) {
        // An application credential has its own scope, and Keystone refuses another one.
        None
    } else {
        scope(sources)?
    };
    let user = named(
        sources,
        (&fields::USER_ID, &fields::USERNAME),
        (&fields::USER_DOMAIN_ID, &fields::USER_DOMAIN_NAME),
        matches!(scope, Some(Scope::Project(_))),
    )?;
    let credential = reference(sources, &fields::CREDENTIAL_ID, &fields::CREDENTIAL_NAME)?;
    let credential = credential.map(|(credential, _)| credential);
    let token = sources.value(&fields::TOKEN)?;
    let auth_url = sources.get(&fields::AUTH_URL)?;

    let mut lacks = Vec::new();
    for method in &methods {
        match method {
            Method::Password | Method::Totp if user.is_none() => lacks.push(&fields::USERNAME),
            Method::Token if token.is_none() => lacks.push(&fields::TOKEN),
            Method::ApplicationCredential => match &credential {
                None => lacks.push(&fields::CREDENTIAL_ID),
                Some(Reference::Name(_)) if user.is_none() => lacks.push(&fields::USERNAME),
                Some(_) => {}
            },
            _ => {}
        }
    }
    let Some(auth_url) = auth_url.filter(|_| lacks.is_empty()) else {
        if sources.get(&fields::AUTH_URL)?.is_none() {
            lacks.insert(0, &fields::AUTH_URL);
        }
        for field in methods
            .iter()
            .filter_map(|method| Some(method.need()?.field()))
        {
            if sources.get(field)?.is_none() {
                lacks.push(field);
            }
        }
        return Err(missing_fields(&lacks, sources.options.names, sources.file));
    };
    let secret = |field| Ok::<_, Error>(sources.value(field)?.map(Secret::new));
    Ok(Login::Keystone(Box::new(Keystone {
        auth_url: keystone_address(auth_url, region)?,
        methods,
        user,
        password: secret(&fields::PASSWORD)?,
        passcode: secret(&fields::PASSCODE)?,
        token: token.map(Secret::new),
        credential,
        credential_secret: secret(&fields::CREDENTIAL_SECRET)?,
        scope,
        federation: None,
        oauth2: None,
        option_names: sources.options.names,
        file: sources.file.to_string(),
    })))
}

/// Returns the address of Keystone's API; a placeholder in it stands for the region.
fn keystone_address(mut given: Given, region: Option<&str>) -> Result<Address> {
    if let Some(region) = region {
        given.value = given.value.replace("{region_name}", region);
    }
    Ok(Address(urls::keystone_of(urls::parse(&given)?)))
}

/// Reads a login with a token of an identity provider.
fn federated(sources: &Sources<'_>, region: Option<&str>, grant: GrantKind) -> Result<Login> {
    let auth_url = sources.get(&fields::AUTH_URL)?;
    let mut lacks: Vec<&Field> = Vec::new();
    if auth_url.is_none() {
        lacks.push(&fields::AUTH_URL);
    }
    let federation = federation::load(sources, grant, &mut lacks)?;
    let (Some(auth_url), Some(federation)) = (auth_url, federation) else {
        return Err(missing_fields(&lacks, sources.options.names, sources.file));
    };
    let secret = |field| Ok::<_, Error>(sources.value(field)?.map(Secret::new));
    Ok(Login::Keystone(Box::new(Keystone {
        auth_url: keystone_address(auth_url, region)?,
        methods: Vec::new(),
        user: None,
        password: secret(&fields::PASSWORD)?,
        passcode: secret(&fields::PASSCODE)?,
        token: None,
        credential: None,
        credential_secret: None,
        scope: scope(sources)?,
        federation: Some(federation),
        oauth2: None,
        option_names: sources.options.names,
        file: sources.file.to_string(),
    })))
}

/// Reads a login with an application credential that is also an OAuth 2.0 client.
fn oauth2(sources: &Sources<'_>, region: Option<&str>) -> Result<Login> {
    let endpoint = sources.get(&fields::OAUTH2_ENDPOINT)?;
    let client = sources.value(&fields::OAUTH2_CLIENT_ID)?;
    let secret = sources.value(&fields::OAUTH2_CLIENT_SECRET)?;
    let auth_url = sources.get(&fields::AUTH_URL)?;
    let (Some(auth_url), Some(endpoint), Some(client), Some(secret)) =
        (auth_url, endpoint, client, secret)
    else {
        let all = [
            &fields::AUTH_URL,
            &fields::OAUTH2_ENDPOINT,
            &fields::OAUTH2_CLIENT_ID,
            &fields::OAUTH2_CLIENT_SECRET,
        ];
        let mut lacks = Vec::new();
        for field in all {
            if sources.get(field)?.is_none() {
                lacks.push(field);
            }
        }
        return Err(missing_fields(&lacks, sources.options.names, sources.file));
    };
    Ok(Login::Keystone(Box::new(Keystone {
        auth_url: keystone_address(auth_url, region)?,
        methods: vec![Method::ApplicationCredential],
        user: None,
        password: None,
        passcode: None,
        token: None,
        credential: Some(Reference::Id(client)),
        credential_secret: Some(Secret::new(secret)),
        scope: None,
        federation: None,
        oauth2: Some(Address(urls::parse(&endpoint)?)),
        option_names: sources.options.names,
        file: sources.file.to_string(),
    })))
}

/// Returns the scope with the highest precedence.
fn scope(sources: &Sources<'_>) -> Result<Option<Scope>> {
    let project = sources.either(&fields::PROJECT_ID, &fields::PROJECT_NAME)?;
    let domain = sources.either(&fields::DOMAIN_ID, &fields::DOMAIN_NAME)?;
    let system = sources.get(&fields::SYSTEM_SCOPE)?;
    let trust = sources.get(&fields::TRUST_ID)?;
    let ranks = [
        project.as_ref().map(|(_, given)| given.rank),
        trust.as_ref().map(|given| given.rank),
        system.as_ref().map(|given| given.rank),
        domain.as_ref().map(|(_, given)| given.rank),
    ];
    let Some(best) = ranks.into_iter().flatten().min() else {
        return Ok(None);
    };
    let [is_project, is_trust, is_system, mut is_domain] = ranks.map(|rank| rank == Some(best));
    // A domain next to a project is the domain of the project and the user.
    is_domain &= !is_project;
    let several = [is_project, is_trust, is_system, is_domain];
    if several.into_iter().filter(|is_meant| *is_meant).count() > 1 {
        return Err(Error::failed(
            "Authentication cannot be scoped to multiple targets. Pick one of: project, domain, trust or system",
        )
        .hint("Unset those of OS_PROJECT_*, OS_DOMAIN_*, OS_TRUST_ID and OS_SYSTEM_SCOPE that are not needed."));
    }
    if is_trust {
        return Ok(trust.map(|given| Scope::Trust(given.value)));
    }
    if is_project {
        let project = named(
            sources,
            (&fields::PROJECT_ID, &fields::PROJECT_NAME),
            (&fields::PROJECT_DOMAIN_ID, &fields::PROJECT_DOMAIN_NAME),
            true,
        )?;
        return Ok(project.map(Scope::Project));
    }
    if is_domain {
        let domain = reference(sources, &fields::DOMAIN_ID, &fields::DOMAIN_NAME)?;
        return Ok(domain.map(|(domain, _)| Scope::Domain(domain)));
    }
    match system {
        Some(given) if given.value != "all" => Err(Error::failed(format!(
            "{} of {} is not a system scope: expected all",
            quoted(&given.value),
            given.from
        ))),
        _ => Ok(Some(Scope::System)),
    }
}

/// Returns the ID or the name, whichever has the higher precedence.
fn reference(sources: &Sources<'_>, id: &Field, name: &Field) -> Result<Option<(Reference, Rank)>> {
    let given = sources.either(id, name)?;
    Ok(given.map(|(is_id, given)| {
        let kind = if is_id {
            Reference::Id
        } else {
            Reference::Name
        };
        (kind(given.value), given.rank)
    }))
}

/// Returns a user or project with its domain. Without an explicit domain it is the domain next to a
/// project, or the default domain.
fn named(
    sources: &Sources<'_>,
    (id, name): (&Field, &Field),
    (domain_id, domain_name): (&Field, &Field),
    beside_project: bool,
) -> Result<Option<Named>> {
    let Some((reference, _)) = self::reference(sources, id, name)? else {
        return Ok(None);
    };
    if matches!(reference, Reference::Id(_)) {
        let domain = None;
        return Ok(Some(Named { reference, domain }));
    }
    let mut domain = self::reference(sources, domain_id, domain_name)?;
    if domain.is_none() && beside_project {
        domain = self::reference(sources, &fields::DOMAIN_ID, &fields::DOMAIN_NAME)?;
    }
    if domain.is_none() {
        let (id, name) = (&fields::DEFAULT_DOMAIN_ID, &fields::DEFAULT_DOMAIN_NAME);
        domain = self::reference(sources, id, name)?;
    }
    let domain = domain.map(|(domain, _)| domain);
    let domain = domain.unwrap_or_else(|| Reference::Id(DEFAULT_DOMAIN.to_string()));
    let domain = Some(domain);
    Ok(Some(Named { reference, domain }))
}
