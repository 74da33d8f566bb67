//! The clap parser of a command.

use clap::Command;

use super::grammar::{Grammar, Row};
use super::{formatters, globals};

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
        Grammar::Openstack => formatters::append(command, row.output),
    }
}

/// Returns the parser of a command, including the global options accepted after it, hidden.
pub fn leaf(called: Grammar, grammar: Grammar, row: &'static Row) -> Command {
    globals::append(own(called, grammar, row), grammar)
}
