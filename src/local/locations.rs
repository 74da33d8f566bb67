//! Where the data of images is.
//!
//! *Source:* `glance/api/v2/images.py` (`_do_add_locations` and those around it, `add_location`),
//! `glance/location.py`, `glance/quota/__init__.py` and `glance/async_/flows/location_import.py` of the
//! reference implementation, for the rules and for the order in which they are looked at.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Local;
use super::catalog::{StoredImage, Transaction, is_in_doubt};
use super::data::{check_formats, limited_to};
use super::events::Event;
use super::journal::explained;
use super::policy::{self, Action, ImageTarget};
use super::store::Store;
use super::validation::{self, Hashes, check_address, check_hash, check_metadata};
use crate::data::pump::{self, Sink, Taken};
use crate::data::{Algorithm, Source, Watch};
use crate::model::address::discreet;
use crate::model::{ByteRange, Image, ImageStatus, Location, MultiHash, ValidationData};
use crate::service::{Images, Locations};
use crate::{Error, Operation, Result};

/// What callers may do to the list of locations of an image.
#[derive(Clone, Copy)]
enum Verb {
    Add,
    Replace,
    Remove,
}

impl Verb {
    /// The word in messages about a status.
    const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

#[async_trait]
impl Locations for Local {
    async fn add_location(
        &self,
        id: &str,
        location: Location,
        validation: ValidationData,
    ) -> Result<Image> {
        check_address(&location.url)?;
        let stored = self.find(id).await?;
        self.check_locations(&stored, Verb::Add)?;
        let algorithm = self.settings.hashing_algorithm.get()?;
        validation::check(&stored.image, &validation, algorithm)?;
        let location = self.assigned(location);
        let size = self.size_at(&location).await?;
        // Everything is looked at again now that nobody can change it.
        self.catalog
            .write(async |transaction| {
                let stored = self.again(&transaction, id).await?;
                self.check_locations(&stored, Verb::Add)?;
                let hashes = validation::check(&stored.image, &validation, algorithm)?;
                if stored.locations.contains(&location) {
                    return Err(duplicate(&location));
                }
                let count = stored.locations.len() as u64 + 1;
                self.check_new_locations(&stored.image, count, &[size])
                    .await?;
                let locations = std::slice::from_ref(&location);
                self.fill(&transaction, stored, locations, size, hashes)
                    .await?;
                Ok(())
            })
            .await?;
        self.updated(id).await
    }

    async fn replace_locations(&self, id: &str, locations: Vec<Location>) -> Result<Image> {
        if locations.is_empty() {
            return Err(Error::forbidden("Cannot set locations to empty list."));
        }
        for location in &locations {
            check_address(&location.url)?;
        }
        let locations: Vec<Location> = locations.into_iter().map(|at| self.assigned(at)).collect();
        let stored = self.find(id).await?;
        self.check_locations(&stored, Verb::Replace)?;
        if !stored.locations.is_empty() {
            return self.replace_metadata(id, &locations).await;
        }
        for (place, location) in locations.iter().enumerate() {
            if locations[..place].contains(location) {
                return Err(duplicate(location));
            }
        }
        let mut sizes = Vec::new();
        for location in &locations {
            sizes.push(self.size_at(location).await?);
        }
        self.catalog
            .write(async |transaction| {
                let stored = self.again(&transaction, id).await?;
                self.check_locations(&stored, Verb::Replace)?;
                if !stored.locations.is_empty() {
                    return Err(changed(id));
                }
                self.check_new_locations(&stored.image, locations.len() as u64, &sizes)
                    .await?;
                self.fill(&transaction, stored, &locations, sizes[0], None)
                    .await?;
                Ok(())
            })
            .await?;
        self.updated(id).await
    }

    async fn remove_locations(&self, id: &str, positions: &[usize]) -> Result<Image> {
        let stored = self.find(id).await?;
        let chosen = self.choose_locations(&stored, positions)?;
        self.delete_locations(id, &chosen).await?;
        self.updated(id).await
    }

    async fn remove_known_locations(
        &self,
        id: &str,
        known: &[Location],
        positions: &[usize],
    ) -> Result<Image> {
        let stored = self.find(id).await?;
        let chosen = positions.iter().filter_map(|position| known.get(*position));
        let place = |one: &Location| {
            let mut same = stored.locations.iter();
            let same = same.position(|at| at == one);
            same.or_else(|| stored.locations.iter().position(|at| at.url == one.url))
        };
        let positions: Option<Vec<usize>> = chosen.map(place).collect();
        let chosen = self.choose_locations(&stored, &positions.ok_or_else(|| changed(id))?)?;
        self.delete_locations(id, &chosen).await?;
        self.updated(id).await
    }

