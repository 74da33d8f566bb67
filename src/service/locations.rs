//! Locations of image data.

use async_trait::async_trait;

use crate::Result;
use crate::model::{Image, Location, MultiHash, ValidationData};

/// The locations of image data, as far as the deployment allows callers to see and change them.
///
/// An address MUST belong to a store of the deployment, and MUST NOT be a file on the service's own
/// machine; it MUST have data. Credentials in an address MUST NOT appear in a message.
#[async_trait]
pub trait Locations: Send + Sync {
    /// Adds a location to an image, and returns its new record. A queued image becomes active with the size
    /// of the data and the hashes that the caller provides; the data is not read.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if it is not the caller's, or locations are not shown; `Conflict` for an
    /// image that is neither queued nor active, and for hashes that differ from the image's; `Invalid` for
    /// an address that is invalid or has no data, for a location that it has with the same metadata, and
    /// without formats; `TooLarge` beyond a quota.
    async fn add_location(
        &self,
        id: &str,
        location: Location,
        validation: ValidationData,
    ) -> Result<Image>;

    /// Replaces the locations of an image with `locations`: the same addresses with other metadata. An
    /// image without locations accepts any, as [`Locations::add_location`] does.
    ///
    /// # Errors
    /// The errors of [`Locations::add_location`]; `Invalid` for addresses that differ from the image's,
    /// `Forbidden` for an empty list.
    async fn replace_locations(&self, id: &str, locations: Vec<Location>) -> Result<Image>;

    /// Removes the locations at `positions` (from 0, in the order of the record) from an image, all or
    /// none, and deletes the data that no other location refers to.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an administrator, if locations are not shown, and for
    /// the last one; `Conflict` for an image that is not active; `Invalid` for a position out of range.
    async fn remove_locations(&self, id: &str, positions: &[usize]) -> Result<Image>;

    /// Removes the locations at `positions` of `known`, the list as the caller read it, as
    /// [`Locations::remove_locations`] does. A location that another caller has moved is found at its new
    /// position. Servers have no request for that: over a network the positions are used.
    ///
    /// # Errors
    /// The errors of [`Locations::remove_locations`]; `Conflict` if a location no longer exists.
    async fn remove_known_locations(
        &self,
        id: &str,
        _known: &[Location],
        positions: &[usize],
    ) -> Result<Image> {
        self.remove_locations(id, positions).await
    }

    /// Registers the data at `url` for a queued image. The service reads the data to compute its hashes,
    /// and it MUST have the `expected` one, if there is one. This SHOULD be complete on return. If the
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
}
