//! Imports of image data.

use async_trait::async_trait;
use futures_core::future::BoxFuture;

use super::ImageService;
use crate::Result;
use crate::data::{Source, Watch};
use crate::model::Import;

/// The data to stage and its parameters.
pub struct Staging {
    /// The source of the data.
    pub source: Source,
    /// The size in bytes that the caller declares; data of another size is refused.
    pub size: Option<u64>,
    /// Receives the progress, and may stop the transfer.
    pub watch: Watch,
}

/// The image services of other regions, for downloads from them.
#[async_trait]
pub trait Regions: Send + Sync {
    /// Opens the image service of a region, at one of its interfaces, or the default interface.
    ///
    /// # Errors
    /// Any error from authentication; `NotFound` for a region without an image service.
    async fn open(&self, region: &str, interface: Option<&str>) -> Result<Box<dyn ImageService>>;
}

/// The rest of an operation that has started. It runs on when this is awaited or dropped, as long as the
/// process does. A process that exits earlier leaves the image to crash recovery, so a caller that is about
/// to exit MUST await it.
pub type Running = BoxFuture<'static, Result<()>>;

/// Imports: a task stores data that is in the staging area, fetched, or copied.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Stores data for a queued image in the staging area. The image becomes `uploading` and gets the
    /// data's size. After any error it stays queued with nothing staged.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` in any status but queued; `Invalid` for a size other than
    /// declared; `TooLarge` beyond a limit or if the disk is full; the errors of reading the source.
    async fn stage_image(&self, id: &str, staging: Staging) -> Result<()>;

    /// Starts a task that imports the data of an image. It has begun when this returns, and continues in
    /// the returned future or in the service; [`Tasks::image_tasks`](super::Tasks::image_tasks) reports it.
    /// A failed import leaves the image as it was, or queued.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` for a method that is not available, an address that is not
    /// allowed, a store that already has the image; `Conflict` for an unknown store, in a status that the
    /// method does not support, without formats, and during another import. The returned future fails with
    /// the task's message if it runs the task.
    async fn import_image(&self, id: &str, import: Import, watch: Watch) -> Result<Running>;

    /// Returns the URL of the service that staged the data of an image, also to callers that may not get the image; None if no
    /// data is staged, and from a service that does not report it.
    ///
    /// # Errors
    /// `NotFound`.
    async fn stage_host(&self, _id: &str) -> Result<Option<String>> {
        Ok(None)
    }
}
