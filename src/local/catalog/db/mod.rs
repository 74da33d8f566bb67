//! The database: its connections, transactions and values, and what its errors mean.

pub(in crate::local::catalog) mod addresses;
pub(in crate::local::catalog) mod columns;
pub(in crate::local::catalog) mod connection;
pub(in crate::local::catalog) mod dialect;
pub(in crate::local::catalog) mod exclusive;
pub(in crate::local::catalog) mod failure;
pub(in crate::local::catalog) mod mysql;
pub(in crate::local::catalog) mod plans;
pub(in crate::local::catalog) mod sql;
pub(in crate::local::catalog) mod sqlite;
pub(in crate::local::catalog) mod transaction;
