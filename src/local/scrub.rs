//! Scrubbing: removing the data of what was deleted while deletion is delayed, and taking it back.
//!
//! A batch at a time, under a lock that all scrubbers and restorers share: what is found is what is
//! there, the data goes, then the record says so. Nobody has to note what is under way: the record says
//! of everything that waits that it is to go, and data that is gone already is gone as well.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};

use super::Local;
use super::catalog::{
    Catalog, Held, Place, Restorable, Strangers, StrayLocation, WaitingLocation, in_use,
};
use super::policy::{self, Action, Target};
use super::store::{Removal, Store, StoreSet};
use crate::data::Watch;
use crate::model::address::discreet;
use crate::model::{ImageStatus, Scrubbed, Timestamp};
use crate::{Error, ErrorKind, Operation, Result};

/// Images, or locations of images that are alive, that are scrubbed under one lock.
const BATCH: u64 = 1000;

/// What the lock is called.
const PURPOSE: &str = "scrub";

/// How long to wait for the lock at a time, and in all: a batch of slow deletions takes a while.
const WAIT: Duration = Duration::from_secs(1);
const LOCK_TIMEOUT: Duration = Duration::from_mins(10);

/// How long a scrubber leaves the lock alone between two batches at most, so that those get it who wait for
/// it: longer than they take to look at it again.
const PAUSE: Duration = Duration::from_millis(30);

/// What is told of a scrubbing while it goes on.
#[derive(Debug)]
pub enum ScrubEvent<'a> {
    /// Nothing is left of an image, or would be, and so many bytes were its.
    Scrubbed {
        /// Its id.
        id: &'a str,
        /// Bytes that were freed.
        bytes: u64,
    },
    /// A location of an image that is alive is gone.
    Removed {
        /// Id of the image.
        id: &'a str,
        /// Where the data was.
        url: &'a str,
        /// Bytes that were freed.
        bytes: u64,
    },
    /// The data of a location could not be removed, and will be tried next time.
    Failed(Error),
    /// Something waits that ought not to; it stays.
    Kept(Error),
}

