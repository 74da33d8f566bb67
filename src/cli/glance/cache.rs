//! The image cache of a host: `glance cache-*`.

use crate::cli::registry::{Output, Row};

/// Remove invalid and stalled files from the cache.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheClean {}

/// Empty the cache, its queue, or both.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheClear {
    /// What to empty.
    #[arg(long, value_parser = ["both", "cache", "queue"], default_value = "both")]
    pub target: String,
}

/// Drop images from the cache and its queue.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheDelete {
    /// IDs of the images.
    #[arg(value_name = "IMAGE_ID", required = true, num_args = 1..)]
    pub image_ids: Vec<String>,
}

/// List what is cached and what is queued.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheList {}

/// List the hosts that have an image in their cache.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheNodesList {
    /// ID of the image.
    pub image_id: String,
}

/// Shrink the cache to its permitted size.
#[derive(Debug, Clone, clap::Args)]
pub struct CachePrune {}

/// Queue images to be cached.
#[derive(Debug, Clone, clap::Args)]
pub struct CacheQueue {
    /// IDs of the images.
    #[arg(value_name = "IMAGE_ID", required = true, num_args = 1..)]
    pub image_ids: Vec<String>,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<CacheClean>(
        "cache-clean",
        "Remove invalid and stalled files from the cache",
        Output::Plain,
    ),
    Row::later::<CacheClear>(
        "cache-clear",
        "Empty the cache, its queue, or both",
        Output::Plain,
    ),
    Row::later::<CacheDelete>(
        "cache-delete",
        "Drop images from the cache and its queue",
        Output::Plain,
    ),
    Row::later::<CacheList>(
        "cache-list",
        "List what is cached and what is queued",
        Output::Plain,
    ),
    Row::later::<CacheNodesList>(
        "cache-nodes-list",
        "List the hosts that have an image in their cache",
        Output::Plain,
    ),
    Row::later::<CachePrune>(
        "cache-prune",
        "Shrink the cache to its permitted size",
        Output::Plain,
    ),
    Row::later::<CacheQueue>("cache-queue", "Queue images to be cached", Output::Plain),
];
