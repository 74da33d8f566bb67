//! Image records.

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::Value;
use uuid::Uuid;

use super::catalog::{Transaction, is_in_doubt, is_property};
use super::events::Event;
use super::journal::explained;
use super::policy::{self, Action, ImageTarget, Target};
use super::{Local, StoredImage};
use crate::model::schema::attribute_named;
use crate::model::{Change, Image, ImageQuery, ImageStatus, NewImage, Visibility};
use crate::service::{CacheKeeper, ImageStream, Images};
use crate::{Error, Operation, Result};

/// Names that no custom property may have.
const RESERVED: [&str; 3] = ["location", "deleted", "deleted_at"];

/// What the names of the service's own properties begin with.
const RESERVED_PREFIX: &str = "os_glance";

#[async_trait]
impl Images for Local {
    async fn create_image(&self, new: NewImage) -> Result<Image> {
        let image = self.new_image(&new)?;
        let owner = image.owner.as_deref().unwrap_or_default();
        policy::check(&self.caller, Action::AddImage, Target::Project(owner))?;
        self.check_visibility(image.visibility)?;
        self.check_quotas(&image)?;
        self.catalog
            .write(async |transaction| {
                self.check_count(&transaction).await?;
                transaction.insert_image(&image).await
            })
            .await?;
        self.emit(&self.caller, &Event::ImageCreated(&image));
        self.shown(image, Vec::new())
    }

    async fn get_image(&self, id: &str) -> Result<Image> {
        let stored = self.find(id).await?;
        self.shown(stored.image, stored.locations)
    }

    fn sorts_by_code_points(&self) -> bool {
        true
    }

    fn filters_property(&self, name: &str) -> bool {
        is_property(name)
    }

    fn list_images(&self, query: ImageQuery) -> ImageStream<'_> {
        let asked = query.fields;
        let chunks = self.catalog.list_images(query, &self.caller);
        let shown = move |image: Image| {
            if !asked.locations {
                return Ok(image);
            }
            let mut image = image;
            let mut locations = image.locations.take().unwrap_or_default();
            self.sort(&mut locations);
            self.shown(image, locations)
        };
        chunks
            .map(move |images| images?.into_iter().map(&shown).collect())
            .boxed()
    }

    async fn update_image(&self, id: &str, changes: &[Change]) -> Result<Image> {
        for change in changes {
            self.check_change(change)?;
        }
        let (image, locations) = self
            .catalog
            .write(async |transaction| {
                let found = transaction.load_image(id, &self.caller.project).await?;
                let stored = self.visible(found, id)?;
                if changes.is_empty() {
                    return Ok((stored.image, stored.locations));
                }
                let mut image = stored.image.clone();
                for change in changes {
                    self.apply(&mut image, &stored, change)?;
                }
                self.check_quotas(&image)?;
                image.updated_at = self.catalog.now();
                transaction.update_image(&stored.image, &image).await?;
                Ok((image, stored.locations))
            })
            .await?;
        if !changes.is_empty() {
            self.emit(&self.caller, &Event::ImageUpdated(&image));
        }
        self.shown(image, locations)
    }

    async fn apply_changes(&self, id: &str, changes: &[Change]) -> Result<()> {
        self.update_image(id, changes).await.map(drop)
    }

    async fn delete_image(&self, id: &str) -> Result<()> {
        let (local, id) = (self.clone(), id.to_string());
        self.spawn(async move { local.delete(&id).await }).await
    }

    async fn deactivate_image(&self, id: &str) -> Result<()> {
        self.set_activation(
            id,
            ImageStatus::Active,
            ImageStatus::Deactivated,
            Action::Deactivate,
        )
        .await
    }

    async fn reactivate_image(&self, id: &str) -> Result<()> {
        self.set_activation(
            id,
            ImageStatus::Deactivated,
            ImageStatus::Active,
            Action::Reactivate,
        )
        .await
    }

    async fn add_tag(&self, id: &str, tag: &str) -> Result<()> {
        self.allowed()?
            .check("tags", &Value::from(vec![tag]))
            .map_err(Error::invalid)?;
        let updated = self
            .catalog
            .write(async |transaction| {
                let stored = self.changeable(&transaction, id).await?;
                let mut image = stored.image.clone();
                if image.tags.iter().any(|attached| attached == tag) {
                    return Ok(None);
                }
                image.tags.push(tag.to_string());
                self.check_quotas(&image)?;
                image.updated_at = self.catalog.now();
                transaction.update_image(&stored.image, &image).await?;
                Ok(Some(image))
            })
            .await?;
        if let Some(image) = updated {
            self.emit(&self.caller, &Event::ImageUpdated(&image));
        }
        Ok(())
    }

    async fn remove_tag(&self, id: &str, tag: &str) -> Result<()> {
        let updated = self
            .catalog
            .write(async |transaction| {
                let stored = self.changeable(&transaction, id).await?;
                let mut image = stored.image.clone();
                image.tags.retain(|attached| attached != tag);
                if image.tags.len() == stored.image.tags.len() {
                    return Err(Error::not_found(format!("image {id} has no tag '{tag}'")));
                }
                image.updated_at = self.catalog.now();
                transaction.update_image(&stored.image, &image).await?;
                Ok(image)
            })
            .await?;
        self.emit(&self.caller, &Event::ImageUpdated(&updated));
        Ok(())
    }
}

