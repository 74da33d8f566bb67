//! The actions of `glance-cache-manage` and their reports.
//!
//! *Source:* `glance/cmd/cache_manage.py` of the reference implementation.

use crate::Result;
use crate::model::CachedImage;
use crate::service::CacheKeeper;

/// An action on a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// List cached images.
    ListCached,
    /// List queued images.
    ListQueued,
    /// Queue an image for caching.
    Queue(String),
    /// Remove an image from the cache.
    DeleteCached(String),
    /// Remove all images from the cache.
    DeleteAllCached,
    /// Remove an image from the queue.
    DeleteQueued(String),
    /// Remove all images from the queue.
    DeleteAllQueued,
}

/// The report of an action.
#[derive(Debug)]
pub struct CacheReport {
    /// The message.
    pub text: String,
    /// Whether the message is printed without `--verbose`.
    pub always: bool,
    /// The images, if the action lists them.
    pub listing: Option<Listing>,
    /// The number of images that were, or would be, queued or removed.
    pub images: u64,
}

/// The images of a cache.
#[derive(Debug)]
pub enum Listing {
    /// The cached images.
    Cached(Vec<CachedImage>),
    /// The IDs of the queued images.
    Queued(Vec<String>),
}

impl CacheReport {
    fn always(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            always: true,
            listing: None,
            images: 0,
        }
    }

    /// Returns the report of a change of so many images.
    fn changed(images: u64, text: String) -> Self {
        Self {
            always: false,
            images,
            ..Self::always(text)
        }
    }
}

impl Action {
    /// Returns the ID of the image that the action affects.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::Queue(id) | Self::DeleteCached(id) | Self::DeleteQueued(id) => Some(id),
            Self::ListCached | Self::ListQueued | Self::DeleteAllCached | Self::DeleteAllQueued => {
                None
            }
        }
    }

    /// Returns the confirmation prompt.
    pub fn question(&self) -> Option<String> {
        Some(match self {
            Self::ListCached | Self::ListQueued => return None,
            Self::Queue(id) => format!("Queue image {id} for caching?"),
            Self::DeleteCached(id) => format!("Delete cached image {id}?"),
            Self::DeleteAllCached => "Delete all cached images?".to_string(),
            Self::DeleteQueued(id) => format!("Delete queued image {id}?"),
            Self::DeleteAllQueued => "Delete all queued images?".to_string(),
        })
    }

    /// Returns the description of the action in failure messages.
    pub fn label(&self) -> &'static str {
        match self {
            Self::ListCached => "show cached images",
            Self::ListQueued => "show queued images",
            Self::Queue(_) => "queue the specified image for caching",
            Self::DeleteCached(_) => "delete the specified cached image",
            Self::DeleteAllCached => "Delete all cached images",
            Self::DeleteQueued(_) => "delete the specified queued image",
            Self::DeleteAllQueued => "Delete all queued images",
        }
    }
}

/// Carries out an action. With `dry_run`, describes its effect instead.
pub async fn run(keeper: &dyn CacheKeeper, action: &Action, dry_run: bool) -> Result<CacheReport> {
    if dry_run && action.question().is_some() {
        return rehearse(keeper, action).await;
    }
    Ok(match action {
        Action::ListCached => {
            let cached = keeper.list_cached().await?;
            match cached.len() {
                0 => CacheReport::always("No cached images."),
                count => CacheReport {
                    listing: Some(Listing::Cached(cached)),
                    ..CacheReport::always(format!("Found {count} cached images..."))
                },
            }
        }
        Action::ListQueued => {
            let queued = keeper.list_queued().await?;
            match queued.len() {
                0 => CacheReport::always("No queued images."),
                count => CacheReport {
                    listing: Some(Listing::Queued(queued)),
                    ..CacheReport::always(format!("Found {count} queued images..."))
                },
            }
        }
        Action::Queue(id) => {
            keeper.queue(id).await?;
            CacheReport::changed(1, format!("Queued image {id} for caching"))
        }
        Action::DeleteCached(id) => {
            keeper.delete_cached(id).await?;
            CacheReport::changed(1, format!("Deleted cached image {id}"))
        }
        Action::DeleteAllCached => {
            let count = keeper.delete_all_cached().await?;
            CacheReport::changed(count as u64, format!("Deleted {count} cached images"))
        }
        Action::DeleteQueued(id) => {
            keeper.delete_queued(id).await?;
            CacheReport::changed(1, format!("Deleted queued image {id}"))
        }
        Action::DeleteAllQueued => {
            let count = keeper.delete_all_queued().await?;
            CacheReport::changed(count as u64, format!("Deleted {count} queued images"))
        }
    })
}

/// Describes the effect of an action.
async fn rehearse(keeper: &dyn CacheKeeper, action: &Action) -> Result<CacheReport> {
    let is_cached = async |id: &str| {
        let cached = keeper.list_cached().await?;
        Ok::<_, crate::Error>(cached.iter().any(|image| image.image_id == id))
    };
    let is_queued = async |id: &str| {
        let queued = keeper.list_queued().await?;
        Ok::<_, crate::Error>(queued.iter().any(|queued| queued == id))
    };
    let (images, text) = match action {
        Action::ListCached | Action::ListQueued => (0, String::new()),
        Action::Queue(id) if is_cached(id).await? => {
            (0, format!("Would queue nothing: image {id} is cached"))
        }
        Action::Queue(id) if is_queued(id).await? => {
            (0, format!("Would queue nothing: image {id} is queued"))
        }
        Action::Queue(id) => (1, format!("Would queue image {id} for caching")),
        Action::DeleteCached(id) if is_cached(id).await? => {
            (1, format!("Would delete cached image {id}"))
        }
        Action::DeleteCached(id) => (0, format!("Would delete nothing: image {id} is not cached")),
        Action::DeleteQueued(id) if is_queued(id).await? => {
            (1, format!("Would delete queued image {id}"))
        }
        Action::DeleteQueued(id) => (0, format!("Would delete nothing: image {id} is not queued")),
        Action::DeleteAllCached => {
            let count = keeper.list_cached().await?.len() as u64;
            (count, format!("Would delete {count} cached images"))
        }
        Action::DeleteAllQueued => {
            let count = keeper.list_queued().await?.len() as u64;
            (count, format!("Would delete {count} queued images"))
        }
    };
    Ok(CacheReport {
        images,
        ..CacheReport::always(text)
    })
}
