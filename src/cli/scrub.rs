//! `glance-scrubber`.
//!
//! Like upstream, prints nothing on standard output unless asked to, and logs what it did. At a terminal, a
//! summary is printed instead.
//!
//! *Source:* `glance/cmd/scrubber.py` of the reference implementation.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use super::log::Log;
use super::metrics::Metrics;
use super::scrubber::Invocation;
use super::signals::{Guard, Signals};
use super::{block_on, limits, print, programs};
use crate::config::{Database, Environment, Settings};
use crate::data::Watch;
use crate::local::{Engine, Local, ScrubEvent};
use crate::model::{Caller, Scrubbed, Timestamp};
use crate::ops::scrub;
use crate::output::{self, Dialect, Options, StandardOutput};
use crate::{Error, ErrorKind, Result};

/// Configuration files of the upstream program.
const CONFIGURED_BY: [&str; 2] = ["glance-api", "glance-scrubber"];

/// Minimum delay between two runs of a daemon.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Runs `glance-scrubber`.
pub(super) fn run(matches: &ArgMatches, environment: &Environment) -> Result<ExitCode> {
    let invocation = Invocation::from_matches(matches);
    let settings = programs::settings(
        invocation.data_dir.as_deref(),
        &invocation.oslo.config,
        &CONFIGURED_BY,
        environment,
    )?;
    let log = Log::begin(
        "glance-scrubber",
        "glance.scrubber",
        &invocation.oslo,
        settings.log.get()?,
    )?;
    let daemon = match invocation.daemon {
        Some(daemon) => daemon,
        None => settings.scrubber.get()?.daemon,
    };
    if invocation.restore.is_some() && daemon {
        return Err(Error::failed(
            "ERROR: The restore and daemon options should not be set together. Please use either of them \
             in one request.",
        ));
    }
    if invocation.dry_run && invocation.daemon == Some(true) {
        return Err(Error::usage("--dry-run cannot be used with --daemon"));
    }
    if invocation.restore.is_some() && invocation.is_about_scrubbing() {
        return Err(Error::usage(
            "--dry-run, --format and --metrics-file cannot be used with --restore",
        ));
    }
    let scrubber = Scrubber {
        settings,
        invocation: &invocation,
        log,
        is_terminal: std::io::stdout().is_terminal(),
        stays: daemon && !invocation.dry_run,
    };
    let watch = Watch::default();
    if let Some(id) = &invocation.restore {
        return block_on(&watch, scrubber.restore(id));
    }
    if scrubber.stays {
        return scrubber.keep_running(&watch);
    }
    let done = block_on(&watch, scrubber.run(&watch))?;
    Ok(ExitCode::from(u8::from(done.failures > 0)))
}

/// A run of the program.
struct Scrubber<'a> {
    settings: Settings,
    invocation: &'a Invocation,
    log: Log,
    /// Whether standard output is a terminal.
    is_terminal: bool,
    /// Whether the process continues after a scrub.
    stays: bool,
}

