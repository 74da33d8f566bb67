//! Locations of image data.
//!
//! *Source:* `glance/api/v2/images.py` (`_do_add_locations`, `_do_replace_locations`, `_do_remove_locations`,
//! `add_location`, `delete_from_store`), `glance/location.py`, `glance/quota/__init__.py` and
//! `glance/async_/flows/location_import.py` of the reference implementation, for the rules and the order of the checks.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Local;
use super::catalog::StoredImage;
use super::data::limited_to;
use super::import::address;
use super::patch::{Draft, Prepared, changed};
use super::policy::{Action, ImageTarget};
use super::registration::{self, Hashes, check_hash, check_metadata};
use super::store::Store;
use crate::data::pump::{self, Sink, Taken};
use crate::data::{Algorithm, Source, Watch};
use crate::model::address::redacted;
use crate::model::task::LOCATION_IMPORT;
use crate::model::{
    ByteRange, Image, ImageStatus, Location, LocationValue, MultiHash, Position, ValidationData,
};
use crate::service::{Locations, Running};
use crate::{Error, ErrorKind, Operation, Result};

/// An operation on the list of locations of an image.
#[derive(Clone, Copy)]
enum Verb {
    Add,
    Replace,
    Remove,
}

impl Verb {
    /// Returns the word in messages about a status.
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
    async fn register_location(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<()> {
        let new = self.new_registration(url, expected);
        let prepared = self.prepare_registration(id, &new).await?;
        let hashes = self.hashes_of(&new, &prepared).await?;
        self.commit_registration(id, &new, prepared, hashes).await
    }

    async fn begin_registration(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<Running> {
        self.settings.import.task_hours.get()?;
        let new = self.new_registration(url, expected);
        let prepared = self.prepare_registration(id, &new).await?;
        let input = json!({
            "image_id": id,
            "loc_url": redacted(url),
            "validation_data": expected.map_or_else(
                || json!({}),
                |hash| json!({"os_hash_algo": hash.algorithm, "os_hash_value": hash.value}),
            ),
        });
        let task = self.new_task(LOCATION_IMPORT, input, Some(id));
        self.catalog
            .write(async |transaction| transaction.insert_task(&task).await)
            .await?;
        let (local, id) = (self.clone(), id.to_string());
        let rest = async move {
            let outcome = Box::pin(local.finish_registration(&id, &new, prepared)).await;
            let result = match &outcome {
                Ok(()) => Ok(json!({"image_id": id})),
                Err(error) => Err(error.message().to_string()),
            };
            let finished = local.finished_task(task, result);
            local
                .catalog
                .write(async |transaction| transaction.finish_task(&finished).await)
                .await?;
            outcome
        };
        Ok(Box::pin(self.spawn(rest)))
    }

    async fn locations(&self, id: &str) -> Result<Vec<Location>> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::FetchImageLocation, target)?;
        Ok(stored.locations)
    }
}

/// Data that a caller registers.
struct Registration {
    location: Location,
    expected: Option<MultiHash>,
}

impl Local {
    fn new_registration(&self, url: &str, expected: Option<&MultiHash>) -> Registration {
        Registration {
            location: self.assigned(Location {
                url: url.to_string(),
                metadata: Map::new(),
            }),
            expected: expected.cloned(),
        }
    }

    /// Returns the record of an image with the new location, which is active if its hashes are known.
    fn draft_registration(
        &self,
        stored: &StoredImage,
        new: &Registration,
        hashes: Option<Hashes>,
    ) -> Result<Draft> {
        self.check_registration(stored, &new.location.url)?;
        new.expected.as_ref().map_or(Ok(()), check_hash)?;
        let mut draft = Draft::new(stored);
        draft.insert(usize::MAX, new.location.clone());
        draft.activate(hashes)?;
        Ok(draft)
    }

    async fn prepare_registration(&self, id: &str, new: &Registration) -> Result<Prepared> {
        let draft = |stored: &_| self.draft_registration(stored, new, None);
        self.prepare_change(id, &draft).await
    }

