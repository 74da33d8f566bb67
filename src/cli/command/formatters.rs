//! Output options: cliff's, which commands of the second grammar have, and the additional global options of the
//! first grammar.

use std::io::IsTerminal;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::globals::Globals;
use super::globals::keys::{self, Flag, Text, Texts};
use super::grammar::Grammar;
use super::registry::Output;
use super::values::int;
use crate::config::{Environment, Preferences, Setting};
use crate::output::{Format, Options, Quote, SortDirection};
use crate::{Error, Result};

const HEADING: &str = "output formatters";

/// Appends the options for `output`, and `-h`.
pub fn append(command: Command, output: Output) -> Command {
    let command = command.arg(
        Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::SetTrue)
            .help("Show this help message and exit"),
    );
    let formats: &[&'static str] = match output {
        Output::Plain => return command,
        Output::Show => &["json", "shell", "table", "value", "yaml"],
        Output::List => &["csv", "json", "table", "value", "yaml"],
    };
    let arg = |name: &'static str| Arg::new(name).long(name).help_heading(HEADING);
    let flag = |name: &'static str| arg(name).action(ArgAction::SetTrue);
    let mut command = command
        .arg(
            arg("format")
                .short('f')
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(formats.iter().copied()))
                .hide_possible_values(true)
                .help(format!(
                    "Output format: {}; default: table",
                    formats.join(", ")
                )),
        )
        .arg(
            arg("column")
                .short('c')
                .value_name("COLUMN")
                .action(ArgAction::Append)
                .help("Column to print; may be repeated"),
        );
    if output == Output::List {
        command = command
            .arg(
                arg("quote")
                    .value_name("QUOTE_MODE")
                    .value_parser(PossibleValuesParser::new(["all", "minimal", "none", "nonnumeric"]))
                    .hide_possible_values(true)
                    .help("When to quote values in CSV: all, minimal, none or nonnumeric; default: nonnumeric"),
            )
            .arg(
                arg("sort-column")
                    .value_name("SORT_COLUMN")
                    .action(ArgAction::Append)
                    .help("Column to sort by; may be repeated"),
            )
            .arg(flag("sort-ascending").overrides_with("sort-descending").help("Sort in ascending order"))
            .arg(flag("sort-descending").overrides_with("sort-ascending").help("Sort in descending order"));
    }
    command = command
        .arg(flag("noindent").help("Print JSON on one line"))
        .arg(
            arg("max-width")
                .value_name("integer")
                .value_parser(int)
                .allow_negative_numbers(true)
                .help("Maximum width of a table, in columns [env CLIFF_MAX_TERM_WIDTH]"),
        )
        .arg(flag("fit-width").help(
            "Fit tables to the width of the terminal; implied by any --max-* above 0 [env CLIFF_FIT_WIDTH=1]",
        ))
        .arg(flag("print-empty").help("Print a table even if it is empty"));
    if output == Output::Show {
        command = command
            .arg(
                arg("prefix")
                    .value_name("PREFIX")
                    .help("Prefix of the names of shell variables"),
            )
            .arg(
                arg("variable")
                    .value_name("VARIABLE")
                    .action(ArgAction::Append)
                    .hide(true),
            );
    }
    command
}

/// The source of the output options: the command in the second grammar, the program in the first.
struct Given<'a> {
    grammar: Grammar,
    matches: &'a ArgMatches,
    globals: &'a Globals,
}

impl Given<'_> {
    fn text(&self, key: Text) -> Option<String> {
        match self.grammar {
            Grammar::Glance => self.globals.value(key).map(str::to_string),
            Grammar::Openstack => text(self.matches, key.name()),
        }
    }

    fn flag(&self, key: Flag) -> bool {
        match self.grammar {
            Grammar::Glance => self.globals.is_set(key),
            Grammar::Openstack => flag(self.matches, key.name()),
        }
    }

    fn all(&self, key: Texts) -> Vec<String> {
        match self.grammar {
            Grammar::Glance => self.globals.all(key).to_vec(),
            Grammar::Openstack => all(self.matches, key.name()),
        }
    }
}

/// Returns the value of an option of a command.
fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}

/// Returns whether a flag of a command was given.
fn flag(matches: &ArgMatches, name: &str) -> bool {
    matches!(matches.try_get_one::<bool>(name), Ok(Some(true)))
}

/// Returns all values of an option of a command.
fn all(matches: &ArgMatches, name: &str) -> Vec<String> {
    let given = matches.try_get_many::<String>(name).ok().flatten();
    given.map(|all| all.cloned().collect()).unwrap_or_default()
}

