//! Scrubbing: removes data whose deletion was delayed, and restores images.
//!
//! Scrubbers and restorers share a lock and work in batches: list the pending data, remove it, then record the
//! removal. No journal is needed: the records list all pending data, and removing missing data has no effect.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};

use super::Local;
use super::catalog::{
    Catalog, Held, Holders, IrregularLocations, PendingLocation, Place, RemovedLocation,
    Restorable, in_use,
};
use super::policy::{Action, Target};
use super::store::{Removal, Store, StoreSet};
use crate::data::Watch;
use crate::model::address::redacted;
use crate::model::{ImageStatus, Location, Scrubbed, Timestamp};
use crate::{Error, ErrorKind, Operation, Result};

/// The maximum number of images, or of locations of existing images, that are scrubbed under one lock.
const BATCH: u64 = 1000;

/// The name of the lock.
const PURPOSE: &str = "scrub";

/// The time limit of one attempt to get the lock, and of all attempts. A batch of slow deletions takes long.
const WAIT: Duration = Duration::from_secs(1);
const LOCK_TIMEOUT: Duration = Duration::from_mins(10);

/// The maximum time for which the lock stays free between two batches, so that pending processes can get it. Longer
/// than their polling interval.
const PAUSE: Duration = Duration::from_millis(30);

/// A progress report of a scrubbing.
#[derive(Debug)]
pub enum ScrubEvent<'a> {
    /// All data of an image was removed, or would be.
    Scrubbed {
        /// The ID of the image.
        id: &'a str,
        /// The number of freed bytes.
        bytes: u64,
    },
    /// A location of an existing image was removed.
    Removed {
        /// The ID of the image.
        id: &'a str,
        /// The address of the data.
        url: &'a str,
        /// The number of freed bytes.
        bytes: u64,
    },
    /// The data of a location could not be removed. The next run tries again.
    Failed(Error),
    /// An unexpected location is pending, and stays.
    Kept(Error),
}

