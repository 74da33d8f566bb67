//! Recovery: clears what crashed processes left.
//!
//! The journal records which operations began, the catalogue how far they got. A process undoes its own failed
//! operation if possible: first the data, then the record, then the journal entry. If a step of that fails, or the
//! outcome of a commit is unknown, the entry stays, and the next command clears it as after a crash.

use std::collections::HashSet;

use super::{Begun, Datum, Entry, Intent, Journal, Note};
use crate::data::blocking;
use crate::local::Engine;
use crate::local::catalog::{StoredImage, Transaction};
use crate::local::deletion::unreferenced;
use crate::local::store::{Removal, Store};
use crate::model::import::LOCK;
use crate::model::schema::is_uuid;
use crate::model::{ImageStatus, Location};
use crate::{Error, Result};

impl Engine {
    /// Returns the journal of this node.
    ///
    /// # Errors
    /// `Failed` if the configuration has no valid place for it.
    pub(in crate::local) fn journal(&self) -> Result<&Journal> {
        self.journal.get()
    }

    /// Records in the journal that this process begins `intent` on image `id`. First clears what a crashed process
    /// left of the same operation.
    ///
    /// # Errors
    /// The error of `busy` while another process does the same; the reason why the leftovers could not be cleared;
    /// `Io`.
    pub(in crate::local) async fn note(
        &self,
        id: &str,
        intent: &Intent,
        note: Option<Note>,
        busy: impl Fn() -> Error,
    ) -> Result<Entry> {
        match self.begin(id, intent, note.clone()).await? {
            Begun::Started(entry) => return Ok(entry),
            Begun::Busy => return Err(busy()),
            Begun::Stale => {}
        }
        let cleared = self.recover().await;
        match self.begin(id, intent, note).await? {
            Begun::Started(entry) => Ok(entry),
            Begun::Busy => Err(busy()),
            Begun::Stale => Err(cleared.err().unwrap_or_else(|| {
                Error::conflict(format!(
                    "a crashed process left image {id} unfinished, and cleanup failed"
                ))
            })),
        }
    }

    async fn begin(&self, id: &str, intent: &Intent, note: Option<Note>) -> Result<Begun> {
        let journal = self.journal()?.clone();
        let (id, intent) = (id.to_string(), intent.clone());
        blocking(move || journal.begin(&id, &intent, note.as_ref())).await
    }