    async fn register_location(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<()> {
        let stored = self.find(id).await?;
        self.check_registration(&stored, url)?;
        if let Some(hash) = expected {
            check_hash(hash)?;
        }
        check_formats(&stored.image)?;
        let location = self.assigned(Location {
            url: url.to_string(),
            metadata: Map::new(),
        });
        let size = self.size_at(&location).await?;
        let mut known = expected.cloned();
        let mut checksum = None;
        if self.settings.registration.get()?.secure_hash {
            let (md5, hash) = self.hash_at(&location, size, known.as_ref()).await?;
            checksum = Some(md5);
            known = Some(hash);
        }
        let hashes = Some(Hashes {
            checksum,
            hash: known,
        });
        self.catalog
            .write(async |transaction| {
                let stored = self.again(&transaction, id).await?;
                self.check_registration(&stored, url)?;
                self.check_new_locations(&stored.image, 1, &[size]).await?;
                let locations = std::slice::from_ref(&location);
                self.fill(&transaction, stored, locations, size, hashes.clone())
                    .await?;
                Ok(())
            })
            .await
    }
}

impl Local {
    /// Returns an image whose locations were changed.
    async fn updated(&self, id: &str) -> Result<Image> {
        let image = self.get_image(id).await?;
        self.emit(&self.caller, &Event::ImageUpdated(&image));
        Ok(image)
    }

    /// May the caller change the list of locations of an image in this way, and is it in a state for it?
    fn check_locations(&self, stored: &StoredImage, verb: Verb) -> Result<()> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        match verb {
            Verb::Add | Verb::Replace => {
                policy::check(&self.caller, Action::SetImageLocation, target)?;
            }
            Verb::Remove => policy::check(&self.caller, Action::DeleteImageLocation, target)?,
        }
        if !self.settings.exposure.get()?.locations {
            let word = match verb {
                Verb::Replace => "update",
                other => other.name(),
            };
            return Err(Error::forbidden(format!(
                "It's not allowed to {word} locations if locations are invisible."
            ))
            .hint("An operator shows them with show_multiple_locations = true."));
        }
        let status = stored.image.status;
        let open = match verb {
            Verb::Add | Verb::Replace => {
                matches!(status, ImageStatus::Active | ImageStatus::Queued)
            }
            Verb::Remove => status == ImageStatus::Active,
        };
        if !open {
            return Err(wrong_status(verb.name(), status));
        }
        Ok(())
    }

    /// May the caller register data at `url` for an image?
    fn check_registration(&self, stored: &StoredImage, url: &str) -> Result<()> {
        let status = stored.image.status;
        if status != ImageStatus::Queued {
            return Err(wrong_status("add", status));
        }
        let target = ImageTarget::new(&stored.image, stored.is_member);
        policy::check(&self.caller, Action::AddImageLocation, target)?;
        let read = |store: &dyn Store| store.info().read_only && store.reads(url);
        if !self.stores.iter().any(read) {
            return Err(Error::forbidden(
                "http store must be enabled to use location API by normal user.",
            )
            .hint("An address of kind http or https is wanted, and a store of kind http."));
        }
        Ok(())
    }

    /// The location as it is recorded: with the name of the store that it belongs to, where stores have
    /// names.
    fn assigned(&self, mut location: Location) -> Location {
        let store = self.stores.owning(&location.url);
        if let Some(store) = store.filter(|_| self.stores.named()) {
            let id = Value::from(store.info().id.as_str());
            location.metadata.insert("store".to_string(), id);
        }
        location
    }

    /// Bytes of data at a location that callers may name; never none.
    async fn size_at(&self, location: &Location) -> Result<u64> {
        check_metadata("metadata", &Value::Object(location.metadata.clone()))?;
        let invalid = |why: &str| {
            Error::invalid("Invalid location").hint(format!("{}: {why}.", discreet(&location.url)))
        };
        let scheme = location.url.split(':').next().unwrap_or_default();
        if matches!(scheme, "file" | "filesystem" | "swift+config") {
            return Err(invalid("files of the service itself cannot be named"));
        }
        let Ok(store) = self.stores.holding(location) else {
            return Err(invalid("no store of this deployment reads such addresses"));
        };
        match store.size(&location.url).await {
            Ok(0) => Err(invalid("the server does not say that there is any data")),
            Ok(size) => Ok(size),
            Err(error) => Err(invalid(error.message()).because(error)),
        }
    }

