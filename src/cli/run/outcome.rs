//! The result of a command, as it is printed: the only place that prints one.

use super::{hints, ui};
use crate::cli::command::grammar::Grammar;
use crate::ops::Outcome;
use crate::output::{self, Dialect, Options, Printed, StandardOutput, View};
use crate::{Error, ErrorKind, Result};

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The style of tables and records.
    pub dialect: Dialect,
    /// The grammar whose client's errors are imitated; `None` for errors without an HTTP status.
    pub grammar: Option<Grammar>,
}

impl Style {
    /// Returns the style of a grammar's client.
    pub const fn of(grammar: Grammar) -> Self {
        let dialect = match grammar {
            Grammar::Glance => Dialect::Glance,
            Grammar::Openstack => Dialect::Openstack,
        };
        Self {
            dialect,
            grammar: Some(grammar),
        }
    }

    /// Returns the style of an operator's program.
    pub const fn plain(dialect: Dialect) -> Self {
        Self {
            dialect,
            grammar: None,
        }
    }
}

/// Prints the result of a command: its output, then messages, then what fails afterwards. Returns the exit code.
///
/// # Errors
/// The error of writing to standard output.
pub async fn finish(outcome: Outcome<'_>, style: Style, options: &Options) -> Result<u8> {
    let Outcome {
        mut heading,
        mut view,
        data,
        notices,
        hints,
        mut failures,
        then,
        exit_code,
    } = outcome;
    if let Some(data) = data.filter(|_| options.for_programs) {
        (heading, view) = (None, data);
    }
    let printed = match print_output(heading, view, style.dialect, options).await {
        Ok(printed) => printed,
        Err(error) => match error.kind() {
            ErrorKind::ClosedPipe if exit_code != 0 => return Ok(exit_code),
            ErrorKind::Usage => return Err(error.context("argument -f/--format")),
            _ => return Err(error),
        },
    };
    let hint = hints::line(style.grammar.unwrap_or(Grammar::Glance), &hints);
    for notice in printed.warnings.iter().chain(&notices).chain(&hint) {
        ui::notice(notice);
    }
    if let Some(running) = then
        && let Err(error) = running.await
    {
        failures.push(error);
    }
    // Returned, because the caller reports an interruption too.
    let is_interruption = |failure: &Error| failure.kind() == ErrorKind::Interrupted;
    let interruption = failures.iter().position(is_interruption);
    let interruption = interruption.map(|position| failures.remove(position));
    match style.grammar {
        Some(grammar) => ui::errors(grammar, &failures),
        None => failures.iter().for_each(ui::plain_error),
    }
    if let Some(interruption) = interruption {
        return Err(interruption);
    }
    let code = |failure: &Error| failure.kind().exit_code();
    Ok(failures.first().map_or(exit_code, code))
}

/// Prints a heading and a view. Standard output may be closed if there is nothing to print.
async fn print_output(
    heading: Option<String>,
    view: View<'_>,
    dialect: Dialect,
    options: &Options,
) -> Result<Printed> {
    if heading.is_none() && matches!(view, View::Nothing) {
        return Ok(Printed::default());
    }
    let mut out = StandardOutput::open()?;
    if let Some(heading) = heading {
        output::print(View::Text(heading), dialect, options, &mut out).await?;
    }
    output::print(view, dialect, options, &mut out).await
}
