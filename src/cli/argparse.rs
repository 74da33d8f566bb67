//! Command lines read as argparse reads them: options abbreviated to a unique prefix, options of the
//! program anywhere, and what is wrong said in argparse's words.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::globals;
use super::registry::{Grammar, Row};
use crate::{Error, Result};

/// What a command line asks for.
pub enum Request {
    /// The program's help.
    ProgramHelp,
    /// The program's version.
    Version,
    /// A command that is not in the table, such as `help`, with the words after it.
    Builtin {
        /// The command.
        name: String,
        /// Its words.
        words: Vec<String>,
    },
    /// Help of a command.
    Help(&'static Row),
    /// A command.
    Leaf(Box<Parsed>),
    /// A second grammar's command that there is none of; the words up to the first option.
    Unknown(Vec<String>),
}

/// A command with its arguments.
pub struct Parsed {
    /// The grammar it was written in.
    pub grammar: Grammar,
    /// The command.
    pub row: &'static Row,
    /// Its arguments and the program's options.
    pub matches: ArgMatches,
}

/// Reads a command line without the program's name.
///
/// # Errors
/// `Usage`, in argparse's words, with a usage line.
pub fn read(grammar: Grammar, words: Vec<OsString>) -> Result<Request> {
    let words = to_text(words)?;
    let (before, rest) = split_globals(grammar, words)?;
    let has = |names: &[&str]| before.iter().any(|word| names.contains(&word.as_str()));
    if has(&["--version"]) {
        return Ok(Request::Version);
    }
    let Some(first) = rest.first() else {
        return Ok(Request::ProgramHelp);
    };
    if has(&["-h", "--help"]) && grammar == Grammar::Glance {
        return Ok(Request::ProgramHelp);
    }
    if matches!(
        first.as_str(),
        "help" | "bash-completion" | "bash_completion" | "complete"
    ) {
        return Ok(Request::Builtin {
            name: first.clone(),
            words: rest[1..].to_vec(),
        });
    }
    let (grammar, row, rest) = match find_row(grammar, &rest)? {
        Found::Row(grammar, row, taken) => (grammar, row, rest[taken..].to_vec()),
        Found::None => return Ok(Request::Unknown(rest)),
    };
    if has(&["-h", "--help"]) || asks_for_help(&rest) {
        return Ok(Request::Help(row));
    }
    let command = leaf(grammar, row);
    let mut line = vec![String::new()];
    line.extend(before);
    line.extend(expand(grammar, row, &command, rest)?);
    let whole = command.clone();
    let typed = line.clone();
    match command.try_get_matches_from(line) {
        Ok(matches) => Ok(Request::Leaf(Box::new(Parsed {
            grammar,
            row,
            matches,
        }))),
        // argparse leaves unknown options to the first parser, whose name glance's bears.
        Err(error) if error.kind() == ErrorKind::UnknownArgument && grammar == Grammar::Glance => {
            Err(usage(grammar, None, &complaint(&whole, &error, &typed)))
        }
        Err(error) => Err(complain(
            &format!("{} {}", grammar.program(), row.name),
            whole,
            &error,
            &typed,
        )),
    }
}

fn to_text(words: Vec<OsString>) -> Result<Vec<String>> {
    words
        .into_iter()
        .map(|word| {
            word.into_string().map_err(|word| {
                Error::usage(format!("argument {} is not UTF-8", word.to_string_lossy()))
            })
        })
        .collect()
}

/// Whether `-h` or `--help` stands among the words of a command, before `--`.
fn asks_for_help(words: &[String]) -> bool {
    words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "-h" || word == "--help")
}

