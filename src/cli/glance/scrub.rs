//! `glance scrub`: removal of image data whose deletion was delayed. An extension.

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::progress::Rows;
use crate::cli::run::session::Session;
use crate::cli::views::scrub;
use crate::local::ScrubEvent;
use crate::ops::Outcome;
use crate::{Error, ErrorKind, Result};

/// Remove the data of images pending deletion.
#[derive(Debug, Clone, clap::Args)]
pub struct Scrub {
    /// Show what would be removed without removing it.
    #[arg(long, conflicts_with = "restore")]
    dry_run: bool,
    /// Restore this image instead of scrubbing.
    #[arg(long, value_name = "ID")]
    restore: Option<String>,
}

impl Leaf<Session> for Scrub {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let local = session.local("scrubbing").await?;
        if let Some(id) = &self.restore {
            let restored = local.restore(id).await.map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    error.hint("To list the images pending deletion, run: glance scrub --dry-run")
                }
                _ => error,
            });
            let mut outcome = scrub::restored(id);
            outcome.notices = restored?;
            return Ok(outcome);
        }
        let mut lines = String::new();
        let mut kept = Vec::new();
        let mut failures: Vec<Error> = Vec::new();
        let progress = Rows::new("locations");
        let mut report = |event: ScrubEvent<'_>| {
            if self.dry_run
                && let Some(line) = scrub::line(&event, true)
            {
                lines = std::mem::take(&mut lines) + &line + "\n";
            }
            match event {
                ScrubEvent::Failed(error) => failures.push(error),
                ScrubEvent::Kept(error) => kept.push(error.to_string()),
                ScrubEvent::Scrubbed { .. } | ScrubEvent::Removed { .. } => {
                    progress.advance("Scrubbing", 1);
                }
            }
        };
        let done = local.scrub(self.dry_run, &session.watch, &mut report).await;
        progress.end();
        let done = done?;
        let mut outcome = Outcome::text(lines + &scrub::summary(&done, self.dry_run))
            .with_data(scrub::record(&done, self.dry_run))
            .failing(failures);
        outcome.notices = kept;
        Ok(outcome)
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[Row::extension::<Scrub>(
    "scrub",
    "Remove the data of images pending deletion",
    Output::Plain,
)];
