//! The image cache of a host: `openstack cached image`.

use crate::cli::registry::{Output, Row};

/// Empty the cache and its queue, or one of them.
#[derive(Debug, Clone, clap::Args)]
pub struct Clear {
    /// Only the cache.
    #[arg(long, overrides_with = "queue")]
    pub cache: bool,
    /// Only the queue.
    #[arg(long, overrides_with = "cache")]
    pub queue: bool,
}

/// Drop images from the cache and its queue.
#[derive(Debug, Clone, clap::Args)]
pub struct Delete {
    /// Images, as names or IDs.
    #[arg(value_name = "image", required = true, num_args = 1..)]
    pub images: Vec<String>,
}

/// List what is cached and what is queued.
#[derive(Debug, Clone, clap::Args)]
pub struct List {}

/// Queue images to be cached.
#[derive(Debug, Clone, clap::Args)]
pub struct Queue {
    /// Images, as names or IDs.
    #[arg(value_name = "image", required = true, num_args = 1..)]
    pub images: Vec<String>,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<Clear>(
        "cached image clear",
        "Empty the cache and its queue, or one of them",
        Output::Plain,
    ),
    Row::later::<Delete>(
        "cached image delete",
        "Drop images from the cache and its queue",
        Output::Plain,
    ),
    Row::later::<List>(
        "cached image list",
        "List what is cached and what is queued",
        Output::List,
    ),
    Row::later::<Queue>(
        "cached image queue",
        "Queue images to be cached",
        Output::Plain,
    ),
];