impl Local {
    /// Deletes an image, first the record, then the data.
    async fn delete(&self, id: &str) -> Result<()> {
        let stored = self.find(id).await?;
        self.check_delete(&stored)?;
        let noted = stored.locations.clone();
        let was_staged = stored.image.status.may_be_staged();
        // What waits for the scrubber is not removed here.
        let delayed = self.settings.delayed_delete.copied()?;
        let waits = delayed && !noted.is_empty();
        let removals = if waits { &[][..] } else { &noted[..] };
        let deletion = self.begin_deletion(id, removals, was_staged).await?;
        // Everything is looked at again now that nobody can change it.
        let committed = self
            .catalog
            .write(async |transaction| {
                let found = transaction.load_image(id, &self.caller.project).await?;
                let stored = self.visible(found, id)?;
                self.check_delete(&stored)?;
                let later = delayed && !stored.locations.is_empty();
                let to = if later {
                    ImageStatus::PendingDelete
                } else {
                    ImageStatus::Deleted
                };
                let from = stored.image.status;
                if !from.may_become(to) {
                    return Err(Error::invalid(format!(
                        "Image status transition from {from} to {to} is not allowed"
                    )));
                }
                let staged = from.may_be_staged() && !was_staged;
                if staged || stored.locations.iter().any(|at| !noted.contains(at)) {
                    return Err(Error::conflict(format!("image {id} was changed meanwhile"))
                        .hint("Try again."));
                }
                transaction.delete_image(id, to).await?;
                let mut image = stored.image;
                image.status = to;
                image.updated_at = transaction.now();
                Ok((later, image))
            })
            .await;
        let committed = committed.map(|(later, image)| {
            self.emit(&self.caller, &Event::ImageDeleted(&image));
            later
        });
        let finished = match committed {
            Ok(true) => self.abandon_deletion(deletion).await,
            Ok(false) => self.finish_deletion(deletion).await,
            // The entry of the journal stays, and recovery finds out.
            Err(error) if is_in_doubt(&error) => return Err(error),
            Err(error) => return Err(explained(error, self.abandon_deletion(deletion).await)),
        };
        if let Some(cache) = self.download_cache() {
            // The image is gone whatever becomes of its copy, which nobody is given and a pruning removes.
            let _ = cache.delete_cached(id).await;
        }
        finished
    }

    /// An image that the caller may change, locked until the transaction ends.
    async fn changeable(&self, transaction: &Transaction, id: &str) -> Result<StoredImage> {
        let found = transaction.load_image(id, &self.caller.project).await?;
        let stored = self.visible(found, id)?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        policy::check(&self.caller, Action::ModifyImage, target)?;
        Ok(stored)
    }

