//! The actions on a database.

use super::arguments::{Action, Export, Load, Nothing, Purge, Revision, Step, Upgrade};
use super::{change, metadefs, purge, status};
use crate::cli::command::registry::{Output, Row};
use crate::cli::operator::session::Session;

/// The actions, sorted by name.
pub const ACTIONS: &[Row<Session>] = &[
    Row::of::<Action<status::Check, Nothing>>(
        "check",
        "Report which upgrade step is due",
        Output::Plain,
    ),
    Row::of::<Action<change::Contract, Step>>(
        "contract",
        "Remove what the newest schema no longer has (step 3)",
        Output::Plain,
    ),
    Row::of::<Action<change::Expand, Step>>(
        "expand",
        "Add what is new in the newest schema (step 1)",
        Output::Plain,
    ),
    Row::of::<Action<metadefs::ExportMetadefs, Export>>(
        "export_metadefs",
        "Export metadata definitions to files",
        Output::Plain,
    ),
    Row::of::<Action<metadefs::LoadMetadefs, Load>>(
        "load_metadefs",
        "Load metadata definitions from files",
        Output::Plain,
    ),
    Row::of::<Action<change::Migrate, Step>>(
        "migrate",
        "Migrate rows to the newest schema (step 2)",
        Output::Plain,
    ),
    Row::of::<Action<purge::Details, Purge<30>>>(
        "purge",
        "Purge deleted rows from all tables except images",
        Output::Plain,
    ),
    Row::of::<Action<purge::Images, Purge<180>>>(
        "purge_images_table",
        "Purge deleted rows from the images table",
        Output::Plain,
    ),
    Row::of::<Action<change::Sync, Upgrade>>(
        "sync",
        "Create the schema, or upgrade it in one step",
        Output::Plain,
    ),
    Row::of::<Action<metadefs::UnloadMetadefs, Nothing>>(
        "unload_metadefs",
        "Remove all metadata definitions",
        Output::Plain,
    ),
    Row::of::<Action<change::UpgradeTo, Upgrade>>(
        "upgrade",
        "Upgrade the schema to a revision",
        Output::Plain,
    ),
    Row::of::<Action<status::Version, Nothing>>(
        "version",
        "Show the current schema revision",
        Output::Plain,
    ),
    Row::of::<Action<change::VersionControl, Revision>>(
        "version_control",
        "Place a database under migration control",
        Output::Plain,
    ),
];
