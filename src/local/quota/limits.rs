//! Sources of project limits.

use async_trait::async_trait;

use crate::Result;
use crate::config::{ProjectLimits, Setting};

/// A source of project limits.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Returns the limits of `project`.
    ///
    /// # Errors
    /// `Failed` if the configuration of the source is invalid; `Unavailable` if it is a server that does not
    /// respond.
    async fn limits_of(&self, project: &str) -> Result<ProjectLimits>;
}

/// The configured limits, which are the same for all projects.
pub struct ConfiguredLimits(pub Setting<ProjectLimits>);

#[async_trait]
impl Limits for ConfiguredLimits {
    async fn limits_of(&self, _project: &str) -> Result<ProjectLimits> {
        self.0.copied()
    }
}
