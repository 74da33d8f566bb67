//! Errors of the libraries.

use std::fmt;
use std::io;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error numbers that callers distinguish.
pub mod errno {
    /// Operation not permitted.
    pub const EPERM: i32 = 1;
    /// No such file or directory.
    pub const ENOENT: i32 = 2;
    /// Permission denied.
    pub const EACCES: i32 = 13;
    /// Device or resource busy: an image has watchers, a snapshot has clones.
    pub const EBUSY: i32 = 16;
    /// File exists.
    pub const EEXIST: i32 = 17;
    /// Invalid argument; also an attempt to unprotect a snapshot that is not protected.
    pub const EINVAL: i32 = 22;
    /// No space left on device.
    pub const ENOSPC: i32 = 28;
    /// Read-only file system: another client has the exclusive lock of an image.
    pub const EROFS: i32 = 30;
    /// Numerical result out of range: a buffer is too small.
    pub const ERANGE: i32 = 34;
    /// Directory not empty: an image has snapshots.
    pub const ENOTEMPTY: i32 = 39;
    /// Operation not supported, as by a cluster without the authentication that a client requires.
    pub const EOPNOTSUPP: i32 = 95;
    /// The client was blocklisted.
    pub const ESHUTDOWN: i32 = 108;
    /// Connection timed out.
    pub const ETIMEDOUT: i32 = 110;
    /// Disk quota exceeded.
    pub const EDQUOT: i32 = 122;
}

/// The names of library functions, in errors.
pub type Call = &'static str;

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A library cannot be loaded, or lacks a function.
    Library {
        /// The file name of the library.
        file: &'static str,
        /// The Debian package that contains it.
        package: &'static str,
        /// The reason, as the dynamic linker reports it.
        reason: String,
    },
    /// A function of a library failed.
    Call {
        /// The name of the function.
        call: Call,
        /// The positive error number.
        errno: i32,
    },
    /// A text contains a NUL character, which the libraries cannot represent.
    Text,
}

impl Error {
    /// Returns the error number; None if no function of a library failed.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Call { errno, .. } => Some(*errno),
            Self::Library { .. } | Self::Text => None,
        }
    }

    /// Returns whether a function failed with this error number.
    pub fn is(&self, errno: i32) -> bool {
        self.errno() == Some(errno)
    }

    /// Returns the operating system's text for the error number.
    pub fn reason(&self) -> String {
        match self {
            Self::Call { errno, .. } => {
                let text = io::Error::from_raw_os_error(*errno).to_string();
                match text.find(" (os error ") {
                    Some(at) => text[..at].to_string(),
                    None => text,
                }
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library {
                file,
                package,
                reason,
            } => write!(
                f,
                "{file} cannot be loaded (Debian package {package}): {reason}"
            ),
            Self::Call { call, .. } => write!(f, "{call}: {}", self.reason()),
            Self::Text => f.write_str("a name contains a NUL character"),
        }
    }
}

impl std::error::Error for Error {}

/// Returns the error of a function that returned a negative error number, else the number.
pub(crate) fn check(call: Call, returned: impl Into<i64>) -> Result<i64> {
    let returned = returned.into();
    if returned < 0 {
        return Err(Error::Call {
            call,
            errno: i32::try_from(-returned).unwrap_or(i32::MAX),
        });
    }
    Ok(returned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_names_the_function_and_the_reason() {
        let error = check("rbd_open", -2).unwrap_err();
        assert_eq!(error.to_string(), "rbd_open: No such file or directory");
        assert!(error.is(errno::ENOENT) && !error.is(errno::EBUSY));
        assert_eq!(check("rbd_open", 7), Ok(7));
    }

    #[test]
    fn a_missing_library_names_its_package() {
        let error = Error::Library {
            file: "librbd.so.1",
            package: "librbd1",
            reason: "no such file".to_string(),
        };
        assert_eq!(error.errno(), None);
        assert_eq!(
            error.to_string(),
            "librbd.so.1 cannot be loaded (Debian package librbd1): no such file"
        );
    }
}
