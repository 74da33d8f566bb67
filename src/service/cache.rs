//! The image cache of the host that answers.

use async_trait::async_trait;

use crate::Result;
use crate::model::{CacheState, CacheTarget, CachedImage, Removed};

/// The image cache of the host that answers: for administrators alone (`Forbidden`), and `NotFound` where
/// that host has none. A fresh cache is an empty one.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What the cache holds and what is to come.
    async fn cache_state(&self) -> Result<CacheState>;

    /// Tells the cache to fetch the data of an image, and to do so now. One that it holds or is told of
    /// stays as it is. MUST have queued it when it returns; a server fetches it afterwards.
    ///
    /// # Errors
    /// `NotFound` for an image that is not there, `Invalid` for one that is not active.
    async fn cache_image(&self, id: &str) -> Result<()>;

    /// Drops an image from the cache and from its queue; also one that was deleted meanwhile, and one that
    /// is in neither.
    ///
    /// # Errors
    /// `NotFound` for what is no image and in neither.
    async fn uncache_image(&self, id: &str) -> Result<()>;

    /// Empties the cache, its queue, or both.
    async fn clear_cache(&self, target: CacheTarget) -> Result<()>;

    /// Removes what is invalid or has not been completed for too long; or nothing, if `dry_run`. What it
    /// was is None where the deployment does not tell.
    ///
    /// # Errors
    /// `Failed` for a dry run where the deployment cannot do one.
    async fn clean_cache(&self, dry_run: bool) -> Result<Option<Removed>>;

    /// Removes what was not read for longest, until the cache is no larger than it may be; or nothing, if
    /// `dry_run`.
    ///
    /// # Errors
    /// As for [`Cache::clean_cache`].
    async fn prune_cache(&self, dry_run: bool) -> Result<Removed>;

    /// The addresses of the hosts that have an image in their cache.
    ///
    /// # Errors
    /// `NotFound` for the image; `Conflict` where each host keeps its own accounts.
    async fn cached_nodes(&self, id: &str) -> Result<Vec<String>>;
}

/// A cache as its operator sees it: whatever is in it, whether there are such images or not.
#[async_trait]
pub trait CacheKeeper: Send + Sync {
    /// What the cache holds.
    async fn list_cached(&self) -> Result<Vec<CachedImage>>;

    /// Ids of the images that are to be fetched, the one that waits longest first.
    async fn list_queued(&self) -> Result<Vec<String>>;

    /// Tells the cache to fetch an image some time. One that it holds or is told of stays as it is.
    async fn queue(&self, id: &str) -> Result<()>;

    /// Drops an image from the cache; one that is not in it is no error.
    async fn delete_cached(&self, id: &str) -> Result<()>;

    /// Drops an image from the queue; one that is not in it is no error.
    async fn delete_queued(&self, id: &str) -> Result<()>;

    /// Drops all images from the cache; how many they were.
    async fn delete_all_cached(&self) -> Result<u64>;

    /// Drops all images from the queue; how many they were.
    async fn delete_all_queued(&self) -> Result<u64>;
}
