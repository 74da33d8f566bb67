//! The second grammar: python-openstackclient's image commands.

mod cache;
mod images;
mod imports;
mod members;
mod metadefs;
mod stores;
mod tasks;

use super::registry::Row;

/// Every command, a group a resource.
pub const GROUPS: &[&[Row]] = &[
    images::ROWS,
    members::ROWS,
    imports::ROWS,
    tasks::ROWS,
    stores::ROWS,
    metadefs::ROWS,
    cache::ROWS,
];
