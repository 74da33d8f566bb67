//! `glance-manage`: its command line, and its commands.

mod actions;
mod arguments;
mod catalog;
mod change;
mod metadefs;
mod policy;
mod purge;
mod status;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use self::actions::ACTIONS;
use self::arguments::{DRY_RUN, NO_BACKUP, POSITIONAL};
use super::command::argparse::usage_line;
use super::command::registry::Row;
use super::operator::log::Log;
use super::operator::options::{
    OsloOptions, data_dir, format, format_of, path_of, program_base, subcommand_base,
};
use super::operator::perform::{exit_code, perform};
use super::operator::session::Session;
use super::operator::{command_line, settings};
use super::run::print::print;
use super::run::ui::notice;
use crate::config::{ConfigSource, Environment, Settings};
use crate::data::Watch;
use crate::{Error, Result};

/// The name of the program.
const NAME: &str = "glance-manage";

/// Configuration files that the upstream program reads.
const CONFIGURED_BY: [&str; 2] = ["glance-api", "glance-manage"];

/// The output of `glance-manage` without arguments, on standard output; it exits 2.
pub const OVERVIEW: &str = "glance-manage category action [<args>]\nAvailable categories:\n\tdb\n";

/// The category of the rules of access.
const POLICY: &str = "policy";

/// The note below the help of each command on policies.
const POLICY_NOTE: &str = "\"--data-dir DIR\" selects a local data directory. \"--format json\" prints data for programs.";

/// The note below the help of each command that works on a database.
const DATA_DIR_NOTE: &str = "Without a configuration file, the program works on the database of the local data\n\
     directory (\"--data-dir DIR\" or GLANCE_DATA_DIR). \"--format json\" prints data for programs.";

/// The one-word commands, in upstream's order, each with the names of its values.
const ONE_WORD: &[(&str, &[&str])] = &[
    ("db_version", &[]),
    ("db_upgrade", &["version"]),
    ("db_version_control", &["version"]),
    ("db_sync", &["version"]),
    ("db_expand", &[]),
    ("db_contract", &[]),
    ("db_migrate", &[]),
    ("db_check", &[]),
    (
        "db_load_metadefs",
        &["path", "merge", "prefer_new", "overwrite"],
    ),
    ("db_unload_metadefs", &[]),
    ("db_export_metadefs", &["path"]),
];

/// Additional one-word commands. Their arguments are those of the two-word commands.
const ONE_WORD_EXTENSIONS: [(&str, &str); 2] = [
    ("db_purge", "purge"),
    ("db_purge_images_table", "purge_images_table"),
];

/// Returns whether a command has this argument.
fn has(command: &Command, id: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == id)
}

/// Returns the note on additional options.
fn note_of(command: &Command) -> &'static str {
    if has(command, NO_BACKUP) {
        "A non-empty SQLite database is backed up first, unless \"--no-backup\" is given.\n\n"
    } else if has(command, DRY_RUN) {
        "\"--dry-run\" shows what would be removed without removing it. \"--metrics-file PATH\" \
         writes Prometheus metrics.\n\n"
    } else {
        ""
    }
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
    let settings = settings::settings(data_dir, config, &CONFIGURED_BY, environment)?;
    let is_named = data_dir.is_some() || environment.get("GLANCE_DATA_DIR").is_some();
    if let Some(directory) = settings.data_dir.as_ref().filter(|_| !is_named) {
        let shown = directory.display();
        notice(&format!(
            "No configuration file was found: using the database in {shown}."
        ));
    }
    Ok(settings)
}

/// Returns the whole command line.
pub fn command() -> Command {
    let mut command = program_base("glance-manage", "Manage the database of the image service")
        .args(OsloOptions::args())
        .arg(data_dir())
        .arg(format())
        .override_usage("glance-manage [OPTIONS] CATEGORY ACTION [ARGUMENTS]")
        .after_help(format!(
            "Commands:\n{}\nEach can be written as one word, too: 'glance-manage db_sync'.\n\nPolicies:\n{}",
            action_list("db ", ACTIONS),
            action_list("policy ", policy::ACTIONS)
        ))
        .subcommand(database_command())
        .subcommand(policy_command());
    for (name, words) in ONE_WORD {
        command = command.subcommand(one_word_command(name, words));
    }
    for (name, meant) in ONE_WORD_EXTENSIONS {
        for action in ACTIONS.iter().filter(|action| action.name == meant) {
            command = command.subcommand(action_command(action).name(name));
        }
    }
    command
}

/// Returns `db` with its actions.
fn database_command() -> Command {
    subcommand_base("db", "Manage the database")
        .hide(true)
        .arg(data_dir())
        .arg(format())
        .override_usage("glance-manage db ACTION [ARGUMENTS]")
        .after_help(format!("Actions:\n{}", action_list("db ", ACTIONS)))
        .subcommands(ACTIONS.iter().map(action_command))
}

