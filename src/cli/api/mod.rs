//! `glance-api`: the Images API over HTTP.

mod serve;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::operator::log::Log;
use super::operator::options::{OsloOptions, program_base};
use super::operator::perform::exit_code;
use super::operator::{command_line, settings};
use crate::config::{ConfigSource, Environment, Settings};
use crate::{Error, Result};

/// The name of the program.
pub const NAME: &str = "glance-api";

/// Configuration files of the upstream program.
const CONFIGURED_BY: [&str; 1] = [NAME];

/// The options of the program.
#[derive(Args, Clone, Debug)]
struct Arguments {
    /// Serve the images of this data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Listen on this address instead of the configured one
    #[arg(long, value_name = "ADDRESS")]
    bind_host: Option<String>,
    /// Listen on this port instead of the configured one; 0 chooses a free one
    #[arg(long, value_name = "PORT")]
    bind_port: Option<u16>,
}

/// Loads the settings of the deployment that the program serves.
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
    let command = program_base(NAME, "Serve the Images API over HTTP").args(OsloOptions::args());
    Arguments::augment_args(command).after_help(
        "Without a configuration file, the program serves the images of the local data\n\
         directory (\"--data-dir DIR\" or GLANCE_DATA_DIR) on 127.0.0.1:9292, without a login.\n\n\
         SIGTERM and SIGINT stop it: requests in progress may end within a minute, a second\n\
         signal ends them. SIGHUP makes it read its certificate again.",
    )
}

/// Runs the program.
pub fn run(words: Vec<OsString>, environment: &Environment) -> ExitCode {
    match command_line::parse(NAME, &command(), words) {
        Ok(matches) => exit_code(serve(&matches, environment)),
        Err(code) => code,
    }
}

fn serve(matches: &ArgMatches, environment: &Environment) -> Result<ExitCode> {
    let arguments =
        Arguments::from_arg_matches(matches).map_err(|error| Error::usage(error.to_string()))?;
    let oslo = OsloOptions::from_matches(matches);
    let settings = load_settings(arguments.data_dir.as_deref(), &oslo.config, environment)?;
    if let Some(remnant) = settings.registry.as_ref().filter(|of| of.is_whole) {
        return Err(remnant.error());
    }
    let mut server = settings.server.get()?.clone();
    if let Some(host) = arguments.bind_host {
        server.host = host;
    }
    if let Some(port) = arguments.bind_port {
        server.port = port;
    }
    let log = Log::begin(NAME, "glance.api", &oslo, settings.log.get()?)?;
    if let Some(remnant) = &settings.registry {
        log.warning(&remnant.error());
    }
    serve::run(settings, *server, &log)
}
