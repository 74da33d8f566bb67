//! Periodic maintenance of a cache directory: pruning, cleaning, prefetching.

use std::path::PathBuf;
use std::process::ExitCode;

use super::cache_manage::CacheManageCommand;
use super::cache_tools::connect;
use super::log::Log;
use super::metrics::Metrics;
use super::{print, ui};
use crate::config::{Cloud, Settings};
use crate::data::Watch;
use crate::local::Engine;
use crate::local::cache::ImageCache;
use crate::model::Caller;
use crate::ops::cache;
use crate::service::{CacheKeeper, ImageBytes, ImageData, Images, Reading};
use crate::{ErrorKind, Result};

/// A maintenance run on a cache directory.
pub(super) struct Upkeep {
    pub(super) settings: Settings,
    pub(super) dry_run: bool,
    /// Whether to print what was done.
    pub(super) verbose: bool,
    /// The service to download from; `None` for the configured deployment.
    pub(super) origin: Option<Cloud>,
    /// The log, used if nothing is printed.
    pub(super) log: Option<Log>,
    /// The metrics file.
    pub(super) metrics_file: Option<PathBuf>,
}

impl Upkeep {
    /// Runs the command and writes its metrics.
    pub(super) async fn run(self, command: &CacheManageCommand, watch: &Watch) -> Result<ExitCode> {
        let path = self.metrics_file.clone().filter(|_| !self.dry_run);
        let prefix = match command {
            CacheManageCommand::Clean => "glance_cache_clean",
            CacheManageCommand::Prefetch => "glance_cache_prefetch",
            _ => "glance_cache_prune",
        };
        let done = match ImageCache::open(&self.settings).await {
            Ok(cache) => {
                let done = self.work(&cache, command, watch).await;
                cache.finish().await;
                done
            }
            Err(error) => Err(error),
        };
        if let Some(path) = path {
            let known = done.as_ref().ok();
            let count = |of: fn(&Done) -> u64| known.map_or(0, of);
            let mut metrics = Metrics::new(prefix);
            metrics = if matches!(command, CacheManageCommand::Prefetch) {
                metrics
                    .counter("images_total", "Images fetched.", count(|done| done.files))
                    .counter("bytes_total", "Bytes fetched.", count(|done| done.bytes))
                    .counter(
                        "failures_total",
                        "Images that failed to download.",
                        count(|done| done.failures),
                    )
            } else {
                metrics
                    .counter("files_total", "Files removed.", count(|done| done.files))
                    .counter(
                        "freed_bytes_total",
                        "Bytes freed.",
                        count(|done| done.bytes),
                    )
            };
            // Each name counts once, so the size is the one that pruning limits.
            if let Some((files, bytes)) = known.and_then(|done| done.left) {
                metrics = metrics
                    .gauge("cache_files", "Files in the cache.", files)
                    .gauge("cache_size_bytes", "Bytes in the cache.", bytes);
            }
            let succeeded = known.is_some_and(|done| done.failures == 0);
            metrics.write(&path, succeeded)?;
        }
        Ok(done?.code)
    }

    async fn work(
        &self,
        cache: &ImageCache,
        command: &CacheManageCommand,
        watch: &Watch,
    ) -> Result<Done> {
        let (removed, said) = match command {
            CacheManageCommand::Prefetch => return self.prefetch(cache, watch).await,
            CacheManageCommand::Clean => {
                let removed = cache.clean(self.dry_run).await?;
                let said = cache::cleaned(&removed);
                (removed, said)
            }
            _ => {
                let removed = cache.prune(self.dry_run).await?;
                let said = cache::pruned(&removed);
                (removed, said)
            }
        };
        if self.dry_run {
            print(&cache::would_remove(&removed), 0);
        } else if self.verbose {
            print(&said, 0);
        } else if removed.files > 0 {
            self.log(&said);
        }
        let left = match command {
            CacheManageCommand::Clean => None,
            _ if self.metrics_file.is_none() => None,
            _ => Some(cache.size().await?),
        };
        Ok(Done {
            files: removed.files,
            bytes: removed.bytes,
            failures: 0,
            left,
            code: ExitCode::SUCCESS,
        })
    }

    fn log(&self, text: &str) {
        if let Some(log) = &self.log {
            log.info(text);
        }
    }

    async fn prefetch(&self, cache: &ImageCache, watch: &Watch) -> Result<Done> {
        let dry_run = self.dry_run;
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
        };
        let done = if let Some(cloud) = self.origin.clone() {
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
            let local = Engine::open(self.settings.clone())
                .await?
                .act_as(Caller::default());
            super::session::warn_of_unfinished(&local);
            let open = async |id: &str| {
                if dry_run {
                    return local.get_image(id).await.map(record);
                }
                local.open_stored(id).await
            };
            let exists = async |id: &str| exists(&local, id).await;
            let done = cache.prefetch(open, exists, dry_run, watch).await;
            local.finish().await;
            done?
        };
        for (id, size) in &done.fetched {
            let text = if dry_run { "Would fetch" } else { "Fetched" };
            let said = format!("{text} {id}, {size} byte(s).");
            if dry_run || self.verbose {
                print(&said, 0);
            } else {
                self.log(&said);
            }
        }
        let code = done.failures.first().map_or(0, |e| e.kind().exit_code());
        for failure in &done.failures {
            ui::plain_error(failure);
        }
        Ok(Done {
            files: done.fetched.len() as u64,
            bytes: done.fetched.iter().map(|(_, size)| size).sum(),
            failures: done.failures.len() as u64,
            left: None,
            code: ExitCode::from(code),
        })
    }
}

/// Returns whether the image exists.
async fn exists(images: &impl Images, id: &str) -> Result<bool> {
    match images.get_image(id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        other => other.map(|_| true),
    }
}

/// The result of a maintenance run.
#[derive(Default)]
struct Done {
    /// The number of files removed or downloaded.
    files: u64,
    /// Their size in bytes.
    bytes: u64,
    /// The number of files that failed to download.
    failures: u64,
    /// The remaining files and bytes in the cache, if requested.
    left: Option<(u64, u64)>,
    code: ExitCode,
}
