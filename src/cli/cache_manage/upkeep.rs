//! Periodic maintenance of a cache directory: pruning, cleaning, prefetching.

use super::service::connect;
use super::session::Session;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::operator::metrics::Metrics;
use crate::cli::run::session::warn_of_unfinished;
use crate::cli::views::cache as views;
use crate::local::Engine;
use crate::local::cache::{ImageCache, Prefetched};
use crate::model::{Caller, Removed};
use crate::ops::Outcome;
use crate::output::{Cell, Record, View};
use crate::service::{CacheKeeper, ImageBytes, ImageData, Images, Reading, Receipt};
use crate::{Error, ErrorKind, Result};

/// Additional commands: the functions of upstream's separate cache programs, which work on the cache directory
/// itself.
pub const UPKEEP: &[Row<Session>] = &[
    Row::extension::<Prune>(
        "prune",
        "Remove images until the cache is within its maximum size",
        Output::Plain,
    ),
    Row::extension::<Clean>(
        "clean",
        "Remove invalid and stalled files from the cache",
        Output::Plain,
    ),
    Row::extension::<Prefetch>(
        "prefetch",
        "Download the queued images into the cache",
        Output::Plain,
    ),
];

/// Remove images until the cache is within its maximum size.
#[derive(Debug, clap::Args)]
struct Prune {}

impl Leaf<Session> for Prune {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let done = with_cache(session, async |cache| {
            let removed = cache.prune(session.dry_run).await?;
            let mut done = removal(session, &removed, views::pruned(&removed));
            if session.metrics_file.is_some() {
                match cache.size().await {
                    Ok(size) => done.size = Some(size),
                    Err(error) => done.failures.push(error),
                }
            }
            Ok(done)
        });
        report(session, "glance_cache_prune", &REMOVAL, done.await)
    }
}

/// Remove invalid and stalled files from the cache.
#[derive(Debug, clap::Args)]
struct Clean {}

impl Leaf<Session> for Clean {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let done = with_cache(session, async |cache| {
            let removed = cache.clean(session.dry_run).await?;
            Ok(removal(session, &removed, views::cleaned(&removed)))
        });
        report(session, "glance_cache_clean", &REMOVAL, done.await)
    }
}

/// Download the queued images into the cache.
#[derive(Debug, clap::Args)]
struct Prefetch {}

impl Leaf<Session> for Prefetch {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let done = with_cache(session, async |cache| {
            Box::pin(prefetch(session, cache)).await
        });
        report(session, "glance_cache_prefetch", &DOWNLOAD, done.await)
    }
}

/// The result of a maintenance run.
#[derive(Default)]
struct Done {
    /// The lines to print.
    lines: Vec<String>,
    /// The number of files removed or downloaded.
    files: u64,
    /// Their size in bytes.
    bytes: u64,
    /// The downloads and other steps that failed.
    failures: Vec<Error>,
    /// The files and bytes in the cache afterwards, if requested.
    size: Option<(u64, u64)>,
}

/// The counters of a command: each with its name and help.
struct Counters {
    files: (&'static str, &'static str),
    bytes: (&'static str, &'static str),
    failures: Option<(&'static str, &'static str)>,
}

/// The counters of commands that remove files.
const REMOVAL: Counters = Counters {
    files: ("files_total", "Files removed."),
    bytes: ("freed_bytes_total", "Bytes freed."),
    failures: None,
};

/// The counters of downloads.
const DOWNLOAD: Counters = Counters {
    files: ("images_total", "Images fetched."),
    bytes: ("bytes_total", "Bytes fetched."),
    failures: Some(("failures_total", "Images that failed to download.")),
};

/// Opens the cache directory for the duration of `work`.
async fn with_cache(
    session: &Session,
    work: impl AsyncFnOnce(&ImageCache) -> Result<Done>,
) -> Result<Done> {
    let settings = session.settings()?;
    let cache = ImageCache::open(&settings).await?;
    let done = work(&cache).await;
    cache.finish().await;
    done
}

