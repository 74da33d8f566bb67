//! The removal of rows and data that are no longer needed.

pub(in crate::local::catalog) mod purge;
pub(in crate::local::catalog) mod scrub;
