//! Locations of image data.
//!
//! *Source:* `glance/api/v2/images.py` (`_do_add_locations`, `_do_replace_locations`, `_do_remove_locations`,
//! `delete_from_store`), `glance/location.py` and `glance/quota/__init__.py` of the reference implementation, for the rules
//! and the order of the checks. Registrations are in `registration/location_import.rs`.

use async_trait::async_trait;
use serde_json::Value;

use super::Local;
use super::catalog::StoredImage;
use super::import::address;
use super::patch::{Draft, changed};
use super::policy::{Action, ImageTarget};
use super::registration::{self, check_metadata};
use super::store::Store;
use crate::model::address::redacted;
use crate::model::{
    Image, ImageStatus, Location, LocationValue, MultiHash, Position, ValidationData,
};
use crate::service::{Locations, Running};
use crate::{Error, Operation, Result};

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
        self.register_now(id, url, expected).await
    }

    async fn begin_registration(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<Running> {
        self.register_later(id, url, expected).await
    }

    async fn locations(&self, id: &str) -> Result<Vec<Location>> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::FetchImageLocation, target)?;
        Ok(stored.locations)
    }
}

impl Local {
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

    /// Returns a location as it is recorded: with the name of the store that it belongs to, if stores have names.
    pub(super) fn assigned(&self, mut location: Location) -> Location {
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
        if matches!(scheme, "http" | "https") && self.is_for_request() {
            let rules = self.settings.import.addresses.get()?;
            let checked = address::check_resolved(&location.url, rules).await;
            checked.map_err(|error| {
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
        match self.reader_of_new(store).size(&location.url).await {
            Ok(0) => Err(invalid("the server does not return a size above 0")),
            Ok(size) => Ok(size),
            Err(error) => Err(invalid(error.message()).because(error)),
        }
    }

    /// Returns whether the operation is carried out for a client of the service.
    pub(super) fn is_for_request(&self) -> bool {
        self.caller.request_id.is_some()
    }

    /// Returns the store to read a new address with: for a request, the one that follows no redirect to an address that
    /// is refused.
    pub(super) fn reader_of_new<'s>(&self, store: &'s dyn Store) -> &'s dyn Store {
        let filtered = store.filtered().filter(|_| self.is_for_request());
        filtered.unwrap_or(store)
    }

    /// Returns the store to read a registered address with. For a request, an address that passes the rules cannot
    /// redirect to one that does not. Others were registered by an operator, and may.
    ///
    /// # Errors
    /// `Failed` for invalid rules.
    pub(super) async fn reader_of<'s>(
        &self,
        store: &'s dyn Store,
        url: &str,
    ) -> Result<&'s dyn Store> {
        let Some(filtered) = store.filtered().filter(|_| self.is_for_request()) else {
            return Ok(store);
        };
        let rules = self.settings.import.addresses.get()?;
        let passes = address::check_resolved(url, rules).await.is_ok();
        Ok(if passes { filtered } else { store })
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

pub(super) fn wrong_status(verb: &str, status: ImageStatus) -> Error {
    Error::conflict(format!(
        "It's not allowed to {verb} locations if image status is {status}."
    ))
}

fn duplicate(location: &Location) -> Error {
    let place = redacted(&location.url);
    Error::invalid(format!("The location {place} already exists"))
}
