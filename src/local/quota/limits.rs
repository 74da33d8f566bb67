//! Where the limits of projects come from.

use async_trait::async_trait;

use crate::Result;
use crate::config::{ProjectLimits, Setting};

/// A source of what projects may use.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Returns what `project` may use.
    ///
    /// # Errors
    /// `Failed` where the configuration of it is refused; `Unavailable` where a server has to be asked and does not answer.
    async fn limits_of(&self, project: &str) -> Result<ProjectLimits>;
}

/// The limits that the configuration has for every project.
pub struct ConfiguredLimits(pub Setting<ProjectLimits>);

#[async_trait]
impl Limits for ConfiguredLimits {
    async fn limits_of(&self, _project: &str) -> Result<ProjectLimits> {
        self.0.copied()
    }
}
