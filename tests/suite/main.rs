//! Every integration test, in one binary.

mod cli;
mod concurrency;
mod conformance;
mod contract;
mod crash;
mod full_disk;
mod hostile;
mod layers;
mod support;
