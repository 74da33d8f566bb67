//! The reasons why a client cannot be set up.

use std::fmt;
use std::path::PathBuf;

use crate::Error;

/// An error of another library.
pub(super) type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a client cannot be set up. No variant contains a secret.
#[derive(Debug)]
pub enum SetupError {
    /// A file cannot be read.
    File(Error),
    /// A file or directory of trusted certificates contains none.
    NoCertificate(PathBuf),
    /// A file does not contain a client certificate and its key.
    NoClientCertificate(PathBuf, Source),
    /// There are no trusted certificates.
    NothingTrusted(Source),
    /// A cipher list leaves no suite.
    NoCipherSuite(String),
    /// A configured proxy is not an address. It is not shown because it may contain a password.
    InvalidProxy,
    /// TLS cannot be set up.
    Tls(Source),
}

impl SetupError {
    /// Returns the underlying error, if it is one of another library.
    pub fn into_source(self) -> Option<Source> {
        match self {
            Self::NoClientCertificate(_, source)
            | Self::NothingTrusted(source)
            | Self::Tls(source) => Some(source),
            Self::File(_)
            | Self::NoCertificate(_)
            | Self::NoCipherSuite(_)
            | Self::InvalidProxy => None,
        }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::NoCertificate(path) => {
                write!(f, "{} contains no PEM certificate", path.display())
            }
            Self::NoClientCertificate(path, _) => {
                write!(f, "{} contains no certificate with a key", path.display())
            }
            Self::NothingTrusted(_) => f.write_str("no trusted certificates were found"),
            Self::NoCipherSuite(list) => {
                write!(f, "the cipher list {list}: no cipher suite is left")
            }
            Self::InvalidProxy => f.write_str("a configured proxy is not an address"),
            Self::Tls(_) => f.write_str("cannot set up TLS"),
        }
    }
}
