//! The first grammar: the commands of python-glanceclient.

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

/// All commands, one group per resource.
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