/// Returns `policy` with its actions.
fn policy_command() -> Command {
    let actions = policy::ACTIONS.iter().map(|action| {
        let command = subcommand_base(action.name, action.about)
            .hide(true)
            .arg(data_dir())
            .arg(format());
        (action.args)(command).after_help(POLICY_NOTE)
    });
    subcommand_base(POLICY, "Show the rules of access")
        .hide(true)
        .arg(data_dir())
        .arg(format())
        .override_usage("glance-manage policy ACTION [ARGUMENTS]")
        .after_help(format!(
            "Actions:\n{}",
            action_list("policy ", policy::ACTIONS)
        ))
        .subcommands(actions)
}

fn action_command(action: &'static Row<Session>) -> Command {
    let command = subcommand_base(action.name, action.about)
        .hide(true)
        .arg(data_dir())
        .arg(format());
    let command = (action.args)(command);
    let own = note_of(&command);
    let takes_positional = has(&command, POSITIONAL);
    if takes_positional {
        command
            .after_help(format!(
                "Arguments:\n  action_args  Values of the options, in the order listed\n\n\
                 {own}{DATA_DIR_NOTE}"
            ))
            .override_usage(format!(
                "glance-manage db {} [OPTIONS] [action_args ...]",
                action.name
            ))
    } else {
        command
            .after_help(format!("{own}{DATA_DIR_NOTE}"))
            .override_usage(format!("glance-manage db {} [OPTIONS]", action.name))
    }
}

fn one_word_command(name: &'static str, words: &[&'static str]) -> Command {
    let action = find(name);
    let about = action.map_or("", |action| action.about);
    let ours = action.map_or_else(Command::default, |action| (action.args)(Command::new(name)));
    let note = format!("{}{DATA_DIR_NOTE}", note_of(&ours));
    let backup = ours.get_arguments().filter(|arg| arg.get_id() == NO_BACKUP);
    subcommand_base(name, about)
        .hide(true)
        .arg(data_dir())
        .arg(format())
        .args(backup.cloned())
        .args(words.iter().map(|word| {
            Arg::new(*word)
                .value_name(*word)
                .help(format!("See 'glance-manage db {} --help'", &name[3..]))
        }))
        .after_help(note)
}

/// Returns the output of `glance-manage db`, on standard output; it exits 2.
pub fn actions() -> String {
    ACTIONS.iter().fold(
        "Actions of 'glance-manage db':\n".to_owned(),
        |text, action| text + "\t" + action.name + " - " + action.about + "\n",
    )
}

fn action_list(before: &str, actions: &[Row<Session>]) -> String {
    actions.iter().fold(String::new(), |text, action| {
        text + &format!("  {before}{:<19} {}\n", action.name, action.about)
    })
}

/// Runs the program.
pub fn run(words: Vec<OsString>, environment: &Environment) -> ExitCode {
    if words.is_empty() {
        return print(OVERVIEW.trim_end(), 2);
    }
    let command = command();
    match command_line::parse(NAME, &command, words) {
        Ok(matches) => exit_code(run_action(command, &matches, environment)),
        Err(code) => code,
    }
}

/// Runs the action of a command line, in either spelling.
fn run_action(
    command: Command,
    matches: &ArgMatches,
    environment: &Environment,
) -> Result<ExitCode> {
    let mut data_dir = path_of(matches, "data_dir");
    let mut format = format_of(matches)?;
    let mut inner = matches.subcommand();
    let mut named = None;
    let mut table = ACTIONS;
    while let Some((word, leaf)) = inner {
        data_dir = path_of(leaf, "data_dir").or(data_dir);
        format = format_of(leaf)?.or(format);
        if word == POLICY {
            table = policy::ACTIONS;
        }
        named = Some((word, leaf));
        inner = leaf.subcommand();
    }
    let Some((word, leaf)) = named else {
        let usage = usage_line(command);
        return Err(Error::usage(format!(
            "{usage}\n{NAME}: error: the following arguments are required: command"
        )));
    };
    let name = word.strip_prefix("db_").unwrap_or(word);
    let Some(row) = table.iter().find(|action| action.name == name) else {
        if table.as_ptr() == policy::ACTIONS.as_ptr() {
            let list = action_list("policy ", policy::ACTIONS);
            return Ok(print(list.trim_end(), 2));
        }
        return Ok(print(actions().trim_end(), 2));
    };
    let oslo = OsloOptions::from_matches(matches);
    let settings = settings::settings(
        data_dir.as_deref(),
        &oslo.config,
        &CONFIGURED_BY,
        environment,
    )?;
    let log = Log::begin(NAME, "glance.manage", &oslo, settings.log.get()?)?;
    if let Some(remnant) = &settings.registry {
        log.warning(&remnant.error());
    }
    let session = Session {
        settings,
        log,
        watch: Watch::default(),
        format,
    };
    perform(row, leaf, &session, &session.watch, format)
}

/// Returns the action that a word names, in either spelling.
fn find(word: &str) -> Option<&'static Row<Session>> {
    let name = word.strip_prefix("db_").unwrap_or(word);
    ACTIONS.iter().find(|action| action.name == name)
}
