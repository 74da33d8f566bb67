//! Operations on the image cache of a host.

use futures_util::stream;
use serde_json::{Value, json};

use super::Outcome;
use super::images::{self, Reference};
use crate::model::{CacheState, CacheTarget, CachedImage, Removed, Timestamp};
use crate::output::{Align, Cell, Column, Row, Rows, Table, View};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// The text for an unknown value in a table.
const NOT_APPLICABLE: &str = "N/A";

/// Formats a timestamp for a table; `N/A` if it is unknown.
pub fn moment(moment: Timestamp) -> Value {
    if moment == Timestamp::EPOCH {
        return json!(NOT_APPLICABLE);
    }
    json!(moment.to_iso())
}

/// Returns the table of cached and queued images, as both grammars print it.
pub fn table(state: CacheState) -> View<'static> {
    const COLUMNS: [&str; 6] = [
        "ID",
        "State",
        "Last Accessed (UTC)",
        "Last Modified (UTC)",
        "Size",
        "Hits",
    ];
    let cached = |image: CachedImage| {
        [
            json!(image.image_id),
            json!("cached"),
            moment(image.last_accessed),
            json!(image.last_modified.to_iso()),
            json!(image.size),
            json!(image.hits),
        ]
    };
    let queued = |id: String| {
        let none = || json!(NOT_APPLICABLE);
        [json!(id), json!("queued"), none(), none(), none(), none()]
    };
    let rows = state.cached.into_iter().map(cached);
    let rows = rows.chain(state.queued.into_iter().map(queued));
    let columns = COLUMNS.map(|name| Column::new(name).align(Align::Center));
    View::Table(Table::new(columns, in_chunks(rows)))
}

/// Returns table rows that are formatted in chunks while they are printed.
pub(super) fn in_chunks<const N: usize>(
    rows: impl Iterator<Item = [Value; N]> + Send + 'static,
) -> Rows<'static> {
    const CHUNK: usize = 500;
    let mut rows = rows.map(|row| row.map(Cell::new).into());
    let chunks = std::iter::from_fn(move || {
        let chunk: Vec<Row> = rows.by_ref().take(CHUNK).collect();
        (!chunk.is_empty()).then_some(Ok(chunk))
    });
    Box::pin(stream::iter(chunks))
}

/// Returns the table of hosts that have an image in their cache.
pub async fn nodes(service: &dyn ImageService, id: &str) -> Result<View<'static>> {
    let nodes = service.cached_nodes(id).await?;
    let rows = nodes.iter().map(|url| vec![Cell::new(json!(url))]);
    let table = Table::from_rows(["Node Reference URL"], rows.collect());
    Ok(View::Table(table.blank_falsy()))
}

/// An action on one image of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Queue the image for caching.
    Queue,
    /// Remove the image from the cache and its queue.
    Delete,
}

impl Verb {
    /// Applies the action to the image that `reference` names. With `dry_run`, returns a description of the
    /// effect instead.
    ///
    /// # Errors
    /// The errors of the lookup and of the action.
    pub async fn apply(
        self,
        service: &dyn ImageService,
        reference: Reference<'_>,
        dry_run: bool,
    ) -> Result<Option<String>> {
        let id = match reference {
            Reference::Id(id) => id.to_string(),
            other @ Reference::IdOrName(_) => images::find(service, other).await?.id,
        };
        if dry_run {
            let state = service.cache_state().await?;
            let cached = state.cached.iter().any(|image| image.image_id == id);
            let queued = state.queued.contains(&id);
            return Ok(Some(match self {
                Self::Queue if cached || queued => {
                    format!("Would not queue {id}: it is already cached or queued.")
                }
                Self::Queue => format!("Would queue {id}."),
                Self::Delete if cached || queued => format!("Would remove {id}."),
                Self::Delete => format!("Would remove nothing: {id} is not cached or queued."),
            }));
        }
        match self {
            Self::Queue => service.cache_image(&id).await?,
            Self::Delete => service.uncache_image(&id).await?,
        }
        Ok(None)
    }
}

/// Clears the cache, its queue, or both. With `dry_run`, describes what would be removed instead.
pub async fn clear(
    service: &dyn ImageService,
    target: CacheTarget,
    dry_run: bool,
) -> Result<View<'static>> {
    if !dry_run {
        service.clear_cache(target).await?;
        return Ok(View::Nothing);
    }
    let state = service.cache_state().await?;
    let mut removed = Removed::default();
    if target.has_cache() {
        for image in state.cached {
            removed.push(image.image_id, image.size);
        }
    }
    if target.has_queue() {
        for id in state.queued {
            removed.push(format!("queue/{id}"), 0);
        }
    }
    Ok(View::Text(would_remove(&removed)))
}

/// Returns the report of a dry run.
pub fn would_remove(removed: &Removed) -> String {
    let lines = removed.names.iter().fold(String::new(), |text, name| {
        text + "Would remove " + name + "\n"
    });
    format!(
        "{lines}Would remove {} file(s), {} byte(s).",
        removed.files, removed.bytes
    )
}

/// Returns the report of a prune.
pub fn pruned(removed: &Removed) -> String {
    format!(
        "Pruned {} file(s), {} byte(s).",
        removed.files, removed.bytes
    )
}

/// Returns the report of a clean.
pub fn cleaned(removed: &Removed) -> String {
    format!(
        "Removed {} file(s), {} byte(s).",
        removed.files, removed.bytes
    )
}

/// Turns a failure of the service into a notice: upstream's client reports it and exits 0, which scripts rely
/// on. Errors without an HTTP status are returned.
///
/// *Source:* `do_cache_*` in `glanceclient/v2/shell.py`.
pub fn forgive(
    outcome: &mut Outcome<'_>,
    error: Error,
    forbidden: impl FnOnce() -> String,
    otherwise: impl FnOnce(&Error) -> String,
) -> Result<()> {
    if error.status().is_none() {
        return Err(error);
    }
    let text = if error.kind() == ErrorKind::Forbidden {
        forbidden()
    } else {
        otherwise(&error)
    };
    outcome.notices.push(text);
    outcome.hints.extend_from_slice(error.hints());
    Ok(())
}
