//! Configuration values that are refused only where they are used.

use crate::error::{Error, Hint, Result};

/// A value of the configuration, or the reason why it is refused.
///
/// A deployment's configuration serves other programs as well. A value that a command does not need must
/// not stop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T>(Result<T, Refusal>);

/// The reason why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    /// `FILE:LINE: [section] option: why`.
    message: String,
    hints: Vec<Hint>,
}

impl<T> Setting<T> {
    /// Returns the value.
    ///
    /// # Errors
    /// `Failed`, `FILE:LINE: [section] option: why`, if it is refused.
    pub fn get(&self) -> Result<&T> {
        self.0.as_ref().map_err(|refusal| {
            let error = Error::failed(refusal.message.clone());
            refusal.hints.iter().cloned().fold(error, Error::hint)
        })
    }

    /// Returns a copy of the value.
    ///
    /// # Errors
    /// The errors of [`Setting::get`].
    pub fn copied(&self) -> Result<T>
    where
        T: Copy,
    {
        self.get().copied()
    }
}

impl<T> From<T> for Setting<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

impl<T> From<Result<T>> for Setting<T> {
    fn from(read: Result<T>) -> Self {
        Self(read.map_err(|error| Refusal {
            message: error.message().to_string(),
            hints: error.hints().to_vec(),
        }))
    }
}
