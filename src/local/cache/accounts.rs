//! The accounts of a cache: what is in it, when each image was last read, and how often.
//!
//! A change of the accounts and the change of files that belongs to it are made together: the files
//! within the transaction. A process that dies in between leaves a file without an account, or an account
//! without a file; the first is put right by [`ImageCache::recover`](super::ImageCache), or taken for the
//! one that was read longest ago, the second counts for nothing, and the next cleaning or pruning drops it.

use super::directory::Directory;
use super::{sqlite, xattr};
use crate::Result;
use crate::config::{CacheDriver, CacheSettings};
use crate::data::blocking;
use crate::local::catalog::Catalog;
use crate::model::CachedImage;

/// Where the accounts are; nothing is opened or made before it is needed.
#[derive(Clone)]
pub(super) enum Accounts {
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

/// A change of files that belongs to one of the accounts.
pub(super) type Change = Box<dyn FnOnce() -> Result<()> + Send>;

impl Accounts {
    /// The accounts that `settings` mean; those of all hosts are in `catalog`, which the other drivers do
    /// not ask for.
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

    /// The catalogue that holds them, which holds the records of the images too.
    pub(super) fn catalog(&self) -> Option<&Catalog> {
        match self {
            Self::Central { catalog, .. } => Some(catalog),
            Self::Sqlite(_) | Self::Xattr(_) => None,
        }
    }

    /// Whether all hosts keep them in one place.
    pub(super) fn are_central(&self) -> bool {
        matches!(self, Self::Central { .. })
    }

    /// Whether the time of the last access is that of the file, which is more exact there.
    pub(super) fn are_inodes(&self) -> bool {
        matches!(self, Self::Xattr(_))
    }

    /// Makes what is missing of them.
    pub(super) async fn make(&self) -> Result<()> {
        match self {
            Self::Sqlite(database) => {
                let database = database.clone();
                blocking(move || database.make()).await
            }
            Self::Central { .. } | Self::Xattr(_) => Ok(()),
        }
    }

    /// What they say is in the cache.
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

    /// How often an image was read; None of one that they do not know.
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

    /// Counts that an image was read.
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

    /// Records that an image of so many bytes is in the cache once `publish` has put it there.
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

    /// Forgets images once `remove` has removed them.
    pub(super) async fn forget(&self, ids: &[&str], remove: Change) -> Result<()> {
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
                blocking(move || database.forget(Some(&ids), remove)).await
            }
            Self::Xattr(_) => blocking(remove).await,
        }
    }

    /// Forgets all images once `remove` has removed them.
    pub(super) async fn forget_all(&self, remove: Change) -> Result<()> {
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
                blocking(move || database.forget(None, remove)).await
            }
            Self::Xattr(_) => blocking(remove).await,
        }
    }
}

/// The address under which this host keeps its accounts.
fn name(node: Option<&str>) -> String {
    if let Some(node) = node {
        return node.to_string();
    }
    let host = rustix::system::uname();
    format!("http://{}:9292", host.nodename().to_string_lossy())
}
