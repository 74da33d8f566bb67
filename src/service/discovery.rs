//! Properties of a deployment.

use async_trait::async_trait;

use crate::Result;

/// A quota and its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The name: `image_size_total` (MiB), `image_count_total`, …
    pub quota: String,
    /// The maximum; -1 is no limit.
    pub limit: i64,
    /// The current usage.
    pub usage: i64,
}

/// Properties of a deployment.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// Returns the import methods that are available to callers.
    async fn import_methods(&self) -> Result<Vec<String>>;

    /// Returns the quotas of the caller's project.
    async fn usage(&self) -> Result<Vec<Usage>>;

    /// Returns the JSON schema with that name: `image`, `images`, `member`, …
    ///
    /// # Errors
    /// `NotFound` for an unknown name.
    ///
    /// Schemas that are the same in every deployment need no request to a server.
    async fn schema(&self, name: &str) -> Result<serde_json::Value>;
}
