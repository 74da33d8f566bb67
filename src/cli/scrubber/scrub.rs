//! The command of the scrubber: one scrub, or the restoration of an image.

use std::path::PathBuf;

use crate::cli::command::registry::Leaf;
use crate::cli::operator::log::Log;
use crate::cli::operator::metrics::Metrics;
use crate::cli::run::progress::Rows;
use crate::cli::run::session::warn_of_unfinished;
use crate::cli::views::scrub;
use crate::config::{Database, Settings};
use crate::data::Watch;
use crate::local::{Engine, Local, ScrubEvent};
use crate::model::{Caller, Scrubbed, Timestamp};
use crate::ops::Outcome;
use crate::{Error, Result};

/// Remove the data of images pending deletion.
#[derive(Debug, Clone, clap::Args)]
pub struct Scrub {
    /// Run as a daemon and scrub at intervals.
    #[arg(long, short = 'D', overrides_with = "nodaemon")]
    daemon: bool,
    /// The opposite of --daemon.
    #[arg(long, overrides_with = "daemon")]
    nodaemon: bool,
    /// Restore this image instead of scrubbing.
    #[arg(long, value_name = "IMAGE_ID")]
    restore: Option<String>,
    /// Directory of the local deployment.
    #[arg(long, value_name = "DIR", hide = true)]
    pub data_dir: Option<PathBuf>,
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    pub dry_run: bool,
    /// Output format of the summary.
    #[arg(
        long,
        short = 'f',
        value_name = "FORMAT",
        value_parser = ["json", "shell", "table", "value", "yaml"],
        hide = true
    )]
    pub format: Option<String>,
    /// File to write Prometheus metrics to.
    #[arg(long, value_name = "PATH", hide = true)]
    metrics_file: Option<PathBuf>,
}

impl Scrub {
    /// Returns whether to run as a daemon; `None` defers to the configuration.
    pub fn daemon(&self) -> Option<bool> {
        match (self.daemon, self.nodaemon) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// Rejects contradictory options. `daemon` is set if options or configuration request a
    /// daemon.
    pub fn check(&self, daemon: bool) -> Result<()> {
        if self.restore.is_some() && daemon {
            return Err(Error::failed(
                "ERROR: The restore and daemon options should not be set together. Please use either of them \
                 in one request.",
            ));
        }
        if self.dry_run && self.daemon {
            return Err(Error::usage("--dry-run cannot be used with --daemon"));
        }
        let scrubs = self.dry_run || self.format.is_some() || self.metrics_file.is_some();
        if self.restore.is_some() && scrubs {
            return Err(Error::usage(
                "--dry-run, --format and --metrics-file cannot be used with --restore",
            ));
        }
        Ok(())
    }
}

/// A run of the program.
pub struct Session {
    /// The settings of the deployment.
    pub settings: Settings,
    /// The log.
    pub log: Log,
    /// The watch that stops a scrub.
    pub watch: Watch,
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
    /// Whether the process continues after a scrub.
    pub is_daemon: bool,
}

impl Session {
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
        warn_of_unfinished(&local);
        Ok(local)
    }

    /// Ends the use of a deployment.
    async fn finish(&self, local: Local) {
        local.finish().await;
        if self.is_daemon {
            // Nothing is kept open until the next round.
            let _ = local.close().await;
        } else {
            // The end of the process closes a database that was only read, without waiting for the disk.
            std::mem::forget(local);
        }
    }

    async fn restore(&self, id: &str) -> Result<Outcome<'static>> {
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
            return Ok(scrub::restored(id));
        }
        Ok(Outcome::nothing())
    }
}

impl Leaf<Session> for Scrub {
    /// Scrubs once, reports the result and writes the metrics.
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if let Some(id) = &self.restore {
            return session.restore(id).await;
        }
        let mut lines = Vec::new();
        let done = self.work(session, &mut lines).await;
        let written = match &self.metrics_file {
            Some(path) if !self.dry_run => {
                let (known, oldest) = match &done {
                    Ok(known) => *known,
                    Err(_) => (Scrubbed::default(), None),
                };
                metrics(&known, oldest).write(path, done.is_ok() && known.failures == 0)
            }
            _ => Ok(()),
        };
        let mut outcome = match done {
            Ok((done, _)) => self.report(session, &done, lines),
            Err(error) if lines.is_empty() => return Err(written.err().unwrap_or(error)),
            Err(error) => Outcome::text(lines.join("\n")).failing([error]),
        };
        match written {
            Err(error) if session.is_daemon => session.log.error(&error),
            written => outcome = outcome.failing(written.err()),
        }
        Ok(outcome)
    }
}

impl Scrub {
    /// Returns the report of a scrub. `lines` are those of a dry run.
    fn report(
        &self,
        session: &Session,
        done: &Scrubbed,
        mut lines: Vec<String>,
    ) -> Outcome<'static> {
        let code = u8::from(done.failures > 0);
        if self.format.is_some() {
            return Outcome::from(scrub::record(done, self.dry_run)).exiting(code);
        }
        let summary = scrub::summary(done, self.dry_run);
        if self.dry_run || session.is_terminal {
            lines.push(summary);
        } else if !done.is_nothing() {
            session.log.info(&summary);
        }
        Outcome::text(lines.join("\n")).exiting(code)
    }

    /// Scrubs once. Returns the result, and the deletion time of the oldest remaining image. `lines` receives the
    /// report of a dry run.
    async fn work(
        &self,
        session: &Session,
        lines: &mut Vec<String>,
    ) -> Result<(Scrubbed, Option<Timestamp>)> {
        let progress = Rows::new("locations");
        let mut report = |event: ScrubEvent<'_>| match &event {
            ScrubEvent::Failed(error) => session.log.error(error),
            ScrubEvent::Kept(error) => session.log.warning(error),
            ScrubEvent::Scrubbed { .. } | ScrubEvent::Removed { .. } => {
                if session.is_terminal && !session.is_daemon {
                    progress.advance("Scrubbing", 1);
                }
                let Some(line) = scrub::line(&event, self.dry_run) else {
                    return;
                };
                if self.dry_run && self.format.is_none() {
                    lines.push(line);
                } else {
                    session.log.debug(&line);
                }
            }
        };
        let local = session.open().await?;
        let done = local.scrub(self.dry_run, &session.watch, &mut report).await;
        progress.end();
        let oldest = match (&done, &self.metrics_file) {
            (Ok(_), Some(_)) => local.oldest_pending().await,
            _ => Ok(None),
        };
        session.finish(local).await;
        Ok((done?, oldest?))
    }
}

/// Returns the metrics of a scrub.
fn metrics(done: &Scrubbed, oldest: Option<Timestamp>) -> Metrics {
    Metrics::new("glance_scrubber")
        .counter(
            "images_scrubbed_total",
            "Images whose data was removed completely.",
            done.images,
        )
        .counter("freed_bytes_total", "Bytes freed.", done.bytes)
        .counter(
            "failures_total",
            "Locations whose data could not be removed.",
            done.failures,
        )
        .moment(
            "oldest_pending_delete_timestamp_seconds",
            "Deletion time of the oldest image still to be scrubbed.",
            oldest,
        )
}
