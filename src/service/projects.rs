//! Projects, as whoever names one knows them.

use async_trait::async_trait;

use crate::Result;

/// Projects, as far as whoever names one needs to know.
#[async_trait]
pub trait Projects: Send + Sync {
    /// The id of the project that `word` names or is the id of; in a domain, where one is given.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Conflict` where there are several.
    async fn find_project(&self, word: &str, domain: Option<&str>) -> Result<String>;

    /// The id of the project that the caller acts for.
    ///
    /// # Errors
    /// `Failed` where that is not known: the caller has a token alone, or acts for no project.
    async fn own_project(&self) -> Result<String>;
}
