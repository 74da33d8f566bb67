//! Operations: what a command does, shared by both grammars, on top of the service interface.
//!
//! An operation takes a request, calls the service, and returns what to print. It never prints.

pub mod cache;
pub mod caches;
pub mod download;
pub mod images;
pub mod imports;
pub mod locations;
pub mod members;
pub mod metadefs;
pub mod scrub;
pub mod stores;
pub mod tasks;
pub mod views;

use crate::output::View;
use crate::service::Running;
use crate::{Error, Hint};

/// The result of a command.
pub struct Outcome<'a> {
    /// The output on stdout.
    pub view: View<'a>,
    /// Messages for stderr that are not failures.
    pub notices: Vec<String>,
    /// Hints for stderr, about the messages.
    pub hints: Vec<Hint>,
    /// Failures after which the command continued. The exit code is that of the first one.
    pub failures: Vec<Error>,
    /// Work to await after the output has been printed.
    pub then: Option<Running>,
}

impl<'a> Outcome<'a> {
    /// Returns a result without output.
    pub fn nothing() -> Self {
        Self::from(View::Nothing)
    }

    /// Returns a result with output.
    pub fn from(view: View<'a>) -> Self {
        Self {
            view,
            notices: Vec::new(),
            hints: Vec::new(),
            failures: Vec::new(),
            then: None,
        }
    }

    /// Adds work to await after printing.
    #[must_use]
    pub fn then(mut self, running: Running) -> Self {
        self.then = Some(running);
        self
    }

    /// Adds failures.
    #[must_use]
    pub fn failing(mut self, failures: impl IntoIterator<Item = Error>) -> Self {
        self.failures.extend(failures);
        self
    }
}