    /// The image that a request for a new one describes.
    fn new_image(&self, new: &NewImage) -> Result<Image> {
        let now = self.catalog.now();
        let mut image = Image::queued(String::new(), now);
        image.owner = Some(self.caller.project.clone());
        // What is no image at all is refused before what the caller may not set.
        for (name, value) in &new.attributes {
            self.check_schema(name, value)?;
        }
        for (name, value) in &new.attributes {
            let settable = attribute_named(name).is_none_or(|attribute| !attribute.read_only);
            if !settable {
                return Err(read_only(name));
            }
            check_reserved(name)?;
            if name == "id" {
                image.id = text(value).unwrap_or_default();
            } else {
                set(&mut image, name, value)?;
            }
        }
        if image.id.is_empty() {
            image.id = Uuid::new_v4().to_string();
        }
        Ok(image)
    }

    fn check_schema(&self, name: &str, value: &Value) -> Result<()> {
        self.allowed()?.check(name, value).map_err(|why| {
            Error::invalid(format!(
                "Provided object does not match schema 'image': {name}: {why}"
            ))
        })
    }

    /// Whether a change could be made to any image.
    fn check_change(&self, change: &Change) -> Result<()> {
        let name = change.name();
        if name == "id" || attribute_named(name).is_some_and(|attribute| attribute.read_only) {
            return Err(read_only(name));
        }
        check_reserved(name)?;
        match change {
            Change::Add { value, .. } | Change::Replace { value, .. } => {
                self.check_schema(name, value)
            }
            Change::AddTag { tag } => self.check_schema(name, &Value::from(vec![tag.as_str()])),
            Change::Remove { .. } => Ok(()),
        }
    }

    /// Refuses a visibility that the caller may not give.
    fn check_visibility(&self, visibility: Visibility) -> Result<()> {
        let action = match visibility {
            Visibility::Public => Action::PublicizeImage,
            Visibility::Community => Action::CommunitizeImage,
            Visibility::Shared | Visibility::Private => return Ok(()),
        };
        policy::check(&self.caller, action, Target::Deployment)
    }

    /// Makes one change to `image`, if the caller may.
    fn apply(&self, image: &mut Image, stored: &StoredImage, change: &Change) -> Result<()> {
        let name = change.name();
        let is_attribute = attribute_named(name).is_some();
        let target = ImageTarget::new(&stored.image, stored.is_member);
        if let (Change::Add { value, .. } | Change::Replace { value, .. }, "visibility") =
            (change, name)
            && let Some(visibility) = value.as_str().and_then(Visibility::parse)
        {
            self.check_visibility(visibility)?;
        }
        if name == "owner" {
            policy::check(&self.caller, Action::ChangeOwner, target)?;
        }
        policy::check(&self.caller, Action::ModifyImage, target)?;
        match change {
            Change::Add { value, .. } => set(image, name, value),
            Change::Replace { value, .. } => {
                if !is_attribute && image.property(name).is_none() {
                    return Err(Error::conflict(format!("Property {name} does not exist.")));
                }
                set(image, name, value)
            }
            Change::AddTag { tag } => {
                if !image.tags.contains(tag) {
                    image.tags.push(tag.clone());
                }
                Ok(())
            }
            Change::Remove { .. } if is_attribute => Err(Error::forbidden(format!(
                "Property {name} may not be removed."
            ))),
            Change::Remove { .. } => {
                let before = image.properties.len();
                image.properties.retain(|(property, _)| property != name);
                if image.properties.len() == before {
                    return Err(Error::conflict(format!("Property {name} does not exist.")));
                }
                Ok(())
            }
        }
    }

