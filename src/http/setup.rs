//! The reasons why a client cannot be set up.

use std::fmt;
use std::path::PathBuf;

use crate::Error;

/// An error of another library.
pub(super) type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a client cannot be set up. No variant holds a secret.
#[derive(Debug)]
pub enum SetupError {
    /// A file cannot be read.
    File(Error),
    /// A file or directory of certificates to trust holds none.
    NoCertificate(PathBuf),
    /// A file does not hold a certificate to present, and its key.
    NoClientCertificate(PathBuf, Source),
    /// There are no certificates to trust at all.
    NothingTrusted(Source),
    /// A list of ciphers leaves none.
    NoCipherSuite(String),
    /// A configured proxy is not an address. It may hold a password, and is not shown.
    InvalidProxy,
    /// TLS cannot be set up.
    Tls(Source),
}

impl SetupError {
    /// Returns the error underneath, where there is one of another library.
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
                write!(f, "{} holds no certificate in PEM", path.display())
            }
            Self::NoClientCertificate(path, _) => {
                write!(f, "{} holds no certificate with a key", path.display())
            }
            Self::NothingTrusted(_) => f.write_str("no trusted certificates were found"),
            Self::NoCipherSuite(list) => {
                write!(f, "no cipher suite is left by the list {list}")
            }
            Self::InvalidProxy => f.write_str("a configured proxy is not an address"),
            Self::Tls(_) => f.write_str("cannot set up TLS"),
        }
    }
}
