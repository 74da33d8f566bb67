//! What a deployment tells of itself.

use async_trait::async_trait;

use crate::Result;

/// A quota and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Name: `image_size_total` (MiB), `image_count_total`, …
    pub quota: String,
    /// Most that may be used; -1 is no limit.
    pub limit: i64,
    /// What is used.
    pub usage: i64,
}

/// What a deployment tells of itself.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// The ways to import images that are open to callers.
    async fn import_methods(&self) -> Result<Vec<String>>;

    /// The quotas of the caller's project.
    async fn usage(&self) -> Result<Vec<Usage>>;

    /// The JSON schema of that name: `image`, `images`, `member`, …
    ///
    /// # Errors
    /// `NotFound` for one that is not known.
    ///
    /// A server need not be asked for what is the same everywhere.
    async fn schema(&self, name: &str) -> Result<serde_json::Value>;
}