    /// Undoes uploads and imports, and finishes deletions, of crashed processes.
    ///
    /// # Errors
    /// The first failure. The other entries are cleared nevertheless.
    pub(in crate::local) async fn recover(&self) -> Result<()> {
        // Without a journal directory, no operation has begun.
        let Ok(journal) = self.journal() else {
            return Ok(());
        };
        let journal = journal.clone();
        let mut stale = blocking(move || journal.stale_entries()).await?;
        if stale.is_empty() {
            return Ok(());
        }
        self.catalog.settle().await?;
        // An image's import is cleared after its uploads, and the task that created the image last.
        stale.sort_by_cached_key(|entry| {
            let creates = || matches!(entry.note(), Ok(Some(note)) if note.image.is_some());
            match entry.intent {
                Intent::Import if creates() => 2,
                Intent::Import => 1,
                _ => 0,
            }
        });
        let mut failure = None;
        for entry in stale {
            if let Err(error) = self.clear(entry).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn clear(&self, entry: Entry) -> Result<()> {
        match &entry.intent {
            Intent::Upload { store } => {
                let store = self.stores.get(Some(store)).map_err(|error| {
                    error.context(format_args!("an upload of image {}", entry.id))
                })?;
                self.clear_upload(entry, store).await
            }
            Intent::Stage => self.clear_staging(entry).await,
            Intent::Delete => self.clear_deletion(entry).await,
            Intent::Import => self.clear_import(entry).await,
            // Entries of a cache are cleared by the cache.
            Intent::Fill => Ok(()),
        }
    }

    /// Undoes an upload, unless an image has the data and only the entry is left to remove.
    async fn clear_upload(&self, entry: Entry, store: &dyn Store) -> Result<()> {
        // A process of another host, which this journal does not know, may be uploading the image by now.
        let Some(_lease) = self.lease_upload(&entry.id).await? else {
            return Ok(());
        };
        let addresses = store.addresses(&entry.id).await?;
        let transaction = self.catalog.begin().await?;
        let stored = transaction.load_image(&entry.id, "").await?;
        // The same for an import, whose uploads are cleared before its own entry.
        let is_locked = stored
            .as_ref()
            .and_then(|stored| stored.image.property(LOCK));
        if is_locked.is_some() && !self.journal()?.has(&entry.id, &Intent::Import) {
            return Ok(());
        }
        let wanted: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let holders = transaction.holders(&wanted).await?;
        let mut recorded = Vec::new();
        for address in &addresses {
            if holders.refer_to(address, &HashSet::new())? {
                recorded.push(address.clone());
            }
        }
        // An address may contain a key that has been changed since.
        let locations = stored.iter().flat_map(|stored| &stored.locations);
        let own = locations.filter(|location| store.owns(&location.url));
        recorded.extend(own.map(|location| location.url.clone()));
        let unrecorded = Unrecorded {
            stored: stored.filter(|_| recorded.is_empty()),
            while_storing: ImageStatus::Saving,
        };
        self.clear_data(transaction, entry, store, &recorded, unrecorded)
            .await
    }

    /// Undoes a staging, unless it is recorded and only the entry is left to remove.
    async fn clear_staging(&self, entry: Entry) -> Result<()> {
        let area = self.staging()?;
        let transaction = self.catalog.begin().await?;
        let stored = transaction.load_image(&entry.id, "").await?;
        let is_recorded = stored
            .as_ref()
            .is_some_and(|stored| match stored.image.status {
                // The size is recorded last.
                ImageStatus::Uploading => stored.image.size.is_some(),
                // The staged data belongs to the import.
                ImageStatus::Importing => true,
                _ => false,
            });
        let recorded = if is_recorded {
            area.own_addresses(&entry.id)
        } else {
            Vec::new()
        };
        let unrecorded = Unrecorded {
            stored: stored.filter(|_| !is_recorded),
            while_storing: ImageStatus::Uploading,
        };
        self.clear_data(transaction, entry, area, &recorded, unrecorded)
            .await
    }

    /// Removes the data in `store` for the image of an entry except at recorded addresses, then corrects the
    /// record.
    async fn clear_data(
        &self,
        transaction: Transaction,
        entry: Entry,
        store: &dyn Store,
        recorded: &[String],
        unrecorded: Unrecorded,
    ) -> Result<()> {
        // The data is removed before the status changes, because until then no other process may store data.
        store.clear(&entry.id, recorded).await?;
        let Unrecorded {
            stored,
            while_storing,
        } = unrecorded;
        if let Some(stored) = stored.filter(|stored| stored.image.status == while_storing) {
            transaction
                .set_status(&stored.image.id, while_storing, ImageStatus::Queued)
                .await?;
        }
        transaction.commit().await?;
        // Last, so that another process repeats this after a crash.
        entry.close().await
    }

    /// Finishes a deletion, if it is recorded.
    ///
    /// The entry alone is not sufficient. Removes only data that a record of the image names or that has the
    /// image's name in a store, and that no other record names.
    async fn clear_deletion(&self, entry: Entry) -> Result<()> {
        let id = entry.id.clone();
        let noted = entry.note()?.map(|note| note.data);
        // In a transaction: the last statement of a crashed process may still be in transit to the server, which
        // keeps the image locked until then.
        let read = self.catalog.write(async |transaction| {
            let found = transaction.load_image(&id, "").await?;
            let is_alive = found.is_some();
            let recorded = match &noted {
                Some(_) => transaction.addresses(&id).await?,
                // The entry was written on a full disk, or is damaged. Addresses that are recorded as deleted are
                // removed.
                None => transaction.deleted_addresses(&id).await?,
            };
            let noted = match &noted {
                None if !is_alive && !recorded.is_empty() => {
                    let datum = |url: &String| Datum {
                        url: url.clone(),
                        store: String::new(),
                    };
                    Some(recorded.iter().map(datum).collect::<Vec<_>>())
                }
                noted => (*noted).clone(),
            };
            let urls: Vec<&str> = noted.iter().flatten().map(|one| one.url.as_str()).collect();
            let held = transaction.holders(&urls).await?;
            Ok((is_alive, recorded, noted, held))
        });
        let (is_alive, recorded, noted, held) = read.await?;
        let Some(removals) = noted else {
            // Nothing was deleted, or the remaining data is unknown.
            return if is_alive {
                entry.close().await
            } else {
                Ok(())
            };
        };
        if !is_alive && is_uuid(&id) {
            self.unstage(&id).await?;
        }
        let removals = unreferenced(removals, &held)?;
        let mut known = Vec::with_capacity(removals.len());
        for one in removals {
            let is_known = recorded.contains(&one.url)
                || !is_alive && is_uuid(&id) && self.is_own_address(&one, &id).await?;
            if is_known {
                known.push(one);
            }
        }
        self.remove_data(known).await?;
        entry.close().await
    }

    /// Returns whether the store of some data may have assigned its address to image `id`.
    ///
    /// # Errors
    /// Errors of the store.
    async fn is_own_address(&self, data: &Datum, id: &str) -> Result<bool> {
        let location = Location::in_store(data.url.clone(), &data.store);
        match self.stores.holding(&location) {
            Ok(store) => Ok(store.addresses(id).await?.contains(&data.url)),
            Err(_) => Ok(false),
        }
    }

    /// Removes data that no record refers to any more, from any store.
    ///
    /// # Errors
    /// Errors of the stores; `Invalid` for an address that no store reads.
    pub(in crate::local) async fn remove_data(&self, data: Vec<Datum>) -> Result<()> {
        let mut shares: Vec<(&dyn Store, Vec<Removal>)> = Vec::new();
        for datum in data {
            let location = Location::in_store(datum.url, &datum.store);
            let store = self.stores.holding(&location)?;
            if store.info().read_only {
                continue;
            }
            let removal = Removal {
                url: location.url,
                unless_later: None,
            };
            let id = &store.info().id;
            match shares.iter_mut().find(|(one, _)| one.info().id == *id) {
                Some((_, removals)) => removals.push(removal),
                None => shares.push((store, vec![removal])),
            }
        }
        let mut failure = None;
        for (store, removals) in shares {
            for removed in store.delete(removals, false).await {
                if let Err(error) = removed {
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The correction of the record of an image whose data is not recorded.
struct Unrecorded {
    /// The record; None if there is nothing to correct.
    stored: Option<StoredImage>,
    /// The status of the image while its data is being stored.
    while_storing: ImageStatus,
}

/// Returns the error of a failed operation, with a hint if the undo failed too.
pub(in crate::local) fn explained(error: Error, undone: Result<()>) -> Error {
    match undone {
        Ok(()) => error,
        Err(why) => error.hint(format!(
            "Undoing it failed ({why}). The next command tries again."
        )),
    }
}
