//! The image cache of this host, on the directory and with the accounts that the reference implementation
//! keeps: either may look after what the other has put there.
//!
//! What is in the cache has been verified; what is served from it is looked at again. One process fills
//! the cache with an image at a time, which an entry in a journal tells from those that died at it. Whoever
//! reads a cached file holds a shared lock on it, which keeps it from being pruned.
//!
//! *Source:* `glance/image_cache` and `glance/api/middleware/cache.py` of the reference implementation.

mod accounts;
mod directory;
mod fill;
mod service;
mod sqlite;
mod upkeep;
mod xattr;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use accounts::Accounts;
use async_trait::async_trait;
use directory::{Directory, Part, remove};
use fill::Expected;

pub use upkeep::Prefetched;

use super::catalog::Catalog;
use super::engine::prepare;
use crate::config::{CacheDriver, CacheSettings, Setting, Settings};
use crate::data::durable::{directory_of, give_to_owner};
use crate::data::{Source, blocking};
use crate::model::{ByteRange, CachedImage, Image};
use crate::service::CacheKeeper;
use crate::{Error, Result};

/// Permissions of the files of a cache.
const FILE_MODE: u32 = 0o640;

/// The image cache of this host. A clone is the same cache; nothing is opened or made before it is used.
#[derive(Clone)]
pub struct ImageCache {
    directory: Directory,
    accounts: Accounts,
    /// The records of the images, where they are known: the accounts of two drivers need none.
    records: Option<Catalog>,
    /// Bytes that a pruning leaves at most.
    max_size: Setting<u64>,
    stall_time: Setting<Duration>,
    downloads: bool,
}

/// The cache of a deployment, if its configuration has one.
///
/// # Errors
/// `Failed` where the configuration of it is refused.
pub(super) async fn of_deployment(
    settings: &Settings,
    catalog: &Catalog,
) -> Result<Option<ImageCache>> {
    let Some(cache) = settings.cache.get()? else {
        return Ok(None);
    };
    let cache = ImageCache::new(cache, async || Ok(catalog.clone())).await?;
    Ok(Some(cache.with_records(catalog.clone())))
}

impl ImageCache {
    /// The cache that `settings` describe, without the deployment that it belongs to; only where the
    /// accounts are in its catalogue, that is opened.
    ///
    /// Where they ought to be in a catalogue and none is configured, as in a file of the cache's programs alone,
    /// they are those of the host: its SQLite file if there is one, else what the files themselves tell.
    ///
    /// # Errors
    /// `Failed` where there is none; those of opening a catalogue.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let Some(cache) = settings.cache.get()? else {
            return Err(Error::failed("the configuration names no image cache")
                .hint("Set image_cache_dir in the section [DEFAULT]."));
        };
        let central = matches!(cache.driver.get()?, CacheDriver::CentralizedDb { .. });
        if central && settings.database.get()?.is_none() {
            let has_file = cache.sqlite_file.get()?.exists();
            let driver = if has_file {
                CacheDriver::Sqlite
            } else {
                CacheDriver::Xattr
            };
            let of_host = CacheSettings {
                driver: driver.into(),
                ..cache.clone()
            };
            let none = async || Err(Error::internal("a cache of one host asked for a catalogue"));
            return Self::new(&of_host, none).await;
        }
        let catalog = async || Catalog::open_current(prepare(settings)?).await;
        Self::new(cache, catalog).await
    }

    /// The cache that `settings` describe, its accounts in `catalog` if they are in any.
    pub(super) async fn new(
        settings: &CacheSettings,
        catalog: impl AsyncFnOnce() -> Result<Catalog>,
    ) -> Result<Self> {
        let accounts = Accounts::new(settings, catalog).await?;
        Ok(Self {
            directory: Directory::new(settings.directory.clone()),
            records: accounts.catalog().cloned(),
            accounts,
            max_size: settings.max_size.clone(),
            stall_time: settings.stall_time.clone(),
            downloads: settings.downloads,
        })
    }

    /// Ends the use of the cache by a command (see [`Catalog::finish`]).
    pub async fn finish(&self) {
        if let Some(records) = &self.records {
            records.finish().await;
        }
    }

    /// The same cache, which knows the records of the images.
    pub(super) fn with_records(mut self, catalog: Catalog) -> Self {
        self.records = Some(catalog);
        self
    }

    /// Removes the copy of an image that was deleted while the copy was made.
    ///
    /// A deletion first commits the record, then removes the copy. A fill first puts the copy into its place, then
    /// calls this, which reads the record. Whichever is later sees the other one's first step: either the deletion
    /// finds the copy, or this finds the image deleted.
    async fn drop_if_deleted(&self, id: &str) -> Result<()> {
        if let Some(records) = &self.records
            && records.load_image(id, "").await?.is_none()
        {
            self.delete_cached(id).await?;
        }
        Ok(())
    }

    /// Whether what is downloaded goes through the cache.
    pub(super) fn takes_downloads(&self) -> bool {
        self.downloads
    }

    /// Makes what is missing of directory and accounts.
    async fn make(&self) -> Result<()> {
        self.directory.make()?;
        self.accounts.make().await
    }

    /// The data of an image out of the cache, if it is there and right; counted as a hit. What is wrong is
    /// moved out of the way.
    pub(in crate::local) async fn open_image(&self, image: &Image) -> Result<Option<Source>> {
        let (cache, wanted) = (self.clone(), image.clone());
        let Some((file, path)) = blocking(move || cache.open_file(&wanted)).await? else {
            return Ok(None);
        };
        let hits = self.accounts.hits(&image.id).await?;
        // Whoever put it there: nobody has looked at it since.
        if hits.unwrap_or(0) == 0 {
            let (expected, id) = (Expected::of(image), image.id.clone());
            let read = file.try_clone().map_err(|e| Error::io("read", &path, e))?;
            if !blocking(move || expected.is_met_by(&id, read)).await? {
                self.discard(&image.id).await?;
                return Ok(None);
            }
        }
        if hits.is_none() {
            // One that a reference implementation died over, or whose accounts were lost.
            let size = file.metadata().map_err(|e| Error::io("read", &path, e))?;
            self.make().await?;
            let nothing = Box::new(|| Ok(()));
            let recorded = self.accounts.record(&image.id, size.len(), nothing);
            recorded.await?;
        }
        self.accounts.count_hit(&image.id).await?;
        let range = ByteRange::ALL;
        Ok(Some(Source::File { file, path, range }))
    }

    /// The file of an image's data, locked against pruning, if it is there and of the right size.
    fn open_file(&self, image: &Image) -> Result<Option<(File, std::path::PathBuf)>> {
        let path = self.directory.path(&image.id)?;
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| Error::io("open", &path, e))?,
        };
        // Where files cannot be locked they can be removed under a reader, who does not notice.
        let _ = file.lock_shared();
        let ours = file.metadata().map_err(|e| Error::io("read", &path, e))?;
        let named = std::fs::metadata(&path);
        if !named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(None);
        }
        if image.size.is_some_and(|size| size != ours.len()) {
            self.directory.make()?;
            self.directory.quarantine(&path, &image.id)?;
            return Ok(None);
        }
        Ok(Some((file, path)))
    }

    /// Moves the data of an image, which is wrong, out of the cache.
    async fn discard(&self, id: &str) -> Result<()> {
        self.make().await?;
        let (directory, path, name) = (
            self.directory.clone(),
            self.directory.path(id)?,
            id.to_string(),
        );
        let change = move || directory.quarantine(&path, &name).map(drop);
        self.accounts.forget(&[id], Box::new(change)).await
    }

    /// Whether an image is in the cache or in its queue.
    async fn knows(&self, id: &str) -> Result<bool> {
        if !crate::model::schema::is_uuid(id) {
            return Ok(false);
        }
        let queued = self.directory.has_in(Part::Queue, id)?;
        Ok(queued || self.accounts.hits(id).await?.is_some() || self.directory.has(id)?)
    }
}

