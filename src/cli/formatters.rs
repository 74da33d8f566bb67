//! cliff's output options, which its commands take on top of their own.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use super::registry::Output;
use super::values::int;

const HEADING: &str = "output formatters";

/// Appends the options for `output`, and `-h`.
pub fn append(command: Command, output: Output) -> Command {
    let command = command.arg(
        Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::SetTrue)
            .help("Show this help and leave"),
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
                    "How to print the answer: {}; table unless told otherwise",
                    formats.join(", ")
                )),
        )
        .arg(
            arg("column")
                .short('c')
                .value_name("COLUMN")
                .action(ArgAction::Append)
                .help("Print this column; may be repeated"),
        );
    if output == Output::List {
        command = command
            .arg(
                arg("quote")
                    .value_name("QUOTE_MODE")
                    .value_parser(PossibleValuesParser::new(["all", "minimal", "none", "nonnumeric"]))
                    .hide_possible_values(true)
                    .help("What to quote in CSV: all, minimal, none, or nonnumeric unless told otherwise"),
            )
            .arg(
                arg("sort-column")
                    .value_name("SORT_COLUMN")
                    .action(ArgAction::Append)
                    .help("Sort by this column; may be repeated"),
            )
            .arg(flag("sort-ascending").overrides_with("sort-descending").help("Sort smallest first"))
            .arg(flag("sort-descending").overrides_with("sort-ascending").help("Sort largest first"));
    }
    command = command
        .arg(flag("noindent").help("Print JSON in one line"))
        .arg(
            arg("max-width")
                .value_name("integer")
                .value_parser(int)
                .allow_negative_numbers(true)
                .help("Most columns a table may be wide [env CLIFF_MAX_TERM_WIDTH]"),
        )
        .arg(flag("fit-width").help(
            "Fit tables to the terminal, as any --max-* above 0 does [env CLIFF_FIT_WIDTH=1]",
        ))
        .arg(flag("print-empty").help("Print a table even when it is empty"));
    if output == Output::Show {
        command = command
            .arg(
                arg("prefix")
                    .value_name("PREFIX")
                    .help("Begin the names of shell variables with this"),
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
