//! Configuration files as oslo.config reads them: the ini dialect, the table of options and their lookup.

pub mod ini;
pub mod options;
pub(in crate::config) mod reader;
pub(in crate::config) mod search;
pub(in crate::config) mod values;
