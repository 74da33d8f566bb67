//! Image records.

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::Result;
use crate::model::{Image, ImagePatch, ImageQuery, NewImage};

/// Images in chunks, in the requested order.
pub type ImageStream<'a> = BoxStream<'a, Result<Vec<Image>>>;

/// Image records.
#[async_trait]
pub trait Images: Send + Sync {
    /// Creates a record without data, with the status `queued`.
    ///
    /// # Errors
    /// `Invalid` for a value that violates the image schema, `Forbidden` for an attribute that is read-only
    /// or reserved and for an owner or visibility that the caller may not set, `Conflict` for an ID that
    /// was ever used, `TooLarge` beyond a quota.
    async fn create_image(&self, new: NewImage) -> Result<Image>;

    /// Returns the record of an image by its ID.
    ///
    /// # Errors
    /// `NotFound` if there is none that is visible to the caller.
    async fn get_image(&self, id: &str) -> Result<Image>;

    /// Returns whether lists can be sorted by code points; see [`ImageQuery::code_points`].
    fn sorts_by_code_points(&self) -> bool;

    /// Returns whether a filter by the attribute `name` selects the images with a custom property of that
    /// name and value.
    fn filters_property(&self, name: &str) -> bool;

    /// Returns the matching images, in order. MUST NOT hold them all in memory; an error ends the stream.
    ///
    /// # Errors
    /// In the stream: `Invalid` for an unknown filter, sort key or marker.
    fn list_images(&self, query: ImageQuery) -> ImageStream<'_>;

    /// Applies the operations of a patch in order, all or none, and returns the new record. An empty patch
    /// changes nothing.
    ///
    /// The address of a new location MUST belong to a store of the deployment, and MUST NOT be a file on the
    /// service's own machine; it MUST have data. Credentials in an address MUST NOT appear in a message. A
    /// queued image becomes active with its first location, with the size of the data and the hashes that
    /// the caller provides; the data is not read. The data of a removed location SHOULD be deleted only once
    /// the whole patch is recorded.
    ///
    /// Over a network, tags are added one by one after the other operations.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, `Forbidden` and `TooLarge` as for creation; `Conflict` if a property to
    /// replace or remove does not exist, or one to create exists.
    ///
    /// For locations also: `Forbidden` if they are not shown, for an empty list, for the removal of the last
    /// one, and for any removal unless the caller is an administrator; `Conflict` for an image that is
    /// neither queued nor active, for hashes that differ from the image's, and for a known location that no
    /// longer exists; `Invalid` for an address that is invalid or has no data, for a location that the image
    /// has with the same metadata, for a list of other addresses, for a position out of range, and without
    /// formats.
    async fn update_image(&self, id: &str, patch: &ImagePatch) -> Result<Image>;

    /// Applies a patch as [`Images::update_image`] does, without returning the record, which may save a
    /// request.
    ///
    /// # Errors
    /// The errors of [`Images::update_image`].
    async fn apply_patch(&self, id: &str, patch: &ImagePatch) -> Result<()> {
        self.update_image(id, patch).await.map(drop)
    }

    /// Deletes an image and its data. With delayed deletion the scrubber removes the data later.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (protected, or not the caller's), `Conflict` (in use).
    async fn delete_image(&self, id: &str) -> Result<()>;

    /// Restricts downloads to administrators. No effect on an image that is deactivated.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if it is not the caller's, or has a status other than active.
    async fn deactivate_image(&self, id: &str) -> Result<()>;

    /// Undoes [`Images::deactivate_image`]. No effect on an image that is active.
    ///
    /// # Errors
    /// The errors of [`Images::deactivate_image`].
    async fn reactivate_image(&self, id: &str) -> Result<()>;

    /// Adds a tag of at most 255 characters. No effect if the image has it.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `TooLarge` beyond the quota of tags.
    async fn add_tag(&self, id: &str, tag: &str) -> Result<()>;

    /// Removes a tag.
    ///
    /// # Errors
    /// `NotFound` for the image and for the tag, `Forbidden`.
    async fn remove_tag(&self, id: &str, tag: &str) -> Result<()>;
}
