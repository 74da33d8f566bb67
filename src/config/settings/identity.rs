//! The settings that identify the callers of the image service.
//!
//! *Source:* `keystonemiddleware/auth_token/{__init__,_opts}.py`; keystoneauth1, `loading/_plugins/identity/`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::saturate;
use crate::config::cloud::{
    Address, Interface, Keystone, Method, Named, Reference, Scope, Tls, Trust,
};
use crate::config::oslo::options::{
    AUTH_CAFILE, AUTH_CERTFILE, AUTH_CONNECT_TIMEOUT, AUTH_CREDENTIAL_ID, AUTH_CREDENTIAL_NAME,
    AUTH_CREDENTIAL_SECRET, AUTH_DEFAULT_DOMAIN_ID, AUTH_DEFAULT_DOMAIN_NAME, AUTH_DOMAIN_ID,
    AUTH_DOMAIN_NAME, AUTH_INSECURE, AUTH_INTERFACE, AUTH_KEYFILE, AUTH_MAX_RETRIES, AUTH_PASSWORD,
    AUTH_PROJECT_DOMAIN_ID, AUTH_PROJECT_DOMAIN_NAME, AUTH_PROJECT_ID, AUTH_PROJECT_NAME,
    AUTH_REGION, AUTH_SECTION, AUTH_SERVICE_TYPE, AUTH_SYSTEM_SCOPE, AUTH_TYPE, AUTH_URL,
    AUTH_USER_DOMAIN_ID, AUTH_USER_DOMAIN_NAME, AUTH_USER_ID, AUTH_USERNAME, AUTH_WWW_URI,
    OptionSpec, SERVICE_TOKEN_ROLES, SERVICE_TOKEN_ROLES_REQUIRED, TOKEN_CACHE_TIME,
    TRUSTED_PROXIES,
};
use crate::config::oslo::reader::{Located, Reader};
use crate::config::oslo::values::quoted;
use crate::config::secret::Secret;
use crate::{Error, Result};

/// The domain of users and projects if none is named.
const DEFAULT_DOMAIN: &str = "default";

/// The login of the service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeystoneLogin {
    /// A user with a password.
    Password {
        /// The user.
        user: Named,
        /// The password.
        password: Secret,
        /// The scope of its token; None: Keystone's default for the user.
        scope: Option<Scope>,
    },
    /// An application credential.
    Credential {
        /// The ID or the name.
        credential: Reference,
        /// The secret.
        secret: Secret,
        /// The user, for a credential by its name.
        user: Option<Named>,
    },
}

/// The settings of the validation of tokens, `[keystone_authtoken]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoneSettings {
    /// The address of the service's login.
    pub auth_url: Address,
    /// The login of the service.
    pub login: KeystoneLogin,
    /// The address at which clients log in, for responses that ask for a token.
    pub public_url: String,
    /// The region of Keystone in the catalogue; None: any.
    pub region: Option<String>,
    /// The interface of Keystone in the catalogue.
    pub interface: Interface,
    /// The TLS configuration of connections to Keystone.
    pub tls: Tls,
    /// The time limit of a request to Keystone.
    pub timeout: Duration,
    /// The maximum number of retries of a request to Keystone.
    pub retries: usize,
    /// The time for which a valid token is not validated again; zero: no time.
    pub cache_time: Duration,
    /// The roles of which a service has one.
    pub service_roles: Vec<String>,
    /// Whether the token of a service without such a role counts as none.
    pub service_roles_required: bool,
    /// The type of the image service in the access rules of application credentials.
    pub service_type: String,
}

impl KeystoneSettings {
    /// Returns the login of the service.
    pub fn login(&self) -> Keystone {
        self.login.at(&self.auth_url)
    }
}

