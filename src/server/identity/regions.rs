//! The image services of other regions, for a caller: with the token of its request, and with the catalogue that belongs to
//! it. The login of the service is never used for them.
//!
//! *Source:* `get_glance_endpoint` in `glance/async_/utils.py` of the reference implementation, which takes the catalogue
//! of the validation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openstack_sdk_auth_core::{CatalogEndpoint, ServiceEndpoints};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::keystone::KeystoneService;
use crate::config::{Cloud, Interface, Secret, Tls};
use crate::http::Observer;
use crate::keystone::{find_endpoint, secret_value};
use crate::remote::Remote;
use crate::service::{ImageService, Regions};
use crate::{Error, ErrorKind, Result};

/// The service type of image services in the catalogue.
const IMAGE: &str = "image";

/// The time limit for the catalogue.
const DEADLINE: Duration = Duration::from_mins(1);

/// The source of the catalogue of a token.
pub enum Catalogue {
    /// Keystone, which is asked when a region is opened.
    Keystone(Arc<KeystoneService>),
    /// The header of a trusted proxy, as it was received.
    Header(String),
}

/// The regions that a caller may use.
pub struct CallersRegions {
    /// The source of the catalogue.
    pub catalogue: Catalogue,
    /// The token of the request.
    pub token: Secret,
    /// The TLS configuration of connections to image services.
    pub tls: Tls,
}

#[async_trait]
impl Regions for CallersRegions {
    async fn open(&self, region: &str, interface: Option<&str>) -> Result<Box<dyn ImageService>> {
        let services = self.services().await?;
        let name = interface.unwrap_or(Interface::Public.name());
        let missing = || {
            let message = format!("no {name} endpoint of an image service in region {region}");
            Error::not_found(message)
        };
        let interface = Interface::parse(name).ok_or_else(missing)?;
        let found = find(&services, region, interface).ok_or_else(missing)?;
        let url = Url::parse(&found.url).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| {
            Error::failed(format!(
                "the catalogue has an invalid address for the image service of region {region}"
            ))
        })?;
        let cloud = Cloud::with_token(url, self.token.clone(), self.tls.clone());
        let remote = Remote::open_silently(cloud, Observer::default())?;
        let remote = remote.ok_or_else(|| Error::internal("a token needs no login"))?;
        Ok(Box::new(remote))
    }
}

impl CallersRegions {
    async fn services(&self) -> Result<Vec<ServiceEndpoints>> {
        match &self.catalogue {
            Catalogue::Header(text) => read_header(text),
            Catalogue::Keystone(keystone) => {
                let token = secret_value(self.token.reveal());
                let token = token.ok_or_else(|| Error::internal("the token cannot be sent"))?;
                let services = tokio::time::timeout(DEADLINE, keystone.services_of(token)).await;
                services.unwrap_or_else(|_| {
                    let seconds = DEADLINE.as_secs();
                    let message = format!("Keystone sent no catalogue within {seconds} s");
                    Err(Error::new(ErrorKind::Unreachable, message))
                })
            }
        }
    }
}

/// Returns the endpoint of the image service in a region, whose name may differ in case.
fn find<'s>(
    services: &'s [ServiceEndpoints],
    region: &str,
    interface: Interface,
) -> Option<&'s CatalogEndpoint> {
    let of_images = services.iter().filter(|one| one.service_type == IMAGE);
    let mut names = of_images
        .flat_map(|service| &service.endpoints)
        .filter_map(|endpoint| endpoint.region.as_deref());
    let name = names.find(|name| name.eq_ignore_ascii_case(region))?;
    find_endpoint(services, IMAGE, Some(name), &[interface])
}

/// A service in the header, whose endpoints have an address for each interface, as in version 2 of Keystone's API.
#[derive(Deserialize)]
struct OldService {
    #[serde(rename = "type")]
    service_type: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    endpoints: Vec<Map<String, Value>>,
}

/// Reads the value of `X-Service-Catalog`.
///
/// # Errors
/// `Failed` if it is not a catalogue.
///
/// *Source:* `_normalize_catalog` in `keystonemiddleware/auth_token/_user_plugin.py`.
fn read_header(text: &str) -> Result<Vec<ServiceEndpoints>> {
    let services: Vec<OldService> = serde_json::from_str(text).map_err(|error| {
        Error::failed("the header X-Service-Catalog is not a catalogue").because(error)
    })?;
    let endpoints = |endpoint: &Map<String, Value>| -> Vec<CatalogEndpoint> {
        let text = |name: &str| endpoint.get(name).and_then(Value::as_str);
        let region = text("region").map(str::to_string);
        let interfaces = ["publicURL", "internalURL", "adminURL"].into_iter();
        let known = interfaces.filter_map(|interface| Some((interface, text(interface)?)));
        known
            .map(|(interface, url)| CatalogEndpoint {
                id: String::new(),
                interface: interface.to_string(),
                region: region.clone(),
                url: url.to_string(),
            })
            .collect()
    };
    let services = services.into_iter().map(|service| ServiceEndpoints {
        endpoints: service.endpoints.iter().flat_map(endpoints).collect(),
        name: service.name,
        service_type: service.service_type,
    });
    Ok(services.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_region_is_found_in_any_case_and_at_the_interface() {
        let catalogue = json!([
            {"type": "compute", "name": "nova", "endpoints": [{"region": "Two", "publicURL": "http://nova"}]},
            {"type": "image", "name": "glance", "endpoints": [
                {"region": "One", "publicURL": "http://one", "internalURL": "http://one-inside"},
                {"region": "Two", "publicURL": "http://two", "adminURL": null},
            ]},
        ]);
        let services = read_header(&catalogue.to_string()).unwrap();
        let url = |region: &str, interface| {
            find(&services, region, interface).map(|endpoint| endpoint.url.as_str())
        };
        assert_eq!(url("one", Interface::Public), Some("http://one"));
        assert_eq!(url("ONE", Interface::Internal), Some("http://one-inside"));
        assert_eq!(url("Two", Interface::Public), Some("http://two"));
        assert_eq!(url("Two", Interface::Admin), None);
        assert_eq!(url("Three", Interface::Public), None);
        assert!(read_header("no").is_err() && read_header("{}").is_err());
    }
}
