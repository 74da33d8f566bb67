//! Commands on the cache of a service or of a directory.
//!
//! Like upstream, these report failures on standard output, where scripts read them.
//!
//! *Source:* `glance/cmd/cache_manage.py` of the reference implementation.

use std::error::Error as _;

use serde_json::{Value, json};

use super::service::connect;
use super::session::Session;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::prompt::confirm;
use crate::cli::views::cache::{in_chunks, moment};
use crate::local::cache::ImageCache;
use crate::model::schema::is_uuid;
use crate::model::{CachedImage, Timestamp};
use crate::ops::Outcome;
use crate::ops::caches::{self, Action, CacheReport, Listing};
use crate::output::{Align, Cell, Column, Record, Row as Cells, Table, View};
use crate::{Error, ErrorKind, Result};

/// The commands, in upstream's order.
pub const COMMANDS: &[Row<Session>] = &[
    Row::of::<ListCached>("list-cached", "List cached images", Output::Plain),
    Row::of::<ListQueued>(
        "list-queued",
        "List images queued for caching",
        Output::Plain,
    ),
    Row::of::<QueueImage>("queue-image", "Queue an image for caching", Output::Plain),
    Row::of::<DeleteCachedImage>(
        "delete-cached-image",
        "Remove an image from the cache",
        Output::Plain,
    ),
    Row::of::<DeleteAllCachedImages>(
        "delete-all-cached-images",
        "Remove all images from the cache",
        Output::Plain,
    ),
    Row::of::<DeleteQueuedImage>(
        "delete-queued-image",
        "Remove an image from the queue",
        Output::Plain,
    ),
    Row::of::<DeleteAllQueuedImages>(
        "delete-all-queued-images",
        "Remove all images from the queue",
        Output::Plain,
    ),
];

/// List cached images.
#[derive(Debug, clap::Args)]
struct ListCached {}

impl From<ListCached> for Action {
    fn from(_: ListCached) -> Self {
        Self::ListCached
    }
}

/// List images queued for caching.
#[derive(Debug, clap::Args)]
struct ListQueued {}

impl From<ListQueued> for Action {
    fn from(_: ListQueued) -> Self {
        Self::ListQueued
    }
}

/// Queue an image for caching.
#[derive(Debug, clap::Args)]
struct QueueImage {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID", allow_hyphen_values = true)]
    image: String,
}

impl From<QueueImage> for Action {
    fn from(command: QueueImage) -> Self {
        Self::Queue(command.image)
    }
}

/// Remove an image from the cache.
#[derive(Debug, clap::Args)]
struct DeleteCachedImage {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID", allow_hyphen_values = true)]
    image: String,
}

impl From<DeleteCachedImage> for Action {
    fn from(command: DeleteCachedImage) -> Self {
        Self::DeleteCached(command.image)
    }
}

/// Remove all images from the cache.
#[derive(Debug, clap::Args)]
struct DeleteAllCachedImages {}

impl From<DeleteAllCachedImages> for Action {
    fn from(_: DeleteAllCachedImages) -> Self {
        Self::DeleteAllCached
    }
}

/// Remove an image from the queue.
#[derive(Debug, clap::Args)]
struct DeleteQueuedImage {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID", allow_hyphen_values = true)]
    image: String,
}

impl From<DeleteQueuedImage> for Action {
    fn from(command: DeleteQueuedImage) -> Self {
        Self::DeleteQueued(command.image)
    }
}

/// Remove all images from the queue.
#[derive(Debug, clap::Args)]
struct DeleteAllQueuedImages {}

impl From<DeleteAllQueuedImages> for Action {
    fn from(_: DeleteAllQueuedImages) -> Self {
        Self::DeleteAllQueued
    }
}

impl<A: clap::Args + Into<Action> + 'static> Leaf<Session> for A {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if session.metrics_file.is_some() {
            return Err(Error::usage(
                "--metrics-file applies to prune, clean and prefetch only",
            ));
        }
        let action = self.into();
        if let Some(id) = action.image().filter(|id| !is_uuid(id)) {
            let text = format!("Image ID '{id}' is not a valid UUID.");
            return match session.format {
                Some(_) => Err(Error::failed(text)),
                None => Ok(Outcome::text(text).exiting(1)),
            };
        }
        let remote = session.is_remote()?;
        match apply(session, &action, remote).await {
            Err(error)
                if !session.debug
                    && session.format.is_none()
                    && !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ClosedPipe) =>
            {
                Ok(failure(session, &action, remote, &error))
            }
            other => other,
        }
    }
}

/// Applies an action once it is confirmed.
async fn apply(session: &Session, action: &Action, remote: bool) -> Result<Outcome<'static>> {
    if !session.force
        && !session.dry_run
        && let Some(question) = action.question()
        && !confirm(&question)?
    {
        return Ok(Outcome::nothing());
    }
    let report = if remote {
        let cloud = session.service.cloud(&session.environment)?;
        let service = connect(cloud, session.debug).await?;
        caches::run(&service, action, session.dry_run).await?
    } else {
        let cache = ImageCache::open(&session.settings()?).await?;
        let report = caches::run(&cache, action, session.dry_run).await;
        cache.finish().await;
        report?
    };
    let data = data(action, session.dry_run, &report);
    let mut outcome = Outcome::from(report.listing.map_or(View::Nothing, table)).with_data(data);
    outcome.heading = Some(report.text).filter(|_| report.always || session.verbose);
    Ok(outcome)
}

