//! The image cache of this host, with the directory and index of the reference implementation. Both programs can
//! manage the same cache.
//!
//! Data is verified when it enters the cache, and checked again when it is served. A journal entry ensures that one
//! process at a time writes an image, and reveals crashed writers. A reader holds a shared lock on the cached file,
//! which prevents pruning.
//!
//! *Source:* `glance/image_cache` and `glance/api/middleware/cache.py` of the reference implementation.

mod directory;
mod fill;
mod index;
mod service;
mod sqlite;
mod upkeep;
mod xattr;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use async_trait::async_trait;
use directory::{Directory, Part, remove};
use fill::Expected;
use index::Index;

pub use upkeep::Prefetched;

use super::catalog::Catalog;
use super::directories::{FILE_MODE, prepare};
use crate::config::{CacheDriver, CacheSettings, Setting, Settings};
use crate::data::durable::{directory_of, give_to_owner};
use crate::data::{Source, blocking};
use crate::model::{ByteRange, CachedImage, Image};
use crate::service::CacheKeeper;
use crate::{Error, Result};

/// The image cache of this host. Clones share the cache. Nothing is opened or created before it is used.
#[derive(Clone)]
pub struct ImageCache {
    directory: Directory,
    index: Index,
    /// The catalogue with the records of the images, if known. Two drivers do not need it for their index.
    records: Option<Catalog>,
    /// The maximum size in bytes after pruning.
    max_size: Setting<u64>,
    stall_time: Setting<Duration>,
    downloads: bool,
}