/// The options of the program that stand before the command, and the rest from the command on.
fn split_globals(grammar: Grammar, words: Vec<String>) -> Result<(Vec<String>, Vec<String>)> {
    let mut before = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word != "-") {
        if word == "-h" || word == "--help" {
            before.push(word);
            continue;
        }
        let found = globals::find(grammar, &word)
            .map_err(|candidates| ambiguous(grammar, None, &word, &candidates))?;
        // The command that follows may be one of the second grammar.
        let other = || globals::find(Grammar::Openstack, &word).ok().flatten();
        let found = found.or_else(other);
        let Some(global) = found else {
            return Err(usage(
                grammar,
                None,
                &format!("unrecognized arguments: {word}"),
            ));
        };
        let value = word.split_once('=').map(|(_, value)| value.to_string());
        if !word.starts_with("--") {
            // Letters may stand together; none of them takes a value.
            for letter in word.chars().skip(1) {
                let found = globals::find(grammar, &format!("-{letter}")).ok().flatten();
                let found = found.ok_or_else(|| {
                    usage(grammar, None, &format!("unrecognized arguments: {word}"))
                })?;
                before.push(format!("--{}", found.long));
            }
            continue;
        }
        let name = format!("--{}", global.long);
        match (global.value, value) {
            (None, Some(value)) => {
                return Err(usage(
                    grammar,
                    None,
                    &format!("argument {name}: ignored explicit argument '{value}'"),
                ));
            }
            (None, None) => before.push(name),
            (Some(_), Some(value)) => before.push(format!("{name}={value}")),
            (Some(_), None) => match words.next() {
                Some(value) => before.push(format!("{name}={value}")),
                None => {
                    return Err(usage(
                        grammar,
                        None,
                        &format!("argument {name}: expected one argument"),
                    ));
                }
            },
        }
    }
    Ok((before, words.collect()))
}

enum Found {
    Row(Grammar, &'static Row, usize),
    None,
}

/// The command at the beginning of `words`, and how many of them it takes.
fn find_row(grammar: Grammar, words: &[String]) -> Result<Found> {
    if grammar == Grammar::Glance {
        if let Some(row) = Grammar::Glance.find(&words[0]) {
            return Ok(Found::Row(grammar, row, 1));
        }
        // The second grammar's commands work under the first one's name as well.
        if !matches!(words[0].as_str(), "image" | "cached") {
            let names = Grammar::Glance.shown_rows().into_iter().map(|row| row.name);
            let names = names.chain(["bash-completion", "help", "bash_completion"]);
            return Err(usage(
                grammar,
                None,
                &format!(
                    "argument <subcommand>: {}",
                    invalid_choice(&words[0], names.map(str::to_string))
                ),
            )
            .hint(nearest(&words[0]).map_or_else(
                || "See glance help.".to_string(),
                |name| format!("Did you mean {name}?"),
            )));
        }
    }
    let leading: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    for taken in (1..=leading.len()).rev() {
        if let Some(row) = Grammar::Openstack.find(&leading[..taken].join(" ")) {
            return Ok(Found::Row(Grammar::Openstack, row, taken));
        }
    }
    // cliff takes words that are the beginnings of one command's, and of one only.
    for taken in (1..=leading.len()).rev() {
        let mut rows = Grammar::Openstack.rows().into_iter().filter(|row| {
            let names: Vec<&str> = row.name.split(' ').collect();
            names.len() == taken
                && names
                    .iter()
                    .zip(&leading)
                    .all(|(name, word)| name.starts_with(word))
        });
        if let (Some(row), None) = (rows.next(), rows.next()) {
            return Ok(Found::Row(Grammar::Openstack, row, taken));
        }
    }
    Ok(Found::None)
}

/// The first grammar's command that a word most probably stands for.
fn nearest(word: &str) -> Option<&'static str> {
    let rows = Grammar::Glance.rows();
    let distance = |name: &str| {
        let (a, b): (Vec<char>, Vec<char>) = (word.chars().collect(), name.chars().collect());
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, y) in b.iter().enumerate() {
                let substituted = diagonal + usize::from(x != y);
                diagonal = row[j + 1];
                row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
            }
        }
        row[b.len()]
    };
    rows.iter()
        .map(|row| (distance(row.name), row.name))
        .min()
        .filter(|(d, _)| *d <= 3)
        .map(|(_, name)| name)
}

