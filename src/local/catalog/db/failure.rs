//! Translation of database errors, and which of them are transient.

use crate::{Error, ErrorKind};

/// Error numbers of MySQL and MariaDB.
mod number {
    pub(in crate::local::catalog) const DUPLICATE: [u16; 2] = [1062, 1586];
    pub(in crate::local::catalog) const LOCK_WAIT: u16 = 1205;
    pub(in crate::local::catalog) const DEADLOCK: u16 = 1213;
    /// The value is too long for its column, or cannot be represented in its character set.
    pub(in crate::local::catalog) const TOO_LONG: u16 = 1406;
    pub(in crate::local::catalog) const NO_CHARACTER: [u16; 3] = [1366, 1300, 1267];
    /// No permission for a database, a table, a column, or an operation.
    pub(in crate::local::catalog) const NOT_ALLOWED: [u16; 4] = [1044, 1142, 1143, 1227];
    pub(in crate::local::catalog) const FULL: [u16; 2] = [1021, 1114];
    pub(in crate::local::catalog) const READ_ONLY: [u16; 2] = [1290, 1836];
    /// Shutting down, killed, gone or lost connection; a Galera node that is not ready.
    pub(in crate::local::catalog) const LOST: [u16; 7] = [1047, 1053, 1152, 1317, 1927, 2006, 2013];
    /// Too many connections in total, or of a user.
    pub(in crate::local::catalog) const BUSY: [u16; 2] = [1040, 1203];
}

/// Primary result codes of SQLite: the last byte of an extended code.
mod code {
    pub(in crate::local::catalog) const BUSY: i32 = 5;
    pub(in crate::local::catalog) const LOCKED: i32 = 6;
    pub(in crate::local::catalog) const READ_ONLY: i32 = 8;
    pub(in crate::local::catalog) const IO: i32 = 10;
    pub(in crate::local::catalog) const CORRUPT: i32 = 11;
    pub(in crate::local::catalog) const FULL: i32 = 13;
    pub(in crate::local::catalog) const CANNOT_OPEN: i32 = 14;
    pub(in crate::local::catalog) const CONSTRAINT: i32 = 19;
    pub(in crate::local::catalog) const NOT_A_DATABASE: i32 = 26;
}

/// An error of one of the drivers.
pub(in crate::local) trait DriverError:
    std::error::Error + Send + Sync + 'static
{
    /// Returns the corresponding error of this program; None if there is no specific one.
    fn translate(&self) -> Option<Error>;

    /// Returns the message of the database, without the driver's text.
    fn text(&self) -> String;
}

impl DriverError for sqlx::Error {
    fn translate(&self) -> Option<Error> {
        if matches!(self, Self::PoolTimedOut) {
            return Some(no_connection());
        }
        if is_lost(self) {
            return Some(
                Error::new(
                    ErrorKind::Unavailable,
                    "the connection to the database was lost",
                )
                .hint("Check that its server is running, and try again."),
            );
        }
        let text = self.text();
        number(self).map(|number| of_server(number, &text))
    }

    fn text(&self) -> String {
        match self {
            Self::Database(error) => error.message().to_string(),
            other => other.to_string(),
        }
    }
}

impl DriverError for rusqlite::Error {
    fn translate(&self) -> Option<Error> {
        of_sqlite(sqlite_code(self)?, &self.text())
    }

    fn text(&self) -> String {
        match self {
            // The statement is in the text of the error.
            Self::SqlInputError { msg, .. } => msg.clone(),
            other => other.to_string(),
        }
    }
}

/// Translates a driver's error.
pub(in crate::local) fn failed(error: impl DriverError) -> Error {
    let translated = error.translate().unwrap_or_else(|| {
        Error::internal(format!(
            "the database refused a statement: {}",
            error.text()
        ))
    });
    translated.because(error)
}

