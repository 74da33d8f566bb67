//! The schema of the database: its creation and its upgrades.

pub(in crate::local::catalog) mod file;
pub(in crate::local::catalog) mod migration;
pub(in crate::local::catalog) mod revision;
