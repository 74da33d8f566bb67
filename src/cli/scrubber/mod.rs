//! `glance-scrubber`.
//!
//! Like upstream, prints nothing on standard output unless asked to, and logs what it did. At a terminal, a
//! summary is printed instead.
//!
//! *Source:* `glance/cmd/scrubber.py` of the reference implementation.

mod daemon;
mod scrub;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use self::scrub::{Scrub, Session};
use super::command::formatters;
use super::command::registry::Leaf;
use super::operator::log::Log;
use super::operator::options::{OsloOptions, program_base};
use super::operator::perform::exit_code;
use super::operator::{command_line, settings};
use super::run::outcome::{Style, finish};
use super::run::runtime::block_on;
use crate::config::{ConfigSource, Environment, Settings};
use crate::data::Watch;
use crate::output::{Dialect, Options};
use crate::{Error, Result};

/// The name of the program.
const NAME: &str = "glance-scrubber";

/// Configuration files of the upstream program.
const CONFIGURED_BY: [&str; 2] = ["glance-api", "glance-scrubber"];

/// Loads the settings of the deployment that the program works on.
///
/// # Errors
/// Errors of the configuration files.
pub fn load_settings(
    data_dir: Option<&Path>,
    config: &[ConfigSource],
    environment: &Environment,
) -> Result<Settings> {
    settings::settings(data_dir, config, &CONFIGURED_BY, environment)
}

/// Returns the whole command line.
pub fn command() -> Command {
    let command =
        program_base(NAME, "Remove the data of images pending deletion").args(OsloOptions::args());
    Scrub::augment_args(command).after_help(
        "\"--dry-run\" shows what would be removed without removing it. \"-f json\" prints a\n\
         summary for programs; a one-line summary is printed at a terminal.\n\n\
         Without a configuration file, the program works on the images of the local data\n\
         directory (\"--data-dir DIR\" or GLANCE_DATA_DIR).",
    )
}

/// Runs the program.
pub fn run(words: Vec<OsString>, environment: &Environment) -> ExitCode {
    match command_line::parse(NAME, &command(), words) {
        Ok(matches) => exit_code(scrub(&matches, environment)),
        Err(code) => code,
    }
}

/// Runs the command, once or as a daemon.
fn scrub(matches: &ArgMatches, environment: &Environment) -> Result<ExitCode> {
    let arguments =
        Scrub::from_arg_matches(matches).map_err(|error| Error::usage(error.to_string()))?;
    let oslo = OsloOptions::from_matches(matches);
    let settings = settings::settings(
        arguments.data_dir.as_deref(),
        &oslo.config,
        &CONFIGURED_BY,
        environment,
    )?;
    let log = Log::begin(NAME, "glance.scrubber", &oslo, settings.log.get()?)?;
    let daemon = match arguments.daemon() {
        Some(daemon) => daemon,
        None => settings.scrubber.get()?.daemon,
    };
    arguments.check(daemon)?;
    let is_terminal = std::io::stdout().is_terminal();
    let options = Options {
        format: arguments
            .format
            .as_deref()
            .map_or(Ok(Options::default().format), formatters::format)?,
        is_terminal,
        ..Options::default()
    };
    let session = Session {
        settings,
        log,
        watch: Watch::default(),
        is_terminal,
        is_daemon: daemon && !arguments.dry_run,
    };
    let round = async || {
        let outcome = arguments.clone().run(&session).await?;
        finish(outcome, Style::plain(Dialect::Openstack), &options).await
    };
    if session.is_daemon {
        return daemon::run(&session, round);
    }
    block_on(&session.watch, round()).map(ExitCode::from)
}
