//! Lookup of projects.

use async_trait::async_trait;

use crate::Result;

/// A lookup of projects.
#[async_trait]
pub trait Projects: Send + Sync {
    /// Returns the ID of the project with the name or ID `word`; in a domain, if one is given.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Conflict` if there are several.
    async fn find_project(&self, word: &str, domain: Option<&str>) -> Result<String>;

    /// Returns the ID of the caller's project.
    ///
    /// # Errors
    /// `Failed` if it is unknown: the caller has only a token, or acts for no project.
    async fn own_project(&self) -> Result<String>;
}
