//! `glance-cache-manage` and the three upstream programs that it replaces.
//!
//! *Source:* `glance/cmd/cache_manage.py`, `cache_pruner.py`, `cache_cleaner.py` and `cache_prefetcher.py` of the
//! reference implementation.

mod actions;
mod service;
mod session;
mod upkeep;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use self::service::{Service, identity_args};
use self::session::{CONFIGURED_BY, Session};
use super::command::registry::Row;
use super::command::suggest;
use super::command::values;
use super::operator::log::Log;
use super::operator::options::{
    OsloOptions, data_dir, flag, format, format_of, metrics_file, path_of, program_base, value,
};
use super::operator::perform::{exit_code, perform};
use super::operator::{command_line, settings};
use super::run::print::print;
use crate::config::{ConfigSource, Environment, Settings};
use crate::data::Watch;
use crate::{Error, Result};

pub use actions::COMMANDS;
pub use upkeep::UPKEEP;

/// The name of the program.
const NAME: &str = "glance-cache-manage";

/// The upstream programs without subcommands, each with the equivalent command.
pub const OLD_NAMES: &[(&str, &str)] = &[
    ("glance-cache-pruner", "prune"),
    ("glance-cache-cleaner", "clean"),
    ("glance-cache-prefetcher", "prefetch"),
];

/// Returns the command line of one of the [`OLD_NAMES`].
pub fn upkeep_command(name: &'static str, about: &'static str) -> Command {
    program_base(name, about)
        .args(OsloOptions::args())
        .arg(data_dir())
        .arg(dry_run())
        .arg(format())
        .arg(metrics_file())
        .after_help(
            "Without a configuration file, the program works on the cache of the local data \
             directory (\"--data-dir DIR\" or GLANCE_DATA_DIR). \"--format json\" prints data for programs.",
        )
}

/// Returns `--dry-run`, hidden like [`data_dir`].
fn dry_run() -> Arg {
    flag(
        "dry-run",
        "Show what would be removed or fetched without doing it",
    )
    .hide(true)
}

/// Returns the command line of `glance-cache-manage`.
pub fn command() -> Command {
    program_base(NAME, "Manage the image cache of a host")
        .override_usage("glance-cache-manage [OPTIONS] command [IMAGE_ID]")
        .after_help(format!(
            "Arguments:\n  command  Command, with the ID of an image if it needs one\n\n{}\n\
             Without an address or user, the program works on the cache of the local data \
             directory (\"--data-dir DIR\" or GLANCE_DATA_DIR), or of the service on this host \
             that \"--config-file PATH\" configures.\n\n\
             These commands always work on the cache directory itself. prefetch downloads from \
             the address, if one is given:\n\n{}\n\
             \"--dry-run\" shows what would be done without doing it. \"--format json\" prints data for programs.",
            command_list(),
            UPKEEP.iter().fold(String::new(), |text, row| {
                text + &format!("      {:<22}{}\n", row.name, row.about)
            })
        ))
        .arg(
            Arg::new("command")
                .value_name("command")
                .required(true)
                .num_args(1..)
                .hide(true),
        )
        .args([
            flag("verbose", "Enable verbose output").short('v'),
            flag("debug", "Enable debug output").short('d'),
            value(
                "host",
                "ADDRESS",
                "Address of the image service; default: 0.0.0.0",
            )
            .short('H'),
            value("port", "PORT", "Port of the image service; default: 9292")
                .short('p')
                .value_parser(values::int)
                .allow_negative_numbers(true),
            flag("insecure", "Do not verify the certificate of the service").short('k'),
            // Its abbreviations are those of upstream, which has no --format.
            flag("force", "Do not ask for confirmation")
                .short('f')
                .aliases(["f", "fo", "for"]),
        ])
        .args(identity_args())
        .arg(data_dir())
        .arg(dry_run())
        .arg(format())
        .arg(metrics_file())
        .arg(
            Arg::new("config_file")
                .long("config-file")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append)
                .hide(true)
                .help("Configuration file of the service whose cache to manage"),
        )
}

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