impl KeystoneLogin {
    /// Returns the login to a Keystone.
    pub(super) fn at(&self, auth_url: &Address) -> Keystone {
        let mut keystone = Keystone::at(auth_url.0.clone());
        match self.clone() {
            Self::Password {
                user,
                password,
                scope,
            } => {
                keystone.methods = vec![Method::Password];
                keystone.user = Some(user);
                keystone.password = Some(password);
                keystone.scope = scope;
            }
            // It has its own scope, and Keystone refuses another one.
            Self::Credential {
                credential,
                secret,
                user,
            } => {
                keystone.methods = vec![Method::ApplicationCredential];
                keystone.user = user;
                keystone.credential = Some(credential);
                keystone.credential_secret = Some(secret);
            }
        }
        keystone
    }
}

/// The options of a login, in the section that has them.
pub(super) struct LoginOptions<'r> {
    /// The files.
    pub(super) reader: &'r Reader<'r>,
    /// The section.
    pub(super) section: String,
    /// The setting that needs the login, for messages.
    pub(super) reason: &'static str,
}

impl LoginOptions<'_> {
    /// Returns the value of an option, if it is set.
    pub(super) fn text(&self, option: &'static OptionSpec) -> Result<Option<String>> {
        let found = self.reader.text_if_any(option.of(&self.section))?;
        Ok(found.map(|text| text.value))
    }

    /// Returns the value of a required option.
    fn required(&self, option: &'static OptionSpec) -> Result<String> {
        self.text(option)?.ok_or_else(|| self.missing(option))
    }

    /// Returns the error for a required option that is not set.
    pub(super) fn missing(&self, option: &'static OptionSpec) -> Error {
        Error::failed(format!(
            "[{}] {} is missing, which {} needs",
            self.section, option.name, self.reason
        ))
    }

    /// Returns an ID or a name.
    fn reference(
        &self,
        id: &'static OptionSpec,
        name: &'static OptionSpec,
    ) -> Result<Option<Reference>> {
        let (id, name) = (self.text(id)?, self.text(name)?);
        Ok(id.map(Reference::Id).or(name.map(Reference::Name)))
    }

    /// Returns a user or a project with its domain.
    fn named(
        &self,
        (id, name): (&'static OptionSpec, &'static OptionSpec),
        (domain_id, domain_name): (&'static OptionSpec, &'static OptionSpec),
    ) -> Result<Option<Named>> {
        let domain = self.reference(domain_id, domain_name)?;
        let default = self.reference(&AUTH_DEFAULT_DOMAIN_ID, &AUTH_DEFAULT_DOMAIN_NAME)?;
        let reference = self.reference(id, name)?;
        Ok(reference.map(|reference| Named {
            domain: matches!(reference, Reference::Name(_)).then(|| {
                let domain = domain.or(default);
                domain.unwrap_or_else(|| Reference::Id(DEFAULT_DOMAIN.to_string()))
            }),
            reference,
        }))
    }

    /// Reads the login.
    pub(super) fn login(&self) -> Result<KeystoneLogin> {
        let kind = self.reader.text_or_default(AUTH_TYPE.of(&self.section))?;
        let user = self.named(
            (&AUTH_USER_ID, &AUTH_USERNAME),
            (&AUTH_USER_DOMAIN_ID, &AUTH_USER_DOMAIN_NAME),
        )?;
        if kind.value == "v3applicationcredential" {
            let credential = self.reference(&AUTH_CREDENTIAL_ID, &AUTH_CREDENTIAL_NAME)?;
            return Ok(KeystoneLogin::Credential {
                credential: credential.ok_or_else(|| self.missing(&AUTH_CREDENTIAL_ID))?,
                secret: Secret::new(self.required(&AUTH_CREDENTIAL_SECRET)?),
                user,
            });
        }
        let project = self.named(
            (&AUTH_PROJECT_ID, &AUTH_PROJECT_NAME),
            (&AUTH_PROJECT_DOMAIN_ID, &AUTH_PROJECT_DOMAIN_NAME),
        )?;
        let domain = self.reference(&AUTH_DOMAIN_ID, &AUTH_DOMAIN_NAME)?;
        let system = self.text(&AUTH_SYSTEM_SCOPE)?;
        Ok(KeystoneLogin::Password {
            user: user.ok_or_else(|| self.missing(&AUTH_USERNAME))?,
            password: Secret::new(self.required(&AUTH_PASSWORD)?),
            scope: match (system, project, domain) {
                (Some(_), _, _) => Some(Scope::System),
                (None, Some(project), _) => Some(Scope::Project(project)),
                (None, None, domain) => domain.map(Scope::Domain),
            },
        })
    }
}