impl Local {
    /// Removes the data that waits to be deleted for long enough, of images and of locations that were
    /// taken off images; or only says what that would be, if `dry_run`. Stops behind a batch when `watch`
    /// says so.
    ///
    /// What cannot be removed is told, stays as it is, and keeps nothing else.
    ///
    /// # Errors
    /// `Forbidden`; those of the database.
    pub async fn scrub(
        &self,
        dry_run: bool,
        watch: &Watch,
        tell: &mut (dyn FnMut(ScrubEvent<'_>) + Send),
    ) -> Result<Scrubbed> {
        policy::check(&self.caller, Action::Scrub, Target::Deployment)?;
        let settings = self.settings.scrubber.copied()?;
        let mut scrub = Scrub {
            catalog: &self.catalog,
            stores: &self.stores,
            pool_size: settings.pool_size,
            until: Timestamp::now().before(settings.scrub_time),
            dry_run,
            watch,
            tell,
            done: Scrubbed::default(),
            strangers: None,
        };
        let mut last = None;
        while scrub.goes_on() {
            last = scrub.scrub_images(last.as_ref()).await?;
            if last.is_none() {
                break;
            }
        }
        let mut next = Some(0);
        while let Some(after) = next
            && scrub.goes_on()
        {
            next = scrub.scrub_strays(after).await?;
        }
        Ok(scrub.done)
    }

    /// When the image was deleted that waits for longest; None where none waits.
    pub async fn oldest_waiting(&self) -> Result<Option<Timestamp>> {
        self.catalog.oldest_waiting().await
    }

    /// Takes an image back that waits to be deleted; what is told are the copies of its data that are gone.
    ///
    /// So is an image that was taken back by a program that left its data waiting.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for an image in another status; `Failed` when none of its data is there any
    /// more; those of the stores where no copy could be looked at; `Forbidden`.
    pub async fn restore(&self, id: &str) -> Result<Vec<String>> {
        policy::check(&self.caller, Action::Scrub, Target::Deployment)?;
        // A scrubber may be at it: what it has left is looked at.
        let _held = turn(&self.catalog, &Watch::default()).await?;
        let found = restorable(id, self.catalog.restorable(id).await?)?;
        let mut there = Vec::new();
        let mut lost = Vec::new();
        let mut unknown = None;
        for waiting in &found.waiting {
            let url = &waiting.location.url;
            let size = match self.stores.holding(&waiting.location) {
                Ok(store) => store.size(url).await,
                Err(error) => Err(error),
            };
            match size {
                Ok(size) if found.size.is_none_or(|known| known == size) => {
                    there.push(waiting.row);
                }
                Ok(size) => lost.push(format!(
                    "{} has {size} bytes instead of {}: it still waits to be deleted",
                    discreet(url),
                    found.size.unwrap_or_default()
                )),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    lost.push(format!("the data at {} is gone", discreet(url)));
                }
                Err(error) => {
                    lost.push(format!(
                        "{} cannot be looked at, and still waits to be deleted: {}",
                        discreet(url),
                        error.message()
                    ));
                    unknown = Some(error);
                }
            }
        }
        if there.is_empty() {
            return Err(match unknown {
                Some(error) => Error::failed(format!(
                    "cannot restore image {id}: its data cannot be looked at: {}",
                    error.message()
                ))
                .hints_of(&error)
                .because(error),
                None => Error::failed(format!(
                    "cannot restore image {id}: its data is not there any more"
                )),
            });
        }
        self.catalog
            .write(async |transaction| {
                // Another program may have changed it.
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

/// An image, if it is one that can be taken back.
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

/// Whether an image counts as having data though all of it waits to be deleted.
fn is_left_waiting(status: &str, deleted: bool, has_others: bool) -> bool {
    let whole = [ImageStatus::Active, ImageStatus::Deactivated].map(ImageStatus::name);
    !deleted && !has_others && whole.contains(&status)
}

/// One run of the scrubber.
struct Scrub<'a> {
    catalog: &'a Catalog,
    stores: &'a StoreSet,
    pool_size: usize,
    /// What was deleted later stays.
    until: Timestamp,
    dry_run: bool,
    watch: &'a Watch,
    tell: &'a mut (dyn FnMut(ScrubEvent<'_>) + Send),
    done: Scrubbed,
    /// Read when there is something to remove.
    strangers: Option<Strangers>,
}

impl Scrub<'_> {
    /// Whether the next batch may begin.
    fn goes_on(&mut self) -> bool {
        self.done.stopped = self.watch.check().is_err();
        !self.done.stopped
    }

    /// The right to work on a batch. Who only looks needs none.
    async fn turn(&self) -> Result<Turn> {
        let held = if self.dry_run {
            None
        } else {
            Some(turn(self.catalog, self.watch).await?)
        };
        Ok(Turn {
            held,
            since: Instant::now(),
        })
    }

    /// Scrubs images behind the place `after`; the place of the last of them, if there may be more.
    async fn scrub_images(&mut self, after: Option<&Place>) -> Result<Option<Place>> {
        let mut turn = self.turn().await?;
        let images = self
            .catalog
            .waiting_images(self.until, after, BATCH)
            .await?;
        let waiting: Vec<&WaitingLocation> =
            images.iter().flat_map(|image| &image.locations).collect();
        let removals = waiting.iter().map(|waiting| (*waiting, None)).collect();
        let mut removed = self.remove(&mut turn, removals).await?.into_iter();
        let mut rows = Vec::new();
        let mut gone = Vec::new();
        for image in &images {
            let mut freed = Some(0);
            for waiting in &image.locations {
                match removed.next() {
                    Some(Ok(bytes)) => {
                        rows.push(waiting.row);
                        self.done.bytes += bytes.unwrap_or_default();
                        freed = freed.map(|freed| freed + bytes.unwrap_or_default());
                    }
                    Some(Err(error)) => {
                        freed = None;
                        self.fail(&image.id, waiting, &error);
                    }
                    None => freed = None,
                }
            }
            gone.extend(freed.map(|bytes| (image.id.as_str(), bytes)));
        }
        let ids: Vec<&str> = gone.iter().map(|(id, _)| *id).collect();
        self.record(&rows, &ids).await?;
        for (id, bytes) in gone {
            (self.tell)(ScrubEvent::Scrubbed { id, bytes });
        }
        turn.end(is_full(images.len())).await;
        Ok(images
            .last()
            .filter(|_| is_full(images.len()))
            .map(|image| image.place.clone()))
    }

    /// Scrubs locations of images that are alive, those behind the row `after`; the last of them, if there
    /// may be more.
    async fn scrub_strays(&mut self, after: i64) -> Result<Option<i64>> {
        let mut turn = self.turn().await?;
        let all = self
            .catalog
            .stray_locations(self.until, after, BATCH)
            .await?;
        let (strays, kept): (Vec<&StrayLocation>, Vec<&StrayLocation>) =
            all.iter().partition(|stray| stray.has_others);
        let mut told = HashSet::new();
        for stray in kept {
            if told.insert(stray.image_id.as_str()) {
                (self.tell)(ScrubEvent::Kept(only_data(stray)));
            }
        }
        let removals = strays
            .iter()
            .map(|stray| (&stray.waiting, stray.waiting.deleted_at))
            .collect();
        let removed = self.remove(&mut turn, removals).await?;
        let mut gone = Vec::new();
        for (stray, removed) in strays.into_iter().zip(removed) {
            match removed {
                Ok(bytes) => {
                    self.done.bytes += bytes.unwrap_or_default();
                    gone.push((stray, bytes.unwrap_or_default()));
                }
                Err(error) => self.fail(&stray.image_id, &stray.waiting, &error),
            }
        }
        let rows: Vec<i64> = gone.iter().map(|(stray, _)| stray.waiting.row).collect();
        self.record(&rows, &[]).await?;
        for (stray, bytes) in gone {
            (self.tell)(ScrubEvent::Removed {
                id: &stray.image_id,
                url: &stray.waiting.location.url,
                bytes,
            });
        }
        turn.end(is_full(all.len())).await;
        Ok(all
            .last()
            .filter(|_| is_full(all.len()))
            .map(|stray| stray.waiting.row))
    }

    /// Tells that the data at a location of an image could not be removed.
    fn fail(&mut self, id: &str, waiting: &WaitingLocation, error: &Error) {
        self.done.failures += 1;
        let place = discreet(&waiting.location.url);
        let failed = Error::failed(format!(
            "the data of image {id} at {place} could not be removed, and will be tried again: {}",
            error.message()
        ))
        .hints_of(error);
        (self.tell)(ScrubEvent::Failed(failed));
    }

    /// Records what is gone, and counts it.
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

    /// Removes the data at locations, each unless it was written after a moment; for each, in their order,
    /// its bytes, or None where there is nothing to remove.
    async fn remove(
        &mut self,
        turn: &mut Turn,
        waiting: Vec<(&WaitingLocation, Option<Timestamp>)>,
    ) -> Result<Vec<Result<Option<u64>>>> {
        let rows: HashSet<i64> = waiting.iter().map(|(waiting, _)| waiting.row).collect();
        let mut addresses: Vec<&str> = waiting
            .iter()
            .map(|(waiting, _)| waiting.location.url.as_str())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        let holders = if addresses.is_empty() {
            Vec::new()
        } else {
            let strangers = match &mut self.strangers {
                Some(strangers) => strangers,
                none => none.insert(self.catalog.strangers().await?),
            };
            self.catalog.holders_beside(strangers, &addresses).await?
        };
        // Whoever else names the data has it, or will be the last one to.
        let elsewhere: HashSet<String> = holders
            .into_iter()
            .filter(|(row, _)| !rows.contains(row))
            .map(|(_, address)| address)
            .collect();

        let share = waiting.len().div_ceil(self.pool_size).max(1);
        let mut removed: Vec<Result<Option<u64>>> = Vec::with_capacity(waiting.len());
        let mut shares: Vec<Share<'_>> = Vec::new();
        for (place, (waiting, unless_later)) in waiting.into_iter().enumerate() {
            removed.push(Ok(None));
            let url = &waiting.location.url;
            if elsewhere.contains(url) {
                continue;
            }
            let store = match self.stores.holding(&waiting.location) {
                Ok(store) => store,
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
                url: url.clone(),
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
        turn.check().await?;
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

/// What one of the pool removes of a batch.
struct Share<'a> {
    store: &'a dyn Store,
    /// The places in the batch.
    places: Vec<usize>,
    removals: Vec<Removal>,
}

/// Whether there may be more behind a batch of so many.
fn is_full(count: usize) -> bool {
    count as u64 >= BATCH
}

/// Waits until no other process scrubs or restores.
async fn turn(catalog: &Catalog, watch: &Watch) -> Result<Held> {
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

/// The right to work on a batch.
struct Turn {
    held: Option<Held>,
    since: Instant,
}

impl Turn {
    /// Fails when the right was lost, as it is with the connection to a server.
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

    /// Gives the right back; to others, for a moment, if there is `more` to do.
    async fn end(self, more: bool) {
        let pause = self.since.elapsed() / 10;
        let locked = self.held.is_some();
        drop(self.held);
        if locked && more {
            tokio::time::sleep(pause.min(PAUSE)).await;
        }
    }
}

/// Why the data of a location stays.
fn only_data(stray: &StrayLocation) -> Error {
    let StrayLocation {
        image_id, status, ..
    } = stray;
    let error = Error::failed(format!(
        "image {image_id} is {status}, and has no data but what waits to be deleted: it is left alone"
    ));
    if is_left_waiting(status, false, false) || status == ImageStatus::PendingDelete.name() {
        return error.hint(Operation::RestoreImage(image_id.clone()));
    }
    error
}
