//! The second grammar: python-openstackclient's image commands.

mod attributes;
mod cache;
mod changes;
mod data;
mod images;
mod imports;
mod lists;
mod members;
mod metadefs;
mod stores;
mod tasks;

use super::registry::Row;

/// Every command, a group a resource.
pub const GROUPS: &[&[Row]] = &[
    images::ROWS,
    lists::ROWS,
    changes::ROWS,
    data::ROWS,
    members::ROWS,
    imports::ROWS,
    tasks::ROWS,
    stores::ROWS,
    metadefs::namespaces::ROWS,
    metadefs::objects::ROWS,
    metadefs::properties::ROWS,
    metadefs::resource_types::ROWS,
    cache::ROWS,
];
