//! Operations on the image cache of a host.

use super::Outcome;
use super::images::{self, Reference};
use crate::model::{CacheTarget, Removed};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// An action on one image of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Queue the image for caching.
    Queue,
    /// Remove the image from the cache and its queue.
    Delete,
}

impl Verb {
    /// Applies the action to the image that `reference` names. With `dry_run`, returns a description of the
    /// effect instead.
    ///
    /// # Errors
    /// The errors of the lookup and of the action.
    pub async fn apply(
        self,
        service: &dyn ImageService,
        reference: Reference<'_>,
        dry_run: bool,
    ) -> Result<Option<String>> {
        let id = match reference {
            Reference::Id(id) => id.to_string(),
            other @ Reference::IdOrName(_) => images::find(service, other).await?.id,
        };
        if dry_run {
            let state = service.cache_state().await?;
            let cached = state.cached.iter().any(|image| image.image_id == id);
            let queued = state.queued.contains(&id);
            return Ok(Some(match self {
                Self::Queue if cached || queued => {
                    format!("Would not queue {id}: it is already cached or queued.")
                }
                Self::Queue => format!("Would queue {id}."),
                Self::Delete if cached || queued => format!("Would remove {id}."),
                Self::Delete => format!("Would remove nothing: {id} is not cached or queued."),
            }));
        }
        match self {
            Self::Queue => service.cache_image(&id).await?.await?,
            Self::Delete => service.uncache_image(&id).await?,
        }
        Ok(None)
    }
}

/// Clears the cache, its queue, or both. With `dry_run`, returns what would be removed instead.
pub async fn clear(
    service: &dyn ImageService,
    target: CacheTarget,
    dry_run: bool,
) -> Result<Option<Removed>> {
    if !dry_run {
        service.clear_cache(target).await?;
        return Ok(None);
    }
    let state = service.cache_state().await?;
    let mut removed = Removed::default();
    if target.has_cache() {
        for image in state.cached {
            removed.push(image.image_id, image.size);
        }
    }
    if target.has_queue() {
        for id in state.queued {
            removed.push(format!("queue/{id}"), 0);
        }
    }
    Ok(Some(removed))
}

/// Turns a failure of the service into a notice: upstream's client reports it and exits 0, which scripts rely
/// on. Errors without an HTTP status are returned.
///
/// *Source:* `do_cache_*` in `glanceclient/v2/shell.py`.
pub fn forgive(
    outcome: &mut Outcome<'_>,
    error: Error,
    forbidden: impl FnOnce() -> String,
    otherwise: impl FnOnce(&Error) -> String,
) -> Result<()> {
    if error.status().is_none() {
        return Err(error);
    }
    let text = if error.kind() == ErrorKind::Forbidden {
        forbidden()
    } else {
        otherwise(&error)
    };
    outcome.notices.push(text);
    outcome.hints.extend_from_slice(error.hints());
    Ok(())
}
