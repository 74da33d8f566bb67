//! The command line: grammar, wiring, lines, signals, logins, and what is printed where.

mod auth;
mod complete;
mod doctor;
mod downloads;
pub mod grammar;
mod identity;
mod json;
mod lines;
mod metadefs;
mod names;
mod observation;
mod operators;
mod programs;
mod requests;
mod screen;
mod shell_output;
mod shells;
mod signals;
