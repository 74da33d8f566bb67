//! The cache operations of the API.
//!
//! *Source:* `glance/api/v2/cached_images.py` of the reference implementation, for the rules and the order of the
//! checks.

use async_trait::async_trait;

use super::{ImageCache, Prefetched};
use crate::data::Watch;
use crate::local::Local;
use crate::local::policy::{Action, Target};
use crate::model::{ByteRange, CacheState, CacheTarget, CachedImage, ImageStatus, Removed};
use crate::service::{Cache, CacheKeeper, ImageBytes, Images, Receipt, Running};
use crate::{Error, ErrorKind, Operation, Result};

#[async_trait]
impl Cache for Local {
    async fn cache_state(&self) -> Result<CacheState> {
        let cache = self.administered_cache(Action::CacheList)?;
        Ok(CacheState {
            cached: cache.list_cached().await?,
            queued: cache.list_queued().await?,
        })
    }

    async fn cache_image(&self, id: &str) -> Result<Running> {
        let stored = self.find(id).await.map_err(|error| missing(error, id))?;
        let cache = self.administered_cache(Action::CacheImage)?;
        if stored.image.status != ImageStatus::Active {
            return Err(Error::invalid(
                "Only images with status active can be targeted for queueing",
            ));
        }
        cache.queue(id).await?;
        let bytes = self.open_from_stores(stored, &[], ByteRange::ALL).await?;
        let cache = cache.clone();
        let fetch = async move { cache.prefetch_one(bytes, Watch::default()).await };
        let fetched = self.spawn(fetch);
        Ok(Box::pin(async move {
            let fetched = fetched.await.map_err(|error| {
                error
                    .hint("The image stays queued.")
                    .hint(Operation::Prefetch)
            });
            fetched.map(drop)
        }))
    }

    async fn uncache_image(&self, id: &str) -> Result<()> {
        if let Err(error) = self.find(id).await {
            let known = match self.cache.get()? {
                Some(cache) => cache.knows(id).await?,
                None => false,
            };
            if !known {
                return Err(missing(error, id));
            }
        }
        let cache = self.administered_cache(Action::CacheDelete)?;
        cache.delete_cached(id).await?;
        cache.delete_queued(id).await
    }

    async fn clear_cache(&self, target: CacheTarget) -> Result<()> {
        let cache = self.administered_cache(Action::CacheDelete)?;
        if target.has_cache() {
            cache.delete_all_cached().await?;
        }
        if target.has_queue() {
            cache.delete_all_queued().await?;
        }
        Ok(())
    }

    async fn clean_cache(&self, dry_run: bool) -> Result<Option<Removed>> {
        let cache = self.administered_cache(Action::CacheClean)?;
        cache.clean(dry_run).await.map(Some)
    }

    async fn prune_cache(&self, dry_run: bool) -> Result<Removed> {
        self.administered_cache(Action::CachePrune)?
            .prune(dry_run)
            .await
    }

    async fn cached_nodes(&self, id: &str) -> Result<Vec<String>> {
        let cache = self.administered_cache(Action::ListCachedNodes)?;
        if !cache.index.is_central() {
            return Err(Error::conflict("Centralized caching is not enabled"));
        }
        self.find(id).await.map_err(|error| missing(error, id))?;
        self.catalog.load_nodes(id).await
    }
}

/// The routes of the cache's middleware: one rule decides, whatever the image.
#[async_trait]
impl CacheKeeper for Local {
    async fn list_cached(&self) -> Result<Vec<CachedImage>> {
        self.kept_cache()?.list_cached().await
    }

    async fn list_queued(&self) -> Result<Vec<String>> {
        self.kept_cache()?.list_queued().await
    }

    async fn queue(&self, id: &str) -> Result<()> {
        self.kept_cache()?.queue(id).await
    }

    async fn delete_cached(&self, id: &str) -> Result<()> {
        self.kept_cache()?.delete_cached(id).await
    }

    async fn delete_queued(&self, id: &str) -> Result<()> {
        self.kept_cache()?.delete_queued(id).await
    }

    async fn delete_all_cached(&self) -> Result<u64> {
        self.kept_cache()?.delete_all_cached().await
    }

    async fn delete_all_queued(&self) -> Result<u64> {
        self.kept_cache()?.delete_all_queued().await
    }
}

impl Local {
    /// Returns the cache if the caller may use it as its operator.
    fn kept_cache(&self) -> Result<&ImageCache> {
        self.administered_cache(Action::ManageImageCache)
    }

    /// Fetches the queued images from the stores of the deployment into a cache of it, one after the other; only lists them if
    /// `dry_run`.
    ///
    /// # Errors
    /// Same as [`ImageCache::prefetch`].
    pub async fn prefetch(
        &self,
        cache: &ImageCache,
        dry_run: bool,
        watch: &Watch,
    ) -> Result<Prefetched> {
        let open = async |id: &str| {
            if dry_run {
                let image = self.get_image(id).await?;
                return Ok(ImageBytes {
                    image,
                    source: None,
                    receipt: Receipt::default(),
                });
            }
            self.open_stored(id).await
        };
        let exists = async |id: &str| match self.get_image(id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            other => other.map(|_| true),
        };
        cache.prefetch(open, exists, dry_run, watch).await
    }

    /// Returns the cache if the caller may do `action` to it.
    fn administered_cache(&self, action: Action) -> Result<&ImageCache> {
        self.policy
            .check(&self.caller, action, Target::Deployment)?;
        self.cache.get()?.as_ref().ok_or_else(|| {
            Error::not_found("Caching via API is not supported at this site.")
                .hint("Set image_cache_dir in the section [DEFAULT].")
        })
    }

    /// Returns the cache if downloads go through it. An invalid configuration of the cache does not prevent
    /// downloads.
    pub(in crate::local) fn download_cache(&self) -> Option<&ImageCache> {
        let cache = self.cache.get().ok()?.as_ref();
        cache.filter(|cache| cache.serves_downloads())
    }
}

/// Returns the error for an unknown image with the text of the cache's commands.
fn missing(error: Error, id: &str) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return Error::not_found(format!("Image {id} not found."));
    }
    error
}
