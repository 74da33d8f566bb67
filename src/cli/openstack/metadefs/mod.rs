//! Metadata definitions: `openstack image metadef`.

pub mod namespaces;
pub mod objects;
pub mod properties;
pub mod resource_types;
mod views;
