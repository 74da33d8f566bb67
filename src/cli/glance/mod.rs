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
mod views;

use super::command::registry::Group;
use super::doctor;
use super::run::session::Session;

/// All commands.
pub const GROUPS: &[Group<Session>] = &[
    Group {
        title: "Images",
        tables: &[images::ROWS, lists::ROWS, data::ROWS, tags::ROWS],
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
        title: "Locations, stores and service information",
        tables: &[locations::ROWS, stores::ROWS],
    },
    Group {
        title: "Cache and maintenance",
        tables: &[cache::ROWS, scrub::ROWS, doctor::ROWS],
    },
    Group {
        title: "Metadata definitions",
        tables: &[
            metadefs::namespaces::ROWS,
            metadefs::objects::ROWS,
            metadefs::properties::ROWS,
            metadefs::tags::ROWS,
            metadefs::resource_types::ROWS,
        ],
    },
];
