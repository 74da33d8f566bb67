//! The rows of each table, and queries on them.

pub(in crate::local::catalog) mod cache;
pub(in crate::local::catalog) mod holders;
pub(in crate::local::catalog) mod images;
pub(in crate::local::catalog) mod locations;
pub(in crate::local::catalog) mod members;
pub(in crate::local::catalog) mod metadefs;
pub(in crate::local::catalog) mod names;
pub(in crate::local::catalog) mod query;
pub(in crate::local::catalog) mod reader;
pub(in crate::local::catalog) mod rows;
pub(in crate::local::catalog) mod tasks;
