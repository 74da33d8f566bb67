//! Services and endpoints of Keystone's catalogue.
//!
//! *Source:* Identity API reference v3, "Service catalog and endpoints".

use serde::{Deserialize, Serialize};

/// A service of the catalogue.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Service {
    /// The ID: 32 hexadecimal digits.
    pub id: String,
    /// The name, which need not be unique.
    pub name: Option<String>,
    /// The type: `image`, `identity`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the catalogue of tokens has it.
    pub enabled: bool,
    /// The description.
    pub description: Option<String>,
}

/// The attributes of a service to create or to change; None: not set, or not changed.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct ServiceFields {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the catalogue of tokens has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// An address of a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Endpoint {
    /// The ID: 32 hexadecimal digits.
    pub id: String,
    /// The interface: `public`, `internal` or `admin`.
    pub interface: String,
    /// The ID of the region, which is its name.
    pub region_id: Option<String>,
    /// The ID of the service.
    pub service_id: String,
    /// The address, which may have variables: `http://host/v1/%(project_id)s`.
    pub url: String,
    /// Whether the catalogue of tokens has it.
    pub enabled: bool,
}

/// The attributes of an endpoint to create or to change; None: not set, or not changed.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct EndpointFields {
    /// The ID of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The ID of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_id: Option<String>,
    /// Whether the catalogue of tokens has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The endpoints to list; None: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointQuery {
    /// The ID of the service.
    pub service_id: Option<String>,
    /// The interface.
    pub interface: Option<String>,
    /// The ID of the region.
    pub region_id: Option<String>,
}

impl EndpointQuery {
    /// Returns whether an endpoint is to be listed.
    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        let is = |wanted: &Option<String>, value: Option<&String>| {
            wanted.is_none() || wanted.as_ref() == value
        };
        is(&self.service_id, Some(&endpoint.service_id))
            && is(&self.interface, Some(&endpoint.interface))
            && is(&self.region_id, endpoint.region_id.as_ref())
    }
}

/// A project.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Project {
    /// The ID.
    pub id: String,
    /// The name.
    pub name: String,
}
