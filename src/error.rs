//! The error type of the library, and the table from its kinds to HTTP statuses and exit codes.

mod hint;

use std::fmt;
use std::path::Path;

pub use hint::{Hint, Operation, Parameter};

/// A result of any library floor.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error: the distinctions that callers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is invalid: a bad value, an unknown field.
    Invalid,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller may not do this, or it is not allowed in this state.
    Forbidden,
    /// The resource does not exist, or the caller may not see it.
    NotFound,
    /// The resource is in a state that does not allow it, or already exists.
    Conflict,
    /// The resource existed and was deleted concurrently.
    Gone,
    /// The data exceeds a limit, a quota or the storage.
    TooLarge,
    /// The data is not of the declared format, or its format is not allowed.
    UnsupportedMedia,
    /// A byte range outside of the data.
    RangeNotSatisfiable,
    /// The service failed.
    Internal,
    /// The service is temporarily unavailable.
    Unavailable,
    /// The command line is invalid (argparse's exit code 2).
    Usage,
    /// The operation was refused or failed on the client's side, before or without the service.
    Failed,
    /// The service cannot be reached, or sent an invalid response.
    Unreachable,
    /// An I/O error of a file, a pipe or a disk.
    Io,
    /// Data does not match its checksum.
    Corrupt,
    /// The user interrupted the command (a signal).
    Interrupted,
    /// The reader of the output closed the pipe.
    ClosedPipe,
}

impl ErrorKind {
    /// Returns the name for programs, such as `not_found`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::TooLarge => "too_large",
            Self::UnsupportedMedia => "unsupported_media",
            Self::RangeNotSatisfiable => "range_not_satisfiable",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Usage => "usage",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Io => "io",
            Self::Corrupt => "corrupt",
            Self::Interrupted => "interrupted",
            Self::ClosedPipe => "closed_pipe",
        }
    }

    /// Returns the HTTP status and reason phrase; None for errors on the client's side only.
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

    /// Returns the kind for an HTTP status.
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

    /// Returns the public sentence for an error of this kind.
    fn public_sentence(self) -> &'static str {
        match self {
            Self::Invalid => "The request is invalid.",
            Self::Unauthenticated => "Authentication is required.",
            Self::Forbidden => "The request is not allowed.",
            Self::NotFound => "The resource does not exist.",
            Self::Conflict => "The resource is in a state that does not allow the request.",
            Self::Gone => "The resource no longer exists.",
            Self::TooLarge => "The data exceeds a limit or the available storage.",
            Self::UnsupportedMedia => "The format of the data is not allowed.",
            Self::RangeNotSatisfiable => "The requested range is outside of the data.",
            Self::Unavailable => "The service is temporarily unavailable.",
            Self::Internal
            | Self::Usage
            | Self::Failed
            | Self::Unreachable
            | Self::Io
            | Self::Corrupt
            | Self::Interrupted
            | Self::ClosedPipe => "The service failed to process the request.",
        }
    }

    /// Returns whether an error of this kind is about the service or its host rather than about a request.
    fn is_internal(self) -> bool {
        self.status().is_none_or(|(status, _)| status >= 500)
    }

    /// Returns the exit code of a program that ends with this error.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Interrupted => 130,
            Self::ClosedPipe => 0,
            _ => 1,
        }
    }
}

/// A failure: a message for the user, and hints.
///
/// The message is a lowercase fragment that names the thing and the value. Messages and hints contain no secrets.
/// The message may name paths of the host; [`Error::public_message`] does not.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// The HTTP status of a server, if it differs from the kind's.
    status: Option<u16>,
    message: String,
    /// Whether the message is for users of the host only.
    is_private: bool,
    hints: Vec<Hint>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Creates an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            message: message.into(),
            is_private: false,
            hints: Vec::new(),
            source: None,
        }
    }

    /// Creates the error for a server's response with `status` and `message`.
    pub fn of_status(status: u16, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::of_status(status), message);
        error.status = Some(status);
        error
    }

    /// Creates an I/O error. `what` is the verb (`read`, `create`) for the operation on `path`.
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
        Self::new(kind, message).because(source).private()
    }

    /// Adds a hint, unless the error has it already.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Adds the hints of another error, for an error that replaces it.
    #[must_use]
    pub fn hints_of(self, other: &Self) -> Self {
        other.hints.iter().cloned().fold(self, Self::hint)
    }

    /// Puts the subject of the error, and a colon, before the message. Kind, source and hints remain.
    #[must_use]
    pub fn context(mut self, subject: impl fmt::Display) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// Keeps the message out of [`Error::public_message`].
    #[must_use]
    pub fn private(mut self) -> Self {
        self.is_private = true;
        self
    }

    /// Adds the cause of the error.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether the error is a server's response.
    pub fn is_answer(&self) -> bool {
        self.status.is_some()
    }

    /// Returns the HTTP status and reason phrase; None for errors on the client's side only.
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

    /// Returns the message, without hints and source.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the text for a caller over HTTP, who does not know the host: the message, if it is about the request
    /// and names no path of the host; otherwise a general sentence for the kind.
    ///
    /// A message is withheld if it is [private](Self::private), if its kind is a failure of the service, or if it
    /// contains an apparent absolute path or a `file:` URL. The last rule also withholds a JSON pointer with more
    /// than one segment.
    pub fn public_message(&self) -> &str {
        if self.is_private || self.kind.is_internal() || names_path(&self.message) {
            self.kind.public_sentence()
        } else {
            &self.message
        }
    }

    /// Returns the hints.
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }
}