/// Reads how tokens are validated.
///
/// # Errors
/// `Failed` for an invalid value, or one that is missing.
pub(super) fn read_keystone(reader: &Reader<'_>) -> Result<KeystoneSettings> {
    let text = |option: &'static OptionSpec| {
        let found = reader.text_if_any(option)?;
        Ok::<_, Error>(found.map(|text| text.value))
    };
    let number = |option: &'static OptionSpec| {
        let number = reader.integer(option)?;
        Ok::<_, Error>(saturate(number.value))
    };
    let options = LoginOptions {
        reader,
        section: text(&AUTH_SECTION)?.unwrap_or_else(|| AUTH_URL.section.to_string()),
        reason: "flavor = keystone",
    };
    let auth_url = reader.text_if_any(AUTH_URL.of(&options.section))?;
    let auth_url = auth_url.ok_or_else(|| options.missing(&AUTH_URL))?;
    let address = Address::parse(&auth_url.value).map_err(|why| auth_url.refuse(why))?;
    let public_url = match reader.text_if_any(&AUTH_WWW_URI)? {
        Some(url) => {
            Address::parse(&url.value).map_err(|why| url.refuse(why))?;
            url.value.trim().to_string()
        }
        None => address.to_string(),
    };
    let interface = reader.text_or_default(&AUTH_INTERFACE)?;
    Ok(KeystoneSettings {
        login: options.login()?,
        auth_url: address,
        public_url,
        region: text(&AUTH_REGION)?,
        interface: read_interface(&interface, &interface.value)?,
        tls: Tls {
            insecure: reader.boolean(&AUTH_INSECURE)?,
            trust: text(&AUTH_CAFILE)?.map_or_else(Trust::default, |file| Trust::Only(file.into())),
            certificate: text(&AUTH_CERTFILE)?.map(PathBuf::from),
            key: text(&AUTH_KEYFILE)?.map(PathBuf::from),
            ..Tls::default()
        },
        timeout: Duration::from_secs(number(&AUTH_CONNECT_TIMEOUT)?),
        retries: usize::try_from(number(&AUTH_MAX_RETRIES)?).unwrap_or(usize::MAX),
        cache_time: Duration::from_secs(number(&TOKEN_CACHE_TIME)?),
        service_roles: reader.list(&SERVICE_TOKEN_ROLES)?.value,
        service_roles_required: reader.boolean(&SERVICE_TOKEN_ROLES_REQUIRED)?,
        service_type: reader.text_or_default(&AUTH_SERVICE_TYPE)?.value,
    })
}

/// Reads the name of an interface in an option.
pub(super) fn read_interface<T>(option: &Located<'_, T>, name: &str) -> Result<Interface> {
    Interface::parse(name).ok_or_else(|| {
        option.refuse(format_args!(
            "{} is not one of internal, public, admin",
            quoted(name)
        ))
    })
}

