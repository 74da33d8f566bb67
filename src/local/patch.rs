//! Changes of images: made to a draft first, then recorded in one transaction, all or none.
//!
//! A draft is made twice where locations change. The first one finds what is to be looked up before the transaction
//! (the sizes of new data) and what is to be noted in the journal (the data of removed locations). The second one is
//! made under the lock, where the same checks decide.
//!
//! *Source:* `ImagesController.update` in `glance/api/v2/images.py` of the reference implementation.

use std::collections::HashMap;

use serde_json::Value;

use super::Local;
use super::attributes::set;
use super::catalog::{StoredImage, Transaction, is_in_doubt};
use super::data::check_formats;
use super::events::Event;
use super::journal::explained;
use super::policy::{Access, Action, ImageTarget};
use super::registration::Hashes;
use crate::model::schema::attribute_named;
use crate::model::{Change, Image, ImagePatch, ImageStatus, Location, Task, Visibility};
use crate::{Error, Result};

/// An image with changes that are not recorded yet.
pub(super) struct Draft {
    /// The record, without its locations.
    pub(super) image: Image,
    /// The locations, in the order in which operations of a patch count them.
    pub(super) locations: Vec<DraftLocation>,
    /// The locations of the record that are removed.
    removed: Vec<Location>,
    /// Whether all locations are recorded again, in the order of the draft.
    is_rewritten: bool,
    /// The task that ends with this change.
    completed: Option<Task>,
}

/// A location of a draft.
pub(super) struct DraftLocation {
    /// The location.
    pub(super) location: Location,
    /// Whether the record does not have it yet.
    is_new: bool,
}

impl Draft {
    /// Creates a draft without changes.
    pub(super) fn new(stored: &StoredImage) -> Self {
        let known = |location: &Location| DraftLocation {
            location: location.clone(),
            is_new: false,
        };
        Self {
            image: stored.image.clone(),
            locations: stored.locations.iter().map(known).collect(),
            removed: Vec::new(),
            is_rewritten: false,
            completed: None,
        }
    }

    /// Adds a location at a position, or at the end.
    pub(super) fn insert(&mut self, position: usize, location: Location) {
        let added = DraftLocation {
            location,
            is_new: true,
        };
        self.locations
            .insert(position.min(self.locations.len()), added);
    }

    /// Removes the location at a position, which MUST exist.
    pub(super) fn remove(&mut self, position: usize) {
        let DraftLocation { location, is_new } = self.locations.remove(position);
        if !is_new {
            self.removed.push(location);
        }
    }

    /// Replaces the locations with the same addresses and other metadata.
    pub(super) fn rewrite(&mut self, locations: Vec<Location>) {
        let added: Vec<String> = self.added().map(|at| at.url.clone()).collect();
        let drafted = |location: Location| DraftLocation {
            is_new: added.contains(&location.url),
            location,
        };
        self.locations = locations.into_iter().map(drafted).collect();
        self.is_rewritten = true;
    }

    /// Makes a queued image active, with the hashes that the caller provided for its data.
    ///
    /// # Errors
    /// `Invalid` without formats.
    pub(super) fn activate(&mut self, hashes: Option<Hashes>) -> Result<()> {
        if self.image.status != ImageStatus::Queued {
            return Ok(());
        }
        check_formats(&self.image)?;
        self.image.status = ImageStatus::Active;
        if let Some(Hashes { checksum, hash }) = hashes {
            self.image.checksum = checksum;
            self.image.hash = hash;
        }
        Ok(())
    }

    /// Records the end of a task in the same transaction.
    pub(super) fn completes(&mut self, task: Task) {
        self.completed = Some(task);
    }

    /// Returns the locations that the record does not have yet.
    fn added(&self) -> impl Iterator<Item = &Location> {
        let added = self.locations.iter().filter(|at| at.is_new);
        added.map(|at| &at.location)
    }

    /// Returns whether locations are to be recorded.
    fn changes_locations(&self) -> bool {
        self.is_rewritten || !self.removed.is_empty() || self.added().next().is_some()
    }
}

/// The facts for a change of locations that are determined outside of its transaction.
#[derive(Clone, Default)]
pub(super) struct Prepared {
    /// Size in bytes of the data at each new address.
    sizes: HashMap<String, u64>,
    /// The locations whose data is to be deleted.
    removed: Vec<Location>,
}