    /// Returns the hashes of registered data: computed, or else those that the caller expects.
    async fn hashes_of(&self, new: &Registration, prepared: &Prepared) -> Result<Hashes> {
        let expected = new.expected.as_ref();
        if !self.settings.registration.get()?.secure_hash {
            return Ok(Hashes {
                checksum: None,
                hash: expected.cloned(),
            });
        }
        let size = prepared.size_at(&new.location.url).unwrap_or_default();
        let (md5, hash) = self.hash_at(&new.location, size, expected).await?;
        Ok(Hashes {
            checksum: Some(md5),
            hash: Some(hash),
        })
    }

    async fn commit_registration(
        &self,
        id: &str,
        new: &Registration,
        prepared: Prepared,
        hashes: Hashes,
    ) -> Result<()> {
        let draft = |stored: &_| self.draft_registration(stored, new, Some(hashes.clone()));
        self.commit_change(id, prepared, &draft).await.map(drop)
    }

    /// Completes a registration after its response. An image whose data has another hash keeps the location, and stays
    /// queued.
    async fn finish_registration(
        &self,
        id: &str,
        new: &Registration,
        prepared: Prepared,
    ) -> Result<()> {
        let mismatch = match self.hashes_of(new, &prepared).await {
            Ok(hashes) => return self.commit_registration(id, new, prepared, hashes).await,
            Err(error) if new.expected.is_some() && error.kind() == ErrorKind::Corrupt => error,
            Err(error) => return Err(error),
        };
        let draft = |stored: &StoredImage| -> Result<Draft> {
            self.check_registration(stored, &new.location.url)?;
            let mut draft = Draft::new(stored);
            draft.insert(usize::MAX, new.location.clone());
            Ok(draft)
        };
        let kept = self.commit_change(id, prepared, &draft).await;
        kept.and(Err(mismatch))
    }

    /// Applies the addition of a location to a draft, if the caller may.
    pub(super) fn draft_added_location(
        &self,
        draft: &mut Draft,
        target: ImageTarget<'_>,
        position: Position,
        value: &LocationValue,
    ) -> Result<()> {
        self.check_locations(draft, target, Verb::Add)?;
        let algorithm = self.settings.hashing_algorithm.get()?;
        let hashes = registration::check(&draft.image, &value.validation, algorithm)?;
        let location = self.assigned(value.location.clone());
        if draft.locations.iter().any(|at| at.location == location) {
            return Err(duplicate(&location));
        }
        let position = match position {
            Position::At(position) => position,
            Position::End => usize::MAX,
        };
        draft.insert(position, location);
        draft.activate(hashes)
    }

    /// Applies a new list of locations to a draft, if the caller may.
    pub(super) fn draft_replaced_locations(
        &self,
        draft: &mut Draft,
        target: ImageTarget<'_>,
        values: &[LocationValue],
    ) -> Result<()> {
        if values.is_empty() {
            return Err(Error::forbidden("Cannot set locations to empty list."));
        }
        self.check_locations(draft, target, Verb::Replace)?;
        let algorithm = self.settings.hashing_algorithm.get()?;
        let hashes = registration::check(&draft.image, &merged(values)?, algorithm)?;
        let locations = values
            .iter()
            .map(|value| self.assigned(value.location.clone()));
        let locations: Vec<Location> = locations.collect();
        if draft.locations.is_empty() {
            for (place, location) in locations.iter().enumerate() {
                if locations[..place].contains(location) {
                    return Err(duplicate(location));
                }
                draft.insert(place, location.clone());
            }
            return draft.activate(hashes);
        }
        let known = draft.locations.iter().map(|at| &at.location);
        if known.clone().eq(&locations) {
            return Ok(());
        }
        if addresses(known) != addresses(&locations) {
            let id = &draft.image.id;
            return Err(Error::invalid(format!(
                "Original locations is not empty: image {id} has other ones"
            ))
            .hint("Add the new ones, then remove the old ones."));
        }
        draft.rewrite(locations);
        Ok(())
    }

