//! Diagnostics of a run: requests, timings, profiling, log file.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::ui;
use crate::Result;
use crate::cli::command::globals::Globals;
use crate::cli::command::globals::keys::{self, Flag};
use crate::cli::command::grammar::Grammar;
use crate::config::Environment;
use crate::http::{Listener, Observer, Timing};
use crate::output::{self, Cell, Dialect, Format, Options, Table, View};
use crate::remote::profiler::Profiler;

/// Upstream options that are accepted and ignored, each with the reason.
const WITHOUT_EFFECT: [(Flag, &str); 1] = [(
    keys::COLLECT_TIMING,
    "glance does not print timings; use openstack --timing",
)];

/// The level of detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Warnings and errors.
    Usual,
    /// One line per request (`-v`).
    Requests,
    /// Full requests and responses (`--debug`, `-vv`).
    Everything,
}

/// The diagnostics of a run.
pub struct Observation {
    grammar: Grammar,
    detail: Detail,
    profiler: Option<Profiler>,
    /// Whether there is a server to profile.
    traced: AtomicBool,
    timings: Option<Arc<Mutex<Vec<Timing>>>>,
}

impl Observation {
    /// Starts the diagnostics requested by options and environment.
    ///
    /// # Errors
    /// `Io` if the log file cannot be opened.
    pub fn begin(grammar: Grammar, globals: &Globals, environment: &Environment) -> Result<Self> {
        if let Some(path) = globals.value(keys::LOG_FILE) {
            ui::log_to(Path::new(path), grammar)?;
        }
        for (option, reason) in WITHOUT_EFFECT {
            if globals.is_set(option) {
                let option = option.name();
                ui::notice(&format!("--{option} has no effect: {reason}."));
            }
        }
        // In the first grammar, `--verbose` only adds columns.
        let verbose = match grammar {
            Grammar::Glance => 0,
            Grammar::Openstack => globals.count(keys::VERBOSE),
        };
        let key = globals
            .value(keys::PROFILE)
            .or(globals.value(keys::OS_PROFILE));
        let variable = environment.get("OS_PROFILE").and_then(|key| key.to_str());
        let key = key.or(variable).filter(|key| !key.is_empty());
        Ok(Self {
            grammar,
            detail: match verbose {
                _ if globals.is_set(keys::DEBUG) => Detail::Everything,
                0 => Detail::Usual,
                1 => Detail::Requests,
                _ => Detail::Everything,
            },
            profiler: key.map(Profiler::begin).transpose()?,
            traced: AtomicBool::new(true),
            timings: globals.is_set(keys::TIMING).then(Arc::default),
        })
    }

    /// Returns the observer of the run's requests.
    pub fn observer(&self) -> Observer {
        let listener = match self.detail {
            Detail::Everything => Some(Arc::new(ui::debug) as Listener),
            Detail::Usual | Detail::Requests => None,
        };
        let timings = self.timings.clone();
        let prints = self.detail == Detail::Requests;
        let timer = move |timing: Timing| {
            if prints {
                ui::info(&line(&timing));
            }
            if let Some(timings) = &timings {
                let mut timings = timings.lock().unwrap_or_else(PoisonError::into_inner);
                timings.push(timing);
            }
        };
        Observer {
            listener,
            timer: (prints || self.timings.is_some()).then(|| Arc::new(timer) as _),
            headers: self
                .profiler
                .as_ref()
                .map(Profiler::headers)
                .unwrap_or_default(),
        }
    }

    /// Returns whether more than warnings and errors is printed.
    pub fn is_verbose(&self) -> bool {
        self.detail > Detail::Usual
    }

    /// Records that there is no server to profile.
    pub fn without_server(&self) {
        self.traced.store(false, Ordering::Relaxed);
        if self.profiler.is_some() {
            ui::notice("--profile has no effect in a local deployment.");
        }
    }

    /// Ends the run and prints timings and the trace ID, after a result printed in `format`.
    ///
    /// *Source:* `close_profile` and `clean_up` in `osc_lib/shell.py`, `main` in `glanceclient/shell.py`.
    pub async fn end(&self, format: Format, out: &mut dyn Write) -> Result<()> {
        let traced = self.traced.load(Ordering::Relaxed);
        if let Some(profiler) = self.profiler.as_ref().filter(|_| traced) {
            let id = profiler.id();
            let command = format!("osprofiler trace show --html {id} ");
            match self.grammar {
                Grammar::Glance => {
                    let text = format!(
                        "Profiling trace ID: {id}\nTo display trace use next command:\n{command}"
                    );
                    print(View::Text(text), Dialect::Glance, Format::Table, out).await?;
                }
                Grammar::Openstack => {
                    let (_, short) = id.as_u64_pair();
                    ui::notice(&format!("Trace ID: {id}"));
                    ui::notice(&format!(
                        "Short trace ID for OpenTracing-based drivers: {short:x}"
                    ));
                    ui::notice("Display trace data with command:");
                    ui::notice(&command);
                }
            }
        }
        let Some(timings) = &self.timings else {
            return Ok(());
        };
        // Reset, so that the next command of the session starts with no timings.
        let timings = std::mem::take(&mut *timings.lock().unwrap_or_else(PoisonError::into_inner));
        let rows = table(&timings);
        print(
            View::Text("\n".to_string()),
            Dialect::Openstack,
            Format::Table,
            out,
        )
        .await?;
        let format = match format {
            Format::Table => Format::Table,
            _ => Format::Csv,
        };
        print(rows, Dialect::Openstack, format, out).await
    }
}

/// Formats a request on one line.
fn line(timing: &Timing) -> String {
    let Timing {
        method,
        place,
        status,
        elapsed,
    } = timing;
    let (status, seconds) = (status.as_u16(), elapsed.as_secs_f64());
    format!("{method} {place}: {status} in {seconds:.3} s")
}

/// Returns the table of requests with their durations and the total.
fn table(timings: &[Timing]) -> View<'static> {
    let seconds = |microseconds: u128| {
        // Exact up to 53 bits, which is 285 years.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let seconds = microseconds as f64 / 1e6;
        Cell::new(json!(seconds))
    };
    let row = |timing: &Timing| {
        let what = format!("{} {}", timing.method, timing.place);
        vec![Cell::new(json!(what)), seconds(timing.elapsed.as_micros())]
    };
    let mut rows: Vec<_> = timings.iter().map(row).collect();
    let total = timings
        .iter()
        .map(|timing| timing.elapsed.as_micros())
        .sum();
    rows.push(vec![Cell::new(json!("Total")), seconds(total)]);
    View::Table(Table::from_rows(["URL", "Seconds"], rows))
}

async fn print(
    view: View<'_>,
    dialect: Dialect,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    let options = Options {
        format,
        ..Options::default()
    };
    output::print(view, dialect, &options, out).await?;
    Ok(())
}
