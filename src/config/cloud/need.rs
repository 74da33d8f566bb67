//! Secrets that a login needs and the user can enter.

use super::fields::{self, Field};

/// A secret that the user can enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The password.
    Password,
    /// The one-time passcode.
    Passcode,
    /// The secret of the application credential.
    CredentialSecret,
}

impl Need {
    pub(super) fn field(self) -> &'static Field {
        match self {
            Self::Password => &fields::PASSWORD,
            Self::Passcode => &fields::PASSCODE,
            Self::CredentialSecret => &fields::CREDENTIAL_SECRET,
        }
    }

    /// Returns the label of the prompt.
    pub fn prompt(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Passcode => "One-time passcode",
            Self::CredentialSecret => "Secret of the application credential",
        }
    }
}
