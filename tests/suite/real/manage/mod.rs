//! `glance-manage`: the chain of revisions, and purging.

mod databases;
mod interrupted;
mod purge;
mod revisions;

/// The program.
const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