    /// Applies the removal of a location to a draft, if the caller may.
    pub(super) fn draft_removed_location(
        &self,
        draft: &mut Draft,
        target: ImageTarget<'_>,
        position: Position,
        known: Option<&Location>,
    ) -> Result<()> {
        self.check_locations(draft, target, Verb::Remove)?;
        let count = draft.locations.len();
        let position = match (known, position) {
            (Some(known), _) => {
                let mut locations = draft.locations.iter().map(|at| &at.location);
                let same = locations.clone().position(|at| at == known);
                same.or_else(|| locations.position(|at| at.url == known.url))
                    .ok_or_else(|| changed(&draft.image.id))?
            }
            (None, Position::At(position)) => position,
            (None, Position::End) => count.saturating_sub(1),
        };
        if count <= 1 {
            return Err(
                Error::forbidden("Cannot remove last location in the image.")
                    .hint("Delete the image instead, or add another location first."),
            );
        }
        if position >= count {
            return Err(Error::invalid("Invalid position for removing a location."));
        }
        draft.remove(position);
        Ok(())
    }

    /// Checks that the caller may change the list of locations of an image in this way, and that its status allows it.
    fn check_locations(&self, draft: &Draft, target: ImageTarget<'_>, verb: Verb) -> Result<()> {
        let action = match verb {
            Verb::Add | Verb::Replace => Action::SetImageLocation,
            Verb::Remove => Action::DeleteImageLocation,
        };
        self.policy.check(&self.caller, action, target)?;
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
        let status = draft.image.status;
        let is_open = match verb {
            Verb::Add | Verb::Replace => {
                matches!(status, ImageStatus::Active | ImageStatus::Queued)
            }
            Verb::Remove => status == ImageStatus::Active,
        };
        if !is_open {
            return Err(wrong_status(verb.name(), status));
        }
        Ok(())
    }

