//! The image cache of a host: `glance cache-*`.

use serde_json::json;

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::hints::takes_an_id;
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::cli::views::cache as views;
use crate::model::CacheTarget;
use crate::model::schema::is_uuid;
use crate::ops::Outcome;
use crate::ops::cache::{self, Verb, forgive};
use crate::ops::images::Reference;
use crate::output::{Cell, Table, View};
use crate::{Error, ErrorKind, Result};

/// Remove invalid and stalled files from the cache.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheClean {
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for CacheClean {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut outcome = Outcome::nothing();
        match session.service().await?.clean_cache(self.dry_run).await {
            Ok(removed) => {
                if let Some(removed) = removed.filter(|_| self.dry_run) {
                    outcome.view = View::Text(views::would_remove(&removed));
                }
            }
            Err(error) => {
                let text = |error: &_| {
                    let reason = inline(session.grammar, error);
                    format!("'{reason}': Unable to clean the image cache.")
                };
                let forbidden = || "You are not permitted to clean the image cache.".to_string();
                forgive(&mut outcome, error, forbidden, text)?;
            }
        }
        Ok(outcome)
    }
}

/// Clear the cache, its queue, or both.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheClear {
    /// Part of the cache to clear.
    #[arg(long, value_parser = ["both", "cache", "queue"], default_value = "both")]
    pub target: String,
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for CacheClear {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let target = CacheTarget::parse(&self.target)
            .ok_or_else(|| Error::usage(format!("'{}' is not a part of the cache", self.target)))?;
        let service = session.service().await?;
        let mut outcome = Outcome::nothing();
        match cache::clear(service, target, self.dry_run).await {
            Ok(Some(removed)) => outcome.view = View::Text(views::would_remove(&removed)),
            Ok(None) => {}
            Err(error) => {
                let text = |error: &_| {
                    let reason = inline(session.grammar, error);
                    format!("'{reason}': Unable to delete image(s) from cache.")
                };
                let forbidden =
                    || "You are not permitted to delete image(s) from cache.".to_string();
                forgive(&mut outcome, error, forbidden, text)?;
            }
        }
        Ok(outcome)
    }
}

/// Remove images from the cache and its queue.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheDelete {
    /// IDs of the images.
    #[arg(value_name = "IMAGE_ID", required = true, num_args = 1..)]
    pub image_ids: Vec<String>,
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for CacheDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        each(session, Verb::Delete, &self.image_ids, self.dry_run).await
    }
}

/// List cached and queued images.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheList {}

impl Leaf<Session> for CacheList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let state = session.service().await?.cache_state().await?;
        Ok(Outcome::from(views::table(state)))
    }
}

/// List the hosts that have an image in their cache.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheNodesList {
    /// ID of the image.
    pub image_id: String,
}

impl Leaf<Session> for CacheNodesList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let (id, service) = (&self.image_id, session.service().await?);
        let mut outcome = Outcome::nothing();
        match service.cached_nodes(id).await {
            Ok(nodes) => outcome.view = node_table(&nodes),
            Err(error) => {
                let text = |error: &_| {
                    let reason = inline(session.grammar, error);
                    format!("'{reason}': Unable to list cached nodes for image '{id}'.")
                };
                let forbidden =
                    || format!("You are not permitted to list cached nodes for image '{id}'.");
                forgive(&mut outcome, error, forbidden, text)?;
            }
        }
        Ok(outcome)
    }
}

/// Remove images until the cache is within its maximum size.
#[derive(Debug, Clone, clap::Args)]
pub struct CachePrune {
    /// Show what would be removed without removing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for CachePrune {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut outcome = Outcome::nothing();
        match session.service().await?.prune_cache(self.dry_run).await {
            Ok(removed) if self.dry_run => {
                outcome.view = View::Text(views::would_remove(&removed));
            }
            Ok(removed) => outcome.view = View::Text(views::pruned(&removed)),
            Err(error) => {
                let text = |error: &_| {
                    let reason = inline(session.grammar, error);
                    format!("'{reason}': Unable to prune the image cache.")
                };
                let forbidden = || "You are not permitted to prune the image cache.".to_string();
                forgive(&mut outcome, error, forbidden, text)?;
            }
        }
        Ok(outcome)
    }
}

/// Queue images for caching.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheQueue {
    /// IDs of the images.
    #[arg(value_name = "IMAGE_ID", required = true, num_args = 1..)]
    pub image_ids: Vec<String>,
    /// Show what would be queued without queueing it.
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Leaf<Session> for CacheQueue {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        each(session, Verb::Queue, &self.image_ids, self.dry_run).await
    }
}

/// Returns the table of hosts that have an image in their cache.
fn node_table(nodes: &[String]) -> View<'static> {
    let rows = nodes.iter().map(|url| vec![Cell::new(json!(url))]);
    let table = Table::from_rows(["Node Reference URL"], rows.collect());
    View::Table(table.blank_falsy())
}

/// Applies `verb` to each image. Failures are printed as notices and do not change the exit code.
async fn each<'s>(
    session: &'s Session,
    verb: Verb,
    ids: &[String],
    dry_run: bool,
) -> Result<Outcome<'s>> {
    let service = session.service().await?;
    let mut outcome = Outcome::nothing();
    let mut lines = Vec::new();
    for id in ids {
        match verb.apply(service, Reference::Id(id), dry_run).await {
            Ok(text) => lines.extend(text),
            Err(error) => {
                let (before, after) = match verb {
                    Verb::Queue => ("queue", "for caching"),
                    Verb::Delete => ("delete", "from cache"),
                };
                let text = |error: &_| {
                    let reason = inline(session.grammar, error);
                    format!("'{reason}': Unable to {before} image '{id}' {after}.")
                };
                let forbidden =
                    || format!("You are not permitted to {before} the image '{id}' {after}.");
                let is_name = error.kind() == ErrorKind::NotFound && !is_uuid(id);
                forgive(&mut outcome, error, forbidden, text)?;
                if is_name {
                    let hint = takes_an_id(&format!("cache-{before}"), id);
                    outcome.notices.push(format!("Hint: {hint}"));
                }
            }
        }
    }
    if !lines.is_empty() {
        outcome.view = View::Text(lines.join("\n"));
    }
    Ok(outcome)
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<CacheClean>(
        "cache-clean",
        "Remove invalid and stalled files from the cache",
        Output::Plain,
    ),
    Row::of::<CacheClear>(
        "cache-clear",
        "Clear the cache, its queue, or both",
        Output::Plain,
    ),
    Row::of::<CacheDelete>(
        "cache-delete",
        "Remove images from the cache and its queue",
        Output::Plain,
    ),
    Row::of::<CacheList>("cache-list", "List cached and queued images", Output::Plain),
    Row::of::<CacheNodesList>(
        "cache-nodes-list",
        "List the hosts that have an image in their cache",
        Output::Plain,
    ),
    Row::of::<CachePrune>(
        "cache-prune",
        "Remove images until the cache is within its maximum size",
        Output::Plain,
    ),
    Row::of::<CacheQueue>("cache-queue", "Queue images for caching", Output::Plain),
];
