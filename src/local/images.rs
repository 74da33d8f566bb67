//! Image records.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use uuid::Uuid;

use super::attributes::{set, text};
use super::catalog::{Transaction, is_in_doubt, is_property};
use super::events::Event;
use super::journal::explained;
use super::patch::changed;
use super::policy::{Access, Action, ImageTarget, Target};
use super::{Local, StoredImage};
use crate::model::schema::check_writable;
use crate::model::{Fields, Image, ImagePatch, ImageQuery, ImageStatus, NewImage, Visibility};
use crate::service::{CacheKeeper, ImageStream, Images};
use crate::{Error, Operation, Result};

#[async_trait]
impl Images for Local {
    async fn create_image(&self, new: NewImage) -> Result<Image> {
        let image = self.new_image(&new)?;
        self.policy
            .check(&self.caller, Action::AddImage, Target::NewImage(&image))?;
        self.check_visibility(image.visibility, Target::NewImage(&image))?;
        for (property, _) in &image.properties {
            self.policy
                .check_access(&self.caller, Access::Create, property)?;
        }
        self.check_quotas(&image)?;
        let limits = self.project_limits().await?;
        self.catalog
            .write(async |transaction| {
                self.check_count(&transaction, limits).await?;
                transaction.insert_image(&image).await
            })
            .await?;
        self.emit(&self.caller, &Event::ImageCreated(&image));
        self.shown(image, Vec::new())
    }

    async fn get_image(&self, id: &str) -> Result<Image> {
        let stored = self.find_gettable(id).await?;
        self.shown(stored.image, stored.locations)
    }

    fn sorts_by_code_points(&self) -> bool {
        true
    }

    fn filters_property(&self, name: &str) -> bool {
        is_property(name)
    }

    fn list_images(&self, mut query: ImageQuery) -> ImageStream<'_> {
        let asked = query.fields;
        let has_rules = match self.rules_of_list() {
            Ok(has_rules) => has_rules,
            Err(refused) => return stream::once(async { Err(refused) }).boxed(),
        };
        if has_rules {
            // A rule may depend on any of them.
            query.fields = Fields::ALL;
        }
        let chunks = self.catalog.list_images(query, &self.caller);
        let shown = move |mut image: Image| -> Result<Option<Image>> {
            if has_rules && !self.is_listed(&image)? {
                return Ok(None);
            }
            if !asked.properties {
                image.properties = Vec::new();
            }
            let mut locations = image.locations.take().unwrap_or_default();
            if !asked.locations {
                self.hide_properties(&mut image)?;
                return Ok(Some(image));
            }
            self.sort(&mut locations);
            self.shown(image, locations).map(Some)
        };
        chunks
            .map(move |images| {
                let shown = images?.into_iter().map(&shown);
                shown.filter_map(Result::transpose).collect()
            })
            .boxed()
    }

    async fn update_image(&self, id: &str, patch: &ImagePatch) -> Result<Image> {
        patch.check(&self.allowed()?)?;
        if patch.is_empty() {
            return self.get_image(id).await;
        }
        let (local, id, patch) = (self.clone(), id.to_string(), patch.clone());
        let change = async move { local.patch_image(&id, &patch).await };
        self.spawn(change).await
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
    /// Deletes the record of an image, then its data.
    async fn delete(&self, id: &str) -> Result<()> {
        let stored = self.find(id).await?;
        self.check_delete(&stored)?;
        let noted = stored.locations.clone();
        let was_staged = stored.image.status.may_be_staged();
        // Data that waits for the scrubber is not removed here.
        let delayed = self.settings.delayed_delete.copied()?;
        let waits = delayed && !noted.is_empty();
        let removals = if waits { &[][..] } else { &noted[..] };
        let deletion = self.begin_deletion(id, removals, was_staged).await?;
        // Everything is checked again under the lock.
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
                    return Err(changed(id));
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
            // The outcome is unknown: the journal entry stays for recovery.
            Err(error) if is_in_doubt(&error) => return Err(error),
            Err(error) => return Err(explained(error, self.abandon_deletion(deletion).await)),
        };
        if let Some(cache) = self.download_cache() {
            // The image is deleted even if its cached copy is not. The copy is never served, and pruned later.
            let _ = cache.delete_cached(id).await;
        }
        finished
    }

    /// Returns an image that the caller may change, locked until the transaction ends.
    async fn changeable(&self, transaction: &Transaction, id: &str) -> Result<StoredImage> {
        let found = transaction.load_image(id, &self.caller.project).await?;
        let stored = self.visible(found, id)?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::ModifyImage, target)?;
        Ok(stored)
    }

    /// Checks that the caller may list images. Returns whether rules decide on each of them.
    fn rules_of_list(&self) -> Result<bool> {
        self.policy
            .check(&self.caller, Action::GetImages, Target::OwnProject)?;
        self.policy.has_rules()
    }

    /// Returns whether the rules allow the caller to see an image in a list of those that are visible to it.
    fn is_listed(&self, image: &Image) -> Result<bool> {
        let target = ImageTarget::new(image, true);
        self.policy.may(&self.caller, Action::GetImage, target)
    }

    /// Returns the image that a request for a new one describes.
    fn new_image(&self, new: &NewImage) -> Result<Image> {
        let now = self.catalog.now();
        let mut image = Image::queued(String::new(), now);
        // A caller without a login has no project.
        image.owner = Some(self.caller.project.clone()).filter(|owner| !owner.is_empty());
        // A violation of the schema is reported before attributes that the caller cannot set.
        let allowed = self.allowed()?;
        for (name, value) in &new.attributes {
            allowed.validate(name, value)?;
        }
        for (name, value) in &new.attributes {
            check_writable(name)?;
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

    /// Checks that the caller may give a visibility to an image.
    pub(super) fn check_visibility(
        &self,
        visibility: Visibility,
        target: Target<'_>,
    ) -> Result<()> {
        let action = match visibility {
            Visibility::Public => Action::PublicizeImage,
            Visibility::Community => Action::CommunitizeImage,
            Visibility::Shared | Visibility::Private => return Ok(()),
        };
        self.policy.check(&self.caller, action, target)
    }

    /// Checks that the caller may delete an image, and that it is not protected.
    fn check_delete(&self, stored: &StoredImage) -> Result<()> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::DeleteImage, target)?;
        if stored.image.protected {
            let id = &stored.image.id;
            return Err(Error::forbidden(format!(
                "Image {id} is protected and cannot be deleted."
            ))
            .hint(Operation::UnprotectImage(id.clone())));
        }
        Ok(())
    }

    /// Checks the numbers of properties and tags.
    pub(super) fn check_quotas(&self, image: &Image) -> Result<()> {
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

    /// Changes the status of an image that has data.
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
                self.policy.check(&self.caller, action, target)?;
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
