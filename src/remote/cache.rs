//! The image cache of the responding host.

use async_trait::async_trait;
use http::Method;
use http::header::HeaderValue;
use serde::Deserialize;

use super::Remote;
use crate::http::Request;
use crate::model::{CacheState, CacheTarget, CachedImage, Removed};
use crate::service::{Cache, CacheKeeper, Running};
use crate::{Error, ErrorKind, Operation, Result};

/// The header for the part of the cache to clear; without it, both parts.
const TARGET: &str = "x-image-cache-clear-target";

/// A server's response to a pruning request.
#[derive(Deserialize)]
struct Pruned {
    total_files_pruned: u64,
    total_bytes_pruned: u64,
}

#[async_trait]
impl Cache for Remote {
    async fn cache_state(&self) -> Result<CacheState> {
        self.get(&["cache"]).await
    }

    async fn cache_image(&self, id: &str) -> Result<Running> {
        self.command(Method::PUT, &["cache", id]).await?;
        Ok(Box::pin(async { Ok(()) }))
    }

    async fn uncache_image(&self, id: &str) -> Result<()> {
        self.command(Method::DELETE, &["cache", id]).await
    }

    async fn clear_cache(&self, target: CacheTarget) -> Result<()> {
        let mut call = Request::new(Method::DELETE, self.url(&["cache"]).await?);
        if target != CacheTarget::Both {
            let value = HeaderValue::from_static(target.name());
            call.headers.insert(TARGET, value);
        }
        self.succeed(call).await?;
        Ok(())
    }

    async fn clean_cache(&self, dry_run: bool) -> Result<Option<Removed>> {
        only_done(dry_run)?;
        self.command(Method::POST, &["cache", "clean"]).await?;
        Ok(None)
    }

    async fn prune_cache(&self, dry_run: bool) -> Result<Removed> {
        only_done(dry_run)?;
        let url = self.url(&["cache", "prune"]).await?;
        let pruned: Pruned = self.read(Request::new(Method::POST, url)).await?;
        Ok(Removed {
            files: pruned.total_files_pruned,
            bytes: pruned.total_bytes_pruned,
            names: Vec::new(),
        })
    }

    async fn cached_nodes(&self, id: &str) -> Result<Vec<String>> {
        self.get(&["cache", "nodes", id]).await
    }
}

/// Returns an error for a dry run, which the API does not support.
fn only_done(dry_run: bool) -> Result<()> {
    if !dry_run {
        return Ok(());
    }
    Err(Error::failed("an image service has no dry run of this").hint(Operation::PreviewPrune))
}

/// The response of an older server's routes.
#[derive(Deserialize)]
struct CachedImages {
    cached_images: Vec<CachedImage>,
}

/// See [`CachedImages`].
#[derive(Deserialize)]
struct QueuedImages {
    queued_images: Vec<String>,
}

/// See [`CachedImages`].
#[derive(Deserialize)]
struct Deleted {
    num_deleted: u64,
}

/// Uses the routes of servers since Xena, or else the older ones, which a server has if its pipeline is
/// configured for them.
#[async_trait]
impl CacheKeeper for Remote {
    async fn list_cached(&self) -> Result<Vec<CachedImage>> {
        if let Some(state) = self.known_state().await? {
            return Ok(state.cached);
        }
        let answer: CachedImages = self.get(&["cached_images"]).await?;
        Ok(answer.cached_images)
    }

    async fn list_queued(&self) -> Result<Vec<String>> {
        if let Some(state) = self.known_state().await? {
            return Ok(state.queued);
        }
        let answer: QueuedImages = self.get(&["queued_images"]).await?;
        Ok(answer.queued_images)
    }

    async fn queue(&self, id: &str) -> Result<()> {
        match self.cache_image(id).await {
            // An error for an unknown image contains its ID.
            Err(error) if is_unknown(&error) && !error.message().contains(id) => {
                self.command(Method::PUT, &["queued_images", id]).await
            }
            other => other.map(drop),
        }
    }

    /// Sends the newer route's request only for a cached image, because it also removes the image from the
    /// queue.
    async fn delete_cached(&self, id: &str) -> Result<()> {
        match self.known_state().await? {
            Some(state) if state.cached.iter().any(|cached| cached.image_id == id) => {
                self.uncache_image(id).await
            }
            Some(_) => Ok(()),
            None => self.command(Method::DELETE, &["cached_images", id]).await,
        }
    }

    async fn delete_queued(&self, id: &str) -> Result<()> {
        match self.known_state().await? {
            Some(state) if state.queued.iter().any(|queued| queued == id) => {
                self.uncache_image(id).await
            }
            Some(_) => Ok(()),
            None => self.command(Method::DELETE, &["queued_images", id]).await,
        }
    }

    async fn delete_all_cached(&self) -> Result<u64> {
        if let Some(state) = self.known_state().await? {
            self.clear_cache(CacheTarget::Cache).await?;
            return Ok(state.cached.len() as u64);
        }
        self.delete_all("cached_images").await
    }

    async fn delete_all_queued(&self) -> Result<u64> {
        if let Some(state) = self.known_state().await? {
            self.clear_cache(CacheTarget::Queue).await?;
            return Ok(state.queued.len() as u64);
        }
        self.delete_all("queued_images").await
    }
}

impl Remote {
    /// Returns the state of the cache; None if the server does not know the newer routes.
    async fn known_state(&self) -> Result<Option<CacheState>> {
        match self.cache_state().await {
            Err(error) if is_unknown(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    async fn delete_all(&self, what: &str) -> Result<u64> {
        let call = Request::new(Method::DELETE, self.url(&[what]).await?);
        let answer: Deleted = self.read(call).await?;
        Ok(answer.num_deleted)
    }
}

/// Returns whether a server does not know the route.
fn is_unknown(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.status().is_some_and(|(status, _)| status == 405)
}
