//! Commands and command lines.

pub mod argparse;
pub mod builtins;
pub mod formatters;
pub mod globals;
pub mod grammar;
pub mod help;
pub mod parser;
pub mod registry;
pub mod topics;
pub mod values;

/// The version of all programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
