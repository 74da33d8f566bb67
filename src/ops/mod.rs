//! What a command does, once for both grammars, over the service interface.
//!
//! An operation takes a request, asks the service, and gives back what is to be printed. It never
//! prints.

pub mod images;
pub mod locations;
pub mod members;
pub mod saving;
pub mod stores;
pub mod views;

use crate::Error;
use crate::output::View;

/// What a command came to.
pub struct Outcome<'a> {
    /// What to print.
    pub view: View<'a>,
    /// What to say on stderr without failing.
    pub notices: Vec<String>,
    /// What failed all the same; the program exits with the first one's code.
    pub failures: Vec<Error>,
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
        }
    }

    /// The same with failures.
    #[must_use]
    pub fn failing(mut self, failures: impl IntoIterator<Item = Error>) -> Self {
        self.failures.extend(failures);
        self
    }
}