/// A command with its own arguments and the formatter's.
pub fn own(grammar: Grammar, row: &'static Row) -> Command {
    let name = format!("{} {}", grammar.program(), row.name);
    let command = (row.args)(Command::new(row.name))
        .about(row.about)
        .bin_name(name);
    let command = command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true);
    match grammar {
        Grammar::Glance => command,
        Grammar::Openstack => super::formatters::append(command, row.output),
    }
}

/// A command with all its arguments, and, hidden, the options of the program: of both grammars where
/// the second one's command is written under the first one's name.
pub fn leaf(grammar: Grammar, row: &'static Row) -> Command {
    let command = globals::append(own(grammar, row), grammar);
    match grammar {
        Grammar::Glance => command,
        Grammar::Openstack => globals::append(command, Grammar::Glance),
    }
}

/// Options abbreviated to a unique prefix in full: the command's own first, then the program's.
fn expand(
    grammar: Grammar,
    row: &'static Row,
    command: &Command,
    words: Vec<String>,
) -> Result<Vec<String>> {
    let own: Vec<String> = command
        .get_arguments()
        .filter(|arg| !globals::Global::is_behind(arg))
        .flat_map(|arg| {
            let long = arg.get_long().map(str::to_string);
            let aliases = arg.get_all_aliases().unwrap_or_default();
            long.into_iter()
                .chain(aliases.into_iter().map(str::to_string))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut expanded = Vec::with_capacity(words.len());
    let mut literal = false;
    for word in words {
        let long = word
            .strip_prefix("--")
            .filter(|long| !literal && !long.is_empty());
        literal |= word == "--";
        let Some(long) = long else {
            expanded.push(word);
            continue;
        };
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, format!("={value}")),
            None => (long, String::new()),
        };
        if own.iter().any(|known| known == name) {
            expanded.push(word);
            continue;
        }
        let begin: Vec<&String> = own.iter().filter(|known| known.starts_with(name)).collect();
        let full = match begin[..] {
            [one] => one.clone(),
            [] => match globals::find(grammar, &format!("--{name}")) {
                Ok(Some(global)) => global.long.to_string(),
                Ok(None) => name.to_string(),
                Err(candidates) => return Err(ambiguous(grammar, Some(row), &word, &candidates)),
            },
            _ => {
                let candidates: Vec<String> =
                    begin.iter().map(|name| format!("--{name}")).collect();
                return Err(ambiguous(grammar, Some(row), &word, &candidates));
            }
        };
        expanded.push(format!("--{full}{value}"));
    }
    Ok(expanded)
}

fn ambiguous(
    grammar: Grammar,
    row: Option<&'static Row>,
    word: &str,
    candidates: &[String],
) -> Error {
    let word = word.split_once('=').map_or(word, |(name, _)| name);
    usage(
        grammar,
        row,
        &format!(
            "ambiguous option: {word} could match {}",
            candidates.join(", ")
        ),
    )
}

fn invalid_choice(word: &str, choices: impl Iterator<Item = String>) -> String {
    let choices: Vec<String> = choices.map(|choice| format!("'{choice}'")).collect();
    format!(
        "invalid choice: '{word}' (choose from {})",
        choices.join(", ")
    )
}