#[async_trait]
impl CacheKeeper for ImageCache {
    async fn list_cached(&self) -> Result<Vec<CachedImage>> {
        let mut cached = self.accounts.list().await?;
        let directory = self.directory.clone();
        let ids = blocking(move || directory.ids()).await?;
        let ids: HashSet<String> = ids.into_iter().collect();
        cached.retain(|image| ids.contains(&image.image_id));
        Ok(cached)
    }

    async fn list_queued(&self) -> Result<Vec<String>> {
        let directory = self.directory.clone();
        blocking(move || directory.queued()).await
    }

    async fn queue(&self, id: &str) -> Result<()> {
        if self.directory.has(id)? || self.directory.has_in(Part::Incomplete, id)? {
            return Ok(());
        }
        self.directory.make()?;
        let path = self.directory.path_in(Part::Queue, id)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        match options.open(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(Error::io("create", &path, e)),
            Ok(file) => {
                give_to_owner(&file, directory_of(&path));
                Ok(())
            }
        }
    }

    async fn delete_cached(&self, id: &str) -> Result<()> {
        let path = self.directory.path(id)?;
        let known = self.accounts.hits(id).await?.is_some();
        if !known && !self.directory.has(id)? {
            return Ok(());
        }
        self.make().await?;
        let change = Box::new(move || remove(&path).map(drop));
        self.accounts.forget(&[id], change).await
    }

    async fn delete_queued(&self, id: &str) -> Result<()> {
        remove(&self.directory.path_in(Part::Queue, id)?).map(drop)
    }

    async fn delete_all_cached(&self) -> Result<u64> {
        let directory = self.directory.clone();
        let ids = blocking(move || directory.ids()).await?;
        if ids.is_empty() && self.accounts.list().await?.is_empty() {
            return Ok(0);
        }
        self.make().await?;
        let count = ids.len() as u64;
        let directory = self.directory.clone();
        let change = move || {
            for id in ids {
                remove(&directory.path(&id)?)?;
            }
            Ok(())
        };
        self.accounts.forget_all(Box::new(change)).await?;
        Ok(count)
    }

    async fn delete_all_queued(&self) -> Result<u64> {
        let directory = self.directory.clone();
        blocking(move || {
            let mut count = 0;
            for found in directory.files_in(Part::Queue)? {
                let path = directory.base().join(Part::Queue.name()).join(&found.name);
                count += u64::from(remove(&path)?);
            }
            Ok(count)
        })
        .await
    }
}
