//! Locations of image data.

use async_trait::async_trait;

use crate::Result;
use crate::model::{Location, MultiHash};
use crate::service::Running;

/// The location API. Locations are changed otherwise by patches: see [`super::Images::update_image`].
#[async_trait]
pub trait Locations: Send + Sync {
    /// Registers the data at `url` for a queued image. The service reads the data to compute its hashes,
    /// and it MUST have the `expected` one, if there is one. The address MUST belong to a store of the
    /// deployment, and credentials in it MUST NOT appear in a message. This SHOULD be complete on return. If the
    /// service does it later, the image stays queued after a failure.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if it is not the caller's project's, for addresses other than http and
    /// https, and for any if the deployment reads no web servers; `Conflict` in any status but queued;
    /// `Invalid` for an invalid hash. If it is done immediately: `Invalid` for an address without data and
    /// without formats, `Corrupt` for data with another hash.
    async fn register_location(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<()>;

    /// Begins the registration of data, for a caller that does not wait for the data to be read. What can be checked without
    /// its content is checked before this returns. A service SHOULD record the outcome in a task of the image.
    ///
    /// # Errors
    /// Same as [`Locations::register_location`]; those about the content are errors of the rest.
    async fn begin_registration(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<Running> {
        self.register_location(id, url, expected).await?;
        Ok(Box::pin(async { Ok(()) }))
    }

    /// Returns the locations of an image for services that read its data themselves, whether or not images are shown with them. Empty
    /// without data.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is a service or an administrator.
    async fn locations(&self, id: &str) -> Result<Vec<Location>>;
}
