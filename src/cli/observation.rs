//! What a run tells of itself beside its result: its requests and their times, a trace, a log file.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::globals::Globals;
use super::registry::Grammar;
use super::ui;
use crate::Result;
use crate::config::Environment;
use crate::http::{Listener, Observer, Timing};
use crate::output::{self, Cell, Dialect, Format, Options, Table, View};
use crate::remote::profiler::Profiler;

/// Options of the real clients that are taken, so that scripts go on, and do nothing; and why.
const WITHOUT_EFFECT: [(&str, &str); 1] = [(
    "collect-timing",
    "no command of the first grammar shows times; openstack --timing does",
)];

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// What went wrong, and what somebody should know.
    Usual,
    /// A line a request (`-v`).
    Requests,
    /// Requests and answers as they are (`--debug`, `-vv`).
    Everything,
}

/// What is observed of one run.
pub struct Observation {
    grammar: Grammar,
    detail: Detail,
    profiler: Option<Profiler>,
    /// Whether there is a server, which could trace.
    traced: AtomicBool,
    timings: Option<Arc<Mutex<Vec<Timing>>>>,
}

impl Observation {
    /// Begins to observe what options and environment want to be observed.
    ///
    /// # Errors
    /// `Io` for a log file that cannot be opened.
    pub fn begin(grammar: Grammar, globals: &Globals, environment: &Environment) -> Result<Self> {
        if let Some(path) = globals.value("log-file") {
            ui::log_to(Path::new(path), grammar)?;
        }
        for (option, why) in WITHOUT_EFFECT {
            if globals.given(option) {
                ui::notice(&format!("--{option} has no effect: {why}."));
            }
        }
        // The first grammar's --verbose is about columns.
        let verbose = match grammar {
            Grammar::Glance => 0,
            Grammar::Openstack => globals.count("verbose"),
        };
        let key = globals.value("profile").or(globals.value("os-profile"));
        let variable = environment.get("OS_PROFILE").and_then(|key| key.to_str());
        let key = key.or(variable).filter(|key| !key.is_empty());
        Ok(Self {
            grammar,
            detail: match verbose {
                _ if globals.given("debug") => Detail::Everything,
                0 => Detail::Usual,
                1 => Detail::Requests,
                _ => Detail::Everything,
            },
            profiler: key.map(Profiler::begin).transpose()?,
            traced: AtomicBool::new(true),
            timings: globals.given("timing").then(Arc::default),
        })
    }

    /// Who hears of the requests of the run.
    pub fn observer(&self) -> Observer {
        let listener = match self.detail {
            Detail::Everything => Some(Arc::new(ui::debug) as Listener),
            Detail::Usual | Detail::Requests => None,
        };
        let (timings, said) = (self.timings.clone(), self.detail == Detail::Requests);
        let timer = move |timing: Timing| {
            if said {
                ui::info(&line(&timing));
            }
            if let Some(timings) = &timings {
                let mut timings = timings.lock().unwrap_or_else(PoisonError::into_inner);
                timings.push(timing);
            }
        };
        Observer {
            listener,
            timer: (said || self.timings.is_some()).then(|| Arc::new(timer) as _),
            headers: self
                .profiler
                .as_ref()
                .map(Profiler::headers)
                .unwrap_or_default(),
        }
    }

    /// Whether more is told than usual.
    pub fn is_verbose(&self) -> bool {
        self.detail > Detail::Usual
    }

    /// There is no server whose work could be traced.
    pub fn without_server(&self) {
        self.traced.store(false, Ordering::Relaxed);
        if self.profiler.is_some() {
            ui::notice("Nothing is traced: there is no server.");
        }
    }

    /// The run is over, well or not: tells what was observed, beside a result that was printed in `format`.
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
        // Taken out: the next command of the same run has times of its own.
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

/// A request in a line.
fn line(timing: &Timing) -> String {
    let Timing {
        method,
        place,
        status,
        elapsed,
    } = timing;
    let (status, seconds) = (status.as_u16(), elapsed.as_secs_f64());
    format!("{method} {place} was answered {status} in {seconds:.3} s")
}

/// Requests and their times, and all of them together.
fn table(timings: &[Timing]) -> View<'static> {
    let seconds = |microseconds: u128| {
        // Exact: no command takes the 285 years that it takes to need more than 53 bits.
        #[expect(clippy::cast_precision_loss, reason = "as said")]
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
