//! Operations: what a command does, shared by both grammars, on top of the service interface.
//!
//! An operation takes a request, calls the service, and returns what to print. It never prints.

pub mod cache;
pub mod caches;
pub mod doctor;
pub mod download;
pub mod fields;
pub mod identity;
pub mod images;
pub mod imports;
pub mod locations;
pub mod members;
pub mod metadefs;
pub mod names;

use crate::output::View;
use crate::service::Running;
use crate::{Error, Hint};

/// The result of a command.
pub struct Outcome<'a> {
    /// A line above the output.
    pub heading: Option<String>,
    /// The output on stdout.
    pub view: View<'a>,
    /// The output in place of heading and view if a format for programs was selected; None if the view is for programs,
    /// too.
    pub data: Option<View<'a>>,
    /// Messages for stderr that are not failures.
    pub notices: Vec<String>,
    /// Hints for stderr, about the messages.
    pub hints: Vec<Hint>,
    /// Failures after which the command continued. The exit code is that of the first one.
    pub failures: Vec<Error>,
    /// Work to await after the output has been printed.
    pub then: Option<Running>,
    /// The exit code unless there are failures.
    pub exit_code: u8,
}

impl<'a> Outcome<'a> {
    /// Returns a result without output.
    pub fn nothing() -> Self {
        Self::from(View::Nothing)
    }

    /// Returns a result with output.
    pub fn from(view: View<'a>) -> Self {
        Self {
            heading: None,
            view,
            data: None,
            notices: Vec::new(),
            hints: Vec::new(),
            failures: Vec::new(),
            then: None,
            exit_code: 0,
        }
    }

    /// Returns a result with a text as its output.
    pub fn text(text: impl Into<String>) -> Self {
        Self::from(View::Text(text.into()))
    }

    /// Sets the output for programs.
    #[must_use]
    pub fn with_data(mut self, data: View<'a>) -> Self {
        self.data = Some(data);
        self
    }

    /// Sets the exit code of a command that does not fail.
    #[must_use]
    pub fn exiting(mut self, code: u8) -> Self {
        self.exit_code = code;
        self
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
