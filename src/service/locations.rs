//! Where the data of images is.

use async_trait::async_trait;

use crate::Result;
use crate::model::{Image, Location, MultiHash, ValidationData};

/// Where the data of images is, as far as the deployment lets callers know and change that.
///
/// An address MUST be of a store that the deployment has, and never of a file of the service's own
/// machine; there MUST be data. Nothing of the credentials in one MUST show in a message.
#[async_trait]
pub trait Locations: Send + Sync {
    /// Adds an address to those of an image, and gives its record as it is then. A queued image becomes
    /// active with the size of what is there, and the hashes that the caller says it has: it is not read.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when not the caller's, or where locations are not shown; `Conflict` for an
    /// image that is neither queued nor active, and for other hashes than it has; `Invalid` for an address
    /// that is none or has no data, for one that it has with the same metadata, and without formats;
    /// `TooLarge` beyond a quota.
    async fn add_location(
        &self,
        id: &str,
        location: Location,
        validation: ValidationData,
    ) -> Result<Image>;

    /// Puts `locations` in the place of those of an image: the same addresses with other metadata; or any,
    /// if it has none, as for [`Locations::add_location`].
    ///
    /// # Errors
    /// As there; `Invalid` for other addresses than it has, `Forbidden` for none.
    async fn replace_locations(&self, id: &str, locations: Vec<Location>) -> Result<Image>;

    /// Takes the locations at `positions` (from 0, in the order of the record) off an image, all or none,
    /// and deletes the data that only they name.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an administrator, where locations are not shown, and
    /// for the last one; `Conflict` for an image that is not active; `Invalid` for a position that is none.
    async fn remove_locations(&self, id: &str, positions: &[usize]) -> Result<Image>;

    /// Takes the locations at `positions` of `known`, the list as the caller read it, off an image as
    /// [`Locations::remove_locations`] does. One that another caller moved meanwhile is found where it is. A
    /// server has no request for that: over a network the positions count.
    ///
    /// # Errors
    /// As there; `Conflict` when one is not there any more.
    async fn remove_known_locations(
        &self,
        id: &str,
        _known: &[Location],
        positions: &[usize],
    ) -> Result<Image> {
        self.remove_locations(id, positions).await
    }

    /// Makes a queued image that of the data at `url`, which the service reads to know its hashes; it MUST
    /// have the `expected` one, if there is one. It SHOULD be done when this returns; where the service does
    /// it later, a failure shows in that the image stays queued.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when not the caller's project's, and for addresses of other kinds than http
    /// and https, or of any where no web servers are read; `Conflict` in any state but queued; `Invalid` for
    /// a hash that is none. Where it is done at once: `Invalid` for an address without data and without
    /// formats, `Corrupt` for data with another hash.
    async fn register_location(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<()>;
}
