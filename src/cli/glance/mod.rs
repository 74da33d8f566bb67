//! The first grammar: python-glanceclient's commands.

mod cache;
mod data;
mod images;
mod imports;
mod lists;
mod locations;
mod members;
mod metadefs;
mod scrub;
mod stores;
mod tags;
mod tasks;

use super::registry::Row;

/// Every command, a group a resource.
pub const GROUPS: &[&[Row]] = &[
    images::ROWS,
    lists::ROWS,
    data::ROWS,
    tags::ROWS,
    members::ROWS,
    locations::ROWS,
    imports::ROWS,
    tasks::ROWS,
    stores::ROWS,
    metadefs::namespaces::ROWS,
    metadefs::objects::ROWS,
    metadefs::properties::ROWS,
    metadefs::tags::ROWS,
    metadefs::resource_types::ROWS,
    cache::ROWS,
    scrub::ROWS,
];