/// Writes the metrics of a command. Returns what to print.
fn report(
    session: &Session,
    prefix: &'static str,
    counters: &Counters,
    done: Result<Done>,
) -> Result<Outcome<'static>> {
    let mut written = Ok(());
    if let Some(path) = session.metrics_file.as_deref().filter(|_| !session.dry_run) {
        let known = done.as_ref().ok();
        let count = |of: fn(&Done) -> u64| known.map_or(0, of);
        let (name, help) = counters.files;
        let mut metrics = Metrics::new(prefix).counter(name, help, count(|done| done.files));
        let (name, help) = counters.bytes;
        metrics = metrics.counter(name, help, count(|done| done.bytes));
        if let Some((name, help)) = counters.failures {
            metrics = metrics.counter(name, help, count(|done| done.failures.len() as u64));
        }
        // Each name counts once, so the size is the one that pruning limits.
        if let Some((files, bytes)) = known.and_then(|done| done.size) {
            metrics = metrics
                .gauge("cache_files", "Files in the cache.", files)
                .gauge("cache_size_bytes", "Bytes in the cache.", bytes);
        }
        let succeeded = known.is_some_and(|done| done.failures.is_empty());
        written = metrics.write(path, succeeded);
    }
    match (done, written) {
        (Ok(done), written) => Ok(Outcome::text(done.lines.join("\n"))
            .with_data(data(session, &done))
            .failing(done.failures)
            .failing(written.err())),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

/// Returns the result of a command for programs.
fn data(session: &Session, done: &Done) -> View<'static> {
    View::Record(Record::from_iter([
        ("dry_run".to_string(), Cell::from(session.dry_run)),
        ("files".to_string(), Cell::from(done.files)),
        ("bytes".to_string(), Cell::from(done.bytes)),
        ("failures".to_string(), Cell::from(done.failures.len())),
    ]))
}

/// Returns the result of removing files; `report` describes it.
fn removal(session: &Session, removed: &Removed, report: String) -> Done {
    let mut done = Done {
        files: removed.files,
        bytes: removed.bytes,
        ..Done::default()
    };
    if session.dry_run {
        done.lines.push(views::would_remove(removed));
    } else if session.verbose {
        done.lines.push(report);
    } else if removed.files > 0 {
        log(session, &report);
    }
    done
}

fn log(session: &Session, text: &str) {
    if let Some(log) = &session.log {
        log.info(text);
    }
}

async fn prefetch(session: &Session, cache: &ImageCache) -> Result<Done> {
    let origin = session.origin()?;
    let dry_run = session.dry_run;
    // Opens only what is needed.
    if cache.list_queued().await?.is_empty() {
        if !dry_run {
            // The last queued image may have been left by a crashed process.
            cache.tidy().await?;
        }
        return Ok(Done::default());
    }
    let record = |image| ImageBytes {
        image,
        source: None,
        receipt: Receipt::default(),
    };
    let watch = &session.watch;
    let prefetched = if let Some(cloud) = origin {
        let remote = connect(cloud, false).await?;
        let open = async |id: &str| {
            if dry_run {
                return remote.get_image(id).await.map(record);
            }
            remote.open_image(id, Reading::default()).await
        };
        let exists = async |id: &str| exists(&remote, id).await;
        cache.prefetch(open, exists, dry_run, watch).await?
    } else {
        let engine = Engine::open(session.settings()?).await?;
        let local = engine.act_as(Caller::default());
        warn_of_unfinished(&local);
        let done = local.prefetch(cache, dry_run, watch).await;
        local.finish().await;
        done?
    };
    Ok(downloads(session, prefetched))
}

/// Returns the result of downloads.
fn downloads(session: &Session, prefetched: Prefetched) -> Done {
    let mut done = Done {
        files: prefetched.fetched.len() as u64,
        bytes: prefetched.fetched.iter().map(|(_, size)| size).sum(),
        failures: prefetched.failures,
        ..Done::default()
    };
    let verb = if session.dry_run {
        "Would fetch"
    } else {
        "Fetched"
    };
    for (id, size) in &prefetched.fetched {
        let line = format!("{verb} {id}, {size} byte(s).");
        if session.dry_run || session.verbose {
            done.lines.push(line);
        } else {
            log(session, &line);
        }
    }
    done
}

/// Returns whether the image exists.
async fn exists(images: &impl Images, id: &str) -> Result<bool> {
    match images.get_image(id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        other => other.map(|_| true),
    }
}
