//! The image cache: tables, and reports of removals.

use futures_util::stream;
use serde_json::{Value, json};

use crate::model::{CacheState, CachedImage, Removed, Timestamp};
use crate::output::{Align, Cell, Column, Row, Rows, Table, View};

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
pub fn in_chunks<const N: usize>(
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
