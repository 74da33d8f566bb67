//! The index of a cache: the images in it, and when and how often each was last read.
//!
//! The index and the files are changed together, with the file operation inside the transaction. A process that
//! crashes in between leaves a file without a row, or a row without a file.
//! [`ImageCache::recover`](super::ImageCache) adds a missing row; otherwise such a file counts as the least
//! recently read. A row without a file has no effect, and the next cleaning or pruning removes it.

use super::directory::Directory;
use super::sqlite::{self, Change};
use super::xattr;
use crate::Result;
use crate::config::{CacheDriver, CacheSettings};
use crate::data::blocking;
use crate::local::catalog::Catalog;
use crate::model::CachedImage;

/// The place of the index. Nothing is opened or created before it is needed.
#[derive(Clone)]
pub(super) enum Index {
    /// The driver `centralized_db`.
    Central {
        catalog: Catalog,
        node: Option<String>,
    },
    /// The driver `sqlite`.
    Sqlite(sqlite::Database),
    /// The driver `xattr`.
    Xattr(Directory),
}

impl Index {
    /// Creates the index that `settings` select. Only the driver `centralized_db` needs `catalog`.
    pub(super) async fn new(
        settings: &CacheSettings,
        catalog: impl AsyncFnOnce() -> Result<Catalog>,
    ) -> Result<Self> {
        Ok(match settings.driver.get()? {
            CacheDriver::CentralizedDb { node } => Self::Central {
                catalog: catalog().await?,
                node: node.clone(),
            },
            CacheDriver::Sqlite => {
                let file = settings.sqlite_file.get()?;
                Self::Sqlite(sqlite::Database::new(file, &settings.directory))
            }
            CacheDriver::Xattr => Self::Xattr(Directory::new(settings.directory.clone())),
        })
    }

    /// Returns the catalogue that holds the index, and the records of the images.
    pub(super) fn catalog(&self) -> Option<&Catalog> {
        match self {
            Self::Central { catalog, .. } => Some(catalog),
            Self::Sqlite(_) | Self::Xattr(_) => None,
        }
    }

    /// Returns whether the index of all hosts is in one place.
    pub(super) fn is_central(&self) -> bool {
        matches!(self, Self::Central { .. })
    }

    /// Returns whether file times are the index's times of the last access, and more precise.
    pub(super) fn has_inode_times(&self) -> bool {
        matches!(self, Self::Xattr(_))
    }

    /// Creates the missing parts of the index.
    pub(super) async fn create_missing(&self) -> Result<()> {
        match self {
            Self::Sqlite(database) => {
                let database = database.clone();
                blocking(move || database.create_missing()).await
            }
            Self::Central { .. } | Self::Xattr(_) => Ok(()),
        }
    }

    /// Returns the images in the index.
    pub(super) async fn list(&self) -> Result<Vec<CachedImage>> {
        match self {
            Self::Central { catalog, node } => catalog.load_cached(&name(node.as_deref())).await,
            Self::Sqlite(database) => {
                let database = database.clone();
                blocking(move || database.list()).await
            }
            Self::Xattr(directory) => {
                let directory = directory.clone();
                blocking(move || xattr::list(&directory)).await
            }
        }
    }

    /// Returns the number of reads of an image; None if it is not in the index.
    pub(super) async fn hits(&self, id: &str) -> Result<Option<u64>> {
        match self {
            Self::Central { catalog, node } => catalog.load_hits(&name(node.as_deref()), id).await,
            Self::Sqlite(database) => {
                let (database, id) = (database.clone(), id.to_string());
                blocking(move || database.hits(&id)).await
            }
            Self::Xattr(directory) => xattr::hits(&directory.path(id)?),
        }
    }

    /// Counts a read of an image.
    pub(super) async fn count_hit(&self, id: &str) -> Result<()> {
        match self {
            Self::Central { catalog, node } => catalog.count_hit(&name(node.as_deref()), id).await,
            Self::Sqlite(database) => {
                let (database, id) = (database.clone(), id.to_string());
                blocking(move || database.count_hit(&id)).await
            }
            Self::Xattr(directory) => xattr::count_hit(&directory.path(id)?),
        }
    }

    /// Adds an image of `size` bytes to the index after `publish` has moved its file into the cache.
    pub(super) async fn record(&self, id: &str, size: u64, publish: Change) -> Result<()> {
        match self {
            Self::Central { catalog, node } => {
                let node = name(node.as_deref());
                let insert = || async {
                    let transaction = catalog.begin().await?;
                    transaction.insert_cached(&node, id, size).await?;
                    Ok(transaction)
                };
                let transaction = catalog.retry(insert).await?;
                blocking(publish).await?;
                transaction.commit().await
            }
            Self::Sqlite(database) => {
                let (database, id) = (database.clone(), id.to_string());
                blocking(move || database.record(&id, size, publish)).await
            }
            Self::Xattr(directory) => {
                let path = directory.path(id)?;
                blocking(move || {
                    publish()?;
                    xattr::set_hits(&path, 0)
                })
                .await
            }
        }
    }

    /// Removes images from the index after `remove` has removed their files.
    pub(super) async fn remove(&self, ids: &[&str], remove: Change) -> Result<()> {
        match self {
            Self::Central { catalog, node } => {
                let node = name(node.as_deref());
                let delete = || async {
                    let transaction = catalog.begin().await?;
                    transaction.delete_cached(&node, ids).await?;
                    Ok(transaction)
                };
                let transaction = catalog.retry(delete).await?;
                blocking(remove).await?;
                transaction.commit().await
            }
            Self::Sqlite(database) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let database = database.clone();
                blocking(move || database.remove(Some(&ids), remove)).await
            }
            Self::Xattr(_) => blocking(remove).await,
        }
    }

    /// Removes all images from the index after `remove` has removed their files.
    pub(super) async fn remove_all(&self, remove: Change) -> Result<()> {
        match self {
            Self::Central { catalog, node } => {
                let node = name(node.as_deref());
                let delete = || async {
                    let transaction = catalog.begin().await?;
                    transaction.delete_all_cached(&node).await?;
                    Ok(transaction)
                };
                let transaction = catalog.retry(delete).await?;
                blocking(remove).await?;
                transaction.commit().await
            }
            Self::Sqlite(database) => {
                let database = database.clone();
                blocking(move || database.remove(None, remove)).await
            }
            Self::Xattr(_) => blocking(remove).await,
        }
    }
}

/// Returns the address of this host in the index.
fn name(node: Option<&str>) -> String {
    if let Some(node) = node {
        return node.to_string();
    }
    let host = rustix::system::uname();
    format!("http://{}:9292", host.nodename().to_string_lossy())
}
