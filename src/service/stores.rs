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
}
