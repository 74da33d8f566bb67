//! Data that gets in by other ways than an upload.

use async_trait::async_trait;
use futures_core::future::BoxFuture;

use super::ImageService;
use crate::Result;
use crate::data::{Source, Watch};
use crate::model::Import;

/// Data on its way to the staging area.
pub struct Staging {
    /// Where it comes from.
    pub source: Source,
    /// Bytes, when the caller promises a number; other than that is refused.
    pub size: Option<u64>,
    /// Who watches, and may stop it.
    pub watch: Watch,
}

/// The image services of other regions, for those who download from them.
#[async_trait]
pub trait Regions: Send + Sync {
    /// The image service of a region, by one of its interfaces; by the usual one if none is named.
    ///
    /// # Errors
    /// Those of the login, and `NotFound` for a region without an image service.
    async fn open(&self, region: &str, interface: Option<&str>) -> Result<Box<dyn ImageService>>;
}

/// The rest of an operation that has started, which begins when this is awaited or dropped. It ends by itself as
/// long as the process does not; a process that exits before leaves the image to crash recovery, so a caller that is
/// about to exit MUST await it.
pub type Running = BoxFuture<'static, Result<()>>;

/// Imports: the data waits in a staging area, is fetched or copied, and is stored by a task.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Keeps data for a queued image in the staging area; it is `uploading` then, and has the data's size.
    /// When anything fails, the image stays queued with nothing staged.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` in any state but queued; `Invalid` for another size than
    /// promised; `TooLarge` beyond a limit or when the disk is full; those of reading the source.
    async fn stage_image(&self, id: &str, staging: Staging) -> Result<()>;

    /// Has a task import the data of an image: it has begun when this comes back, and goes on in what
    /// this gives back, or behind the service, of which [`Tasks::image_tasks`](super::Tasks::image_tasks)
    /// tells. An import that fails leaves the image as it was, or queued.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` for a method that is not on offer, an address that is not
    /// allowed, a store that has the image already; `Conflict` for a store that there is not, in a state
    /// that the method is not for, without formats, and while another import goes on. What is left to do
    /// fails with the task's message, where it is done here.
    async fn import_image(&self, id: &str, import: Import, watch: Watch) -> Result<Running>;
}