/// Returns whether a text contains an absolute path of more than one segment, or a `file:` URL.
fn names_path(text: &str) -> bool {
    let is_path = |at: usize| {
        let before = text[..at].chars().next_back();
        let is_url = before == Some(':') && text[at..].starts_with("//");
        let starts_word = !is_url
            && before.is_none_or(|before| !before.is_alphanumeric() && !"/.-_~*".contains(before));
        let end = text[at..].find(char::is_whitespace);
        let word = end.map_or(&text[at..], |end| &text[at..at + end]);
        starts_word
            && word
                .split('/')
                .filter(|segment| !segment.is_empty())
                .count()
                > 1
    };
    let lower = text.to_ascii_lowercase();
    lower.contains("file:/")
        || lower.contains("filesystem:/")
        || text.match_indices('/').any(|(at, _)| is_path(at))
}

/// Returns the operating system's message for an I/O error, without Rust's "(os error N)".
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
    /// Creates an error: the request is invalid.
    invalid => Invalid;
    /// Creates an error: the caller may not do this.
    forbidden => Forbidden;
    /// Creates an error: the resource does not exist.
    not_found => NotFound;
    /// Creates an error: the state does not allow it.
    conflict => Conflict;
    /// Creates an error: a limit is exceeded.
    too_large => TooLarge;
    /// Creates an error: the format of the data is refused.
    unsupported_media => UnsupportedMedia;
    /// Creates an error: the command line is invalid.
    usage => Usage;
    /// Creates an error: the operation failed on the client's side.
    failed => Failed;
    /// Creates an error: the data does not match its checksum.
    corrupt => Corrupt;
    /// Creates an error: the service failed.
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
    fn a_public_message_names_no_path_of_the_host() {
        let path = "/var/lib/glance/images/5e";
        let denied = || std::io::Error::from_raw_os_error(13);
        for error in [
            Error::io("open", path, denied()),
            Error::io("open", path, denied()).context("store 'fast'"),
            Error::io("open", "images", denied()),
            Error::failed("broken"),
            Error::internal("broken").context("database glance on db.internal"),
            Error::new(ErrorKind::Unavailable, "the server db.internal is down"),
            Error::not_found(format!("image data {path} is missing")),
            Error::conflict(format!("'{path}' exists already")),
            Error::conflict("locked").context(format_args!("database {path}")),
            Error::conflict(format!("no room at ({path})")),
            Error::too_large(format!(
                "full: cannot write {path}: No space left on device"
            )),
            Error::invalid("Invalid location file:///etc/passwd"),
            Error::invalid("Invalid location FILE:/secret"),
            Error::invalid("option:/etc/passwd is not readable"),
            Error::not_found("'x' of the host's list").private(),
            Error::of_status(502, "bad gateway 10.0.0.7"),
        ] {
            let public = error.public_message();
            assert_eq!(public, error.kind().public_sentence(), "{error}");
            assert!(!public.contains('/'), "{public}");
            assert_ne!(public, error.message());
        }
    }

    #[test]
    fn a_public_message_is_the_message_about_a_request() {
        for error in [
            Error::not_found("No image found with ID x"),
            Error::forbidden("image 5e is protected").hint("Ask its owner."),
            Error::invalid("'a/b' is not a valid tag"),
            Error::invalid("Unsupported JSON pointer '/name'"),
            Error::invalid("Invalid location https://example.org/images/a.qcow2"),
            Error::conflict("locked").context("image 5e"),
            Error::of_status(418, "no and/or yes"),
        ] {
            assert_eq!(error.public_message(), error.message());
        }
    }

    #[test]
    fn every_kind_has_a_public_sentence_without_detail() {
        for status in (400..=599).chain([0]) {
            let sentence = ErrorKind::of_status(status).public_sentence();
            assert!(sentence.ends_with('.') && !sentence.contains(['/', ':']));
        }
    }

    #[test]
    fn context_keeps_kind_source_and_hints() {
        let error = Error::io("open", "/x", std::io::Error::from_raw_os_error(2))
            .hint("Mount the disk.")
            .hint(Operation::ListStores)
            .hint("Mount the disk.")
            .context("store 'fast'")
            .context("image 5e");
        assert_eq!(
            error.message(),
            "image 5e: store 'fast': cannot open /x: No such file or directory"
        );
        assert_eq!(error.kind(), ErrorKind::Io);
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<std::io::Error>());
        let hints = [Hint::from("Mount the disk."), Operation::ListStores.into()];
        assert_eq!(error.hints(), hints);
        let other = Error::failed("other").hint("First.").hints_of(&error);
        assert_eq!(other.hints().len(), 3);
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let e = Error::io("write", "-", std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(e.kind().exit_code(), 0);
    }
}
