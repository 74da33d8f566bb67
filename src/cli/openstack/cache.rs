//! The image cache of a host: `openstack cached image`.

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::cli::views::cache as views;
use crate::model::CacheTarget;
use crate::ops::Outcome;
use crate::ops::cache::{self, Verb};
use crate::ops::images::Reference;
use crate::output::View;
use crate::{Error, ErrorKind, Result};

/// Clear the cache, its queue, or both.
#[derive(Debug, Clone, clap::Args)]
pub struct Clear {
    /// Clear only the cache.
    #[arg(long, overrides_with = "queue")]
    pub cache: bool,
    /// Clear only the queue.
    #[arg(long, overrides_with = "cache")]
    pub queue: bool,
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for Clear {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let target = match (self.cache, self.queue) {
            (true, _) => CacheTarget::Cache,
            (_, true) => CacheTarget::Queue,
            _ => CacheTarget::Both,
        };
        let cleared = cache::clear(session.service().await?, target, self.dry_run).await;
        let removed = cleared.map_err(|error| {
            // Upstream does not print the reason; it is added here.
            Error::failed(format!("Failed to clear image cache: {}", error.message()))
                .hints_of(&error)
        })?;
        let view = removed.map_or(View::Nothing, |removed| {
            View::Text(views::would_remove(&removed))
        });
        Ok(Outcome::from(view))
    }
}

/// Remove images from the cache and its queue.
#[derive(Debug, Clone, clap::Args)]
pub struct Delete {
    /// Image IDs or names.
    #[arg(value_name = "image", required = true, num_args = 1..)]
    pub images: Vec<String>,
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for Delete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        each(session, Verb::Delete, &self.images, self.dry_run).await
    }
}

/// List cached and queued images.
#[derive(Debug, Clone, clap::Args)]
pub struct List {}

impl Leaf<Session> for List {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let state = session.service().await?.cache_state().await?;
        Ok(Outcome::from(views::table(state)))
    }
}

/// Queue images for caching.
#[derive(Debug, Clone, clap::Args)]
pub struct Queue {
    /// Image IDs or names.
    #[arg(value_name = "image", required = true, num_args = 1..)]
    pub images: Vec<String>,
    /// Show what would be queued without queueing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for Queue {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        each(session, Verb::Queue, &self.images, self.dry_run).await
    }
}

/// Applies `verb` to each image and reports how many failed.
async fn each<'s>(
    session: &'s Session,
    verb: Verb,
    words: &[String],
    dry_run: bool,
) -> Result<Outcome<'s>> {
    let service = session.service().await?;
    let (verb_text, full_stop) = match verb {
        Verb::Queue => ("queue", ""),
        Verb::Delete => ("delete", "."),
    };
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    for word in words {
        match verb
            .apply(service, Reference::IdOrName(word), dry_run)
            .await
        {
            Ok(text) => lines.extend(text),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let reason = inline(session.grammar, &error);
                let failure = Error::failed(format!(
                    "Failed to {verb_text} image with name or ID '{word}': {reason}"
                ));
                failures.push(failure.hints_of(&error));
            }
        }
    }
    if !failures.is_empty() {
        let (failed, total) = (failures.len(), words.len());
        failures.push(Error::failed(format!(
            "Failed to {verb_text} {failed} of {total} images{full_stop}"
        )));
    }
    let view = if lines.is_empty() {
        View::Nothing
    } else {
        View::Text(lines.join("\n"))
    };
    Ok(Outcome::from(view).failing(failures))
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<Clear>(
        "cached image clear",
        "Clear the cache, its queue, or both",
        Output::Plain,
    ),
    Row::of::<Delete>(
        "cached image delete",
        "Remove images from the cache and its queue",
        Output::Plain,
    ),
    Row::of::<List>(
        "cached image list",
        "List cached and queued images",
        Output::List,
    ),
    Row::of::<Queue>(
        "cached image queue",
        "Queue images for caching",
        Output::Plain,
    ),
];
