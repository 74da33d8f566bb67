//! The second grammar: the commands of python-openstackclient for images, and for the catalogue of services.

mod attributes;
mod cache;
mod changes;
mod data;
mod failures;
mod identity;
mod images;
mod imports;
mod lists;
mod members;
mod metadefs;
mod stores;
mod tasks;
mod views;

use super::command::registry::Group;
use super::run::session::Session;

/// All commands.
pub const GROUPS: &[Group<Session>] = &[
    Group {
        title: "Images",
        tables: &[images::ROWS, lists::ROWS, changes::ROWS, data::ROWS],
    },
    Group {
        title: "Sharing",
        tables: &[members::ROWS],
    },
    Group {
        title: "Imports and tasks",
        tables: &[imports::ROWS, tasks::ROWS],
    },
    Group {
        title: "Stores",
        tables: &[stores::ROWS],
    },
    Group {
        title: "Cache",
        tables: &[cache::ROWS],
    },
    Group {
        title: "Metadata definitions",
        tables: &[
            metadefs::namespaces::ROWS,
            metadefs::objects::ROWS,
            metadefs::properties::ROWS,
            metadefs::resource_types::ROWS,
        ],
    },
    Group {
        title: "Service catalogue",
        tables: &[identity::services::ROWS, identity::endpoints::ROWS],
    },
];
