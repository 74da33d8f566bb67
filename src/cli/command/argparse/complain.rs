//! Usage errors in argparse's wording.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::Error;
use crate::cli::command::grammar::{Grammar, Row};
use crate::cli::command::parser::leaf;
use crate::cli::command::suggest;

pub(super) fn ambiguous(
    called: Grammar,
    row: Option<(Grammar, &'static Row)>,
    word: &str,
    candidates: &[String],
) -> Error {
    let word = word.split_once('=').map_or(word, |(name, _)| name);
    usage(
        called,
        row,
        &format!(
            "ambiguous option: {word} could match {}",
            candidates.join(", ")
        ),
    )
}

pub(super) fn invalid_choice(word: &str, choices: impl Iterator<Item = String>) -> String {
    let choices: Vec<String> = choices.map(|choice| format!("'{choice}'")).collect();
    format!(
        "invalid choice: '{word}' (choose from {})",
        choices.join(", ")
    )
}

/// Returns a usage error in argparse's format: a usage line and a message, for a command or for the program
/// that was `called`.
pub(super) fn usage(called: Grammar, row: Option<(Grammar, &'static Row)>, what: &str) -> Error {
    let (line, name) = if let Some((grammar, row)) = row {
        let name = format!("{} {}", called.program(), row.name);
        (usage_line(leaf(called, grammar, row)), name)
    } else {
        let program = called.program();
        let command = if called == Grammar::Glance {
            "<subcommand> ..."
        } else {
            "<command> ..."
        };
        (
            format!("usage: {program} [options] {command}"),
            program.to_string(),
        )
    };
    Error::usage(format!("{line}\n{name}: error: {what}"))
}

/// Returns the error for a line without a command.
pub fn missing_command(called: Grammar) -> Error {
    let name = match called {
        Grammar::Glance => "<subcommand>",
        Grammar::Openstack => "<command>",
    };
    usage(
        called,
        None,
        &format!("the following arguments are required: {name}"),
    )
}

/// Returns the usage of a command on one line.
pub fn usage_line(mut command: Command) -> String {
    let usage: StyledStr = command.render_usage();
    let text = usage.to_string();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replacen("Usage:", "usage:", 1)
}

/// Converts clap's error about the command `name` into argparse's wording.
pub fn complain(name: &str, command: Command, error: &clap::Error, line: &[String]) -> Error {
    let what = complaint(&command, error, line);
    Error::usage(format!("{}\n{name}: error: {what}", usage_line(command)))
}

/// Returns the subcommand of `root` that refused a line of words after the program's name, or `root` itself.
pub fn refusing<'c>(root: &'c Command, line: &[String], error: &clap::Error) -> &'c Command {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) if error.kind() == ErrorKind::UnknownArgument => text,
        _ => "",
    };
    let is_known = |word: &&str| unknown.is_empty() || !word.starts_with(unknown);
    let words = line.iter().map(String::as_str).take_while(is_known);
    words.fold(root, |command, word| {
        command.find_subcommand(word).unwrap_or(command)
    })
}

/// Returns the hint for a mistyped subcommand or option of `command`.
pub fn near_miss(command: &Command, error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(word) = text(ContextKind::InvalidSubcommand) {
        let names = command.get_subcommands().map(Command::get_name);
        return suggest::hint(&suggest::commands(&word, names), str::to_string);
    }
    let word =
        text(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
    let names = command.get_arguments().filter_map(Arg::get_long);
    suggest::hint(&suggest::options(&word, names), |name| format!("--{name}"))
}

pub(super) fn complaint(command: &Command, error: &clap::Error, line: &[String]) -> String {
    let strings = |kind| match error.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(many)) => many.clone(),
        _ => Vec::new(),
    };
    let argument = |display: &String| option_strings(command, display);
    let invalid = strings(ContextKind::InvalidArg);
    let name = invalid.first().map(argument).unwrap_or_default();
    let value = strings(ContextKind::InvalidValue).concat();
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let names: Vec<String> = invalid.iter().map(|display| plain(display)).collect();
            format!("the following arguments are required: {}", names.join(", "))
        }
        ErrorKind::UnknownArgument => format!("unrecognized arguments: {}", invalid.join(" ")),
        ErrorKind::InvalidSubcommand => {
            let word = strings(ContextKind::InvalidSubcommand).concat();
            let names = command
                .get_subcommands()
                .map(|command| command.get_name().to_string());
            format!("argument command: {}", invalid_choice(&word, names))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("argument {name}: expected one argument")
        }
        ErrorKind::InvalidValue => {
            let choices = strings(ContextKind::ValidValue).into_iter();
            format!("argument {name}: {}", invalid_choice(&value, choices))
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error)
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("argument {name}: {why}")
        }
        ErrorKind::ArgumentConflict => {
            let prior = strings(ContextKind::PriorArg)
                .first()
                .map(argument)
                .unwrap_or_default();
            // argparse names the later of the two options.
            let place = |name: &str| line.iter().rposition(|word| name.ends_with(word.as_str()));
            let (later, earlier) = if place(&prior) > place(&name) {
                (prior, name)
            } else {
                (name, prior)
            };
            format!("argument {later}: not allowed with argument {earlier}")
        }
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("argument {name}: expected at least one argument")
        }
        ErrorKind::TooManyValues => format!("argument {name}: ignored explicit argument '{value}'"),
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_string()
        }
    }
}

/// Returns an argument's names as argparse prints them: `-f/--format`, `<image>`.
fn option_strings(command: &Command, display: &str) -> String {
    let name = plain(display);
    let Some(long) = name.strip_prefix("--") else {
        return name;
    };
    match command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long))
        .and_then(Arg::get_short)
    {
        Some(short) => format!("-{short}/{name}"),
        None => name,
    }
}

/// Returns an argument as clap displays it, without its value and ellipsis.
fn plain(display: &str) -> String {
    let name = display.split([' ', '=', '[']).next().unwrap_or(display);
    name.trim_end_matches('.').to_string()
}
