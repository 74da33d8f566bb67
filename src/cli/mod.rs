//! The programs: what clap knows of them lives here and nowhere else.

pub mod argparse;
pub mod cache_manage;
mod cache_tools;
mod commands;
mod database;
mod formatters;
pub mod glance;
pub mod globals;
pub mod help;
mod limits;
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
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Environment;
use crate::data::Watch;
use crate::ops::Outcome;
use crate::output::{self, Dialect, StandardOutput};
use crate::{Error, ErrorKind, Result};

pub use programs::Program;

/// Version of all programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long an interrupted command may take to tidy up; what it leaves, the next one clears.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a program on the process's arguments and environment.
pub fn main(program: Program) -> ExitCode {
    limits::within(move || {
        let code = run(program);
        if OUTPUT_FAILED.load(Ordering::Relaxed) {
            return ExitCode::FAILURE;
        }
        code
    })
}

/// Whether [`print`] could not write something: then the program fails, whatever its work came to.
static OUTPUT_FAILED: AtomicBool = AtomicBool::new(false);

fn run(program: Program) -> ExitCode {
    ui::listen();
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let environment: Environment = std::env::vars_os().collect();
    match program {
        Program::Glance => {
            let name = Path::new(&called).file_name().unwrap_or_default();
            let grammar = if name == "openstack" {
                Grammar::Openstack
            } else {
                Grammar::Glance
            };
            glance(grammar, words, environment)
        }
        other => programs::main(other, &called, words, &environment),
    }
}

/// The two grammars.
fn glance(grammar: Grammar, words: Vec<OsString>, environment: Environment) -> ExitCode {
    let request = match argparse::read(grammar, words) {
        Ok(request) => request,
        Err(error) => return fail(grammar, &error),
    };
    match request {
        Request::Version => print(&format!("{} {VERSION}", grammar.program()), 0),
        Request::ProgramHelp => print(help::program(grammar).trim_end(), 0),
        Request::Help(row) => {
            let grammar = if row.name.contains(' ') {
                Grammar::Openstack
            } else {
                Grammar::Glance
            };
            print(help::command(grammar, row).trim_end(), 0)
        }
        Request::Builtin { name, words } => match name.as_str() {
            "help" => match help::answer(grammar, &words) {
                Ok(text) => print(text.trim_end(), 0),
                Err(error) => fail(grammar, &error),
            },
            _ => print(&argparse::completion_words().join(" "), 0),
        },
        Request::Unknown(words) => print(help::unknown_text(&words).trim_end(), 2),
        Request::Leaf(parsed) => leaf(*parsed, environment),
    }
}

fn leaf(parsed: Parsed, environment: Environment) -> ExitCode {
    let Parsed {
        grammar,
        row,
        matches,
        globals,
    } = parsed;
    if let Err(error) = check_versions(grammar, &globals) {
        return fail(grammar, &error);
    }
    let options = match formatters::options(grammar, &matches, &globals, &environment) {
        Ok(options) => options,
        Err(error) => return fail(grammar, &error),
    };
    let observation = match Observation::begin(grammar, &globals, &environment) {
        Ok(observation) => observation,
        Err(error) => return fail(grammar, &error),
    };
    let watch = Watch::default();
    let mut session = Session::new(grammar, globals, environment, watch.clone(), observation);
    session.creates = row.creates();
    let result = block_on(&watch, async {
        let done = async {
            let outcome = (row.run)(&matches, &session).await?;
            finish(grammar, outcome, &options).await
        };
        let done = done.await;
        let mut out = StandardOutput::open()?;
        session.observation.end(options.format, &mut out).await?;
        done
    });
    // Closing a database copies its log into it, and waits for the disk twice.
    session.forget();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(grammar, &error),
    }
}

/// Prints what a command came to; the exit code.
async fn finish(grammar: Grammar, outcome: Outcome<'_>, options: &output::Options) -> Result<u8> {
    let dialect = match grammar {
        Grammar::Glance => Dialect::Glance,
        Grammar::Openstack => Dialect::Openstack,
    };
    let mut out = StandardOutput::open()?;
    let printed = output::print(outcome.view, dialect, options, &mut out).await?;
    for notice in printed.warnings.iter().chain(&outcome.notices) {
        ui::notice(notice);
    }
    let mut failures = outcome.failures;
    if let Some(running) = outcome.then
        && let Err(error) = running.await
    {
        failures.push(error);
    }
    for failure in &failures {
        ui::error(grammar, failure);
    }
    Ok(failures
        .first()
        .map_or(0, |failure| failure.kind().exit_code()))
}

/// The Images API has one version left.
fn check_versions(grammar: Grammar, globals: &Globals) -> Result<()> {
    let Some(version) = globals.value("os-image-api-version") else {
        return Ok(());
    };
    let major = version.split('.').next().unwrap_or_default();
    match (grammar, major.parse::<u32>()) {
        (_, Ok(2)) => Ok(()),
        (Grammar::Glance, Ok(1)) => {
            Err(Error::failed("the Images API v1 is gone")
                .hint("Leave --os-image-api-version out."))
        }
        (Grammar::Glance, _) => Err(Error::failed(
            "Invalid API version parameter. Supported values are [1, 2]",
        )
        .hint("Leave --os-image-api-version out: there is only version 2 left.")),
        (Grammar::Openstack, _) => Err(Error::failed(format!(
            "Images API version {version} is not supported"
        ))
        .hint("Leave --os-image-api-version out: there is only version 2 left.")),
    }
}

/// Runs a future on this thread until it is done or the user wants no more of it.
fn block_on<T>(watch: &Watch, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = limits::runtime()?;
    let result = runtime.block_on(async {
        let interrupted = Error::new(ErrorKind::Interrupted, "interrupted");
        // Before anything is begun that a signal could find half done.
        let mut signals = Signals::install();
        let mut work = std::pin::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            () = signals.next() => watch.stop(),
        }
        // The transfer notices and tidies up; a second signal, or no patience left, ends it here.
        tokio::select! {
            result = &mut work => result.and(Err(interrupted)),
            () = signals.next() => Err(interrupted),
            () = tokio::time::sleep(GRACE) => Err(interrupted),
        }
    });
    // A thread that still waits for input must not keep the program.
    runtime.shutdown_background();
    result
}

/// SIGINT and SIGTERM; None where no handler can be installed, and signals do what they always do.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn install() -> Self {
        let interrupt = signal(SignalKind::interrupt());
        Self(
            interrupt
                .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)))
                .ok(),
        )
    }

    /// Waits for the next one of them.
    async fn next(&mut self) {
        match &mut self.0 {
            Some((interrupt, terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }
}

/// Prints a text and a newline on stdout.
fn print(text: &str, code: u8) -> ExitCode {
    let print = || {
        let mut out = StandardOutput::open()?;
        out.write_all(format!("{text}\n").as_bytes())
            .map_err(|e| Error::io("write to", "standard output", e))
    };
    match print() {
        Err(error) if error.kind() != ErrorKind::ClosedPipe => {
            // Once is enough.
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
