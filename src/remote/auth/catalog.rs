//! The address of the image service in the catalogue of a token.
//!
//! *Source:* keystoneauth1, `access/service_catalog.py`.

use openstack_sdk_auth_core::{CatalogEndpoint, ServiceEndpoints};
use url::Url;

use crate::config::{Cloud, root_of};
use crate::keystone::{find_endpoint, interface_of};
use crate::{Error, Parameter, Result};

/// Returns the root of the service that the cloud's options select.
///
/// # Errors
/// `Failed` if the catalogue has no service of that type, in that region, or for that interface; with its
/// content.
pub fn endpoint(catalog: &[ServiceEndpoints], cloud: &Cloud) -> Result<Url> {
    let wanted = cloud.service_type.as_str();
    let services = || {
        catalog
            .iter()
            .filter(|service| service.service_type == wanted)
    };
    if catalog.is_empty() {
        return Err(Error::failed("The service catalog is empty."));
    }
    if services().next().is_none() {
        let types = catalog.iter().map(|service| service.service_type.as_str());
        return Err(Error::failed(format!(
            "there is no service of type {wanted} in the catalogue"
        ))
        .hint(format!("It has: {}.", list(types))));
    }
    let all = || services().flat_map(|service| &service.endpoints);
    let in_region = |endpoint: &&CatalogEndpoint| {
        let region = cloud.region.as_deref();
        region.is_none() || endpoint.region.as_deref() == region
    };
    let region = cloud.region.as_deref();
    if let Some(found) = find_endpoint(catalog, wanted, region, &cloud.interfaces) {
        return parse(&found.url, wanted);
    }
    let names: Vec<&str> = cloud
        .interfaces
        .iter()
        .map(|interface| interface.name())
        .collect();
    let names = names.join(" or ");
    let place = cloud
        .region
        .as_ref()
        .map(|region| format!(" in {region} region"));
    let place = place.unwrap_or_default();
    let error = Error::failed(format!(
        "{names} endpoint for {wanted} service{place} not found"
    ));
    Err(if all().any(|endpoint| in_region(&endpoint)) {
        let interfaces = all().filter(in_region).map(interface_of);
        error
            .hint(format!("Interfaces it has there: {}.", list(interfaces)))
            .hint(Parameter::Interface)
    } else {
        let regions = all().filter_map(|endpoint| endpoint.region.as_deref());
        error
            .hint(format!("Regions it is in: {}.", list(regions)))
            .hint(Parameter::Region)
    })
}

fn parse(text: &str, service: &str) -> Result<Url> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| {
        Error::failed(format!(
            "the address of the {service} service in the catalogue is invalid: '{}'",
            text.escape_debug()
        ))
        .hint(Parameter::ImageServiceAddress)
    })?;
    Ok(root_of(url))
}

/// Formats names in order, each once; `none` if there are none.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "none".to_string();
    }
    names.join(", ")
}
