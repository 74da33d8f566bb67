//! The catalogue of metadata definitions: `openstack image metadef`.

pub mod namespaces;
pub mod objects;
pub mod properties;
pub mod resource_types;

use crate::cli::registry::Grammar;
use crate::cli::ui::inline;
use crate::ops::Outcome;
use crate::{Error, ErrorKind, Result};

/// What failed of several things that were to be done, each for itself.
struct Failures {
    grammar: Grammar,
    failed: Vec<Error>,
}

impl Failures {
    /// None yet.
    fn of(grammar: Grammar) -> Self {
        Self {
            grammar,
            failed: Vec::new(),
        }
    }

    /// Notes that one failed, in the words that `describe` makes of the reason. A signal ends the rest.
    fn note<T>(&mut self, done: Result<T>, describe: impl Fn(&str) -> String) -> Result<()> {
        let grammar = self.grammar;
        self.add(done, |error| describe(&inline(grammar, error)))
    }

    /// The same without the status of the service's answer.
    fn note_plainly<T>(
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
        self.failed.push(match error.hint_text() {
            Some(hint) => failure.hint(hint),
            None => failure,
        });
        Ok(())
    }

    /// What the command came to; `summary` says how many failed.
    fn outcome(mut self, summary: impl Fn(usize) -> String) -> Outcome<'static> {
        if !self.failed.is_empty() {
            self.failed.push(Error::failed(summary(self.failed.len())));
        }
        Outcome::nothing().failing(self.failed)
    }
}