/// Translates a primary result code of SQLite; None if SQLite refused a statement.
fn of_sqlite(code: i32, text: &str) -> Option<Error> {
    Some(match code {
        code::BUSY | code::LOCKED => locked(),
        code::READ_ONLY => Error::failed("the database cannot be opened for writing").hint(
            "Check that the file system is not mounted read-only, and the owner of the file and its directory.",
        ),
        code::CANNOT_OPEN => Error::failed("the database file cannot be opened")
            .hint("Check that it exists, and the owner of the file and its directory."),
        code::IO => Error::new(
            ErrorKind::Io,
            format!("an I/O error occurred on the database file: {text}"),
        )
        .hint("Check the disk and its file system; the log of the system may name the cause."),
        code::CORRUPT | code::NOT_A_DATABASE => {
            Error::internal("the database file is damaged, or is not an SQLite database")
                .hint("Restore it from a backup, or check that it is the right file.")
        }
        code::FULL => Error::too_large("the disk of the database is full"),
        _ => return None,
    })
}

/// Returns the error for an SQLite database that another process has locked for too long.
pub(in crate::local::catalog) fn locked() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the database is locked by another process",
    )
    .hint("Another command has held the lock for a minute. Find out which one, and try again.")
}

fn no_connection() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "no connection to the database was available in time",
    )
    .hint("Check that its server is running, and its limit of connections.")
}

/// Translates an error number of a server.
fn of_server(number: u16, text: &str) -> Error {
    match number {
        number::DEADLOCK | number::LOCK_WAIT => Error::new(
            ErrorKind::Unavailable,
            "the database is busy: other transactions are changing the same data",
        )
        .hint("Try again."),
        n if number::DUPLICATE.contains(&n) => {
            Error::conflict(format!("the database already has this row: {text}"))
        }
        number::TOO_LONG => Error::invalid(format!("a value is too long for the database: {text}")),
        n if number::NO_CHARACTER.contains(&n) => Error::invalid(format!(
            "the database cannot store a character of a value: {text}"
        )),
        n if number::NOT_ALLOWED.contains(&n) => {
            Error::failed(format!("the database does not allow this: {text}"))
                .hint("An administrator of its server can allow it with GRANT.")
        }
        n if number::FULL.contains(&n) => Error::too_large("the disk of the database is full"),
        n if number::READ_ONLY.contains(&n) => Error::new(
            ErrorKind::Unavailable,
            "the server of the database is read-only",
        ),
        n if number::BUSY.contains(&n) => Error::new(
            ErrorKind::Unavailable,
            format!("the server of the database is busy: {text}"),
        ),
        n => Error::internal(format!("the database refused a statement: {text} ({n})")),
    }
}

/// Returns the error number of a server.
pub(in crate::local::catalog) fn number(error: &sqlx::Error) -> Option<u16> {
    match error {
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .map(sqlx::mysql::MySqlDatabaseError::number),
        _ => None,
    }
}

/// Returns the primary result code of SQLite.
fn sqlite_code(error: &rusqlite::Error) -> Option<i32> {
    Some(error.sqlite_error()?.extended_code & 0xff)
}

/// Returns whether a connection broke, or could not be opened.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // TLS reports an untrusted certificate with this kind.
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        error => number(error).is_some_and(|number| number::LOST.contains(&number)),
    }
}

/// Returns whether a server that could not be connected to may be reachable in a moment.
pub(in crate::local::catalog) fn is_unreachable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::PoolTimedOut)
        || is_lost(error)
        || number(error).is_some_and(|number| number::BUSY.contains(&number))
}

/// The transient cause of a failed statement, or of a transaction that was not committed: a retry may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::local::catalog) enum Transient {
    /// The server rolled it back because of other transactions, or a wait for their locks timed out.
    RolledBack,
    /// Another process wrote the same data first.
    Conflict,
    /// The connection broke.
    Disconnected,
}