impl Prepared {
    /// Returns the size in bytes of the data at a new address.
    pub(super) fn size_at(&self, url: &str) -> Option<u64> {
        self.sizes.get(url).copied()
    }
}

impl Local {
    /// Applies a patch that fits the schema.
    pub(super) async fn patch_image(&self, id: &str, patch: &ImagePatch) -> Result<Image> {
        if patch.is_empty() {
            // No operation decides whether the caller may get the image that is returned.
            self.find_gettable(id).await?;
        }
        let draft = |stored: &StoredImage| self.draft(stored, patch);
        let prepared = if patch.changes_locations() {
            self.prepare_change(id, &draft).await?
        } else {
            Prepared::default()
        };
        self.commit_change(id, prepared, &draft).await
    }

    /// Makes a draft of the changes to an image, and looks up what recording it needs.
    ///
    /// # Errors
    /// `NotFound`; the errors of `draft`; `Invalid` for an address without data.
    pub(super) async fn prepare_change(
        &self,
        id: &str,
        draft: &(impl Fn(&StoredImage) -> Result<Draft> + Sync),
    ) -> Result<Prepared> {
        let draft = draft(&self.find(id).await?)?;
        let mut sizes = HashMap::new();
        for location in draft.added() {
            let size = self.size_at(location).await?;
            sizes.insert(location.url.clone(), size);
        }
        Ok(Prepared {
            sizes,
            removed: draft.removed,
        })
    }

    /// Records the changes to an image, then deletes the data of the locations that were removed. Returns the new
    /// record.
    ///
    /// # Errors
    /// `NotFound`; the errors of `draft`; `Conflict` if locations were changed since `prepared`; `TooLarge` beyond a
    /// quota.
    pub(super) async fn commit_change(
        &self,
        id: &str,
        prepared: Prepared,
        draft: &(impl Fn(&StoredImage) -> Result<Draft> + Sync),
    ) -> Result<Image> {
        let change = async {
            let (image, locations) = self
                .catalog
                .write(async |transaction| {
                    let found = transaction.load_image(id, &self.caller.project).await?;
                    let stored = self.visible(found, id)?;
                    // The image is locked: no other process can change it now.
                    let draft = draft(&stored)?;
                    self.record_draft(&transaction, stored, draft, &prepared)
                        .await
                })
                .await?;
            self.emit(&self.caller, &Event::ImageUpdated(&image));
            Ok((image, locations))
        };
        let (image, mut locations) = self.with_removal(id, &prepared.removed, change).await?;
        self.sort(&mut locations);
        self.shown(image, locations)
    }

    /// Makes a change that removes `locations` from the record of an image, then deletes their data.
    async fn with_removal<T>(
        &self,
        id: &str,
        locations: &[Location],
        change: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if locations.is_empty() {
            return change.await;
        }
        // The scrubber removes pending data.
        let is_delayed = self.settings.delayed_delete.copied()?;
        let removals = if is_delayed { &[][..] } else { locations };
        let deletion = self.begin_deletion(id, removals, false).await?;
        match change.await {
            Ok(done) => self.finish_deletion(deletion).await.map(|()| done),
            // The outcome is unknown: the journal entry stays for recovery.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => Err(explained(error, self.abandon_deletion(deletion).await)),
        }
    }

    /// Records a draft. Returns the new record, and its locations in the order in which they were added.
    async fn record_draft(
        &self,
        transaction: &Transaction,
        stored: StoredImage,
        draft: Draft,
        prepared: &Prepared,
    ) -> Result<(Image, Vec<Location>)> {
        let id = stored.image.id.as_str();
        if draft.removed != prepared.removed {
            return Err(changed(id));
        }
        let sizes: Option<Vec<u64>> = draft.added().map(|at| prepared.size_at(&at.url)).collect();
        let sizes = sizes.ok_or_else(|| changed(id))?;
        if !sizes.is_empty() {
            let count = draft.locations.len() as u64;
            self.check_new_locations(&stored.image, count, &sizes)
                .await?;
        }
        let locations = if draft.changes_locations() {
            self.record_locations(transaction, id, &draft).await?
        } else {
            stored.locations
        };
        let mut image = draft.image;
        image.updated_at = transaction.now();
        if image.status != stored.image.status {
            image.size = sizes.first().copied();
            transaction.activate(&image, stored.image.status).await?;
        }
        transaction.update_image(&stored.image, &image).await?;
        if let Some(task) = &draft.completed {
            transaction.finish_task(task).await?;
        }
        Ok((image, locations))
    }