impl Local {
    /// Removes the data of deleted images and locations after the configured delay; only reports it if `dry_run`.
    /// Stops after a batch if `watch` requests it.
    ///
    /// Failures are reported and leave the location pending; other locations are still processed.
    ///
    /// # Errors
    /// `Forbidden`; errors of the database.
    pub async fn scrub(
        &self,
        dry_run: bool,
        watch: &Watch,
        report: &mut (dyn FnMut(ScrubEvent<'_>) + Send),
    ) -> Result<Scrubbed> {
        self.policy
            .check(&self.caller, Action::Scrub, Target::Deployment)?;
        let settings = self.settings.scrubber.copied()?;
        let mut scrub = Scrub {
            catalog: &self.catalog,
            stores: &self.stores,
            pool_size: settings.pool_size,
            until: Timestamp::now().before(settings.scrub_time),
            dry_run,
            watch,
            report,
            done: Scrubbed::default(),
            irregular: None,
        };
        let mut last = None;
        while scrub.may_continue() {
            last = scrub.scrub_images(last.as_ref()).await?;
            if last.is_none() {
                break;
            }
        }
        let mut next = Some(0);
        while let Some(after) = next
            && scrub.may_continue()
        {
            next = scrub.scrub_locations(after).await?;
        }
        Ok(scrub.done)
    }

    /// Returns the time of the oldest pending deletion of an image; None if none is pending.
    pub async fn oldest_pending(&self) -> Result<Option<Timestamp>> {
        self.catalog.oldest_pending().await
    }

    /// Restores an image that is pending deletion. Returns messages about the copies of its data that are lost.
    ///
    /// Also restores the data of an image that another program restored without its locations.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for an image in another status; `Failed` if none of its data exists any more; errors
    /// of the stores if no copy could be checked; `Forbidden`.
    pub async fn restore(&self, id: &str) -> Result<Vec<String>> {
        self.policy
            .check(&self.caller, Action::Scrub, Target::Deployment)?;
        // Waits for a running scrubber, then checks what it left.
        let _held = acquire_lock(&self.catalog, &Watch::default()).await?;
        let found = restorable(id, self.catalog.restorable(id).await?)?;
        let mut there = Vec::new();
        let mut lost = Vec::new();
        let mut unknown = None;
        for pending in &found.pending {
            let location = pending.location.as_ref().map_err(copy_of)?;
            let url = &location.url;
            let size = match self.stores.holding(location) {
                Ok(store) => store.size(url).await,
                Err(error) => Err(error),
            };
            match size {
                Ok(size) if found.size.is_none_or(|known| known == size) => {
                    there.push(pending.row);
                }
                Ok(size) => lost.push(format!(
                    "{} has {size} bytes instead of {}: it is still pending deletion",
                    redacted(url),
                    found.size.unwrap_or_default()
                )),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    lost.push(format!("the data at {} is missing", redacted(url)));
                }
                Err(error) => {
                    lost.push(format!(
                        "{} cannot be checked, and is still pending deletion: {}",
                        redacted(url),
                        error.message()
                    ));
                    unknown = Some(error);
                }
            }
        }
        if there.is_empty() {
            return Err(match unknown {
                Some(error) => Error::failed(format!(
                    "cannot restore image {id}: its data cannot be checked: {}",
                    error.message()
                ))
                .hints_of(&error)
                .because(error),
                None => Error::failed(format!(
                    "cannot restore image {id}: its data does not exist any more"
                )),
            });
        }
        self.catalog
            .write(async |transaction| {
                // Another program may have changed the image.
                let found = restorable(id, transaction.restorable(id).await?)?;
                let deactivated = ImageStatus::Deactivated.name();
                let to = if found.status == deactivated {
                    deactivated
                } else {
                    ImageStatus::Active.name()
                };
                transaction.restore_image(id, to, &there).await
            })
            .await?;
        Ok(lost)
    }
}

/// Returns the image if it can be restored.
fn restorable(id: &str, found: Option<Restorable>) -> Result<Restorable> {
    let found = found.ok_or_else(|| Error::not_found(format!("No image found with ID {id}")))?;
    let waits = found.status == ImageStatus::PendingDelete.name();
    if waits || is_left_waiting(&found.status, found.deleted, found.others > 0) {
        return Ok(found);
    }
    Err(Error::conflict(format!(
        "cannot restore the image from {} to active (wanted from_state=pending_delete)",
        found.status
    )))
}

/// Returns whether an image's status requires data although all its data is pending deletion.
fn is_left_waiting(status: &str, deleted: bool, has_others: bool) -> bool {
    let whole = [ImageStatus::Active, ImageStatus::Deactivated].map(ImageStatus::name);
    !deleted && !has_others && whole.contains(&status)
}

/// A run of the scrubber.
struct Scrub<'a> {
    catalog: &'a Catalog,
    stores: &'a StoreSet,
    pool_size: usize,
    /// The time limit: later deletions stay pending.
    until: Timestamp,
    dry_run: bool,
    watch: &'a Watch,
    report: &'a mut (dyn FnMut(ScrubEvent<'_>) + Send),
    done: Scrubbed,
    /// Loaded when there is data to remove.
    irregular: Option<IrregularLocations>,
}

