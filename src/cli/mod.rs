//! The programs. This is the only module that uses clap.

pub mod argparse;
pub mod cache_manage;
mod cache_tools;
mod commands;
pub mod completion;
mod database;
mod formatters;
pub mod glance;
pub mod globals;
pub mod help;
mod hints;
mod limits;
mod lines;
mod log;
pub mod manage;
mod metadefs;
mod metrics;
mod observation;
pub mod openstack;
mod oslo;
mod programs;
mod progress;
pub mod registry;
mod scrub;
pub mod scrubber;
pub mod session;
mod signals;
pub mod ui;
mod upkeep;
mod values;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use argparse::{Parsed, Request};
use globals::Globals;
use observation::Observation;
use registry::Grammar;
use session::Session;
use signals::{Guard, Signals};

use crate::config::Environment;
use crate::data::Watch;
use crate::ops::Outcome;
use crate::output::{self, Dialect, StandardOutput};
use crate::{Error, ErrorKind, Result};

pub use programs::Program;

/// The version of all programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Time for an interrupted command to clean up; the next command cleans up what is left.
const GRACE: Duration = Duration::from_secs(4);

/// Time after a signal until the process is ended if its command does not end; less than the documented five
/// seconds.
const EXIT_DEADLINE: Duration = Duration::from_millis(4500);

/// Runs the program that the process is called by the name of, with its arguments and environment.
pub fn main() -> ExitCode {
    limits::within(|| {
        let code = run();
        if OUTPUT_FAILED.load(Ordering::Relaxed) {
            return ExitCode::FAILURE;
        }
        code
    })
}

/// Whether [`print`] failed to write; the program then fails regardless of its result.
static OUTPUT_FAILED: AtomicBool = AtomicBool::new(false);

fn run() -> ExitCode {
    ui::listen();
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let environment: Environment = std::env::vars_os().collect();
    let name = Path::new(&called).file_name().unwrap_or_default();
    match Program::named(name) {
        Program::Glance => {
            let grammar = if name == "openstack" {
                Grammar::Openstack
            } else {
                Grammar::Glance
            };
            glance(grammar, words, environment)
        }
        other => programs::main(other, name, words, &environment),
    }
}

/// Runs a command line of the program that was `called`.
fn glance(called: Grammar, words: Vec<OsString>, environment: Environment) -> ExitCode {
    match argparse::read(called, words) {
        Ok(Request::NoCommand(options)) => lines::run(called, options, environment),
        Ok(Request::Leaf(parsed)) => leaf(called, &parsed, environment),
        Ok(request) => answer(called, request),
        Err(error) => fail(called, &error),
    }
}

/// Handles requests that need no deployment: help, version, completion.
fn answer(called: Grammar, request: Request) -> ExitCode {
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
        Request::NoCommand(_) | Request::Leaf(_) => {
            fail(called, &argparse::missing_command(called))
        }
    }
}

/// Returns the output of a built-in command.
fn builtin(called: Grammar, name: &str, words: &[String]) -> Result<String> {
    let Some(builtin) = help::builtin(name) else {
        return Err(argparse::missing_command(called));
    };
    if words.iter().any(|word| word == "-h" || word == "--help") {
        return Ok(help::of_builtin(called, builtin));
    }
    match builtin.name {
        "help" => help::answer(called, words),
        "complete" => completion::complete(called, words),
        _ => Ok(completion::words().join(" ")),
    }
}

/// Runs one command as the only one of the process.
fn leaf(called: Grammar, parsed: &Parsed, environment: Environment) -> ExitCode {
    let grammar = parsed.grammar;
    let watch = Watch::default();
    let session = match open_session(parsed, environment, &watch) {
        Ok(session) => session,
        Err(error) => return fail(called, &error),
    };
    let result = block_on(&watch, async {
        let result = perform(parsed, &session).await;
        session.finish().await;
        result
    });
    session.forget();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(grammar, &error),
    }
}

/// Validates the global options and creates a session that has not opened anything.
///
/// # Errors
/// `Usage` for contradictory options; `Failed` for an unsupported API version; `Io` for a log file.
fn open_session(parsed: &Parsed, environment: Environment, watch: &Watch) -> Result<Session> {
    let (grammar, globals) = (parsed.grammar, &parsed.globals);
    globals.refuse_contradictions(parsed.row)?;
    check_versions(grammar, globals)?;
    let observation = Observation::begin(grammar, globals, &environment)?;
    let watch = watch.clone();
    let mut session = Session::new(grammar, globals.clone(), environment, watch, observation);
    session.creates = parsed.row.creates();
    Ok(session)
}