/// Returns the command line with the commands as subcommands, as completion reads it: options may stand anywhere.
pub fn completed_command() -> Command {
    let command = command();
    let options: Vec<Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !matches!(arg.get_action(), ArgAction::Version))
        .cloned()
        .collect();
    let rows = COMMANDS.iter().chain(UPKEEP);
    let commands = rows.map(|row| {
        let inner = Command::new(row.name).about(row.about);
        (row.args)(inner).args(options.clone())
    });
    let commands: Vec<Command> = commands.collect();
    command.subcommands(commands)
}

/// Returns the list of commands, shown in help and after an unknown command.
pub fn command_list() -> String {
    let help = ("help COMMAND", "Show the usage of a command");
    let commands = COMMANDS.iter().map(|row| (row.name, row.about));
    std::iter::once(help)
        .chain(commands)
        .fold("Commands:\n".to_owned(), |text, (name, about)| {
            text + &format!("  {name:<26}{about}\n")
        })
}

/// The positional words of a command line.
pub enum Words {
    /// `help`: the full help, or the usage of one command.
    Help(Option<&'static str>),
    /// A command with its arguments.
    Command(&'static Row<Session>, ArgMatches),
}

/// Invalid positional words. Both variants exit 1, as upstream does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongWords {
    /// There is no command of this name.
    Unknown(String),
    /// The command takes exactly one image ID.
    ImageMissing(&'static str),
}

impl Words {
    /// Parses the positional words. Extra words after a command without an image are ignored.
    ///
    /// # Errors
    /// An unknown command, or a command without exactly one image ID where one is required.
    pub fn parse(words: &[String]) -> Result<Self, WrongWords> {
        let first = words.first().map_or("help", String::as_str);
        if first == "help" {
            return match words.get(1).map(String::as_str) {
                None => Ok(Self::Help(None)),
                Some("help") => Ok(Self::Help(Some("help"))),
                Some(name) => Ok(Self::Help(Some(find(name)?.name))),
            };
        }
        let row = find(first)?;
        let command = (row.args)(Command::new(row.name));
        let arguments = match command.get_positionals().count() {
            0 => &words[..1],
            _ => words,
        };
        let matches = command.try_get_matches_from(arguments);
        let matches = matches.map_err(|_| WrongWords::ImageMissing(row.name))?;
        Ok(Self::Command(row, matches))
    }
}

/// Returns a command by its name.
fn find(name: &str) -> Result<&'static Row<Session>, WrongWords> {
    let mut rows = COMMANDS.iter().chain(UPKEEP);
    rows.find(|row| row.name == name)
        .ok_or_else(|| WrongWords::Unknown(name.to_owned()))
}

/// Returns the old name if `name` is one.
pub fn old_name(name: &str) -> Option<&'static str> {
    let mut all = OLD_NAMES.iter();
    all.find(|(old, _)| *old == name).map(|(old, _)| *old)
}

/// Runs a program with an old name.
pub fn run_old(name: &'static str, words: Vec<OsString>, environment: Environment) -> ExitCode {
    let (_, meant) = OLD_NAMES
        .iter()
        .find(|(old, _)| *old == name)
        .unwrap_or(&OLD_NAMES[0]);
    let Some(row) = UPKEEP.iter().find(|row| row.name == *meant) else {
        return ExitCode::FAILURE;
    };
    let command = upkeep_command(name, row.about);
    match command_line::parse(name, &command, words) {
        Ok(matches) => exit_code(run_upkeep(name, row, &matches, environment)),
        Err(code) => code,
    }
}