impl Scrub<'_> {
    /// Returns whether the next batch may begin.
    fn may_continue(&mut self) -> bool {
        self.done.stopped = self.watch.check().is_err();
        !self.done.stopped
    }

    /// Takes the lock for a batch, unless this is a dry run.
    async fn lock_batch(&self) -> Result<BatchLock> {
        let held = if self.dry_run {
            None
        } else {
            Some(acquire_lock(self.catalog, self.watch).await?)
        };
        Ok(BatchLock {
            held,
            since: Instant::now(),
        })
    }

    /// Scrubs a batch of images after `after`, and returns the position of the last one if there may be more.
    async fn scrub_images(&mut self, after: Option<&Place>) -> Result<Option<Place>> {
        let mut lock = self.lock_batch().await?;
        let images = self
            .catalog
            .pending_images(self.until, after, BATCH)
            .await?;
        let pending: Vec<&PendingLocation> =
            images.iter().flat_map(|image| &image.locations).collect();
        let removals = pending.iter().map(|pending| (*pending, None)).collect();
        let mut removed = self.remove(&mut lock, removals).await?.into_iter();
        let mut rows = Vec::new();
        let mut gone = Vec::new();
        for image in &images {
            let mut freed = Some(0);
            for pending in &image.locations {
                match removed.next() {
                    Some(Ok(bytes)) => {
                        rows.push(pending.row);
                        self.done.bytes += bytes.unwrap_or_default();
                        freed = freed.map(|freed| freed + bytes.unwrap_or_default());
                    }
                    Some(Err(error)) => {
                        freed = None;
                        self.fail(&image.id, pending, &error);
                    }
                    None => freed = None,
                }
            }
            gone.extend(freed.map(|bytes| (image.id.as_str(), bytes)));
        }
        let ids: Vec<&str> = gone.iter().map(|(id, _)| *id).collect();
        self.record(&rows, &ids).await?;
        for (id, bytes) in gone {
            (self.report)(ScrubEvent::Scrubbed { id, bytes });
        }
        lock.end(is_full(images.len())).await;
        Ok(images
            .last()
            .filter(|_| is_full(images.len()))
            .map(|image| image.place.clone()))
    }

    /// Scrubs a batch of locations of existing images after the row `after`, and returns the last row if there may
    /// be more.
    async fn scrub_locations(&mut self, after: i64) -> Result<Option<i64>> {
        let mut lock = self.lock_batch().await?;
        let all = self
            .catalog
            .removed_locations(self.until, after, BATCH)
            .await?;
        let (removed_locations, kept): (Vec<&RemovedLocation>, Vec<&RemovedLocation>) =
            all.iter().partition(|location| location.has_others);
        let mut reported = HashSet::new();
        for location in kept {
            if reported.insert(location.image_id.as_str()) {
                (self.report)(ScrubEvent::Kept(only_data(location)));
            }
        }
        let removals = removed_locations
            .iter()
            .map(|location| (&location.pending, location.pending.deleted_at))
            .collect();
        let removed = self.remove(&mut lock, removals).await?;
        let mut gone = Vec::new();
        for (removed_location, removed) in removed_locations.into_iter().zip(removed) {
            let (id, pending) = (&removed_location.image_id, &removed_location.pending);
            match (removed, &pending.location) {
                (Ok(bytes), Ok(location)) => {
                    self.done.bytes += bytes.unwrap_or_default();
                    gone.push((id, pending.row, location, bytes.unwrap_or_default()));
                }
                (Err(error), _) => self.fail(id, pending, &error),
                // Not reached: such data is not removed.
                (Ok(_), Err(error)) => self.fail(id, pending, error),
            }
        }
        let rows: Vec<i64> = gone.iter().map(|(_, row, ..)| *row).collect();
        self.record(&rows, &[]).await?;
        for (id, _, location, bytes) in gone {
            (self.report)(ScrubEvent::Removed {
                id,
                url: &location.url,
                bytes,
            });
        }
        lock.end(is_full(all.len())).await;
        Ok(all
            .last()
            .filter(|_| is_full(all.len()))
            .map(|location| location.pending.row))
    }

    /// Reports that the data at a location of an image could not be removed.
    fn fail(&mut self, id: &str, pending: &PendingLocation, error: &Error) {
        self.done.failures += 1;
        let data = match &pending.location {
            Ok(location) => format!("the data of image {id} at {}", redacted(&location.url)),
            Err(_) => format!("the data of image {id}"),
        };
        let failed = Error::failed(format!(
            "{data} could not be removed; the next run tries again: {}",
            error.message()
        ))
        .hints_of(error);
        (self.report)(ScrubEvent::Failed(failed));
    }

    /// Records removed locations and images, and counts them.
    async fn record(&mut self, locations: &[i64], images: &[&str]) -> Result<()> {
        self.done.locations += locations.len() as u64;
        self.done.images += images.len() as u64;
        if self.dry_run || locations.is_empty() && images.is_empty() {
            return Ok(());
        }
        self.catalog
            .write(async |transaction| transaction.finish_scrub(locations, images).await)
            .await
    }

    /// Returns a location whose data is removed, and its store; None if locations other than the removed `rows`
    /// refer to the data: the last reference removes it.
    ///
    /// # Errors
    /// `Failed` if its address, or that of another location, cannot be decrypted; the errors of
    /// [`StoreSet::holding`].
    fn removable<'p>(
        &self,
        pending: &'p PendingLocation,
        holders: &Holders,
        rows: &HashSet<i64>,
    ) -> Result<Option<(&'p Location, &dyn Store)>> {
        let location = pending.location.as_ref().map_err(copy_of)?;
        if holders.refer_to(&location.url, rows)? {
            return Ok(None);
        }
        Ok(Some((location, self.stores.holding(location)?)))
    }

    /// Removes the data at locations, unless it was written after the given moment. Returns the size in bytes of
    /// each, in the same order, or None if nothing was removed.
    async fn remove(
        &mut self,
        lock: &mut BatchLock,
        pending: Vec<(&PendingLocation, Option<Timestamp>)>,
    ) -> Result<Vec<Result<Option<u64>>>> {
        // A location that cannot be read stays, and may refer to data of the others.
        let readable = pending.iter().filter_map(|(pending, _)| {
            let location = pending.location.as_ref().ok()?;
            Some((pending.row, location.url.as_str()))
        });
        let (rows, mut addresses): (HashSet<i64>, Vec<&str>) = readable.unzip();
        addresses.sort_unstable();
        addresses.dedup();
        let holders = if addresses.is_empty() {
            Holders::default()
        } else {
            let irregular = match &mut self.irregular {
                Some(irregular) => irregular,
                none => none.insert(self.catalog.irregular_locations().await?),
            };
            self.catalog.holders_with(irregular, &addresses).await?
        };
        let share = pending.len().div_ceil(self.pool_size).max(1);
        let mut removed: Vec<Result<Option<u64>>> = Vec::with_capacity(pending.len());
        let mut shares: Vec<Share<'_>> = Vec::new();
        for (place, (pending, unless_later)) in pending.into_iter().enumerate() {
            removed.push(Ok(None));
            let (location, store) = match self.removable(pending, &holders, &rows) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(error) => {
                    removed[place] = Err(error);
                    continue;
                }
            };
            let open = shares
                .iter_mut()
                .rev()
                .find(|open| std::ptr::addr_eq(open.store, store) && open.removals.len() < share);
            let removal = Removal {
                url: location.url.clone(),
                unless_later,
            };
            match open {
                Some(open) => {
                    open.places.push(place);
                    open.removals.push(removal);
                }
                None => shares.push(Share {
                    store,
                    places: vec![place],
                    removals: vec![removal],
                }),
            }
        }
        lock.check().await?;
        let dry_run = self.dry_run;
        let work = shares.into_iter().map(|share| async move {
            let outcomes = share.store.delete(share.removals, dry_run).await;
            (share.places, outcomes)
        });
        let mut done = stream::iter(work).buffer_unordered(self.pool_size);
        while let Some((places, outcomes)) = done.next().await {
            for (place, outcome) in places.into_iter().zip(outcomes) {
                removed[place] = outcome;
            }
        }
        Ok(removed)
    }
}

