//! The image cache of the responding host.

use async_trait::async_trait;

use super::Running;
use crate::Result;
use crate::model::{CacheState, CacheTarget, CachedImage, Removed};

/// The image cache of the responding host. For administrators only (`Forbidden`); `NotFound` if the host
/// has no cache. A new cache is empty.
#[async_trait]
pub trait Cache: Send + Sync {
    /// Returns the cached images and the queue.
    async fn cache_state(&self) -> Result<CacheState>;

    /// Queues an image to be cached immediately. No effect if it is cached or queued. The image MUST be queued when
    /// this returns. Returns the rest of the work in this process, which fetches it.
    ///
    /// # Errors
    /// `NotFound` for an unknown image, `Invalid` for one that is not active.
    async fn cache_image(&self, id: &str) -> Result<Running>;

    /// Removes an image from the cache and from its queue. Also valid for a deleted image, and for one that
    /// is in neither.
    ///
    /// # Errors
    /// `NotFound` for an ID that is not an image and is in neither.
    async fn uncache_image(&self, id: &str) -> Result<()>;

    /// Clears the cache, its queue, or both.
    async fn clear_cache(&self, target: CacheTarget) -> Result<()>;

    /// Removes invalid and stalled files; nothing if `dry_run`. Returns None if the deployment does not
    /// report them.
    ///
    /// # Errors
    /// `Failed` for a dry run that the deployment does not support.
    async fn clean_cache(&self, dry_run: bool) -> Result<Option<Removed>>;

    /// Removes the least recently used images until the cache is within its maximum size; nothing if
    /// `dry_run`.
    ///
    /// # Errors
    /// The errors of [`Cache::clean_cache`].
    async fn prune_cache(&self, dry_run: bool) -> Result<Removed>;

    /// Returns the addresses of the hosts that have an image in their cache.
    ///
    /// # Errors
    /// `NotFound` for the image; `Conflict` if each host stores its own metadata.
    async fn cached_nodes(&self, id: &str) -> Result<Vec<String>>;
}

/// The operator's access to a cache: all of its content, whether the images exist or not.
#[async_trait]
pub trait CacheKeeper: Send + Sync {
    /// Returns the cached images.
    async fn list_cached(&self) -> Result<Vec<CachedImage>>;

    /// Returns the IDs of the images to fetch, in the order of the queue.
    async fn list_queued(&self) -> Result<Vec<String>>;

    /// Queues an image to be cached at a later time. No effect if it is cached or queued.
    async fn queue(&self, id: &str) -> Result<()>;

    /// Removes an image from the cache; no error if it is not cached.
    async fn delete_cached(&self, id: &str) -> Result<()>;

    /// Removes an image from the queue; no error if it is not queued.
    async fn delete_queued(&self, id: &str) -> Result<()>;

    /// Removes all images from the cache; returns their number.
    async fn delete_all_cached(&self) -> Result<u64>;

    /// Removes all images from the queue; returns their number.
    async fn delete_all_queued(&self) -> Result<u64>;
}
