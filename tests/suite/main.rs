//! Every integration test, in one binary, by kind: CONTRIBUTING.md describes which test goes where.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::too_many_lines,
    clippy::format_push_string,
    clippy::cast_possible_truncation,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test is a list of steps on small data"
)]

mod cli;
mod contract;
mod engine;
mod hostile;
mod house;
mod real;
mod served;
mod support;
