//! Image records.

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::Result;
use crate::model::{Change, Image, ImageQuery, NewImage};

/// Images in chunks, in the order asked for.
pub type ImageStream<'a> = BoxStream<'a, Result<Vec<Image>>>;

/// Image records.
#[async_trait]
pub trait Images: Send + Sync {
    /// Makes a record without data, in state `queued`.
    ///
    /// # Errors
    /// `Invalid` for a value that the image schema refuses, `Forbidden` for an attribute that is
    /// read-only or reserved and for an owner or visibility the caller may not give, `Conflict` for an
    /// id that was ever used, `TooLarge` beyond a quota.
    async fn create_image(&self, new: NewImage) -> Result<Image>;

    /// The record of one image by its id.
    ///
    /// # Errors
    /// `NotFound` when there is none that the caller may see.
    async fn get_image(&self, id: &str) -> Result<Image>;

    /// Whether lists can be sorted by code points; see [`ImageQuery::code_points`].
    fn sorts_by_code_points(&self) -> bool;

    /// Whether a filter by the attribute `name` selects the images with a custom property of that name, and value.
    fn filters_property(&self, name: &str) -> bool;

    /// The images that match, in order. MUST NOT hold them all in memory; an error ends the stream.
    ///
    /// # Errors
    /// In the stream: `Invalid` for a filter, a sort key or a marker that is not known.
    fn list_images(&self, query: ImageQuery) -> ImageStream<'_>;

    /// Applies `changes` in order, all or none, and gives the record as it is then.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, `Forbidden` and `TooLarge` as for creation; `Conflict` when a property to
    /// replace or remove is not there.
    async fn update_image(&self, id: &str, changes: &[Change]) -> Result<Image>;

    /// Applies `changes` as [`Images::update_image`] does, and returns no record: a server is not asked for
    /// what its answers do not have. Over a network, tags are attached one by one after the other changes.
    ///
    /// # Errors
    /// As there.
    async fn apply_changes(&self, id: &str, changes: &[Change]) -> Result<()>;

    /// Deletes an image and its data. Where deletion is delayed, the scrubber takes the data later.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (protected, or not the caller's), `Conflict` (in use).
    async fn delete_image(&self, id: &str) -> Result<()>;

    /// Keeps everyone but administrators from downloading. An image that is deactivated stays so.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when not the caller's, or in any other state than active.
    async fn deactivate_image(&self, id: &str) -> Result<()>;

    /// Undoes [`Images::deactivate_image`]. An image that is active stays so.
    ///
    /// # Errors
    /// As there.
    async fn reactivate_image(&self, id: &str) -> Result<()>;

    /// Attaches a tag, at most 255 characters. One that is attached stays so.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `TooLarge` beyond the quota of tags.
    async fn add_tag(&self, id: &str, tag: &str) -> Result<()>;

    /// Takes a tag off.
    ///
    /// # Errors
    /// `NotFound` for the image and for the tag, `Forbidden`.
    async fn remove_tag(&self, id: &str, tag: &str) -> Result<()>;
}
