//! Downloads from the image service of another region.
//!
//! *Source:* `_ImportMetadata` in `glance/async_/flows/api_image_import.py` and
//! `glance/async_/flows/_internal_plugins/glance_download.py` of the reference implementation.

use super::fetch::Fetched;
use crate::local::Local;
use crate::model::{Elsewhere, Image, ImageStatus};
use crate::service::Reading;
use crate::{Error, Parameter, Result};

impl Local {
    /// Opens the data of an image of another region, and copies from its record the formats, the configured
    /// properties, and the hashes, with which the data is compared.
    pub(super) async fn fetch_from_region(
        &self,
        elsewhere: &Elsewhere,
        image: &mut Image,
    ) -> Result<Fetched> {
        let regions = self.regions.as_ref().ok_or_else(|| {
            if self.caller.request_id.is_some() {
                return Error::failed("glance-download requires a token of Keystone");
            }
            Error::failed("glance-download requires a configured cloud").hint(Parameter::Cloud)
        })?;
        let interface = elsewhere.interface.as_deref();
        let service = regions.open(&elsewhere.region, interface).await?;
        let theirs = service.get_image(&elsewhere.image_id).await?;
        if theirs.status != ImageStatus::Active {
            return Err(Error::failed(format!(
                "Source image status should be active instead of {}",
                theirs.status
            )));
        }
        let size = theirs.size.ok_or_else(|| {
            Error::failed(format!(
                "Size attribute of remote image {} could not be determined.",
                theirs.id
            ))
        })?;
        let wanted = self.settings.import.extra_properties.get()?;
        for (name, value) in &theirs.properties {
            let wanted = wanted
                .iter()
                .any(|prefix| name.starts_with(prefix.as_str()));
            if wanted && !name.starts_with("os_glance") {
                image.set_property(name, value);
            }
        }
        image.disk_format.clone_from(&theirs.disk_format);
        image.container_format.clone_from(&theirs.container_format);
        image.size = Some(size);
        image.checksum.clone_from(&theirs.checksum);
        image.hash.clone_from(&theirs.hash);
        let id = theirs.id.clone();
        let reading = Reading {
            known: Some(theirs),
            ..Reading::default()
        };
        let opened = service.open_image(&id, reading).await?;
        let source = opened
            .source
            .ok_or_else(|| Error::failed(format!("image {id} has no data")))?;
        Ok(Fetched {
            source,
            size: Some(size),
        })
    }
}