fn run_upkeep(
    name: &'static str,
    row: &Row<Session>,
    matches: &ArgMatches,
    environment: Environment,
) -> Result<ExitCode> {
    let oslo = OsloOptions::from_matches(matches);
    let format = format_of(matches)?;
    let data_dir = path_of(matches, "data_dir");
    let settings = settings::settings(
        data_dir.as_deref(),
        &oslo.config,
        &CONFIGURED_BY,
        &environment,
    )?;
    let log = Log::begin(name, "glance.image_cache", &oslo, settings.log.get()?)?;
    let session = Session {
        verbose: log.is_debug(),
        debug: false,
        force: false,
        dry_run: matches.get_flag("dry-run"),
        format,
        metrics_file: path_of(matches, "metrics-file"),
        service: Service::default(),
        data_dir,
        config: oslo.config,
        environment,
        watch: Watch::default(),
        log: Some(log),
    };
    perform(
        row,
        &ArgMatches::default(),
        &session,
        &session.watch,
        format,
    )
}

/// Runs `glance-cache-manage`.
pub fn run(words: Vec<OsString>, environment: Environment) -> ExitCode {
    let command = command();
    match command_line::parse(NAME, &command, words) {
        Ok(matches) => exit_code(run_command(command, &matches, environment)),
        Err(code) => code,
    }
}

fn run_command(
    command: Command,
    matches: &ArgMatches,
    environment: Environment,
) -> Result<ExitCode> {
    let words = matches.get_many::<String>("command");
    let words: Vec<String> = words.into_iter().flatten().cloned().collect();
    let (row, arguments) = match Words::parse(&words) {
        Ok(Words::Command(row, arguments)) => (row, arguments),
        Ok(Words::Help(of)) => return Ok(print(help(command, of).trim_end(), 0)),
        Err(WrongWords::ImageMissing(name)) => {
            let text = format!(
                "Please specify the ID of the image you wish for command '{name}' from the cache as the \
                 first and only argument."
            );
            return Ok(print(&text, 1));
        }
        Err(WrongWords::Unknown(name)) => {
            let commands = command_list();
            print(
                &format!("\nError: \"{name}\" is not a valid command.\n\n{commands}"),
                1,
            );
            let error = Error::failed(format!("Unknown command: {name}"));
            let names = COMMANDS.iter().chain(UPKEEP).map(|row| row.name);
            let hint = suggest::hint(&suggest::commands(&name, names), str::to_string);
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
    };
    let format = format_of(matches)?;
    let began = Instant::now();
    let verbose = matches.get_flag("verbose");
    let files = matches.get_many::<PathBuf>("config_file");
    let session = Session {
        // Upkeep reports what was done in any case.
        verbose: verbose || UPKEEP.iter().any(|upkeep| upkeep.name == row.name),
        debug: matches.get_flag("debug"),
        force: matches.get_flag("force"),
        dry_run: matches.get_flag("dry-run"),
        format,
        metrics_file: path_of(matches, "metrics-file"),
        service: Service::from_matches(matches),
        data_dir: path_of(matches, "data_dir"),
        config: files
            .into_iter()
            .flatten()
            .cloned()
            .map(ConfigSource::File)
            .collect(),
        environment,
        watch: Watch::default(),
        log: None,
    };
    let code = perform(row, &arguments, &session, &session.watch, format)?;
    if verbose && format.is_none() {
        let seconds = began.elapsed().as_secs_f64();
        print(&format!("Completed in {seconds:.4} sec."), 0);
    }
    Ok(code)
}

/// Returns the full help, or the usage of one command.
fn help(mut command: Command, of: Option<&str>) -> String {
    let Some(name) = of else {
        return command.render_help().to_string();
    };
    let mut all = COMMANDS.iter().chain(UPKEEP);
    let about = all.find(|row| row.name == name);
    let about = about.map_or("Show the usage of a command", |row| row.about);
    let image = if name.ends_with("-image") {
        " <IMAGE_ID>"
    } else {
        ""
    };
    format!("glance-cache-manage {name}{image} [options]\n\n    {about}")
}
