//! Requests that need no deployment: help, version, completion.

use std::process::ExitCode;

use super::print::{fail, print};
use crate::Result;
use crate::cli::command::argparse::{Request, missing_command};
use crate::cli::command::grammar::Grammar;
use crate::cli::command::{VERSION, builtins, help};
use crate::cli::complete::upstream;

/// Handles requests that need no deployment: help, version, completion.
pub fn answer(called: Grammar, request: Request) -> ExitCode {
    match request {
        Request::Version => print(&format!("{} {VERSION}", called.program()), 0),
        Request::ProgramHelp => print(help::program(called).trim_end(), 0),
        Request::Help(row) => {
            let grammar = Grammar::of(row);
            print(help::command(called, grammar, row).trim_end(), 0)
        }
        Request::Builtin { name, words } => match builtin(called, &name, &words) {
            Ok(text) => print(text.trim_end(), 0),
            Err(error) => fail(called, &error),
        },
        Request::Unknown(words) => print(help::unknown_text(called, &words).trim_end(), 2),
        Request::NoCommand(_) | Request::Leaf(_) => fail(called, &missing_command(called)),
    }
}

/// Returns the output of a built-in command.
fn builtin(called: Grammar, name: &str, words: &[String]) -> Result<String> {
    let Some(builtin) = builtins::builtin(name) else {
        return Err(missing_command(called));
    };
    if words.iter().any(|word| word == "-h" || word == "--help") {
        return Ok(help::of_builtin(called, builtin));
    }
    match builtin.name {
        "help" => help::answer(called, words),
        "complete" => upstream::complete(called, words),
        "completion" => upstream::completion(called, words),
        _ => Ok(upstream::words().join(" ")),
    }
}
