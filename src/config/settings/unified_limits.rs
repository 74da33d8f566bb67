//! The limits of projects that Keystone has.
//!
//! *Source:* `oslo_limit/{opts,limit}.py` (`_get_keystone_connection`, `_get_endpoint`); keystoneauth1, `loading/`.

use std::path::PathBuf;

use super::identity::{KeystoneLogin, LoginOptions, read_interface};
use crate::config::cloud::{Address, Interface, Keystone, Tls, Trust};
use crate::config::oslo::options::{
    AUTH_CAFILE, AUTH_CERTFILE, AUTH_INSECURE, AUTH_KEYFILE, AUTH_REGION, AUTH_URL,
    LIMIT_ENDPOINT_ID, LIMIT_ENDPOINT_INTERFACE, LIMIT_ENDPOINT_REGION, LIMIT_INTERFACES,
    LIMIT_SERVICE_NAME, LIMIT_SERVICE_TYPE, OptionSpec, USE_KEYSTONE_LIMITS,
};
use crate::config::oslo::reader::Reader;
use crate::{Error, Result};

/// The section.
const SECTION: &str = "oslo_limit";

/// The Keystone with the limits of projects, `[oslo_limit]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnifiedLimits {
    /// The address of the service's login.
    pub auth_url: Address,
    /// The login of the service.
    pub login: KeystoneLogin,
    /// The region of Keystone in the catalogue; None: any.
    pub region: Option<String>,
    /// The interfaces of Keystone in the catalogue, in order of preference.
    pub interfaces: Vec<Interface>,
    /// The TLS configuration of connections to Keystone.
    pub tls: Tls,
    /// The endpoint of the image service that has the limits.
    pub endpoint: LimitedEndpoint,
}

/// An endpoint in Keystone's catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitedEndpoint {
    /// By its ID.
    Id(String),
    /// The only one of a service.
    OfService {
        /// The type of the service.
        service_type: Option<String>,
        /// The name of the service; there is a type or a name.
        service_name: Option<String>,
        /// The ID of the region; None: any.
        region: Option<String>,
        /// The interface.
        interface: Interface,
    },
}

impl UnifiedLimits {
    /// Returns the login of the service.
    pub fn login(&self) -> Keystone {
        self.login.at(&self.auth_url)
    }
}

/// Reads where the limits of projects are; None if they are not in Keystone.
///
/// # Errors
/// `Failed` for an invalid value, or one that is missing.
pub(super) fn read_unified_limits(reader: &Reader<'_>) -> Result<Option<UnifiedLimits>> {
    if !reader.boolean(&USE_KEYSTONE_LIMITS)? {
        return Ok(None);
    }
    let options = LoginOptions {
        reader,
        section: SECTION.to_string(),
        reason: "use_keystone_limits",
    };
    let auth_url = reader.text_if_any(AUTH_URL.of(SECTION))?;
    let auth_url = auth_url.ok_or_else(|| options.missing(&AUTH_URL))?;
    let address = Address::parse(&auth_url.value).map_err(|why| auth_url.refuse(why))?;
    let interfaces = reader.list(&LIMIT_INTERFACES)?;
    let known = interfaces
        .value
        .iter()
        .map(|name| read_interface(&interfaces, name));
    Ok(Some(UnifiedLimits {
        login: options.login()?,
        auth_url: address,
        region: options.text(&AUTH_REGION)?,
        interfaces: known.collect::<Result<_>>()?,
        tls: Tls {
            insecure: reader.boolean(AUTH_INSECURE.of(SECTION))?,
            trust: options
                .text(&AUTH_CAFILE)?
                .map_or_else(Trust::default, |file| Trust::Only(file.into())),
            certificate: options.text(&AUTH_CERTFILE)?.map(PathBuf::from),
            key: options.text(&AUTH_KEYFILE)?.map(PathBuf::from),
            ..Tls::default()
        },
        endpoint: read_endpoint(reader)?,
    }))
}

fn read_endpoint(reader: &Reader<'_>) -> Result<LimitedEndpoint> {
    let text = |option: &'static OptionSpec| {
        let found = reader.text_if_any(option)?;
        Ok::<_, Error>(found.map(|text| text.value))
    };
    if let Some(id) = text(&LIMIT_ENDPOINT_ID)? {
        return Ok(LimitedEndpoint::Id(id));
    }
    let (service_type, service_name) = (text(&LIMIT_SERVICE_TYPE)?, text(&LIMIT_SERVICE_NAME)?);
    if service_type.is_none() && service_name.is_none() {
        return Err(Error::failed(
            "[oslo_limit] endpoint_id is missing, which use_keystone_limits needs",
        )
        .hint("Set it, or endpoint_service_type or endpoint_service_name."));
    }
    let interface = reader.text_or_default(&LIMIT_ENDPOINT_INTERFACE)?;
    Ok(LimitedEndpoint::OfService {
        service_type,
        service_name,
        region: text(&LIMIT_ENDPOINT_REGION)?,
        interface: read_interface(&interface, &interface.value)?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::oslo::ini::Ini;

    fn read(text: &str) -> Result<Option<UnifiedLimits>> {
        let files = [Ini::parse(Path::new("x.conf"), text).unwrap()];
        read_unified_limits(&Reader {
            files: &files,
            environment: None,
            defaults: Vec::new(),
        })
    }

    const LOGIN: &str = "[DEFAULT]\nuse_keystone_limits = true\n[oslo_limit]\nauth_url = http://k:5000\n\
        username = glance\npassword = sesame\nsystem_scope = all\n";

    #[test]
    fn the_section_is_read_only_if_it_is_used() {
        assert_eq!(read("[oslo_limit]\nauth_url = k\n").unwrap(), None);
        let limits = read(&format!("{LOGIN}endpoint_id = e\n")).unwrap().unwrap();
        assert_eq!(limits.endpoint, LimitedEndpoint::Id("e".to_string()));
        assert_eq!(limits.interfaces, [Interface::Public]);
        assert_eq!(limits.login().scope.unwrap().to_string(), "the system");
        assert!(!format!("{limits:?}").contains("sesame"));
        let text = format!(
            "{LOGIN}endpoint_service_type = image\nendpoint_region_name = R\nendpoint_interface = internalURL\n"
        );
        let endpoint = LimitedEndpoint::OfService {
            service_type: Some("image".to_string()),
            service_name: None,
            region: Some("R".to_string()),
            interface: Interface::Internal,
        };
        assert_eq!(read(&text).unwrap().unwrap().endpoint, endpoint);
    }

    #[test]
    fn what_is_missing_or_invalid_is_named() {
        for (text, message) in [
            (
                "[DEFAULT]\nuse_keystone_limits = true\n",
                "[oslo_limit] auth_url is missing, which use_keystone_limits needs",
            ),
            (LOGIN, "[oslo_limit] endpoint_id is missing"),
            (
                &format!("{LOGIN}endpoint_service_type = image\nendpoint_interface = own\n"),
                "'own' is not one of",
            ),
            (
                &format!("{LOGIN}endpoint_id = e\nvalid_interfaces = internal,own\n"),
                "'own' is not one of",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message().contains(message), "{error}");
        }
    }
}
