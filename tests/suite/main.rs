//! Every integration test, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cli;
mod concurrency;
mod conformance;
mod contract;
mod crash;
mod full_disk;
mod generated;
mod grammar;
mod hostile;
mod interop;
mod layers;
mod support;
