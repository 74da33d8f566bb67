//! The one error of the library, and the one table of what each kind of it means
//! to an HTTP client and to a shell.

use std::fmt;
use std::path::Path;

/// A result of any library floor.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as coarsely as a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: a bad value, an unknown field.
    Invalid,
    /// Nobody, or somebody unknown, is asking.
    Unauthenticated,
    /// The caller may not do this, or nobody may in this state.
    Forbidden,
    /// No such thing, as far as this caller may know.
    NotFound,
    /// The thing is in a state that does not allow it, or exists already.
    Conflict,
    /// The thing was there and went away meanwhile.
    Gone,
    /// Larger than a limit, a quota or the storage allows.
    TooLarge,
    /// The data is not of the format that was declared, or of none that is allowed.
    UnsupportedMedia,
    /// A byte range outside the data.
    RangeNotSatisfiable,
    /// The service broke.
    Internal,
    /// The service cannot answer now.
    Unavailable,
    /// The command line is wrong (argparse's exit code 2).
    Usage,
    /// Refused or failed on our side, before or without the service.
    Failed,
    /// The service cannot be reached, or does not speak as it should.
    Unreachable,
    /// A file, a pipe or a disk failed.
    Io,
    /// Data is not what its checksum says.
    Corrupt,
    /// The user asked us to stop (a signal).
    Interrupted,
    /// Whoever read our output has enough.
    ClosedPipe,
}

impl ErrorKind {
    /// HTTP status and reason phrase; None for what only happens on the client's side.
    pub fn status(self) -> Option<(u16, &'static str)> {
        Some(match self {
            Self::Invalid => (400, "Bad Request"),
            Self::Unauthenticated => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::Conflict => (409, "Conflict"),
            Self::Gone => (410, "Gone"),
            Self::TooLarge => (413, "Request Entity Too Large"),
            Self::UnsupportedMedia => (415, "Unsupported Media Type"),
            Self::RangeNotSatisfiable => (416, "Requested Range Not Satisfiable"),
            Self::Internal => (500, "Internal Server Error"),
            Self::Unavailable => (503, "Service Unavailable"),
            Self::Usage
            | Self::Failed
            | Self::Unreachable
            | Self::Io
            | Self::Corrupt
            | Self::Interrupted
            | Self::ClosedPipe => return None,
        })
    }

    /// The kind that an HTTP status means.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMedia,
            416 => Self::RangeNotSatisfiable,
            400..=499 => Self::Invalid,
            502..=504 => Self::Unavailable,
            500..=599 => Self::Internal,
            _ => Self::Unreachable,
        }
    }

    /// Exit code of a program that ends with this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Interrupted => 130,
            Self::ClosedPipe => 0,
            _ => 1,
        }
    }
}

/// What failed, in a message for a person; with a hint where something can be done.
///
/// The message is a lowercase fragment that names the thing and the value; the hint is one
/// sentence that can be acted on. Neither ever holds a secret.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// The HTTP status of a server, where it is another than the kind's.
    status: Option<u16>,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// What a server answered with `status` and says in `message`.
    pub fn of_status(status: u16, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::of_status(status), message);
        error.status = Some(status);
        error
    }

    /// An I/O failure while doing `what` (a verb: "read", "create") to `path`.
    pub fn io(what: &str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::BrokenPipe => ErrorKind::ClosedPipe,
            _ => ErrorKind::Io,
        };
        let message = format!(
            "cannot {what} {}: {}",
            path.as_ref().display(),
            describe(&source)
        );
        Self::new(kind, message).because(source)
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with one more sentence of a hint.
    #[must_use]
    pub fn and_hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(match self.hint {
            Some(before) => format!("{before} {}", hint.as_ref()),
            None => hint.as_ref().to_string(),
        });
        self
    }

    /// The same error, whose message begins with what it is about.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same error with the one that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether this is the answer of a server.
    pub fn is_answer(&self) -> bool {
        self.status.is_some()
    }

    /// HTTP status and reason phrase; None for what only happens on the client's side.
    pub fn status(&self) -> Option<(u16, &'static str)> {
        let of_kind = self.kind.status();
        match self.status {
            Some(status) if of_kind.is_none_or(|(of_kind, _)| of_kind != status) => {
                let known = http::StatusCode::from_u16(status).ok();
                let reason = known.and_then(|status| status.canonical_reason());
                Some((status, reason.unwrap_or("Unknown")))
            }
            _ => of_kind,
        }
    }

    /// The message alone, without hint or source.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the user can do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// An I/O error in the operating system's words, without Rust's "(os error N)".
pub(crate) fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        impl Error {
            $($(#[$doc])*
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(ErrorKind::$kind, message)
            })*
        }
    };
}

constructors! {
    /// The request is wrong.
    invalid => Invalid;
    /// The caller may not.
    forbidden => Forbidden;
    /// There is no such thing.
    not_found => NotFound;
    /// The state does not allow it.
    conflict => Conflict;
    /// A limit is exceeded.
    too_large => TooLarge;
    /// The data's format is refused.
    unsupported_media => UnsupportedMedia;
    /// The command line is wrong.
    usage => Usage;
    /// Failed on our side.
    failed => Failed;
    /// The data does not match its checksum.
    corrupt => Corrupt;
    /// The service broke.
    internal => Internal;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_name_the_path_and_not_the_errno() {
        let e = Error::io("open", "/x/y", std::io::Error::from_raw_os_error(2));
        assert_eq!(e.message(), "cannot open /x/y: No such file or directory");
        assert_eq!(e.kind().exit_code(), 1);
    }

    #[test]
    fn a_status_and_its_kind_mean_each_other() {
        for status in [400, 401, 403, 404, 409, 410, 413, 415, 416, 500, 503] {
            let kind = ErrorKind::of_status(status);
            assert_eq!(kind.status().map(|(status, _)| status), Some(status));
        }
        let status = |status| Error::of_status(status, "").status();
        assert_eq!(status(413), Some((413, "Request Entity Too Large")));
        assert_eq!(status(502), Some((502, "Bad Gateway")));
        assert_eq!(status(418), Some((418, "I'm a teapot")));
        assert_eq!(status(599), Some((599, "Unknown")));
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let e = Error::io("write", "-", std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(e.kind().exit_code(), 0);
    }
}
