//! The image cache of a host.

use futures_util::stream;
use serde_json::{Value, json};

use super::Outcome;
use super::images::{self, Reference};
use crate::model::{CacheState, CacheTarget, CachedImage, Removed, Timestamp};
use crate::output::{Align, Cell, Column, Row, Rows, Table, View};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// What tables have for what is not known.
const NOT_APPLICABLE: &str = "N/A";

/// A moment as tables have it: of one that is not known, that it is not.
pub fn moment(moment: Timestamp) -> Value {
    if moment == Timestamp::EPOCH {
        return json!(NOT_APPLICABLE);
    }
    json!(moment.to_iso())
}

/// What a cache holds and what is to come, as both grammars list it.
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

/// Rows that are made when they are printed.
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

/// The hosts that have an image in their cache.
pub async fn nodes(service: &dyn ImageService, id: &str) -> Result<View<'static>> {
    let nodes = service.cached_nodes(id).await?;
    let rows = nodes.iter().map(|url| vec![Cell::new(json!(url))]);
    let table = Table::from_rows(["Node Reference URL"], rows.collect());
    Ok(View::Table(table.blank_falsy()))
}

/// What is done to one image of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is queued, to be fetched.
    Queue,
    /// It is dropped.
    Delete,
}

impl Verb {
    /// Does it to the image that `reference` finds; or only says so, if `dry_run`.
    ///
    /// # Errors
    /// Those of finding it, and of doing it.
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
                Self::Queue if cached || queued => format!("Would leave {id} as it is."),
                Self::Queue => format!("Would queue {id}."),
                Self::Delete if cached || queued => format!("Would remove {id}."),
                Self::Delete => format!("Would remove nothing: {id} is not there."),
            }));
        }
        match self {
            Self::Queue => service.cache_image(&id).await?,
            Self::Delete => service.uncache_image(&id).await?,
        }
        Ok(None)
    }
}

/// Empties the cache, its queue, or both; or only says what would be removed.
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

/// What a dry run says.
pub fn would_remove(removed: &Removed) -> String {
    let lines = removed.names.iter().fold(String::new(), |text, name| {
        text + "Would remove " + name + "\n"
    });
    format!(
        "{lines}Would remove {} file(s), {} byte(s).",
        removed.files, removed.bytes
    )
}

/// What a pruning says.
pub fn pruned(removed: &Removed) -> String {
    format!(
        "Pruned {} file(s), {} byte(s).",
        removed.files, removed.bytes
    )
}

/// What a cleaning says.
pub fn cleaned(removed: &Removed) -> String {
    format!(
        "Removed {} file(s), {} byte(s).",
        removed.files, removed.bytes
    )
}

/// A failure that the first grammar's client tells of without failing: scripts count on its exit code.
/// What has no status it does not survive either.
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
    outcome
        .notices
        .extend(error.hint_text().map(|hint| format!("Hint: {hint}")));
    Ok(())
}