/// Returns the result of a command that failed: a text on standard output, as upstream prints it.
fn failure(session: &Session, action: &Action, remote: bool, error: &Error) -> Outcome<'static> {
    let names_image = action
        .image()
        .is_some_and(|id| error.message().contains(id));
    let text = match error.kind() {
        ErrorKind::NotFound if remote && !names_image => {
            let host = session.service.host.as_deref();
            let host = host.unwrap_or("0.0.0.0");
            format!("Cache management middleware not enabled on host {host}")
        }
        ErrorKind::Forbidden => "Not authorized to make this request.".to_string(),
        _ => format!(
            "Failed to {}. Got error:\n{}",
            action.label(),
            reason(error)
        ),
    };
    let mut outcome = Outcome::text(text).exiting(1);
    // The system's message is sufficient for a failed connection.
    if os_error(error).is_none() {
        outcome.hints.extend_from_slice(error.hints());
    }
    outcome
}

/// Returns the reason of a failure; for a failed connection, in Python's format.
fn reason(error: &Error) -> String {
    match os_error(error) {
        Some((number, text)) => format!("[Errno {number}] {text}"),
        None => error.message().to_string(),
    }
}

/// Returns the system error of a failed connection.
fn os_error(error: &Error) -> Option<(i32, String)> {
    if error.kind() != ErrorKind::Unreachable {
        return None;
    }
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && let Some(number) = error.raw_os_error()
        {
            let text = error.to_string();
            let text = text.split(" (os error ").next().unwrap_or_default();
            return Some((number, text.to_string()));
        }
        source = error.source();
    }
    None
}

/// Returns the result of an action for programs: the images of a list, else what was changed.
fn data(action: &Action, dry_run: bool, report: &CacheReport) -> View<'static> {
    let rows = |columns: &[&str], rows: Vec<Cells>| {
        View::Table(Table::from_rows(columns.iter().copied(), rows))
    };
    match (action, &report.listing) {
        (Action::ListCached, None) => rows(&CACHED, Vec::new()),
        (Action::ListQueued, None) => rows(&QUEUED, Vec::new()),
        (_, Some(Listing::Cached(cached))) => {
            let row = |image: &CachedImage| -> Cells {
                vec![
                    Cell::from(image.image_id.as_str()),
                    Cell::from(image.hits),
                    Cell::new(known(image.last_accessed)),
                    Cell::new(known(image.last_modified)),
                    Cell::from(image.size),
                ]
            };
            rows(&CACHED, cached.iter().map(row).collect())
        }
        (_, Some(Listing::Queued(queued))) => {
            let row = |id: &String| -> Cells { vec![Cell::from(id.as_str())] };
            rows(&QUEUED, queued.iter().map(row).collect())
        }
        (_, None) => View::Record(Record::from_iter([
            ("dry_run".to_string(), Cell::from(dry_run)),
            ("image_id".to_string(), Cell::new(json!(action.image()))),
            ("images".to_string(), Cell::from(report.images)),
        ])),
    }
}

/// The fields of cached images for programs.
const CACHED: [&str; 5] = ["image_id", "hits", "last_accessed", "last_modified", "size"];

/// The fields of queued images for programs.
const QUEUED: [&str; 1] = ["image_id"];

/// Returns a time for programs; null if it is unknown.
fn known(moment: Timestamp) -> Value {
    if moment == Timestamp::EPOCH {
        return Value::Null;
    }
    json!(moment.to_iso())
}

/// Returns the table of the images of a cache.
fn table(listing: Listing) -> View<'static> {
    match listing {
        Listing::Cached(cached) => table_of_cached(cached),
        Listing::Queued(queued) => table_of_queued(queued),
    }
}

fn table_of_cached(cached: Vec<CachedImage>) -> View<'static> {
    let columns = [
        ("ID", Align::Center),
        ("Last Accessed (UTC)", Align::Center),
        ("Last Modified (UTC)", Align::Center),
        ("Size", Align::Right),
        ("Hits", Align::Right),
    ];
    let columns = columns.map(|(name, align)| Column::new(name).align(align));
    let rows = cached.into_iter().map(|image| {
        [
            json!(image.image_id),
            moment(image.last_accessed),
            json!(image.last_modified.to_iso()),
            json!(image.size),
            json!(image.hits),
        ]
    });
    View::Table(Table::new(columns, in_chunks(rows)))
}

fn table_of_queued(queued: Vec<String>) -> View<'static> {
    let column = Column::new("ID").align(Align::Center);
    let rows = queued.into_iter().map(|id| [json!(id)]);
    View::Table(Table::new([column], in_chunks(rows)))
}
