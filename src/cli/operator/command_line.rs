//! The parsing of an operator's command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use crate::cli::command::argparse::{complain, near_miss, refusing};
use crate::cli::command::grammar::Grammar;
use crate::cli::complete::upstream::script_of;
use crate::cli::run::print::{fail, fail_plainly, print};

/// Parses the words after the name of a program.
///
/// # Errors
/// The exit code, if the line is invalid or asks for help, the version or a completion script, which are printed.
pub fn parse(
    name: &'static str,
    command: &Command,
    words: Vec<OsString>,
) -> Result<ArgMatches, ExitCode> {
    let texts = words.iter().filter_map(|word| word.to_str());
    let texts: Vec<String> = texts.map(str::to_string).collect();
    let line = std::iter::once(OsString::from(name)).chain(words);
    let matches = match command.clone().try_get_matches_from(line) {
        Ok(matches) => matches,
        Err(error) => return Err(help_or_complaint(name, command, &texts, &error)),
    };
    match completion_shell(&matches) {
        Some(shell) => Err(print_completion(name, shell)),
        None => Ok(matches),
    }
}

/// Returns the shell given with `--shell_completion`.
fn completion_shell(matches: &ArgMatches) -> Option<&str> {
    let shell = matches.try_get_one::<String>("shell_completion").ok()?;
    shell.map(String::as_str)
}

fn print_completion(name: &str, shell: &str) -> ExitCode {
    match script_of(name, shell) {
        Ok(script) => print(script.trim_end(), 0),
        Err(error) => fail_plainly(&error),
    }
}

/// Prints help or the version, which clap returns as an error, or a usage error.
fn help_or_complaint(
    name: &str,
    command: &Command,
    line: &[String],
    error: &clap::Error,
) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print(error.to_string().trim_end(), 0)
        }
        _ => {
            let mut command = command.clone();
            command.build();
            let meant = refusing(&command, line, error);
            let refused = complain(name, meant.clone(), error, line);
            let refused = match near_miss(meant, error) {
                Some(hint) => refused.hint(hint),
                None => refused,
            };
            fail(Grammar::Openstack, &refused)
        }
    }
}
