//! The local engine: the Images API on a catalogue and stores, without a server.
//!
//! [`Engine`] is the deployment, opened once and shared. [`Local`] is its service for one caller.
//!
//! Each operation follows its specification in order: policy, status transition, limits, one transaction.

mod attributes;
pub mod cache;
pub mod catalog;
mod data;
mod deletion;
mod directories;
mod discovery;
mod engine;
pub mod events;
mod images;
mod import;
mod inspection;
mod journal;
mod locations;
mod members;
pub mod metadefs;
pub mod names;
pub mod notifier;
mod patch;
pub mod policy;
pub mod quota;
mod registration;
mod reserve;
mod scrub;
mod staging;
pub mod store;
mod storing;
mod tasks;
pub mod visibility;

pub use directories::{database, lost_database};
pub use engine::Engine;
pub use scrub::ScrubEvent;

use std::ops::Deref;
use std::sync::Arc;

use catalog::StoredImage;
use policy::{Access, Action, ImageTarget};

use crate::Result;
use crate::data::Watch;
use crate::model::schema::Allowed;
use crate::model::{Caller, Image};
use crate::service::Regions;

/// The Images API of a deployment for one caller. Clones are cheap.
#[derive(Clone)]
pub struct Local {
    engine: Arc<Engine>,
    caller: Caller,
    regions: Option<Arc<dyn Regions>>,
    /// Whether data is read back from its store before it is recorded.
    verifies_stored: bool,
}

/// Access to the parts that do not depend on the caller.
impl Deref for Local {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Local {
    /// Returns the same service with access to other regions for downloads.
    #[must_use]
    pub fn with_regions(mut self, regions: Arc<dyn Regions>) -> Self {
        self.regions = Some(regions);
        self
    }

    /// Returns the same service, which reads data that it has stored back from the store, and compares its hashes,
    /// before the data is recorded.
    #[must_use]
    pub fn verifying_stored(mut self) -> Self {
        self.verifies_stored = true;
        self
    }

    /// Runs a change with several steps as a separate task, so that it completes or undoes itself if the caller
    /// goes away: dropping the returned future stops the transfers of the change.
    ///
    /// # Errors
    /// Errors of the change.
    async fn to_its_end<T, W>(
        &self,
        watch: &Watch,
        change: impl FnOnce(Self, Watch) -> W,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let (watch, stop) = watch.child();
        let done = self.spawn(change(self.clone(), watch)).await;
        stop.disarm();
        done
    }

    /// Loads an image that is visible to the caller. Policies decide what the caller may do with it.
    async fn find(&self, id: &str) -> Result<StoredImage> {
        let stored = self.catalog.load_image(id, &self.caller.project).await?;
        self.visible(stored, id)
    }

    /// Returns the image that was loaded, if it is visible to the caller.
    fn visible(&self, stored: Option<StoredImage>, id: &str) -> Result<StoredImage> {
        let mut stored = stored.ok_or_else(|| visibility::not_found(id))?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        if !visibility::may_see(&self.caller, target) {
            return Err(visibility::not_found(id));
        }
        self.sort(&mut stored.locations);
        Ok(stored)
    }

    /// Loads an image that the caller may get.
    async fn find_gettable(&self, id: &str) -> Result<StoredImage> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy.check(&self.caller, Action::GetImage, target)?;
        Ok(stored)
    }

    /// Returns an image that the caller has changed, whether or not the rules let the caller get it.
    async fn changed_image(&self, id: &str) -> Result<Image> {
        let stored = self.find(id).await?;
        self.shown(stored.image, stored.locations)
    }

    /// Removes the properties that the caller may not read.
    ///
    /// # Errors
    /// `Failed` or `Io` if the property protections are invalid.
    fn hide_properties(&self, image: &mut Image) -> Result<()> {
        if !self.policy.protects_properties()? {
            return Ok(());
        }
        let mut readable = Vec::new();
        for (name, value) in std::mem::take(&mut image.properties) {
            if self.policy.may_access(&self.caller, Access::Read, &name)? {
                readable.push((name, value));
            }
        }
        image.properties = readable;
        Ok(())
    }

    /// Returns the record as the API shows it to the caller, with locations and stores if the deployment exposes
    /// them, and with the properties that the caller may read. Only administrators see the locations of a deactivated
    /// image.
    ///
    /// # Errors
    /// `Failed` if the configuration of the exposure is invalid; the errors of [`Local::hide_properties`].
    fn shown(&self, mut image: Image, locations: Vec<crate::model::Location>) -> Result<Image> {
        self.hide_properties(&mut image)?;
        let deactivated = image.status == crate::model::ImageStatus::Deactivated;
        let hidden = deactivated && !self.caller.is_admin();
        let locations = if hidden { Vec::new() } else { locations };
        if self.stores.named() {
            let stores: Vec<String> = locations
                .iter()
                .filter_map(|at| at.store().map(str::to_string))
                .collect();
            image.stores = (!stores.is_empty()).then_some(stores);
        }
        let exposure = self.settings.exposure.get()?;
        image.direct_url = locations
            .first()
            .filter(|_| exposure.direct_url)
            .map(|at| at.url.clone());
        image.locations = exposure.locations.then_some(locations);
        Ok(image)
    }
}

impl Engine {
    /// Sorts the locations of an image by the weight of their stores, if stores have names. Locations with equal
    /// weight stay in the order in which they were added.
    ///
    /// *Source:* `sort_image_locations` in `glance/common/utils.py` of the reference implementation.
    fn sort(&self, locations: &mut [crate::model::Location]) {
        if locations.len() > 1 && self.stores.named() {
            locations.sort_by_cached_key(|at| std::cmp::Reverse(self.stores.weight(at)));
        }
    }

    /// Returns the allowed formats of images.
    fn allowed(&self) -> Result<Allowed> {
        let formats = self.settings.formats.get()?;
        Ok(Allowed {
            disk_formats: formats.disk.clone(),
            container_formats: formats.container.clone(),
        })
    }
}
