//! The context of a command that works on the deployment of a host.

use crate::cli::operator::log::Log;
use crate::config::Settings;
use crate::data::Watch;
use crate::output::Format;

/// A run of an operator's program.
pub struct Session {
    /// The settings of the deployment.
    pub settings: Settings,
    /// The log.
    pub log: Log,
    /// The watch that stops long operations.
    pub watch: Watch,
    /// The output format for programs, if one was given.
    pub format: Option<Format>,
}