/// Returns the cache of a deployment, if one is configured.
///
/// # Errors
/// `Failed` if its configuration is invalid.
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
    /// Opens the configured cache without the rest of the deployment. Opens the catalogue only if the index is in
    /// it.
    ///
    /// If the index should be in a catalogue but none is configured, as in a configuration for the cache's programs
    /// alone, the host's own index is used: its SQLite file if it exists, else the attributes of the files.
    ///
    /// # Errors
    /// `Failed` if no cache is configured; errors of opening the catalogue.
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
            let none = async || Err(Error::internal("a cache of one host requested a catalogue"));
            return Self::new(&of_host, none).await;
        }
        let catalog = async || {
            let catalog = Catalog::open_current(prepare(settings)?).await?;
            Ok(catalog.with_address_key(&settings.address_key))
        };
        Self::new(cache, catalog).await
    }

    /// Creates the cache that `settings` describe. Its index is in `catalog` if the driver requires it.
    pub(super) async fn new(
        settings: &CacheSettings,
        catalog: impl AsyncFnOnce() -> Result<Catalog>,
    ) -> Result<Self> {
        let index = Index::new(settings, catalog).await?;
        Ok(Self {
            directory: Directory::new(settings.directory.clone()),
            records: index.catalog().cloned(),
            index,
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

    /// Returns the same cache with access to the records of the images.
    pub(super) fn with_records(mut self, catalog: Catalog) -> Self {
        self.records = Some(catalog);
        self
    }

    /// Removes the cached copy of an image that was deleted while the copy was being made.
    ///
    /// A deletion first commits the record, then removes the copy. A write first publishes the copy, then calls
    /// this, which reads the record. The later of the two sees the other's first step: either the deletion finds
    /// the copy, or this finds the image deleted.
    async fn drop_if_deleted(&self, id: &str) -> Result<()> {
        if let Some(records) = &self.records
            && records.load_image(id, "").await?.is_none()
        {
            self.delete_cached(id).await?;
        }
        Ok(())
    }

    /// Returns whether downloads go through the cache.
    pub(super) fn serves_downloads(&self) -> bool {
        self.downloads
    }

    /// Creates the missing parts of the directory and the index.
    async fn create_missing(&self) -> Result<()> {
        self.directory.create_missing()?;
        self.index.create_missing().await
    }

    /// Opens the data of an image if it is cached and valid, and counts a hit. Invalid data is moved to `invalid/`.
    pub(in crate::local) async fn open_image(&self, image: &Image) -> Result<Option<Source>> {
        let (cache, wanted) = (self.clone(), image.clone());
        let Some((file, path)) = blocking(move || cache.open_file(&wanted)).await? else {
            return Ok(None);
        };
        let hits = self.index.hits(&image.id).await?;
        // The data has not been verified since it was cached, possibly by another program.
        if hits.unwrap_or(0) == 0 {
            let (expected, id) = (Expected::of(image), image.id.clone());
            let read = file.try_clone().map_err(|e| Error::io("read", &path, e))?;
            if !blocking(move || expected.matches(&id, read)).await? {
                self.discard(&image.id).await?;
                return Ok(None);
            }
        }
        if hits.is_none() {
            // The reference implementation crashed before it added the row, or the index was lost.
            let size = file.metadata().map_err(|e| Error::io("read", &path, e))?;
            self.create_missing().await?;
            let nothing = Box::new(|| Ok(()));
            let recorded = self.index.record(&image.id, size.len(), nothing);
            recorded.await?;
        }
        self.index.count_hit(&image.id).await?;
        let range = ByteRange::ALL;
        Ok(Some(Source::File { file, path, range }))
    }

    /// Opens and locks the file of an image's data, if it exists with the right size.
    fn open_file(&self, image: &Image) -> Result<Option<(File, std::path::PathBuf)>> {
        let path = self.directory.path(&image.id)?;
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| Error::io("open", &path, e))?,
        };
        // On file systems without locks, a file may be removed while it is read, which does not affect the reader.
        let _ = file.lock_shared();
        let ours = file.metadata().map_err(|e| Error::io("read", &path, e))?;
        let named = std::fs::metadata(&path);
        if !named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(None);
        }
        if image.size.is_some_and(|size| size != ours.len()) {
            self.directory.create_missing()?;
            self.directory.quarantine(&path, &image.id)?;
            return Ok(None);
        }
        Ok(Some((file, path)))
    }

    /// Moves the invalid data of an image out of the cache.
    async fn discard(&self, id: &str) -> Result<()> {
        self.create_missing().await?;
        let (directory, path, name) = (
            self.directory.clone(),
            self.directory.path(id)?,
            id.to_string(),
        );
        let change = move || directory.quarantine(&path, &name).map(drop);
        self.index.remove(&[id], Box::new(change)).await
    }

    /// Returns whether an image is in the cache or in its queue.
    async fn knows(&self, id: &str) -> Result<bool> {
        if !crate::model::schema::is_uuid(id) {
            return Ok(false);
        }
        let queued = self.directory.has_in(Part::Queue, id)?;
        Ok(queued || self.index.hits(id).await?.is_some() || self.directory.has(id)?)
    }
}

#[async_trait]
impl CacheKeeper for ImageCache {
    async fn list_cached(&self) -> Result<Vec<CachedImage>> {
        let mut cached = self.index.list().await?;
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
        self.directory.create_missing()?;
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
        let known = self.index.hits(id).await?.is_some();
        if !known && !self.directory.has(id)? {
            return Ok(());
        }
        self.create_missing().await?;
        let change = Box::new(move || remove(&path).map(drop));
        self.index.remove(&[id], change).await
    }

    async fn delete_queued(&self, id: &str) -> Result<()> {
        remove(&self.directory.path_in(Part::Queue, id)?).map(drop)
    }

    async fn delete_all_cached(&self) -> Result<u64> {
        let directory = self.directory.clone();
        let ids = blocking(move || directory.ids()).await?;
        if ids.is_empty() && self.index.list().await?.is_empty() {
            return Ok(0);
        }
        self.create_missing().await?;
        let count = ids.len() as u64;
        let directory = self.directory.clone();
        let change = move || {
            for id in ids {
                remove(&directory.path(&id)?)?;
            }
            Ok(())
        };
        self.index.remove_all(Box::new(change)).await?;
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