    /// Reads what is at a location; its md5 and its secure hash, which is the `expected` one if there is one.
    async fn hash_at(
        &self,
        location: &Location,
        size: u64,
        expected: Option<&MultiHash>,
    ) -> Result<(String, MultiHash)> {
        let name = match expected {
            Some(hash) => &hash.algorithm,
            None => self.settings.hashing_algorithm.get()?,
        };
        let algorithm = Algorithm::parse(name)?;
        let mut left = self.settings.registration.get()?.retries;
        let taken = loop {
            let read = async {
                let store = self.stores.holding(location)?;
                let source =
                    limited_to(Some(size), store.open(&location.url, ByteRange::ALL).await?);
                hash(source, vec![Algorithm::Md5, algorithm]).await
            };
            match read.await {
                Ok(taken) if taken.size == size => break taken,
                Ok(_) | Err(_) if left > 0 => left -= 1,
                Ok(taken) => {
                    let place = discreet(&location.url);
                    return Err(Error::corrupt(format!(
                        "{place} has {} bytes instead of the {size} that its server told",
                        taken.size
                    )));
                }
                Err(error) => return Err(error),
            }
        };
        let [checksum, value] = <[String; 2]>::try_from(taken.digests)
            .map_err(|_| Error::internal("the data was not hashed"))?;
        if let Some(hash) = expected.filter(|hash| !hash.value.eq_ignore_ascii_case(&value)) {
            return Err(Error::corrupt(format!(
                "os_hash_value: ({}) not matched with actual os_hash_value: ({value})",
                hash.value
            ))
            .hint("The image stays queued, without a location."));
        }
        let hash = MultiHash {
            algorithm: algorithm.name().to_string(),
            value,
        };
        Ok((checksum, hash))
    }

    /// May an image have so many locations, with `sizes` of what is new, and is there room for them?
    async fn check_new_locations(&self, image: &Image, count: u64, sizes: &[u64]) -> Result<()> {
        let limits = &self.settings.limits;
        // The record can tell one size alone: what has another could not be told from what is corrupt.
        let known = image.size.filter(|size| *size > 0);
        let known = known.or(sizes.first().copied());
        if let Some(other) = sizes.iter().find(|size| known != Some(**size)) {
            return Err(Error::invalid("Invalid location").hint(format!(
                "There are {other} bytes, and {} at the others of the image.",
                known.unwrap_or_default()
            )));
        }
        if let Some(limit) = limits.locations.copied()?
            && count > limit
        {
            return Err(Error::too_large(format!(
                "The limit has been exceeded on the number of allowed image locations. \
                 Attempted: {count}, Maximum: {limit}"
            )));
        }
        self.check_storage(image.owner.as_deref(), sizes.iter().sum())
            .await
    }

    /// Records new locations; a queued image becomes active with what is known of its data.
    async fn fill(
        &self,
        transaction: &Transaction,
        stored: StoredImage,
        locations: &[Location],
        size: u64,
        hashes: Option<Hashes>,
    ) -> Result<()> {
        let mut image = stored.image;
        for location in locations {
            transaction
                .insert_location(&image.id, &location.into())
                .await?;
        }
        if image.status == ImageStatus::Queued {
            check_formats(&image)?;
            image.size = Some(size);
            if let Some(Hashes { checksum, hash }) = hashes {
                image.checksum = checksum;
                image.hash = hash;
            }
            transaction.activate(&image, ImageStatus::Queued).await?;
            return Ok(());
        }
        touch(transaction, &image).await
    }

    /// Gives the locations that an image has other metadata.
    async fn replace_metadata(&self, id: &str, locations: &[Location]) -> Result<Image> {
        self.catalog
            .write(async |transaction| {
                let stored = self.again(&transaction, id).await?;
                self.check_locations(&stored, Verb::Replace)?;
                let addresses = |locations: &[Location]| {
                    let mut addresses: Vec<String> =
                        locations.iter().map(|at| at.url.clone()).collect();
                    addresses.sort_unstable();
                    addresses
                };
                if addresses(&stored.locations) != addresses(locations) {
                    return Err(Error::invalid(format!(
                        "Original locations is not empty: image {id} has other ones"
                    ))
                    .hint("Add the new ones, then remove the old ones."));
                }
                if stored.locations != locations {
                    for (row, _) in transaction.load_locations(id).await? {
                        transaction.delete_location(row, false).await?;
                    }
                    for location in locations {
                        transaction.insert_location(id, &location.into()).await?;
                    }
                    touch(&transaction, &stored.image).await?;
                }
                Ok(())
            })
            .await?;
        self.updated(id).await
    }