/// Returns the output format of a command line. The preferences of the user apply at a terminal.
///
/// # Errors
/// `Usage` for an unknown format; `Failed` for invalid preferences.
pub fn options(
    grammar: Grammar,
    command: &str,
    matches: &ArgMatches,
    globals: &Globals,
    environment: &Environment,
    preferences: &Setting<Preferences>,
) -> Result<Options> {
    let given = Given {
        grammar,
        matches,
        globals,
    };
    let chosen = given.text(keys::FORMAT);
    let mut options = Options {
        for_programs: chosen.is_some(),
        format: chosen.map_or(Ok(Format::default()), |word| format(&word))?,
        quote: given
            .text(keys::QUOTE)
            .map_or(Ok(Quote::default()), |word| quote(&word))?,
        columns: given.all(keys::COLUMN),
        sort_columns: given.all(keys::SORT_COLUMN),
        noindent: given.flag(keys::NOINDENT),
        print_empty: given.flag(keys::PRINT_EMPTY),
        ..Options::default()
    };
    if given.flag(keys::SORT_DESCENDING) {
        options.sort_direction = SortDirection::Descending;
    }
    if grammar == Grammar::Openstack {
        options.fit_width = flag(matches, "fit-width")
            || environment
                .get("CLIFF_FIT_WIDTH")
                .is_some_and(|value| value != "0");
        let from_environment = || {
            environment
                .get("CLIFF_MAX_TERM_WIDTH")
                .and_then(|width| width.to_str()?.parse::<i64>().ok())
        };
        let width = matches
            .try_get_one::<i64>("max-width")
            .ok()
            .flatten()
            .copied()
            .or_else(from_environment);
        options.max_width = width
            .and_then(|width| usize::try_from(width).ok())
            .unwrap_or(0);
        options.prefix = text(matches, "prefix").unwrap_or_default();
        options.variables = all(matches, "variable");
    }
    // An invalid number is rejected by `glance image-show`.
    let width = text(matches, "max_column_width");
    if let Some(width) = width.and_then(|width| width.trim().parse().ok()) {
        options.max_column_width = width;
    }
    let terminal = std::io::stdout();
    options.is_terminal = terminal.is_terminal();
    options.human_sizes = globals.is_set(keys::HUMAN);
    options.local_times = globals.is_set(keys::LOCAL_TIME);
    if options.is_terminal {
        let preferences = preferences.get()?;
        options.colors = !preferences.no_color && environment.get("NO_COLOR").is_none();
        options.human_sizes |= preferences.human_sizes;
        options.local_times |= preferences.local_times;
        if let Some(word) = preferences
            .format
            .as_ref()
            .filter(|_| !options.for_programs)
        {
            options.format = format(word)?;
            options.for_programs = options.format != Format::Table;
            options.is_preferred_format = true;
        }
        if options.columns.is_empty() && !flag(matches, "long") {
            options.columns = preferences.columns(command).to_vec();
            options.columns_origin = preferences
                .file
                .as_ref()
                .map(|file| file.display().to_string());
        }
    }
    options.terminal_width = rustix::termios::tcgetwinsize(&terminal)
        .ok()
        .map(|size| usize::from(size.ws_col));
    Ok(options)
}

/// Returns the format named `word`.
///
/// # Errors
/// `Usage` for an unknown format.
pub fn format(word: &str) -> Result<Format> {
    Ok(match word {
        "table" => Format::Table,
        "json" => Format::Json,
        "yaml" => Format::Yaml,
        "csv" => Format::Csv,
        "value" => Format::Value,
        "shell" => Format::Shell,
        _ => {
            return Err(wrong(
                "format",
                word,
                "'csv', 'json', 'shell', 'table', 'value', 'yaml'",
            ));
        }
    })
}

fn quote(word: &str) -> Result<Quote> {
    Ok(match word {
        "all" => Quote::All,
        "minimal" => Quote::Minimal,
        "none" => Quote::None,
        "nonnumeric" => Quote::Nonnumeric,
        _ => {
            return Err(wrong(
                "quote",
                word,
                "'all', 'minimal', 'none', 'nonnumeric'",
            ));
        }
    })
}

fn wrong(option: &str, word: &str, words: &str) -> Error {
    Error::usage(format!(
        "argument --{option}: invalid choice: '{word}' (choose from {words})"
    ))
}
