//! The first grammar: python-glanceclient's commands.

mod cache;
mod images;
mod imports;
mod locations;
mod members;
mod metadefs;
mod stores;
mod tasks;

use super::registry::Row;

/// Every command, a group a resource.
pub const GROUPS: &[&[Row]] = &[
    images::ROWS,
    members::ROWS,
    locations::ROWS,
    imports::ROWS,
    tasks::ROWS,
    stores::ROWS,
    metadefs::ROWS,
    cache::ROWS,
];
