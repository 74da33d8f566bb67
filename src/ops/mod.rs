//! What a command does, once for both grammars, over the service interface.
//!
//! An operation takes a request, asks the service, and gives back what is to be printed. It never
//! prints.

pub mod cache;
pub mod caches;
pub mod images;
pub mod imports;
pub mod locations;
pub mod members;
pub mod metadefs;
pub mod saving;
pub mod scrub;
pub mod stores;
pub mod tasks;
pub mod views;

use crate::Error;
use crate::output::View;
use crate::service::Running;

/// What a command came to.
pub struct Outcome<'a> {
    /// What to print.
    pub view: View<'a>,
    /// What to say on stderr without failing.
    pub notices: Vec<String>,
    /// What failed all the same; the program exits with the first one's code.
    pub failures: Vec<Error>,
    /// What is left to do once all that was said.
    pub then: Option<Running>,
}

impl<'a> Outcome<'a> {
    /// Nothing to say.
    pub fn nothing() -> Self {
        Self::from(View::Nothing)
    }

    /// Something to print.
    pub fn from(view: View<'a>) -> Self {
        Self {
            view,
            notices: Vec::new(),
            failures: Vec::new(),
            then: None,
        }
    }

    /// The same, with something left to do.
    #[must_use]
    pub fn then(mut self, running: Running) -> Self {
        self.then = Some(running);
        self
    }

    /// The same with failures.
    #[must_use]
    pub fn failing(mut self, failures: impl IntoIterator<Item = Error>) -> Self {
        self.failures.extend(failures);
        self
    }
}
