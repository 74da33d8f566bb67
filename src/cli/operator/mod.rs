//! The common parts of the operators' programs: options of oslo.config, settings, log, metrics.

pub mod command_line;
pub mod log;
pub mod metrics;
pub mod options;
pub mod perform;
pub mod session;
pub mod settings;
