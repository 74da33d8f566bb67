//! Failures of commands that continue after an error.

use crate::cli::command::grammar::Grammar;
use crate::cli::run::ui::inline;
use crate::ops::Outcome;
use crate::{Error, ErrorKind, Result};

/// The failures of a command that continues after errors.
pub(super) struct Failures {
    grammar: Grammar,
    failed: Vec<Error>,
}

impl Failures {
    /// Returns an empty collection.
    pub(super) fn of(grammar: Grammar) -> Self {
        Self {
            grammar,
            failed: Vec::new(),
        }
    }

    /// Records a failure; `describe` words it from the reason. A signal is returned as an error.
    pub(super) fn note<T>(
        &mut self,
        done: Result<T>,
        describe: impl Fn(&str) -> String,
    ) -> Result<()> {
        let grammar = self.grammar;
        self.add(done, |error| describe(&inline(grammar, error)))
    }

    /// Records a failure like [`Self::note`], but without the status of the response in the reason.
    pub(super) fn note_plainly<T>(
        &mut self,
        done: Result<T>,
        describe: impl Fn(&str) -> String,
    ) -> Result<()> {
        self.add(done, |error| describe(error.message()))
    }

    fn add<T>(&mut self, done: Result<T>, describe: impl Fn(&Error) -> String) -> Result<()> {
        let Err(error) = done else { return Ok(()) };
        if error.kind() == ErrorKind::Interrupted {
            return Err(error);
        }
        let failure = Error::failed(describe(&error));
        self.failed.push(failure.hints_of(&error));
        Ok(())
    }

    /// Returns the result of the command; `summary` words the number of failures.
    pub(super) fn outcome(mut self, summary: impl Fn(usize) -> String) -> Outcome<'static> {
        if !self.failed.is_empty() {
            self.failed.push(Error::failed(summary(self.failed.len())));
        }
        Outcome::nothing().failing(self.failed)
    }
}