/// Reads the networks of the proxies that identify callers.
///
/// # Errors
/// `Failed` for something else than an address or a network.
pub(super) fn read_proxies(reader: &Reader<'_>) -> Result<Vec<IpNet>> {
    let list = reader.list(&TRUSTED_PROXIES)?;
    let networks = list.value.iter().map(|text| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse()).map_err(|_| {
            list.refuse(format_args!(
                "{} is neither an address nor a network such as 192.0.2.0/24",
                quoted(text)
            ))
        })
    });
    networks.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::oslo::ini::Ini;

    fn with<T>(text: &str, read: impl Fn(&Reader<'_>) -> T) -> T {
        let files = [Ini::parse(Path::new("x.conf"), text).unwrap()];
        read(&Reader {
            files: &files,
            environment: None,
            defaults: Vec::new(),
        })
    }

    fn keystone(text: &str) -> Result<KeystoneSettings> {
        with(&format!("[keystone_authtoken]\n{text}"), read_keystone)
    }

    #[test]
    fn the_usual_section_is_read() {
        let read = keystone(
            "www_authenticate_uri = http://public:5000\nauth_url = http://k:5000\nauth_type = password\n\
             project_domain_name = Default\nuser_domain_name = Default\nproject_name = service\n\
             username = glance\npassword = sesame\nservice_token_roles = service, nova\ncafile = /ca\n",
        )
        .unwrap();
        assert!(!format!("{read:?}").contains("sesame"));
        assert_eq!(read.public_url, "http://public:5000");
        assert_eq!(read.service_roles, ["service", "nova"]);
        assert_eq!(read.tls.trust, Trust::Only("/ca".into()));
        assert_eq!(read.cache_time, Duration::from_mins(5));
        let login = read.login();
        assert_eq!(login.auth_url.as_str(), "http://k:5000/v3/");
        assert_eq!(login.user.unwrap().to_string(), "glance of domain Default");
        let scope = login.scope.unwrap().to_string();
        assert_eq!(scope, "project service of domain Default");
    }

    #[test]
    fn a_login_may_be_a_credential_have_another_scope_or_another_section() {
        let credential = "auth_url = http://k\nauth_type = v3applicationcredential\n\
                          application_credential_id = c\napplication_credential_secret = s\n";
        let login = keystone(credential).unwrap().login();
        assert_eq!(login.methods, [Method::ApplicationCredential]);
        assert!(login.scope.is_none() && login.user.is_none());

        let user = "auth_url = http://k\nusername = g\npassword = p\n";
        let system = keystone(&format!("{user}system_scope = all\n")).unwrap();
        assert_eq!(system.login().scope, Some(Scope::System));
        let domain = keystone(&format!("{user}domain_id = d\n")).unwrap();
        let by_id = Scope::Domain(Reference::Id("d".to_string()));
        assert_eq!(domain.login().scope, Some(by_id));

        let other = keystone(&format!("auth_section = own\n[own]\n{user}")).unwrap();
        assert_eq!(other.auth_url.as_str(), "http://k/");
    }

    #[test]
    fn what_is_missing_or_invalid_is_named() {
        for (text, message) in [
            ("", "[keystone_authtoken] auth_url is missing"),
            (
                "auth_url = k:5000\n",
                "x.conf:2: [keystone_authtoken] auth_url: it is not the address",
            ),
            (
                "auth_url = http://k\n",
                "[keystone_authtoken] username is missing",
            ),
            (
                "auth_url = http://k\nusername = g\n",
                "[keystone_authtoken] password is missing",
            ),
            (
                "auth_url = http://k\nauth_type = v3kerberos\n",
                "'v3kerberos' is not one of password",
            ),
            (
                "auth_url = http://k\nusername = g\npassword = p\ninterface = none\n",
                "'none' is not one of internal",
            ),
        ] {
            let error = keystone(text).unwrap_err();
            assert!(error.message().contains(message), "{error}");
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let read = |list: &str| with(&format!("[trusted_auth]\nproxies = {list}\n"), read_proxies);
        let networks = read("192.0.2.7, 10.0.0.0/8, ::1").unwrap();
        let shown: Vec<String> = networks.iter().map(IpNet::to_string).collect();
        assert_eq!(shown, ["192.0.2.7/32", "10.0.0.0/8", "::1/128"]);
        assert!(read("proxy.example").is_err());
    }
}
