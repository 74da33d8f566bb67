//! The local engine: the Images API on a catalogue and stores, without a server.
//!
//! [`Engine`] is the deployment, opened once and shared; [`Local`] is the service that one caller has of it.
//!
//! A straight line, not an onion: each operation reads like its specification. May the caller? Is the
//! transition legal? Within the limits? One transaction; done.

pub mod cache;
pub mod catalog;
mod data;
mod deletion;
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
pub mod policy;
pub mod quota;
mod reserve;
mod scrub;
mod staging;
pub mod store;
mod storing;
mod tasks;
mod validation;
pub mod visibility;

pub use engine::{Engine, database};
pub use scrub::ScrubEvent;

use std::ops::Deref;
use std::sync::Arc;

use catalog::StoredImage;
use policy::ImageTarget;

use crate::Result;
use crate::data::Watch;
use crate::model::schema::Allowed;
use crate::model::{Caller, Image};
use crate::service::Regions;

/// The Images API of a deployment as one caller may use it. A clone is cheap.
#[derive(Clone)]
pub struct Local {
    engine: Arc<Engine>,
    caller: Caller,
    regions: Option<Arc<dyn Regions>>,
}

/// What does not depend on the caller.
impl Deref for Local {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Local {
    /// Returns the same service, able to download images from other regions.
    #[must_use]
    pub fn with_regions(mut self, regions: Arc<dyn Regions>) -> Self {
        self.regions = Some(regions);
        self
    }

    /// Runs a change of several steps as a task of its own, so that a caller who goes away leaves nothing half-done:
    /// dropping the returned future stops the transfers of the change, which then undoes itself.
    ///
    /// # Errors
    /// Those of the change.
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

    /// An image that the caller may see.
    async fn find(&self, id: &str) -> Result<StoredImage> {
        let stored = self.catalog.load_image(id, &self.caller.project).await?;
        self.visible(stored, id)
    }

    /// What was loaded, if the caller may see it.
    fn visible(&self, stored: Option<StoredImage>, id: &str) -> Result<StoredImage> {
        let mut stored = stored
            .filter(|stored| {
                visibility::may_see(
                    &self.caller,
                    ImageTarget::new(&stored.image, stored.is_member),
                )
            })
            .ok_or_else(|| visibility::not_found(id))?;
        self.sort(&mut stored.locations);
        Ok(stored)
    }

    /// The record as the API shows it to the caller: with its locations and stores where the
    /// deployment gives them away; those of a deactivated image to administrators alone.
    ///
    /// # Errors
    /// `Failed` where the configuration of that is refused.
    fn shown(&self, mut image: Image, locations: Vec<crate::model::Location>) -> Result<Image> {
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
    /// Puts the locations of an image in the order of its record: the store of most weight first, where
    /// stores have names, and those of equal weight as they were added.
    ///
    /// *Source:* `sort_image_locations` in `glance/common/utils.py` of the reference implementation.
    fn sort(&self, locations: &mut [crate::model::Location]) {
        if locations.len() > 1 && self.stores.named() {
            locations.sort_by_cached_key(|at| std::cmp::Reverse(self.stores.weight(at)));
        }
    }

    /// The formats and names that records may have.
    fn allowed(&self) -> Result<Allowed> {
        let formats = self.settings.formats.get()?;
        Ok(Allowed {
            disk_formats: formats.disk.clone(),
            container_formats: formats.container.clone(),
        })
    }
}
