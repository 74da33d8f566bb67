//! Reports of scrubbing.

use serde_json::json;

use crate::local::ScrubEvent;
use crate::model::Scrubbed;
use crate::model::address::redacted;
use crate::ops::Outcome;
use crate::output::{Cell, Record, View};

/// Returns a one-line summary.
pub fn summary(done: &Scrubbed, dry_run: bool) -> String {
    let verb = if dry_run { "Would scrub" } else { "Scrubbed" };
    let left = match done.failures {
        0 => String::new(),
        failures => format!("; {failures} location(s) could not be removed"),
    };
    let stopped = if done.stopped {
        "; stopped before the end"
    } else {
        ""
    };
    format!(
        "{verb} {} image(s), {} location(s), {} byte(s){left}{stopped}.",
        done.images, done.locations, done.bytes
    )
}

/// Returns a summary for programs.
pub fn record(done: &Scrubbed, dry_run: bool) -> View<'static> {
    let mut record = Record::new();
    for (name, value) in [
        ("dry_run", json!(dry_run)),
        ("images", json!(done.images)),
        ("locations", json!(done.locations)),
        ("bytes", json!(done.bytes)),
        ("failures", json!(done.failures)),
        ("stopped", json!(done.stopped)),
    ] {
        record.push(name, Cell::new(value));
    }
    View::Record(record)
}

/// Returns the result of a restoration.
pub fn restored(id: &str) -> Outcome<'static> {
    let mut record = Record::new();
    record.push("restored", Cell::new(json!(id)));
    Outcome::text(format!("Restored image {id}.")).with_data(View::Record(record))
}

/// Describes what was done, or would be done, to one item; `None` if it failed.
pub fn line(event: &ScrubEvent<'_>, dry_run: bool) -> Option<String> {
    Some(match event {
        ScrubEvent::Scrubbed { id, bytes } => {
            let verb = if dry_run { "Would scrub" } else { "Scrubbed" };
            format!("{verb} image {id}, {bytes} byte(s).")
        }
        ScrubEvent::Removed { id, url, bytes } => {
            let verb = if dry_run { "Would remove" } else { "Removed" };
            let place = redacted(url);
            format!("{verb} {place}, a former location of image {id}, {bytes} byte(s).")
        }
        ScrubEvent::Failed(_) | ScrubEvent::Kept(_) => return None,
    })
}
