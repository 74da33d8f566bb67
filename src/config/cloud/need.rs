//! Authentication methods, and the secrets that they need and the user can enter.

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

/// An authentication method of Keystone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A password.
    Password,
    /// A token.
    Token,
    /// A one-time passcode.
    Totp,
    /// An application credential.
    ApplicationCredential,
}

impl Method {
    /// Returns the secret of the method, if the user can enter it.
    pub(super) fn need(self) -> Option<Need> {
        match self {
            Self::Password => Some(Need::Password),
            Self::Totp => Some(Need::Passcode),
            Self::ApplicationCredential => Some(Need::CredentialSecret),
            Self::Token => None,
        }
    }
}