/// Returns the transient cause of an error.
pub(in crate::local::catalog) fn transient(error: &Error) -> Option<Transient> {
    let error = driver_error::<sqlx::Error>(error)?;
    if is_lost(error) {
        return Some(Transient::Disconnected);
    }
    match number(error)? {
        number::DEADLOCK | number::LOCK_WAIT => Some(Transient::RolledBack),
        n if number::DUPLICATE.contains(&n) => Some(Transient::Conflict),
        _ => None,
    }
}

/// Returns the driver's error that an error was translated from.
fn driver_error<E: DriverError>(error: &Error) -> Option<&E> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Returns whether another process has locked an SQLite database.
pub(in crate::local::catalog) fn is_locked(error: &Error) -> bool {
    let code = driver_error(error).and_then(sqlite_code);
    matches!(code, Some(code::BUSY | code::LOCKED))
}

/// Returns whether SQLite has certainly not committed a transaction: because of another connection's lock, or a
/// constraint. After an I/O error the whole transaction may be in the log.
pub(in crate::local::catalog) fn is_refusal(error: &Error) -> bool {
    let code = driver_error(error).and_then(sqlite_code);
    matches!(code, Some(code::BUSY | code::LOCKED | code::CONSTRAINT))
}

/// Returns the error of an in-doubt commit, which may have succeeded.
pub(in crate::local::catalog) fn in_doubt(error: Error) -> Error {
    let kind = error.kind();
    Error::new(kind, error.message())
        .hint("It is not known whether the change was made. Check before you try again.")
        .because(InDoubt(error))
}

/// The cause of the error of an in-doubt commit.
#[derive(Debug)]
struct InDoubt(Error);

impl std::fmt::Display for InDoubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is not known whether a change was made")
    }
}

impl std::error::Error for InDoubt {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Returns whether the outcome of a commit is unknown. Nothing that belongs to the change may be undone then.
pub fn is_in_doubt(error: &Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<InDoubt>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_without_a_free_connection_is_not_a_lost_connection() {
        let error = failed(sqlx::Error::PoolTimedOut);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("was available in time"), "{error}");
        assert_eq!(transient(&error), None);
        let broken = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let broken = failed(broken);
        assert_eq!(transient(&broken), Some(Transient::Disconnected));
        assert!(!is_in_doubt(&broken));
    }

    /// Returns the error of rusqlite with an extended result code.
    fn of_code(code: i32, text: &str) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(text.to_string()))
    }

    #[test]
    fn the_result_code_of_sqlite_decides_what_an_error_means() {
        // Busy, busy with a snapshot, locked with a shared cache; read-only in a directory; an I/O error of a sync;
        // damaged, no database; full; cannot be opened.
        for (codes, kind, text) in [
            (&[5, 517, 262][..], ErrorKind::Unavailable, "locked"),
            (&[8, 1544], ErrorKind::Failed, "opened for writing"),
            (&[10, 1034], ErrorKind::Io, "I/O error"),
            (&[11, 267, 26], ErrorKind::Internal, "damaged"),
            (&[13], ErrorKind::TooLarge, "full"),
            (&[14, 1038], ErrorKind::Failed, "cannot be opened"),
        ] {
            for code in codes {
                // The text of another error, such as the name of a table, decides nothing.
                let error = failed(of_code(*code, "database is locked, disk is full"));
                assert_eq!(error.kind(), kind, "{code}: {error}");
                assert!(error.message().contains(text), "{code}: {error}");
            }
        }
        let refused = failed(of_code(1, "no such table: database is locked"));
        assert_eq!(refused.kind(), ErrorKind::Internal);
        assert!(refused.message().contains("no such table"), "{refused}");
    }

    #[test]
    fn an_io_error_has_the_description_of_sqlite() {
        let error = failed(of_code(1034, "disk I/O error"));
        assert!(error.message().ends_with("disk I/O error"), "{error}");
        let hint = format!("{:?}", error.hints());
        assert!(hint.contains("disk"), "{hint}");
    }
}
