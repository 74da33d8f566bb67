//! Maintenance of a cache: pruning, cleaning, and fetching of queued images.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use super::ImageCache;
use super::directory::{Found, Part, remove};
use crate::data::{Watch, blocking};
use crate::model::{ImageStatus, Removed, Timestamp};
use crate::service::{CacheKeeper, ImageBytes};
use crate::{Error, ErrorKind, Result};

/// The number of images that are removed in one transaction.
const BATCH: usize = 500;

/// The result of fetching queued images.
#[derive(Debug, Default)]
pub struct Prefetched {
    /// The IDs of the images that are in the cache now, or would be, with their sizes in bytes.
    pub fetched: Vec<(String, u64)>,
    /// The failures of other images, which stay queued.
    pub failures: Vec<Error>,
}

impl ImageCache {
    /// Returns the number of files in the cache, and their total size in bytes.
    pub async fn size(&self) -> Result<(u64, u64)> {
        let directory = self.directory.clone();
        let files = blocking(move || directory.files()).await?;
        let bytes = files.iter().map(|found| found.size).sum();
        Ok((files.len() as u64, bytes))
    }

    /// Removes the least recently read images until the cache does not exceed its maximum size; only reports them
    /// if `dry_run`. Images that are being read stay. The age of a file without a row in the index is that of the
    /// file.
    pub async fn prune(&self, dry_run: bool) -> Result<Removed> {
        let max_size = self.max_size.copied()?;
        if !dry_run {
            self.create_missing().await?;
            self.recover().await?;
        }
        // After waiting for another pruning process, less is left to remove.
        let directory = self.directory.clone();
        let _lock = if dry_run {
            None
        } else {
            Some(blocking(move || directory.lock_pruning()).await?)
        };
        let directory = self.directory.clone();
        let mut files = blocking(move || directory.files()).await?;
        let mut size: u64 = files.iter().map(|found| found.size).sum();
        let index = self.index.list().await?;
        if !dry_run {
            self.remove_missing_rows(&index, &files).await?;
        }
        let mut removed = Removed::default();
        if size <= max_size {
            return Ok(removed);
        }
        let accessed: HashMap<String, Timestamp> = index
            .into_iter()
            .map(|image| (image.image_id, image.last_accessed))
            .collect();
        let has_inode_times = self.index.has_inode_times();
        let age = |found: &Found| {
            if has_inode_times {
                return moment(found.accessed);
            }
            let known = accessed.get(&found.name).copied();
            known.unwrap_or_else(|| moment(found.modified))
        };
        files.sort_by_cached_key(|found| (age(found), found.name.clone()));
        let mut files = files.into_iter();
        while size > max_size {
            let mut batch = Vec::new();
            let mut over = size - max_size;
            while over > 0
                && batch.len() < BATCH
                && let Some(found) = files.next()
            {
                over = over.saturating_sub(found.size);
                batch.push(found);
            }
            if batch.is_empty() {
                break;
            }
            let gone = if dry_run {
                self.unused(batch).await?
            } else {
                self.remove_unused(batch).await?
            };
            for (found, _) in gone {
                size -= found.size;
                removed.push(found.name, found.size);
            }
        }
        Ok(removed)
    }

    /// Returns the files that are not being read, locked so that no process can begin to read them.
    async fn unused(&self, batch: Vec<Found>) -> Result<Vec<(Found, File)>> {
        let directory = self.directory.clone();
        blocking(move || {
            let mut unused = Vec::new();
            for found in batch {
                let Ok(file) = File::open(directory.path(&found.name)?) else {
                    continue;
                };
                if file.try_lock().is_ok() {
                    unused.push((found, file));
                }
            }
            Ok(unused)
        })
        .await
    }

    /// Removes the files that are not being read.
    async fn remove_unused(&self, batch: Vec<Found>) -> Result<Vec<(Found, File)>> {
        let unused = self.unused(batch).await?;
        let ids: Vec<&str> = unused
            .iter()
            .map(|(found, _)| found.name.as_str())
            .collect();
        let paths: Result<Vec<PathBuf>> = ids.iter().map(|id| self.directory.path(id)).collect();
        let paths = paths?;
        let change = move || paths.iter().try_for_each(|path| remove(path).map(drop));
        self.index.remove(&ids, Box::new(change)).await?;
        Ok(unused)
    }

    /// Removes rows of files that are not in the cache any more from the index.
    async fn remove_missing_rows(
        &self,
        index: &[crate::model::CachedImage],
        files: &[Found],
    ) -> Result<()> {
        let there: std::collections::HashSet<&str> =
            files.iter().map(|found| found.name.as_str()).collect();
        let missing: Vec<&str> = index
            .iter()
            .map(|image| image.image_id.as_str())
            .filter(|id| !there.contains(id))
            .collect();
        for batch in missing.chunks(BATCH) {
            // Checked again: another process may have added the file and its row concurrently.
            let mut gone = Vec::new();
            for id in batch {
                if crate::model::schema::is_uuid(id) && !self.directory.has(id)? {
                    gone.push(*id);
                }
            }
            let nothing = Box::new(|| Ok(()));
            self.index.remove(&gone, nothing).await?;
        }
        Ok(())
    }