    /// The locations at `positions` of an image, which keeps others.
    fn choose_locations(&self, stored: &StoredImage, positions: &[usize]) -> Result<Vec<Location>> {
        self.check_locations(stored, Verb::Remove)?;
        let mut positions = positions.to_vec();
        positions.sort_unstable();
        positions.dedup();
        if stored.locations.len() <= positions.len().max(1) {
            return Err(
                Error::forbidden("Cannot remove last location in the image.")
                    .hint("Delete the image instead, or add another location first."),
            );
        }
        let at = |position: usize| {
            let location = stored.locations.get(position).cloned();
            location.ok_or_else(|| Error::invalid("Invalid position for removing a location."))
        };
        positions.into_iter().map(at).collect()
    }

    /// Deletes the copy of an image that a store holds.
    ///
    /// *Source:* `delete_from_store` in `glance/api/v2/images.py`.
    pub(super) async fn delete_copy(&self, id: &str, store: &str) -> Result<()> {
        if !self.stores.named() {
            return Err(Error::not_found(
                "the stores of this deployment have no names",
            ));
        }
        if !self.stores.iter().any(|known| known.info().id == store) {
            return Err(Error::conflict(format!(
                "The selected store {store} is not available on this node."
            ))
            .hint(Operation::ListStores));
        }
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        policy::check(&self.caller, Action::DeleteImageLocation, target)?;
        if stored.image.status != ImageStatus::Active {
            return Err(Error::conflict(
                "It's not allowed to remove image data from store if image status is not 'active'",
            ));
        }
        if stored.locations.len() == 1 {
            return Err(Error::forbidden(
                "Cannot delete image data from the only store containing it. Consider deleting the \
                 image instead.",
            ));
        }
        let copy = stored.locations.iter().find(|at| at.store() == Some(store));
        let copy = copy.ok_or_else(|| {
            Error::not_found(format!("Image {id} is not stored in store {store}."))
        })?;
        self.delete_locations(id, std::slice::from_ref(copy)).await
    }

    /// Takes `locations` off an image that keeps others, and deletes the data that only they name; first
    /// the record, then the data.
    pub(super) async fn delete_locations(&self, id: &str, locations: &[Location]) -> Result<()> {
        let (local, id, locations) = (self.clone(), id.to_string(), locations.to_vec());
        let change = async move { local.delete_chosen(&id, &locations).await };
        self.spawn(change).await
    }

    async fn delete_chosen(&self, id: &str, locations: &[Location]) -> Result<()> {
        let waits = self.settings.delayed_delete.copied()?;
        let removals = if waits { &[][..] } else { locations };
        let deletion = self.begin_deletion(id, removals, false).await?;
        let committed = self
            .catalog
            .write(async |transaction| {
                // Everything is looked at again now that nobody can change it.
                let stored = self.again(&transaction, id).await?;
                if stored.image.status != ImageStatus::Active {
                    return Err(wrong_status(Verb::Remove.name(), stored.image.status));
                }
                let mut rows = transaction.load_locations(id).await?;
                for location in locations {
                    let place = rows.iter().position(|(_, known)| known == location);
                    let (row, _) = rows.remove(place.ok_or_else(|| changed(id))?);
                    transaction.delete_location(row, waits).await?;
                }
                if rows.is_empty() {
                    return Err(changed(id));
                }
                touch(&transaction, &stored.image).await
            })
            .await;
        match committed {
            Ok(()) => self.finish_deletion(deletion).await,
            // The entry of the journal stays, and recovery finds out.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => Err(explained(error, self.abandon_deletion(deletion).await)),
        }
    }

    /// An image that was found, as it is now.
    async fn again(&self, transaction: &Transaction, id: &str) -> Result<StoredImage> {
        let stored = transaction.load_image(id, &self.caller.project).await?;
        self.visible(stored, id)
    }
}

/// Records that an image was changed.
async fn touch(transaction: &Transaction, image: &Image) -> Result<()> {
    let mut touched = image.clone();
    touched.updated_at = transaction.now();
    transaction.update_image(image, &touched).await
}

/// Hashes data.
async fn hash(source: Source, algorithms: Vec<Algorithm>) -> Result<Taken> {
    let (watch, look) = (Watch::default(), Box::new(|_: &[u8]| Ok(())));
    pump::transfer(source, Sink::Nowhere, algorithms, watch, look).await
}

fn wrong_status(verb: &str, status: ImageStatus) -> Error {
    Error::conflict(format!(
        "It's not allowed to {verb} locations if image status is {status}."
    ))
}

fn changed(id: &str) -> Error {
    Error::conflict(format!("image {id} was changed meanwhile")).hint("Try again.")
}

fn duplicate(location: &Location) -> Error {
    let place = discreet(&location.url);
    Error::invalid(format!("The location {place} already exists"))
}
