//! The second grammar: the image commands of python-openstackclient.

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

/// All commands, one group per resource.
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
