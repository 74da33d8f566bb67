//! The catalogue: what the engine knows, in SQL.
//!
//! Connections, transactions and rows are those of sqlx. Statements are written out, since their placeholders and
//! words are the same on every database that Glance runs on. What is not the same (the schema, text and native
//! timestamps) has one place here. Long lists of an SQLite database are read through rusqlite, in `reader`; rows of
//! both drivers implement `columns::Columns`.

mod cache;
mod columns;
mod connection;
mod exclusive;
mod failure;
mod holders;
mod images;
mod locations;
mod members;
mod metadefs;
mod migration;
mod mysql;
mod plans;
mod purge;
mod query;
mod reader;
mod revision;
mod rows;
mod scrub;
mod sql;
mod tasks;
mod transaction;

pub use connection::{Catalog, Dialect};
pub use exclusive::{Held, in_use};
pub(in crate::local) use failure::failed as database_error;
pub use failure::is_in_doubt;
pub use holders::Strangers;
pub use images::StoredImage;
pub use locations::NewLocation;
pub use metadefs::Merge;
pub(in crate::local) use metadefs::{Content, StoredNamespace};
pub use migration::{Due, EXPANDED, HEAD, check_revisions, superseded};
#[cfg(debug_assertions)]
pub use plans::{unselective_steps, watch as watch_plans};
pub use purge::{Purged, Scope};
pub use query::{UsageCounts, is_property};
pub use revision::{State, Turn};
pub(in crate::local) use scrub::{Place, Restorable, StrayLocation, WaitingLocation};
pub use sql::{Sql, Value};
pub use transaction::Transaction;

use failure::failed;
