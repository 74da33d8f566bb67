//! The catalogue: the engine's records in an SQL database.
//!
//! SQLite is used through rusqlite (`db::sqlite`), MySQL through sqlx (`db::mysql`). Statements are written by hand, since
//! their placeholders and syntax are the same on every database that Glance supports. The differences (schema, text and
//! native timestamps) are each handled in one place. Rows of both drivers implement `db::columns::Columns`.

mod db;
mod schema;
mod tables;
mod upkeep;

pub use db::connection::Catalog;
pub use db::dialect::Dialect;
pub use db::exclusive::{Held, Lease, in_use};
pub(in crate::local) use db::failure::failed as database_error;
pub use db::failure::is_in_doubt;
#[cfg(debug_assertions)]
pub use db::plans::{unselective_steps, watch as watch_plans};
pub use db::sql::{Sql, Value};
pub use db::transaction::Transaction;
pub use schema::migration::{Due, EXPANDED, HEAD, check_revisions, superseded};
pub use schema::revision::{SchemaLock, State};
pub use tables::holders::{Holders, IrregularLocations};
pub use tables::images::StoredImage;
pub use tables::locations::NewLocation;
pub use tables::metadefs::Merge;
pub(in crate::local) use tables::metadefs::{Content, StoredNamespace};
pub use tables::names::read_names;
pub use tables::query::{UsageCounts, is_property};
pub use upkeep::purge::{Purged, Scope};
pub(in crate::local) use upkeep::scrub::{PendingLocation, Place, RemovedLocation, Restorable};

use db::failure::failed;