    /// Records the locations of a draft. Returns them in the order in which they were added.
    async fn record_locations(
        &self,
        transaction: &Transaction,
        id: &str,
        draft: &Draft,
    ) -> Result<Vec<Location>> {
        let is_delayed = self.settings.delayed_delete.copied()?;
        let mut left: Vec<&Location> = draft.locations.iter().map(|at| &at.location).collect();
        let mut recorded = Vec::new();
        for (row, location) in transaction.load_locations(id).await? {
            let place = left.iter().position(|at| **at == location);
            if let Some(place) = place.filter(|_| !draft.is_rewritten) {
                left.remove(place);
                recorded.push(location);
                continue;
            }
            let is_removed = draft.removed.iter().any(|at| at.url == location.url);
            transaction
                .delete_location(row, is_delayed && is_removed)
                .await?;
        }
        for location in left {
            transaction.insert_location(id, &location.into()).await?;
            recorded.push(location.clone());
        }
        Ok(recorded)
    }

    /// Applies the operations of a patch to a draft, if the caller may.
    fn draft(&self, stored: &StoredImage, patch: &ImagePatch) -> Result<Draft> {
        let mut draft = Draft::new(stored);
        let target = ImageTarget::new(&stored.image, stored.is_member);
        for change in patch.changes() {
            match change {
                Change::AddLocation { position, value } => {
                    self.draft_added_location(&mut draft, target, *position, value)?;
                }
                Change::ReplaceLocations { values } => {
                    self.draft_replaced_locations(&mut draft, target, values)?;
                }
                Change::RemoveLocation { position, known } => {
                    self.draft_removed_location(&mut draft, target, *position, known.as_ref())?;
                }
                field => self.draft_field(&mut draft.image, target, field)?,
            }
        }
        self.check_quotas(&draft.image)?;
        Ok(draft)
    }

    /// Applies an operation on an attribute, a property or a tag.
    fn draft_field(
        &self,
        image: &mut Image,
        target: ImageTarget<'_>,
        change: &Change,
    ) -> Result<()> {
        let name = change.name();
        let is_attribute = attribute_named(name).is_some();
        // A property that the caller may not read does not exist for it.
        let exists = is_attribute
            || (image.property(name).is_some()
                && self.policy.may_access(&self.caller, Access::Read, name)?);
        let value = match change {
            Change::Add { value, .. }
            | Change::Create { value, .. }
            | Change::Replace { value, .. } => Some(value),
            _ => None,
        };
        if name == "visibility"
            && let Some(visibility) = value.and_then(Value::as_str).and_then(Visibility::parse)
        {
            self.check_visibility(visibility, target.into())?;
        }
        if name == "owner" {
            self.policy
                .check(&self.caller, Action::ChangeOwner, target)?;
        }
        self.policy
            .check(&self.caller, Action::ModifyImage, target)?;
        match change {
            Change::Create { .. } if exists => {
                return Err(Error::conflict(format!("Property {name} already present.")));
            }
            Change::Replace { .. } | Change::Remove { .. } if !exists => {
                return Err(Error::conflict(format!("Property {name} does not exist.")));
            }
            Change::Remove { .. } if is_attribute => {
                return Err(Error::forbidden(format!(
                    "Property {name} may not be removed."
                )));
            }
            Change::Remove { .. } => {
                self.policy
                    .check_access(&self.caller, Access::Delete, name)?;
                image.properties.retain(|(property, _)| property != name);
            }
            Change::AddTag { tag } if !image.tags.contains(tag) => image.tags.push(tag.clone()),
            _ => {}
        }
        let Some(value) = value else {
            return Ok(());
        };
        if !is_attribute {
            let access = if exists {
                Access::Update
            } else {
                Access::Create
            };
            self.policy.check_access(&self.caller, access, name)?;
        }
        set(image, name, value)
    }
}

/// Returns the error for an image that another caller has changed.
pub(super) fn changed(id: &str) -> Error {
    Error::conflict(format!("image {id} was changed by another caller")).hint("Try again.")
}