    /// Removes invalid data, data that was not written to for the stall time, and leftovers of crashed processes;
    /// only reports them if `dry_run`.
    pub async fn clean(&self, dry_run: bool) -> Result<Removed> {
        let stall_time = self.stall_time.copied()?;
        let mut removed = Removed::default();
        if dry_run {
            let (directory, journal) = (self.directory.clone(), self.directory.journal());
            let dead = blocking(move || {
                let mut dead = Vec::new();
                for entry in journal.stale_entries()? {
                    if let Ok(path) = directory.path_in(Part::Incomplete, &entry.id)
                        && let Ok(metadata) = std::fs::metadata(&path)
                    {
                        dead.push((entry.id.clone(), metadata.len()));
                    }
                }
                Ok(dead)
            });
            for (id, size) in dead.await? {
                removed.push(format!("{}/{id}", Part::Incomplete.name()), size);
            }
        } else {
            self.create_missing().await?;
            removed = self.recover().await?;
        }
        let (directory, stalled) = (
            self.directory.clone(),
            SystemTime::now().checked_sub(stall_time),
        );
        let removed = blocking(move || {
            for part in [Part::Invalid, Part::Incomplete] {
                for found in directory.files_in(part)? {
                    let old = stalled.is_some_and(|stalled| found.modified < stalled);
                    let name = format!("{}/{}", part.name(), found.name);
                    if part == Part::Incomplete && !old || removed.names.contains(&name) {
                        continue;
                    }
                    let path = directory.base().join(&name);
                    if dry_run || remove(&path)? {
                        removed.push(name, found.size);
                    }
                }
            }
            Ok(removed)
        })
        .await?;
        if !dry_run {
            let directory = self.directory.clone();
            let files = blocking(move || directory.files()).await?;
            self.remove_missing_rows(&self.index.list().await?, &files)
                .await?;
        }
        Ok(removed)
    }

    /// Removes or completes what processes left that crashed while they filled the cache.
    pub async fn tidy(&self) -> Result<()> {
        self.recover().await.map(drop)
    }

    /// Fetches the queued images in order, from the source that `open` returns; only lists them if `dry_run`. A
    /// failure does not prevent the others from being fetched. The copy of an image that `exists` reports as
    /// deleted after it was fetched is removed. See `drop_if_deleted`.
    ///
    /// # Errors
    /// `Interrupted`. Errors of `open` and of writing are among the failures.
    pub async fn prefetch(
        &self,
        open: impl AsyncFn(&str) -> Result<ImageBytes>,
        exists: impl AsyncFn(&str) -> Result<bool>,
        dry_run: bool,
        watch: &Watch,
    ) -> Result<Prefetched> {
        let mut done = Prefetched::default();
        for id in self.list_queued().await? {
            watch.check()?;
            let fetched = async {
                let bytes = open(&id).await?;
                let size = bytes.image.size.unwrap_or_default();
                if dry_run {
                    check_active(&bytes)?;
                    return Ok::<_, Error>(Some(size));
                }
                let fetched = self.prefetch_one(bytes, watch.clone()).await?;
                if fetched && !exists(&id).await? {
                    self.delete_cached(&id).await?;
                    return Ok(None);
                }
                Ok(fetched.then_some(size))
            };
            match fetched.await {
                Ok(Some(size)) => done.fetched.push((id, size)),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let context = format!("image {id} stays queued");
                    done.failures.push(error.context(context));
                }
            }
        }
        Ok(done)
    }

    /// Writes the data of an image into the cache, and removes the image from the queue.
    pub(super) async fn prefetch_one(&self, bytes: ImageBytes, watch: Watch) -> Result<bool> {
        check_active(&bytes)?;
        let ImageBytes { image, source, .. } = bytes;
        let Some(source) = source else {
            return Err(Error::invalid(format!("image {} has no data", image.id)));
        };
        let fetched = self.fetch(&image, source, watch).await?;
        if !fetched && self.directory.has(&image.id)? {
            // Another process has cached it.
            self.delete_queued(&image.id).await?;
        }
        Ok(fetched)
    }
}

/// Returns an error unless the image is active: only images that can be downloaded are cached.
fn check_active(bytes: &ImageBytes) -> Result<()> {
    let image = &bytes.image;
    if image.status == ImageStatus::Active {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "image {} is not active: it is {}",
        image.id, image.status
    )))
}

/// Converts the time of an inode to a timestamp.
fn moment(time: SystemTime) -> Timestamp {
    Timestamp::from_system(time).unwrap_or(Timestamp::EPOCH)
}
