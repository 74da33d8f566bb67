//! Command-line parsing compatible with argparse: abbreviated options, global options where upstream's parser
//! accepts them, and argparse's error messages.
//!
//! A command accepts its own options (including the formatter's) and those of [`Grammar::globals_after`]. Any
//! other option is rejected, even if it is valid for another grammar or command, or before the command.

use std::collections::VecDeque;
use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::globals::{self, Globals};
use super::help;
use super::registry::{Grammar, Row};
use crate::{Error, Result};

/// A parsed command line.
pub enum Request {
    /// The help of the program.
    ProgramHelp,
    /// No command, only global options. These are returned as given.
    NoCommand(Vec<String>),
    /// The version of the program.
    Version,
    /// A command that is not in the table, such as `help`, with its arguments.
    Builtin {
        /// The name of the command.
        name: String,
        /// The arguments.
        words: Vec<String>,
    },
    /// The help of a command.
    Help(&'static Row),
    /// A command from the table.
    Leaf(Box<Parsed>),
    /// An unknown `openstack` command: the words up to the first option.
    Unknown(Vec<String>),
}

/// A command with its parsed arguments.
pub struct Parsed {
    /// The grammar of the command.
    pub grammar: Grammar,
    /// The command.
    pub row: &'static Row,
    /// The arguments.
    pub matches: ArgMatches,
    /// The global options, from before and after the command.
    pub globals: Globals,
}

/// Parses a command line without the program's name. `called` is the grammar of the program that was called.
///
/// # Errors
/// `Usage`, in argparse's wording, with a usage line that names the program as it was called.
pub fn read(called: Grammar, words: Vec<OsString>) -> Result<Request> {
    read_words(called, to_text(words)?)
}

/// Parses words like [`read`].
///
/// # Errors
/// The errors of [`read`].
pub fn read_words(called: Grammar, words: Vec<String>) -> Result<Request> {
    let (grammar, before, rest) = split_globals(called, &words)?;
    let has = |names: &[&str]| before.iter().any(|word| names.contains(&word.as_str()));
    if has(&["--version"]) {
        return Ok(Request::Version);
    }
    let Some(first) = rest.first() else {
        if has(&["-h", "--help"]) {
            return Ok(Request::ProgramHelp);
        }
        return Ok(Request::NoCommand(words));
    };
    if has(&["-h", "--help"]) && grammar == Grammar::Glance {
        return Ok(Request::ProgramHelp);
    }
    if help::builtin(first).is_some() {
        return Ok(Request::Builtin {
            name: first.clone(),
            words: rest[1..].to_vec(),
        });
    }
    let (row, rest) = match find_row(called, grammar, &rest)? {
        Found::Row(row, taken) => (row, rest[taken..].to_vec()),
        Found::None => return Ok(Request::Unknown(rest)),
    };
    if has(&["-h", "--help"]) || asks_for_help(&rest) {
        return Ok(Request::Help(row));
    }
    let parser = globals::before(grammar);
    let before = match parser.clone().try_get_matches_from(&before) {
        Ok(matches) => matches,
        Err(error) => {
            let what = complaint(&parser, &error, &before);
            return Err(usage(called, None, &what));
        }
    };
    let command = leaf(called, grammar, row);
    let Sorted { known, unknown } = Sorter::new(called, grammar, row, &command).sort(rest)?;
    let mut line = vec![String::new()];
    line.extend(known);
    let typed = line.clone();
    let named = format!("{} {}", called.program(), row.name);
    let matches = match command.clone().try_get_matches_from(line) {
        Ok(matches) => matches,
        // argparse reports unknown options from the top-level parser, so glance's name is used.
        Err(error) if error.kind() == ErrorKind::UnknownArgument && grammar == Grammar::Glance => {
            return Err(usage(called, None, &complaint(&command, &error, &typed)));
        }
        Err(error) => return Err(complain(&named, command, &error, &typed)),
    };
    if unknown.is_empty() {
        // Help may be abbreviated or part of a cluster of letters.
        if matches!(matches.try_get_one::<bool>("help"), Ok(Some(true))) {
            return Ok(Request::Help(row));
        }
        let globals = Globals::from_matches(grammar, &before, &matches);
        return Ok(Request::Leaf(Box::new(Parsed {
            grammar,
            row,
            matches,
            globals,
        })));
    }
    let what = format!("unrecognized arguments: {}", unknown.join(" "));
    let error = match grammar {
        Grammar::Glance => usage(called, None, &what),
        Grammar::Openstack => {
            let line = usage_line(command);
            Error::usage(format!("{line}\n{named}: error: {what}"))
        }
    };
    Err(
        match unknown
            .iter()
            .find_map(|word| successor(grammar, row.name, word))
        {
            Some(hint) => error.hint(hint),
            None => error,
        },
    )
}

/// An option of the clients for the removed Images API v1.
struct Former {
    /// The name without dashes.
    long: &'static str,
    /// The commands that had the option, in both grammars.
    commands: &'static [&'static str],
    /// The replacement in the first and in the second grammar.
    instead: [&'static str; 2],
}

/// Commands that create or update an image.
const WRITERS: &[&str] = &["image-create", "image-update", "image create", "image set"];

/// Commands that list images.
const LISTERS: &[&str] = &["image-list", "image list"];

/// Options of the clients for the Images API v1 that scripts may still pass.
///
/// *Source:* `glanceclient/v1/shell.py` of python-glanceclient 2, `openstackclient/image/v1/image.py`.
const FORMER: &[Former] = &[
    Former {
        long: "is-public",
        commands: WRITERS,
        instead: [
            "--visibility public, or --visibility private",
            "--public, or --private",
        ],
    },
    Former {
        long: "is-public",
        commands: LISTERS,
        instead: [
            "--visibility public, or --visibility private",
            "--public, or --private",
        ],
    },
    Former {
        long: "is-protected",
        commands: WRITERS,
        instead: [
            "--protected True, or --protected False",
            "--protected, or --unprotected",
        ],
    },
    Former {
        long: "location",
        commands: WRITERS,
        instead: [
            "\"location-add --url URL IMAGE_ID\" once the image exists, or image-create-via-import with \
             --import-method web-download and --uri URL, which copies the data",
            "\"glance location-add --url URL IMAGE_ID\" once the image exists, or \"image import --method \
             web-download --uri URL\", which copies the data",
        ],
    },
    Former {
        long: "copy-from",
        commands: WRITERS,
        instead: [
            "image-create-via-import with --import-method web-download and --uri URL",
            "\"image import --method web-download --uri URL\" once the image exists",
        ],
    },
    Former {
        long: "checksum",
        commands: WRITERS,
        instead: [
            "none: the service computes the checksum, and image-show prints it",
            "none: the service computes the checksum, and \"image show\" prints it",
        ],
    },
    Former {
        long: "store",
        commands: &["image create", "image set"],
        instead: [
            "--store of image-upload",
            "--store of \"glance image-upload\", or --store of \"image import\"",
        ],
    },
    Former {
        long: "purge-props",
        commands: WRITERS,
        instead: [
            "--remove-property KEY for each property",
            "\"image unset --property KEY\" for each property",
        ],
    },
    Former {
        long: "owner",
        commands: &["image create", "image set", "image list"],
        instead: ["--owner", "--project"],
    },
    Former {
        long: "visibility",
        commands: &["image set"],
        instead: [
            "--visibility",
            "--public, --private, --community or --shared",
        ],
    },
    Former {
        long: "name",
        commands: &["image-list"],
        instead: ["--property-filter name=NAME", "--name"],
    },
    Former {
        long: "status",
        commands: &["image-list"],
        instead: ["--property-filter status=STATUS", "--status"],
    },
    Former {
        long: "disk-format",
        commands: LISTERS,
        instead: [
            "--property-filter disk_format=FORMAT",
            "--property disk_format=FORMAT",
        ],
    },
    Former {
        long: "container-format",
        commands: LISTERS,
        instead: [
            "--property-filter container_format=FORMAT",
            "--property container_format=FORMAT",
        ],
    },
    Former {
        long: "all-tenants",
        commands: LISTERS,
        instead: ["--visibility all", "--all"],
    },
    Former {
        long: "can-share",
        commands: &["member-create", "member-update", "image add project"],
        instead: [
            "none: a member cannot share an image further",
            "none: a member cannot share an image further",
        ],
    },
];

/// Returns a hint on the replacement of an option that `command` had in the Images API v1; `None` for any other
/// word.
pub fn successor(grammar: Grammar, command: &str, word: &str) -> Option<String> {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let name = name.strip_prefix("--")?.replace('_', "-");
    let former = FORMER
        .iter()
        .find(|former| former.long == name && former.commands.contains(&command))?;
    let [first, second] = former.instead;
    let instead = match grammar {
        Grammar::Glance => first,
        Grammar::Openstack => second,
    };
    Some(format!(
        "--{name} was an option of the Images API v1. Replacement: {instead}."
    ))
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

/// Returns whether `-h` or `--help` occurs among a command's words, before `--`.
fn asks_for_help(words: &[String]) -> bool {
    words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "-h" || word == "--help")
}

/// Splits a line into global options before the command and the rest, starting at the command. The grammar is
/// the command's: `glance` accepts commands of the second grammar, with that grammar's global options.
fn split_globals(called: Grammar, words: &[String]) -> Result<(Grammar, Vec<String>, Vec<String>)> {
    let split = |grammar| {
        let (before, rest) = options_before(grammar, called, words)?;
        Ok((grammar, before, rest))
    };
    if called == Grammar::Openstack {
        return split(called);
    }
    let first = split(Grammar::Glance);
    let is_first =
        |word: &String| Grammar::Glance.find(word).is_some() || help::builtin(word).is_some();
    if let Ok((_, _, rest)) = &first
        && rest.first().is_none_or(is_first)
    {
        return first;
    }
    let is_second = |word: &String| matches!(word.as_str(), "image" | "cached");
    let names_second = |split: &Result<(Grammar, Vec<String>, Vec<String>)>| {
        let rest = split.as_ref().ok().map(|(_, _, rest)| rest);
        rest.and_then(|rest| rest.first()).is_some_and(is_second)
    };
    let second = split(Grammar::Openstack);
    if names_second(&first) || names_second(&second) {
        return second;
    }
    first
}

/// Splits off the global options at the start of `words`, unabbreviated.
fn options_before(
    grammar: Grammar,
    called: Grammar,
    words: &[String],
) -> Result<(Vec<String>, Vec<String>)> {
    let mut before = Vec::new();
    let mut words = words.iter().cloned().peekable();
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word != "-") {
        if word == "-h" || word == "--help" {
            before.push(word);
            continue;
        }
        let found = globals::find(grammar, &word)
            .map_err(|candidates| ambiguous(called, None, &word, &candidates))?;
        let Some(global) = found else {
            return Err(usage(
                called,
                None,
                &format!("unrecognized arguments: {word}"),
            ));
        };
        let value = word.split_once('=').map(|(_, value)| value.to_string());
        if !word.starts_with("--") {
            // Letters may be combined; none of them takes a value.
            for letter in word.chars().skip(1) {
                let found = globals::find(grammar, &format!("-{letter}")).ok().flatten();
                let found = found.ok_or_else(|| {
                    usage(called, None, &format!("unrecognized arguments: {word}"))
                })?;
                before.push(format!("--{}", found.long));
            }
            continue;
        }
        let name = format!("--{}", global.long);
        match (global.value, value) {
            (None, Some(value)) => {
                return Err(usage(
                    called,
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
                        called,
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
    Row(&'static Row, usize),
    None,
}

/// Finds the command at the start of `words` and the number of words it takes.
fn find_row(called: Grammar, grammar: Grammar, words: &[String]) -> Result<Found> {
    if grammar == Grammar::Glance {
        if let Some(row) = Grammar::Glance.find(&words[0]) {
            return Ok(Found::Row(row, 1));
        }
        let names = Grammar::Glance.shown_rows().into_iter().map(|row| row.name);
        let names = names.chain(["bash-completion", "help", "bash_completion"]);
        return Err(usage(
            called,
            None,
            &format!(
                "argument <subcommand>: {}",
                invalid_choice(&words[0], names.map(str::to_string))
            ),
        )
        .hint(nearest(&words[0]).map_or_else(
            || "Run \"glance help\" to list the subcommands.".to_string(),
            |name| format!("Did you mean {name}?"),
        )));
    }
    let leading: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    for taken in (1..=leading.len()).rev() {
        if let Some(row) = Grammar::Openstack.find(&leading[..taken].join(" ")) {
            return Ok(Found::Row(row, taken));
        }
    }
    // cliff accepts abbreviated words that identify a single command.
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
            return Ok(Found::Row(row, taken));
        }
    }
    Ok(Found::None)
}

/// Returns the command of the first grammar most similar to a word.
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

/// Returns the parser of a command: its own arguments and the formatter's. `called` is the program's grammar.
pub fn own(called: Grammar, grammar: Grammar, row: &'static Row) -> Command {
    let name = format!("{} {}", called.program(), row.name);
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

/// Returns the parser of a command, including the global options accepted after it, hidden.
pub fn leaf(called: Grammar, grammar: Grammar, row: &'static Row) -> Command {
    globals::append(own(called, grammar, row), grammar)
}

/// The words after a command, sorted as argparse does.
struct Sorted {
    /// The words that the command accepts, with unabbreviated options.
    known: Vec<String>,
    /// The unrecognized words.
    unknown: Vec<String>,
}

/// Separates a command's words into recognized and unrecognized ones.
struct Sorter<'a> {
    called: Grammar,
    grammar: Grammar,
    row: &'static Row,
    command: &'a Command,
    /// Long names of the command's own options.
    own: Vec<String>,
    /// The positional arguments not yet filled: whether each takes several words.
    slots: VecDeque<bool>,
}

impl<'a> Sorter<'a> {
    fn new(called: Grammar, grammar: Grammar, row: &'static Row, command: &'a Command) -> Self {
        let own = command
            .get_arguments()
            .filter(|arg| !globals::Global::is_behind(arg));
        let own = own.flat_map(longs_of).collect();
        let slots = command.get_positionals();
        let slots = slots.map(takes_several).collect();
        Self {
            called,
            grammar,
            row,
            command,
            own,
            slots,
        }
    }

    fn sort(mut self, words: Vec<String>) -> Result<Sorted> {
        let (mut known, mut unknown) = (Vec::with_capacity(words.len()), Vec::new());
        let mut words = words.into_iter().peekable();
        // Whether the last positional argument takes more words, as long as no option intervenes.
        let mut is_open = false;
        let mut is_literal = false;
        while let Some(word) = words.next() {
            if is_literal || !looks_like_option(&word) {
                let slot = if is_open {
                    Some(true)
                } else {
                    self.slots.pop_front()
                };
                is_open = slot == Some(true);
                // Unless an unknown option precedes it, clap reports the extra word.
                if slot.is_some() || unknown.is_empty() {
                    known.push(word);
                } else {
                    unknown.push(word);
                }
                continue;
            }
            if word == "--" {
                is_literal = true;
                known.push(word);
                continue;
            }
            let (word, arg) = self.resolve(word)?;
            let Some(arg) = arg else {
                is_open = false;
                unknown.push(word);
                continue;
            };
            is_open = is_open && globals::Global::is_behind(arg);
            let takes_more = takes_separate_value(arg, &word);
            known.push(word);
            if takes_more {
                let negative = arg.is_allow_negative_numbers_set();
                let is_value = |word: &String| {
                    !looks_like_option(word) || negative && word.parse::<f64>().is_ok()
                };
                known.extend(words.next_if(is_value));
                while takes_several(arg)
                    && let Some(value) = words.next_if(is_value)
                {
                    known.push(value);
                }
            }
        }
        Ok(Sorted { known, unknown })
    }

    /// Expands an abbreviated option and returns the argument that takes its value; `None` for an unknown
    /// option.
    fn resolve(&self, word: String) -> Result<(String, Option<&'a Arg>)> {
        let Some(long) = word.strip_prefix("--") else {
            let arg = self.last_of_cluster(&word);
            return Ok((word, arg));
        };
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, format!("={value}")),
            None => (long, String::new()),
        };
        let full = if self.own.iter().any(|known| known == name) {
            name.to_string()
        } else {
            let begins = |known: &&String| known.starts_with(name);
            match self.own.iter().filter(begins).collect::<Vec<_>>()[..] {
                [one] => one.clone(),
                [] => match globals::find_after(self.grammar, name) {
                    Ok(Some(global)) => global.long.to_string(),
                    Ok(None) => return Ok((word, None)),
                    Err(candidates) => {
                        return Err(self.ambiguous(&word, &candidates));
                    }
                },
                ref several => {
                    let candidates: Vec<String> =
                        several.iter().map(|name| format!("--{name}")).collect();
                    return Err(self.ambiguous(&word, &candidates));
                }
            }
        };
        let mut arguments = self.command.get_arguments();
        let arg = arguments.find(|arg| longs_of(arg).contains(&full));
        Ok((format!("--{full}{value}"), arg))
    }

    fn ambiguous(&self, word: &str, candidates: &[String]) -> Error {
        ambiguous(
            self.called,
            Some((self.grammar, self.row)),
            word,
            candidates,
        )
    }

    /// Returns the argument of the last letter of `-abc`; `None` if an earlier letter is not a flag of the
    /// command.
    fn last_of_cluster(&self, word: &str) -> Option<&'a Arg> {
        let mut last = None;
        for letter in word.chars().skip(1) {
            let mut arguments = self.command.get_arguments();
            let arg = arguments.find(|arg| {
                arg.get_short() == Some(letter)
                    || arg
                        .get_all_short_aliases()
                        .unwrap_or_default()
                        .contains(&letter)
            })?;
            last = Some(arg);
            if arg.get_action().takes_values() {
                break;
            }
        }
        last
    }
}

/// Returns whether a word before `--` is an option.
fn looks_like_option(word: &str) -> bool {
    word.starts_with('-') && word != "-"
}

/// Returns the long names of an option, including hidden aliases.
fn longs_of(arg: &Arg) -> Vec<String> {
    let long = arg.get_long().map(str::to_string);
    let aliases = arg.get_all_aliases().unwrap_or_default();
    let aliases = aliases.into_iter().map(str::to_string);
    long.into_iter().chain(aliases).collect()
}

/// Returns whether an argument takes more than one word.
fn takes_several(arg: &Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.max_values() > 1)
        || arg.is_positional() && matches!(arg.get_action(), ArgAction::Append)
}