/// Returns an error with the same message and hints.
fn copy_of(error: &Error) -> Error {
    Error::failed(error.message()).hints_of(error)
}

/// The removals of a batch in one thread of the pool.
struct Share<'a> {
    store: &'a dyn Store,
    /// The positions in the batch.
    places: Vec<usize>,
    removals: Vec<Removal>,
}

/// Returns whether more may follow after a batch of `count`.
fn is_full(count: usize) -> bool {
    count as u64 >= BATCH
}

/// Waits for the lock of scrubbers and restorers.
async fn acquire_lock(catalog: &Catalog, watch: &Watch) -> Result<Held> {
    let since = Instant::now();
    loop {
        if let Some(held) = catalog.exclusive(PURPOSE, WAIT).await? {
            return Ok(held);
        }
        watch.check()?;
        if since.elapsed() > LOCK_TIMEOUT {
            return Err(in_use(catalog, "scrubs"));
        }
    }
}

/// The lock for a batch.
struct BatchLock {
    held: Option<Held>,
    since: Instant,
}

impl BatchLock {
    /// Returns an error if the lock was lost with the connection to the server.
    async fn check(&mut self) -> Result<()> {
        if let Some(held) = &mut self.held
            && !held.is_held().await
        {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the connection to the database was lost",
            ));
        }
        Ok(())
    }

    /// Releases the lock, and leaves it free for a moment if there is `more` to do.
    async fn end(self, more: bool) {
        let pause = self.since.elapsed() / 10;
        let locked = self.held.is_some();
        drop(self.held);
        if locked && more {
            tokio::time::sleep(pause.min(PAUSE)).await;
        }
    }
}

/// Returns the error for a location that stays because it has the only data of its image.
fn only_data(location: &RemovedLocation) -> Error {
    let RemovedLocation {
        image_id, status, ..
    } = location;
    let error = Error::failed(format!(
        "image {image_id} is {status}, and all its data is pending deletion; the data is not removed"
    ));
    if is_left_waiting(status, false, false) || status == ImageStatus::PendingDelete.name() {
        return error.hint(Operation::RestoreImage(image_id.clone()));
    }
    error
}