    fn check_delete(&self, stored: &StoredImage) -> Result<()> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        policy::check(&self.caller, Action::DeleteImage, target)?;
        if stored.image.protected {
            let id = &stored.image.id;
            return Err(Error::forbidden(format!(
                "Image {id} is protected and cannot be deleted."
            ))
            .hint(Operation::UnprotectImage(id.clone())));
        }
        Ok(())
    }

    fn check_quotas(&self, image: &Image) -> Result<()> {
        let limits = &self.settings.limits;
        let counts = [
            (
                "image_property_quota",
                "properties",
                image.properties.len(),
                limits.properties.copied()?,
            ),
            (
                "image_tag_quota",
                "tags",
                image.tags.len(),
                limits.tags.copied()?,
            ),
        ];
        for (option, what, count, limit) in counts {
            if let Some(limit) = limit
                && count as u64 > limit
            {
                return Err(Error::too_large(format!(
                    "{count} {what} are more than the {limit} that {option} allows"
                )));
            }
        }
        Ok(())
    }

    async fn set_activation(
        &self,
        id: &str,
        from: ImageStatus,
        to: ImageStatus,
        action: Action,
    ) -> Result<()> {
        let updated = self
            .catalog
            .write(async |transaction| {
                let stored =
                    self.visible(transaction.load_image(id, &self.caller.project).await?, id)?;
                let target = ImageTarget::new(&stored.image, stored.is_member);
                policy::check(&self.caller, action, target)?;
                let status = stored.image.status;
                if status == to {
                    return Ok(None);
                }
                if status != from {
                    return Err(Error::forbidden(format!(
                        "Not allowed to {} image in status '{status}'",
                        action.name()
                    )));
                }
                transaction.set_status(id, from, to).await?;
                let mut image = stored.image;
                image.status = to;
                image.updated_at = transaction.now();
                Ok(Some(image))
            })
            .await?;
        if let Some(image) = updated {
            self.emit(&self.caller, &Event::ImageUpdated(&image));
        }
        Ok(())
    }
}

fn read_only(name: &str) -> Error {
    Error::forbidden(format!("Attribute '{name}' is read-only."))
}

fn check_reserved(name: &str) -> Result<()> {
    if RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX) {
        return Err(Error::forbidden(format!("Attribute '{name}' is reserved.")));
    }
    if name.chars().count() > 255 {
        return Err(Error::invalid(
            "Custom property should not be greater than 255 characters.",
        ));
    }
    Ok(())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}

/// Sets an attribute or property whose value the schema allows.
fn set(image: &mut Image, name: &str, value: &Value) -> Result<()> {
    let number = |least: &str| -> Result<i64> {
        let number = value
            .as_i64()
            .filter(|number| i32::try_from(*number).is_ok());
        let number = number.ok_or_else(|| {
            Error::invalid(format!(
                "'{name}' value out of range, must be less than 2147483648"
            ))
        })?;
        if number < 0 {
            return Err(Error::invalid(format!(
                "Invalid value '{number}' for parameter '{name}': {least}"
            )));
        }
        Ok(number)
    };
    let formats_open = matches!(image.status, ImageStatus::Queued | ImageStatus::Importing);
    match name {
        "name" => image.name = text(value),
        "visibility" => {
            if let Some(visibility) = value.as_str().and_then(Visibility::parse) {
                image.visibility = visibility;
            }
        }
        "protected" => image.protected = value.as_bool().unwrap_or(image.protected),
        "os_hidden" => image.hidden = value.as_bool().unwrap_or(image.hidden),
        "owner" => image.owner = text(value).filter(|owner| !owner.is_empty()),
        "min_disk" => image.min_disk = number("Cannot be a negative value")?,
        "min_ram" => image.min_ram = number("Cannot be a negative value")?,
        "disk_format" | "container_format" if !formats_open => {
            return Err(Error::forbidden(format!(
                "Attribute {name} can be only replaced for a queued image."
            )));
        }
        "disk_format" => image.disk_format = text(value),
        "container_format" => image.container_format = text(value),
        "tags" => {
            let mut tags: Vec<String> = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(text)
                .collect();
            tags.sort();
            tags.dedup();
            image.tags = tags;
        }
        "locations" => {
            return Err(
                Error::forbidden("locations of an image are changed one by one")
                    .hint(Operation::AddLocation),
            );
        }
        property => {
            let value = text(value).unwrap_or_default();
            match image
                .properties
                .iter_mut()
                .find(|(name, _)| name == property)
            {
                Some((_, old)) => *old = value,
                None => image.properties.push((property.to_string(), value)),
            }
        }
    }
    Ok(())
}
