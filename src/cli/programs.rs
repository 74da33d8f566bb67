//! `glance-manage`, `glance-scrubber`, `glance-cache-manage`, and code shared by all programs.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use super::log::Log;
use super::manage::ManageCommand;
use super::registry::Grammar;
use super::{
    argparse, block_on, cache_manage, cache_tools, completion, database, fail, manage, print,
    scrub, scrubber, ui,
};
use crate::config::{
    ConfigSource, Deployment, DeploymentOptions, Environment, Place, Settings, choose_deployment,
    complete_sources, platform_data_dir,
};
use crate::data::Watch;
use crate::{Error, Result};

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `glance` and `openstack`.
    Glance,
    /// `glance-manage`.
    Manage,
    /// `glance-cache-manage`.
    CacheManage,
    /// `glance-scrubber`.
    Scrubber,
}

impl Program {
    /// Returns the program that is called `name`; `glance` under any unknown name.
    pub fn named(name: &OsStr) -> Self {
        match name.to_str() {
            Some("glance-manage") => Self::Manage,
            Some("glance-scrubber") => Self::Scrubber,
            Some("glance-cache-manage") => Self::CacheManage,
            Some(old) if cache_tools::old_name(old).is_some() => Self::CacheManage,
            _ => Self::Glance,
        }
    }
}

/// Names the process as the program, for `ps` and `pgrep`: a launcher that was replaced leaves the name `glance`.
fn name_process(name: &OsStr) {
    let _ = std::fs::write("/proc/self/comm", name.as_encoded_bytes());
}

/// Runs one of the operators' programs; `called` is the name it was called by.
pub fn main(
    program: Program,
    called: &OsStr,
    words: Vec<OsString>,
    environment: &Environment,
) -> ExitCode {
    name_process(called);
    let old = called.to_str().filter(|_| program == Program::CacheManage);
    if let Some(name) = old.and_then(cache_tools::old_name) {
        return old_cache_program(name, words, environment);
    }
    let (command, name) = match program {
        Program::Scrubber => (scrubber::command(), "glance-scrubber"),
        Program::CacheManage => (cache_manage::command(), "glance-cache-manage"),
        Program::Manage | Program::Glance => (manage::command(), "glance-manage"),
    };
    if program == Program::Manage && words.is_empty() {
        return print(manage::OVERVIEW.trim_end(), 2);
    }
    let line = std::iter::once(OsString::from(name)).chain(words);
    let matches = match command.clone().try_get_matches_from(line) {
        Ok(matches) => matches,
        Err(error) => return help_or_complaint(name, command, &error),
    };
    if let Some(shell) = completion_shell(&matches) {
        return print_completion(name, shell);
    }
    let result = match program {
        Program::Manage | Program::Glance => run_manage(name, command, &matches, environment),
        Program::Scrubber => scrub::run(&matches, environment),
        Program::CacheManage => cache_tools::run(command, &matches, environment),
    };
    ended(result)
}

/// Runs one of the three programs that `glance-cache-manage` replaces, by its own name.
fn old_cache_program(
    name: &'static str,
    words: Vec<OsString>,
    environment: &Environment,
) -> ExitCode {
    let (command, meant) = cache_tools::old_command(name);
    let line = std::iter::once(OsString::from(name)).chain(words);
    match command.clone().try_get_matches_from(line) {
        Ok(matches) => match completion_shell(&matches) {
            Some(shell) => print_completion(name, shell),
            None => ended(cache_tools::run_old(name, &meant, &matches, environment)),
        },
        Err(error) => help_or_complaint(name, command, &error),
    }
}

/// Returns the shell given with `--shell_completion`.
fn completion_shell(matches: &ArgMatches) -> Option<&str> {
    let shell = matches.try_get_one::<String>("shell_completion").ok()?;
    shell.map(String::as_str)
}

fn print_completion(name: &str, shell: &str) -> ExitCode {
    match completion::script(name, shell) {
        Ok(script) => print(script.trim_end(), 0),
        Err(error) => ended(Err(error)),
    }
}

fn ended(result: Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            ui::plain_error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Prints help or the version, which clap returns as an error, or a usage error.
fn help_or_complaint(name: &str, command: Command, error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print(error.to_string().trim_end(), 0)
        }
        _ => fail(
            Grammar::Openstack,
            &argparse::complain(name, command, error, &[]),
        ),
    }
}

fn run_manage(
    name: &str,
    command: Command,
    matches: &ArgMatches,
    environment: &Environment,
) -> Result<ExitCode> {
    let invocation = manage::Invocation::from_matches(matches).map_err(Error::usage)?;
    let Some(wanted) = invocation.command else {
        let usage = argparse::usage_line(command);
        return Err(Error::usage(format!(
            "{usage}\n{name}: error: the following arguments are required: command"
        )));
    };
    if wanted == ManageCommand::Actions {
        return Ok(print(manage::actions().trim_end(), 2));
    }
    let settings = settings(
        invocation.data_dir.as_deref(),
        &invocation.oslo.config,
        &["glance-api", "glance-manage"],
        environment,
    )?;
    let watch = Watch::default();
    let log = Log::begin(
        "glance-manage",
        "glance.manage",
        &invocation.oslo,
        settings.log.get()?,
    )?;
    block_on(&watch, database::run(&settings, wanted, &log, &watch))
}

/// Loads the settings of the local deployment to work on. `programs` names the upstream programs whose
/// configuration files are searched.
pub(super) fn settings(
    data_dir: Option<&Path>,
    config: &[ConfigSource],
    programs: &[&str],
    environment: &Environment,
) -> Result<Settings> {
    let options = DeploymentOptions {
        data_dir,
        config,
        local: data_dir.is_none() && config.is_empty(),
        ..DeploymentOptions::default()
    };
    // On a Glance host, use the configuration file of the upstream program.
    let found = complete_sources(config, programs, environment);
    // Containers may be configured by environment variables alone.
    let is_named = environment.get("OS_DATABASE__CONNECTION").is_some();
    let is_configured = is_named || !found.is_empty();
    if data_dir.is_none() && environment.get("GLANCE_DATA_DIR").is_none() && is_configured {
        return Settings::load(&found, environment);
    }
    match choose_deployment(&options, environment, platform_data_dir().as_deref())? {
        Deployment::Local {
            place: Place::DataDir(directory),
            ..
        } => Settings::for_data_dir(&directory),
        _ => Settings::load(&found, environment),
    }
}
