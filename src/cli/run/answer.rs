//! Requests that need no deployment: help, version, completion.

use std::process::ExitCode;

use super::here::here;
use super::print::{fail, print};
use super::screen;
use crate::Result;
use crate::cli::command::argparse::{Request, missing_command};
use crate::cli::command::grammar::Grammar;
use crate::cli::command::{builtins, help, version};
use crate::cli::complete::upstream;
use crate::config::Environment;

/// Handles requests that need no deployment: help, version, completion.
pub fn answer(called: Grammar, request: Request, environment: &Environment) -> ExitCode {
    match request {
        Request::Version => print(&version::line(called), 0),
        Request::ProgramHelp => print(program_help(called, environment).trim_end(), 0),
        Request::Help(row) => {
            let grammar = Grammar::of(row);
            let text = help::command(called, grammar, row, screen::help_width());
            print(text.trim_end(), 0)
        }
        Request::GroupHelp { words, is_asked } => {
            let code = if is_asked { 0 } else { 2 };
            let text = help::fit(&help::group(called, &words), screen::help_width());
            print(text.trim_end(), code)
        }
        Request::Builtin { name, words } => match builtin(called, &name, &words, environment) {
            Ok(text) => print(text.trim_end(), 0),
            Err(error) => fail(called, &error),
        },
        Request::Unknown(words) => print(help::unknown_text(&words).trim_end(), 2),
        Request::NoCommand(_) | Request::Leaf(_) => fail(called, &missing_command(called)),
    }
}

/// Returns the help of a program: the first screen at a terminal, else the complete help, which scripts may parse.
pub fn program_help(called: Grammar, environment: &Environment) -> String {
    if screen::is_terminal() {
        help::overview(called, &here(environment))
    } else {
        help::program(called, help::UNLIMITED)
    }
}

/// Returns the output of a built-in command.
fn builtin(
    called: Grammar,
    name: &str,
    words: &[String],
    environment: &Environment,
) -> Result<String> {
    let Some(builtin) = builtins::builtin(name) else {
        return Err(missing_command(called));
    };
    if words.iter().any(|word| word == "-h" || word == "--help") {
        return Ok(help::of_builtin(called, builtin));
    }
    match builtin.name {
        "help" if words.is_empty() => Ok(program_help(called, environment)),
        "help" => help::answer(called, words, screen::help_width()),
        "complete" => upstream::complete(called, words),
        "completion" => upstream::completion(called, words),
        "version" => version::version(called, words),
        _ => Ok(upstream::words().join(" ")),
    }
}
