//! The execution of a command of an operator's program.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::ArgMatches;

use crate::Result;
use crate::cli::command::registry::Row;
use crate::cli::run::outcome::{Style, finish};
use crate::cli::run::print::fail_plainly;
use crate::cli::run::runtime::block_on;
use crate::data::Watch;
use crate::output::{Dialect, Format, Options};

/// Runs a command and prints its result in `format`, if one was given. Returns the exit code.
///
/// # Errors
/// The error of the command.
pub fn perform<C>(
    row: &Row<C>,
    matches: &ArgMatches,
    context: &C,
    watch: &Watch,
    format: Option<Format>,
) -> Result<ExitCode> {
    let options = Options {
        is_terminal: std::io::stdout().is_terminal(),
        for_programs: format.is_some(),
        format: format.unwrap_or_default(),
        ..Options::default()
    };
    let code = block_on(watch, async {
        let outcome = (row.run)(matches, context).await?;
        finish(outcome, Style::plain(Dialect::Glance), &options).await
    })?;
    Ok(ExitCode::from(code))
}

/// Returns the exit code of a run; an error is printed.
pub fn exit_code(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| fail_plainly(&error))
}