/// Runs a command and prints its result. Returns the exit code.
async fn perform(parsed: &Parsed, session: &Session) -> Result<u8> {
    let Parsed {
        grammar,
        row,
        matches,
        globals,
        ..
    } = parsed;
    let options = formatters::options(*grammar, matches, globals, &session.environment)?;
    let done = async {
        let advise = |error| hints::advise(error, *grammar, row, matches);
        let mut outcome = (row.run)(matches, session).await.map_err(advise)?;
        outcome.failures = outcome.failures.into_iter().map(advise).collect();
        finish(*grammar, outcome, &options).await
    };
    let done = done.await;
    let mut out = StandardOutput::open()?;
    session.observation.end(options.format, &mut out).await?;
    done
}

/// Prints the result of a command. Returns the exit code.
async fn finish(grammar: Grammar, outcome: Outcome<'_>, options: &output::Options) -> Result<u8> {
    let dialect = match grammar {
        Grammar::Glance => Dialect::Glance,
        Grammar::Openstack => Dialect::Openstack,
    };
    let mut out = StandardOutput::open()?;
    let printed = output::print(outcome.view, dialect, options, &mut out).await;
    let printed = printed.map_err(|error| match error.kind() {
        ErrorKind::Usage => error.context("argument -f/--format"),
        _ => error,
    })?;
    let hint = hints::line(grammar, &outcome.hints);
    for notice in printed.warnings.iter().chain(&outcome.notices).chain(&hint) {
        ui::notice(notice);
    }
    let mut failures = outcome.failures;
    if let Some(running) = outcome.then
        && let Err(error) = running.await
    {
        failures.push(error);
    }
    ui::errors(grammar, &failures);
    Ok(failures
        .first()
        .map_or(0, |failure| failure.kind().exit_code()))
}

/// Checks the requested version of the Images API.
fn check_versions(grammar: Grammar, globals: &Globals) -> Result<()> {
    let Some(version) = globals.value("os-image-api-version") else {
        return Ok(());
    };
    let major = version.split('.').next().unwrap_or_default();
    match (grammar, major.parse::<u32>()) {
        (_, Ok(2)) => Ok(()),
        (Grammar::Glance, Ok(1)) => Err(Error::failed("the Images API v1 is not supported")
            .hint("Omit --os-image-api-version.")),
        (Grammar::Glance, _) => Err(Error::failed(
            "Invalid API version parameter. Supported values are [1, 2]",
        )
        .hint("Omit --os-image-api-version: version 2 is the only one.")),
        (Grammar::Openstack, _) => Err(Error::failed(format!(
            "Images API version {version} is not supported"
        ))
        .hint("Omit --os-image-api-version: version 2 is the only one.")),
    }
}

/// Runs a future on this thread until it completes or a signal requests the end of the program.
fn block_on<T>(watch: &Watch, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = limits::runtime()?;
    let _guard = Guard::start(Some(EXIT_DEADLINE));
    let result = runtime.block_on(async {
        let interrupted = Error::new(ErrorKind::Interrupted, "interrupted");
        // Installed before any work that a signal could leave half done.
        let mut signals = Signals::install();
        let mut work = std::pin::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            () = signals.next() => watch.stop(),
        }
        // The transfer stops and cleans up. A second signal or the end of the grace period aborts it.
        tokio::select! {
            result = &mut work => result.and(Err(interrupted)),
            () = signals.next() => Err(interrupted),
            () = tokio::time::sleep(GRACE) => Err(interrupted),
        }
    });
    // A thread that waits for input must not keep the program running.
    runtime.shutdown_background();
    result
}

/// Prints a line on stdout.
fn print(text: &str, code: u8) -> ExitCode {
    let print = || {
        let mut out = StandardOutput::open()?;
        out.write_all(format!("{text}\n").as_bytes())
            .map_err(|e| Error::io("write to", "standard output", e))
    };
    match print() {
        Err(error) if error.kind() != ErrorKind::ClosedPipe => {
            // Report the failure only once.
            if !OUTPUT_FAILED.swap(true, Ordering::Relaxed) {
                ui::plain_error(&error);
            }
            ExitCode::FAILURE
        }
        _ => ExitCode::from(code),
    }
}

fn fail(grammar: Grammar, error: &Error) -> ExitCode {
    ui::error(grammar, error);
    ExitCode::from(error.kind().exit_code())
}
