//! The endpoints in the catalogue of a token.
//!
//! *Source:* keystoneauth1, `access/service_catalog.py`.

use openstack_sdk_auth_core::{CatalogEndpoint, ServiceEndpoints};

use crate::config::Interface;

/// Returns the first endpoint of the services of a type, in the region if one is given, and for the first of the
/// interfaces that there is.
pub fn find_endpoint<'c>(
    catalog: &'c [ServiceEndpoints],
    service_type: &str,
    region: Option<&str>,
    interfaces: &[Interface],
) -> Option<&'c CatalogEndpoint> {
    let all = || {
        let services = catalog.iter();
        services
            .filter(|service| service.service_type == service_type)
            .flat_map(|service| &service.endpoints)
            .filter(|endpoint| region.is_none() || endpoint.region.as_deref() == region)
    };
    interfaces
        .iter()
        .find_map(|interface| all().find(|endpoint| interface_of(endpoint) == interface.name()))
}

/// Returns the interface of an endpoint, without the old suffix `URL`.
pub fn interface_of(endpoint: &CatalogEndpoint) -> &str {
    endpoint
        .interface
        .strip_suffix("URL")
        .unwrap_or(&endpoint.interface)
}
