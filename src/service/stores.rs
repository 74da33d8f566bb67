//! Stores.

use async_trait::async_trait;

use crate::Result;
use crate::model::StoreInfo;

/// Stores.
#[async_trait]
pub trait Stores: Send + Sync {
    /// Returns the stores of the deployment, with their details if `detail`.
    ///
    /// # Errors
    /// `NotFound` without named stores; `Forbidden` for details unless the caller is an administrator.
    async fn list_stores(&self, detail: bool) -> Result<Vec<StoreInfo>>;

    /// Deletes an image's copy in a store: the record first, then the data.
    ///
    /// # Errors
    /// `NotFound` for the image, without named stores, and for a store without a copy; `Forbidden` unless
    /// the caller is an administrator, and for the only copy; `Conflict` for an unknown store, and for an
    /// image that is not active.
    async fn delete_from_store(&self, id: &str, store: &str) -> Result<()>;
}