/// Returns whether the value of an option, spelled like this, is in the next word.
fn takes_separate_value(arg: &Arg, word: &str) -> bool {
    let is_inline = match word.strip_prefix("--") {
        Some(long) => long.contains('='),
        None => word.chars().last() != arg.get_short(),
    };
    arg.get_action().takes_values() && !is_inline
}

fn ambiguous(
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

fn invalid_choice(word: &str, choices: impl Iterator<Item = String>) -> String {
    let choices: Vec<String> = choices.map(|choice| format!("'{choice}'")).collect();
    format!(
        "invalid choice: '{word}' (choose from {})",
        choices.join(", ")
    )
}

/// Returns a usage error in argparse's format: a usage line and a message, for a command or for the program
/// that was `called`.
fn usage(called: Grammar, row: Option<(Grammar, &'static Row)>, what: &str) -> Error {
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

/// Returns whether an argument is a flag.
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
        assert_eq!(
            row(Grammar::Glance, "--os-cloud x -vq image list"),
            "image list",
            "the second grammar's options stand before its commands"
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
    fn options_of_the_other_grammar_are_none() {
        for (line, complaint) in [
            (
                "image delete A -f json",
                "glance image delete: error: unrecognized arguments: -f json",
            ),
            (
                "image delete -f json A",
                "glance image delete: error: unrecognized arguments: -f",
            ),
            (
                "image delete A --force B --debug C",
                "glance image delete: error: unrecognized arguments: --force B C",
            ),
            (
                "image delete A --format=json -v",
                "glance image delete: error: unrecognized arguments: --format=json",
            ),
            (
                "-f image delete A",
                "glance: error: unrecognized arguments: -f",
            ),
            (
                "--get-schema image delete A",
                "glance: error: unrecognized arguments: --get-schema",
            ),
            (
                "image-delete A -f",
                "glance: error: unrecognized arguments: -f",
            ),
            (
                "image-delete A --force -q",
                "glance: error: unrecognized arguments: --force -q",
            ),
            (
                "image-delete --debug A",
                "glance: error: unrecognized arguments: --debug",
            ),
            (
                "image-delete --debug",
                "glance image-delete: error: the following arguments are required: <IMAGE_ID>",
            ),
            (
                "--quiet image-delete A",
                "glance: error: unrecognized arguments: --quiet",
            ),
        ] {
            assert_eq!(refused(Grammar::Glance, line), complaint, "{line}");
        }
    }

    #[test]
    fn options_of_the_api_v1_name_what_replaces_them() {
        for (line, instead) in [
            (
                "image-create --name x --is-public True",
                "--visibility public",
            ),
            ("image-create --is_public=True", "--visibility public"),
            ("image-create --location http://h/x", "location-add"),
            ("image-create --copy-from http://h/x", "web-download"),
            ("image-update ID --purge-props", "--remove-property"),
            ("image-update ID --is-protected False", "--protected"),
            ("image-list --name x", "--property-filter name="),
            ("image-list --all-tenants", "--visibility all"),
            ("member-create ID P --can-share", "cannot share"),
            ("image create x --is-public True", "--public"),
            ("image set x --is-protected True", "--protected"),
            ("image create x --owner y", "--project"),
        ] {
            let Err(error) = read_line(Grammar::Glance, line) else {
                panic!("{line} was accepted");
            };
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
            let hint = format!("{:?}", error.hints());
            assert!(hint.contains(instead), "{line}: {hint}");
        }
        let Err(error) = read_line(Grammar::Glance, "image-show ID --is-public True") else {
            panic!("accepted");
        };
        assert_eq!(error.hints(), []);
    }

    #[test]
    fn complaints_name_the_program_that_was_called() {
        for (called, line, complaint) in [
            (
                Grammar::Glance,
                "image show",
                "glance image show: error: the following arguments are required: <image>",
            ),
            (
                Grammar::Openstack,
                "image show",
                "openstack image show: error: the following arguments are required: <image>",
            ),
            (
                Grammar::Glance,
                "image list --os x",
                "glance image list: error: ambiguous option: --os could match",
            ),
        ] {
            let Err(error) = read_line(called, line) else {
                panic!("{line} was accepted");
            };
            let program = called.program();
            let mut lines = error.message().lines();
            let usage = lines.next().unwrap_or_default();
            assert!(usage.starts_with(&format!("usage: {program} ")), "{usage}");
            let said = lines.next_back().unwrap_or_default();
            assert!(said.starts_with(complaint), "{line}: {said}");
        }
    }

    #[test]
    fn abbreviated_help_is_help() {
        for line in ["image delete A --hel", "image delete A -qh"] {
            assert!(
                matches!(
                    read_line(Grammar::Openstack, line),
                    Ok(Request::Help(row)) if row.name == "image delete"
                ),
                "{line}"
            );
        }
        assert_eq!(
            refused(Grammar::Glance, "image-delete A --hel"),
            "glance: error: unrecognized arguments: --hel"
        );
    }

    #[test]
    fn every_command_can_be_built() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            for row in grammar.rows() {
                leaf(grammar, grammar, row).debug_assert();
            }
        }
    }
}
