//! What is done to a cache from time to time, on its directory: pruning, cleaning, prefetching.

use std::process::ExitCode;

use super::cache_manage::CacheManageCommand;
use super::cache_tools::connect;
use super::registry::Grammar;
use super::{print, ui};
use crate::Result;
use crate::config::{Cloud, Settings};
use crate::data::Watch;
use crate::local::Local;
use crate::local::cache::ImageCache;
use crate::model::Caller;
use crate::ops::cache;
use crate::service::{CacheKeeper, ImageBytes, ImageData, Images, Reading};

/// What is done to the directory itself.
pub(super) struct Upkeep {
    pub(super) settings: Settings,
    pub(super) dry_run: bool,
    /// Whether what was done is said.
    pub(super) verbose: bool,
    /// The service to fetch from; None: the deployment of the settings.
    pub(super) origin: Option<Cloud>,
}

impl Upkeep {
    pub(super) async fn run(self, command: &CacheManageCommand, watch: &Watch) -> Result<ExitCode> {
        let cache = ImageCache::open(&self.settings).await?;
        let removed = match command {
            CacheManageCommand::Clean => cache.clean(self.dry_run).await?,
            CacheManageCommand::Prefetch => return self.prefetch(&cache, watch).await,
            _ => cache.prune(self.dry_run).await?,
        };
        if self.dry_run {
            return Ok(print(&cache::would_remove(&removed), 0));
        }
        if self.verbose {
            let done = match command {
                CacheManageCommand::Clean => cache::cleaned(&removed),
                _ => cache::pruned(&removed),
            };
            print(&done, 0);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn prefetch(self, cache: &ImageCache, watch: &Watch) -> Result<ExitCode> {
        let dry_run = self.dry_run;
        // Nothing is opened that is not needed.
        if cache.list_queued().await?.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let record = |image| ImageBytes {
            image,
            source: None,
        };
        let done = if let Some(cloud) = self.origin {
            let remote = connect(cloud, false).await?;
            let open = async |id: &str| {
                if dry_run {
                    return remote.get_image(id).await.map(record);
                }
                remote.open_image(id, Reading::default()).await
            };
            cache.prefetch(open, dry_run, watch).await?
        } else {
            let local = Local::open(self.settings, Caller::default()).await?;
            let open = async |id: &str| {
                if dry_run {
                    return local.get_image(id).await.map(record);
                }
                local.open_stored(id).await
            };
            cache.prefetch(open, dry_run, watch).await?
        };
        if dry_run || self.verbose {
            for (id, size) in &done.fetched {
                let text = if dry_run { "Would fetch" } else { "Fetched" };
                print(&format!("{text} {id}, {size} byte(s)."), 0);
            }
        }
        let code = done.failures.first().map_or(0, |e| e.kind().exit_code());
        for failure in &done.failures {
            ui::error(Grammar::Openstack, failure);
        }
        Ok(ExitCode::from(code))
    }
}