/// argparse's complaint: a usage line, then who complains of what.
fn usage(grammar: Grammar, row: Option<&'static Row>, what: &str) -> Error {
    let (line, name) = if let Some(row) = row {
        let name = format!("{} {}", grammar.program(), row.name);
        (usage_line(leaf(grammar, row)), name)
    } else {
        let program = grammar.program();
        let command = if grammar == Grammar::Glance {
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

/// A command's usage in one line.
pub fn usage_line(mut command: Command) -> String {
    let usage: StyledStr = command.render_usage();
    let text = usage.to_string();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replacen("Usage:", "usage:", 1)
}

/// clap's error about `command`, called `name`, in argparse's words.
pub fn complain(name: &str, command: Command, error: &clap::Error, line: &[String]) -> Error {
    let what = complaint(&command, error, line);
    Error::usage(format!("{}\n{name}: error: {what}", usage_line(command)))
}

fn complaint(command: &Command, error: &clap::Error, line: &[String]) -> String {
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
            // argparse complains of the one that came later.
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

/// An argument's name as argparse gives it: `-f/--format`, `<image>`.
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

/// An argument as clap shows it, without its value and dots.
fn plain(display: &str) -> String {
    let name = display.split([' ', '=', '[']).next().unwrap_or(display);
    name.trim_end_matches('.').to_string()
}

/// The words that complete: commands and options of the first grammar.
pub fn completion_words() -> Vec<String> {
    let mut words: Vec<String> = vec!["help".to_string(), "-h".to_string(), "--help".to_string()];
    for row in Grammar::Glance.shown_rows() {
        words.push(row.name.to_string());
        let command = (row.args)(Command::new(row.name));
        let shown = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && !arg.is_positional());
        for arg in shown {
            words.extend(arg.get_long().map(|long| format!("--{long}")));
        }
    }
    words.sort();
    words.dedup();
    words
}

/// Whether an argument is a flag without a value.
pub fn is_flag(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(grammar: Grammar, line: &str) -> Result<Request> {
        read(
            grammar,
            line.split_whitespace().map(OsString::from).collect(),
        )
    }

    fn refused(grammar: Grammar, line: &str) -> String {
        match read_line(grammar, line) {
            Err(error) => error
                .message()
                .lines()
                .last()
                .unwrap_or_default()
                .to_string(),
            Ok(_) => panic!("{line} was accepted"),
        }
    }

    fn row(grammar: Grammar, line: &str) -> &'static str {
        match read_line(grammar, line) {
            Ok(Request::Leaf(parsed)) => parsed.row.name,
            Ok(_) => panic!("{line} is no command"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    #[test]
    fn commands_are_found_in_both_grammars() {
        assert_eq!(row(Grammar::Glance, "image-list"), "image-list");
        assert_eq!(row(Grammar::Glance, "image list"), "image list");
        assert_eq!(row(Grammar::Openstack, "image list"), "image list");
        assert_eq!(row(Grammar::Openstack, "imag list"), "image list");
        assert_eq!(
            row(Grammar::Openstack, "--debug image metadef namespace list"),
            "image metadef namespace list"
        );
        assert_eq!(
            row(Grammar::Openstack, "image list --debug --os-cloud x"),
            "image list"
        );
        assert!(matches!(
            read_line(Grammar::Openstack, "image frobnicate"),
            Ok(Request::Unknown(_))
        ));
    }

    #[test]
    fn complaints_are_argparses() {
        assert_eq!(
            refused(Grammar::Glance, "image-show"),
            "glance image-show: error: the following arguments are required: <IMAGE_ID>"
        );
        assert_eq!(
            refused(Grammar::Glance, "image-list --nonsense"),
            "glance: error: unrecognized arguments: --nonsense"
        );
        assert_eq!(
            refused(Grammar::Openstack, "image create x --private --community"),
            "openstack image create: error: argument --community: not allowed with argument --private"
        );
        assert_eq!(
            refused(Grammar::Openstack, "image list -f shell"),
            "openstack image list: error: argument -f/--format: invalid choice: 'shell' \
             (choose from 'csv', 'json', 'table', 'value', 'yaml')"
        );
        assert_eq!(
            refused(Grammar::Openstack, "image set x --min-disk many"),
            "openstack image set: error: argument --min-disk: invalid int value: 'many'"
        );
        assert!(
            refused(Grammar::Glance, "image-lis")
                .starts_with("glance: error: argument <subcommand>: invalid choice")
        );
        assert!(
            refused(Grammar::Glance, "image-create --os x")
                .contains("ambiguous option: --os could match")
        );
    }

    #[test]
    fn every_command_can_be_built() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            for row in grammar.rows() {
                leaf(grammar, row).debug_assert();
            }
        }
    }
}
