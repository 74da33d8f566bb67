//! Stores.

use async_trait::async_trait;

use crate::Result;
use crate::model::StoreInfo;

/// Stores.
#[async_trait]
pub trait Stores: Send + Sync {
    /// The stores of the deployment; with their details if asked.
    ///
    /// # Errors
    /// `NotFound` where there are no named stores; `Forbidden` for details asked by others than
    /// administrators.
    async fn list_stores(&self, detail: bool) -> Result<Vec<StoreInfo>>;

    /// Deletes the copy of an image that a store holds: the record first, then the data.
    ///
    /// # Errors
    /// `NotFound` for the image, where there are no named stores, and for a store that has no copy of it;
    /// `Forbidden` unless the caller is an administrator, and for the only copy; `Conflict` for a store that
    /// is none, and for an image that is not active.
    async fn delete_from_store(&self, id: &str, store: &str) -> Result<()>;
}
