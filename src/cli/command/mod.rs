//! Commands and command lines.

pub mod argparse;
pub mod builtins;
pub mod examples;
pub mod formatters;
pub mod globals;
pub mod grammar;
pub mod help;
pub mod parser;
pub mod registry;
pub mod suggest;
pub mod topics;
pub mod values;
pub mod version;