    /// Checks that the caller may register data at `url` for an image.
    fn check_registration(&self, stored: &StoredImage, url: &str) -> Result<()> {
        let status = stored.image.status;
        if status != ImageStatus::Queued {
            return Err(wrong_status("add", status));
        }
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::AddImageLocation, target)?;
        let read = |store: &dyn Store| store.info().read_only && store.reads(url);
        if !self.stores.iter().any(read) {
            return Err(Error::forbidden(
                "http store must be enabled to use location API by normal user.",
            )
            .hint("The address must be of type http or https, and a store of type http must be enabled."));
        }
        Ok(())
    }

    /// Returns a location as it is recorded: with the name of the store that it belongs to, if stores have names.
    fn assigned(&self, mut location: Location) -> Location {
        let store = self.stores.owning(&location.url);
        if let Some(store) = store.filter(|_| self.stores.named()) {
            let id = Value::from(store.info().id.as_str());
            location.metadata.insert("store".to_string(), id);
        }
        location
    }

    /// Returns the size in bytes of the data at a location that a caller provides. It is never 0.
    ///
    /// # Errors
    /// `Invalid` for an address that callers cannot use, and for one without data.
    pub(super) async fn size_at(&self, location: &Location) -> Result<u64> {
        check_metadata("metadata", &Value::Object(location.metadata.clone()))?;
        let invalid = |why: &str| {
            Error::invalid("Invalid location").hint(format!("{}: {why}.", redacted(&location.url)))
        };
        let scheme = location.url.split(':').next().unwrap_or_default();
        if matches!(scheme, "file" | "filesystem" | "swift+config") {
            return Err(invalid("it is a file on the machine of the service"));
        }
        // A command acts for an operator of the host; a request must not make the service read what only the host reaches.
        if matches!(scheme, "http" | "https") && self.caller.request_id.is_some() {
            let rules = self.settings.import.addresses.get()?;
            address::check(&location.url, rules).map_err(|error| {
                let place = redacted(&location.url);
                Error::invalid(format!(
                    "URI for add location does not pass filtering: {place}"
                ))
                .because(error)
            })?;
        }
        let Ok(store) = self.stores.holding(location) else {
            return Err(invalid("no store of this deployment reads such addresses"));
        };
        match store.size(&location.url).await {
            Ok(0) => Err(invalid("the server does not return a size above 0")),
            Ok(size) => Ok(size),
            Err(error) => Err(invalid(error.message()).because(error)),
        }
    }

    /// Reads the data at a location. Returns its MD5 and its secure hash, which equals `expected` if that is given.
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
                    let place = redacted(&location.url);
                    return Err(Error::corrupt(format!(
                        "{place} has {} bytes instead of the {size} that its server reported",
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

    /// Checks that an image may have `count` locations, that the data at the new ones, with `sizes` in bytes, may be the
    /// image's, and that quotas have room for it.
    pub(super) async fn check_new_locations(
        &self,
        image: &Image,
        count: u64,
        sizes: &[u64],
    ) -> Result<()> {
        let limits = &self.settings.limits;
        // The record has one size: data of another size would look corrupt.
        let known = image.size.filter(|size| *size > 0);
        let known = known.or(sizes.first().copied());
        if let Some(other) = sizes.iter().find(|size| known != Some(**size)) {
            return Err(Error::invalid("Invalid location").hint(format!(
                "It has {other} bytes, but the image has {}.",
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

    /// Deletes the copy of an image in a store.
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
        let (local, id, store) = (self.clone(), id.to_string(), store.to_string());
        let change = async move {
            let draft = |stored: &StoredImage| local.draft_without_copy(stored, &store);
            let prepared = local.prepare_change(&id, &draft).await?;
            local.commit_change(&id, prepared, &draft).await.map(drop)
        };
        self.spawn(change).await
    }

    /// Returns the draft of an image without its copy in a store, if the caller may delete that.
    fn draft_without_copy(&self, stored: &StoredImage, store: &str) -> Result<Draft> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        for action in [Action::GetImageLocation, Action::DeleteImageLocation] {
            self.policy.check(&self.caller, action, target)?;
        }
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
        let mut copies = stored.locations.iter();
        let copy = copies.position(|at| at.store() == Some(store));
        let copy = copy.ok_or_else(|| {
            let id = &stored.image.id;
            Error::not_found(format!("Image {id} is not stored in store {store}."))
        })?;
        let mut draft = Draft::new(stored);
        draft.remove(copy);
        Ok(draft)
    }
}

/// Hashes data.
async fn hash(source: Source, algorithms: Vec<Algorithm>) -> Result<Taken> {
    let (watch, look) = (Watch::default(), Box::new(|_: &[u8]| Ok(())));
    pump::transfer(source, Sink::Nowhere, algorithms, watch, look).await
}

/// Returns the hashes that several locations of one image agree on.
///
/// # Errors
/// `Conflict` if they differ.
fn merged(values: &[LocationValue]) -> Result<ValidationData> {
    let mut all = ValidationData::default();
    for validation in values.iter().map(|value| &value.validation) {
        for (name, known, given) in [
            ("checksum", &mut all.checksum, &validation.checksum),
            (
                "os_hash_algo",
                &mut all.os_hash_algo,
                &validation.os_hash_algo,
            ),
            (
                "os_hash_value",
                &mut all.os_hash_value,
                &validation.os_hash_value,
            ),
        ] {
            match (known.as_ref(), given) {
                (Some(known), Some(given)) if known != given => {
                    return Err(Error::conflict(format!("Conflicting values for {name}")));
                }
                (None, Some(given)) => *known = Some(given.clone()),
                _ => {}
            }
        }
    }
    Ok(all)
}

/// Returns the addresses of locations, sorted.
fn addresses<'l>(locations: impl IntoIterator<Item = &'l Location>) -> Vec<&'l str> {
    let mut addresses: Vec<&str> = locations.into_iter().map(|at| at.url.as_str()).collect();
    addresses.sort_unstable();
    addresses
}

fn wrong_status(verb: &str, status: ImageStatus) -> Error {
    Error::conflict(format!(
        "It's not allowed to {verb} locations if image status is {status}."
    ))
}

fn duplicate(location: &Location) -> Error {
    let place = redacted(&location.url);
    Error::invalid(format!("The location {place} already exists"))
}
