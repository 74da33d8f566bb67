//! Every integration test, in one binary.

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

mod auth;
mod cache;
mod cli;
mod concurrency;
mod conformance;
mod contract;
mod contrib;
mod crash;
mod deployments;
mod documents;
mod dropped;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod faults;
mod foreign_options;
mod full_disk;
mod generated;
mod grammar;
mod hostile;
mod hostile_server;
mod imports;
mod interop;
mod layers;
mod limits;
mod lines;
mod locations;
mod manage;
mod mariadb;
mod metadefs;
mod observation;
mod one_file;
mod operators;
mod plans;
mod prose;
mod quota;
mod realcloud;
mod recovery;
mod requests;
mod saving;
mod scrub;
mod server;
mod shell_output;
mod signals;
mod support;
mod tls;
mod trickle;
mod untold;
mod web;