impl Scrubber<'_> {
    /// Opens the deployment. A missing database is an error, because a scrubber never creates one.
    async fn open(&self) -> Result<Local> {
        if let Database::Sqlite(path) = self.settings.require_database()?
            && !path.exists()
        {
            return Err(
                Error::failed(format!("database {} does not exist", path.display())).hint(
                    "Select the deployment with --config-file or --data-dir, or create a database with \
                     \"glance-manage db sync\".",
                ),
            );
        }
        let local = Engine::open(self.settings.clone())
            .await?
            .act_as(Caller::default());
        super::session::warn_of_unfinished(&local);
        Ok(local)
    }

    async fn restore(&self, id: &str) -> Result<ExitCode> {
        let local = self.open().await?;
        let restored = local.restore(id).await;
        self.finish(local).await;
        let lost = restored.map_err(|error| {
            // In upstream's wording for any kind of error.
            Error::failed(format!("ERROR: {}", error.message())).hints_of(&error)
        })?;
        for lost in lost {
            self.log.warning(&Error::failed(lost));
        }
        if self.is_terminal {
            print(&format!("Restored image {id}."), 0);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Scrubs once, reports the result and writes the metrics.
    async fn run(&self, watch: &Watch) -> Result<Scrubbed> {
        let done = self.work(watch).await;
        if let Some(path) = self.invocation.metrics_file.as_deref()
            && !self.invocation.dry_run
        {
            let (known, oldest) = match &done {
                Ok((done, oldest)) => (*done, *oldest),
                Err(_) => (Scrubbed::default(), None),
            };
            let metrics = Metrics::new("glance_scrubber")
                .counter(
                    "images_scrubbed_total",
                    "Images whose data was removed completely.",
                    known.images,
                )
                .counter("freed_bytes_total", "Bytes freed.", known.bytes)
                .counter(
                    "failures_total",
                    "Locations whose data could not be removed.",
                    known.failures,
                )
                .moment(
                    "oldest_pending_delete_timestamp_seconds",
                    "Deletion time of the oldest image still to be scrubbed.",
                    oldest,
                );
            metrics.write(path, done.is_ok() && known.failures == 0)?;
        }
        done.map(|(done, _)| done)
    }

    /// Scrubs once and reports the result. Returns it, and the deletion time of the oldest remaining image.
    async fn work(&self, watch: &Watch) -> Result<(Scrubbed, Option<Timestamp>)> {
        let (dry_run, format) = (self.invocation.dry_run, self.invocation.format);
        let mut tell = |told: ScrubEvent<'_>| match &told {
            ScrubEvent::Failed(error) => self.log.error(error),
            ScrubEvent::Kept(error) => self.log.warning(error),
            ScrubEvent::Scrubbed { .. } | ScrubEvent::Removed { .. } => {
                let Some(line) = scrub::line(&told, dry_run) else {
                    return;
                };
                if dry_run && format.is_none() {
                    print(&line, 0);
                } else {
                    self.log.debug(&line);
                }
            }
        };
        let local = self.open().await?;
        let done = local.scrub(dry_run, watch, &mut tell).await;
        let oldest = match (&done, &self.invocation.metrics_file) {
            (Ok(_), Some(_)) => local.oldest_pending().await,
            _ => Ok(None),
        };
        self.finish(local).await;
        let (done, oldest) = (done?, oldest?);
        if let Some(format) = format {
            let options = Options {
                format,
                is_terminal: self.is_terminal,
                ..Options::default()
            };
            let mut out = StandardOutput::open()?;
            output::print(
                scrub::record(&done, dry_run),
                Dialect::Openstack,
                &options,
                &mut out,
            )
            .await?;
        } else if dry_run || self.is_terminal {
            print(&scrub::summary(&done, dry_run), 0);
        } else if !done.is_nothing() {
            self.log.info(&scrub::summary(&done, dry_run));
        }
        Ok((done, oldest))
    }

    /// Ends the use of a deployment.
    async fn finish(&self, local: Local) {
        local.finish().await;
        if self.stays {
            // Nothing is kept open until the next round.
            let _ = local.close().await;
        } else {
            // The end of the process closes a database that was only read, without waiting for the disk.
            std::mem::forget(local);
        }
    }

    /// Scrubs at intervals until a signal arrives. The first signal lets the current batch finish, a second one
    /// does not. Failures are logged and retried by the next scrub.
    fn keep_running(&self, watch: &Watch) -> Result<ExitCode> {
        let rest = self.settings.scrubber.get()?.wakeup_time.max(MIN_INTERVAL);
        let runtime = limits::runtime()?;
        // A batch may take long after the first signal; a second one ends it at any point.
        let _guard = Guard::start(None);
        let ended = runtime.block_on(async {
            let mut signals = Signals::install();
            loop {
                let mut run = std::pin::pin!(self.run(watch));
                let done = tokio::select! {
                    done = &mut run => done,
                    () = signals.next() => {
                        watch.stop();
                        tokio::select! {
                            done = run => {
                                if let Err(error) = done
                                    && error.kind() != ErrorKind::Interrupted
                                {
                                    self.log.error(&error);
                                }
                                return Ok(());
                            }
                            () = signals.next() => {
                                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
                            }
                        }
                    }
                };
                if let Err(error) = done {
                    self.log.error(&error);
                }
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = signals.next() => return Ok(()),
                }
            }
        });
        runtime.shutdown_background();
        ended.map(|()| ExitCode::SUCCESS)
    }
}
