//! What a database says when it refuses, in words; and what may be tried again.

use sea_orm::{DbErr, RuntimeErr};

use crate::{Error, ErrorKind};

/// Numbers of errors of MySQL and MariaDB.
mod number {
    pub(super) const DUPLICATE: [u16; 2] = [1062, 1586];
    pub(super) const LOCK_WAIT: u16 = 1205;
    pub(super) const DEADLOCK: u16 = 1213;
    /// Too long for its column; no text in its character set, or none that could be in it.
    pub(super) const TOO_LONG: u16 = 1406;
    pub(super) const NO_CHARACTER: [u16; 3] = [1366, 1300, 1267];
    /// May not use a database, a table, a column; may not at all.
    pub(super) const NOT_ALLOWED: [u16; 4] = [1044, 1142, 1143, 1227];
    pub(super) const FULL: [u16; 2] = [1021, 1114];
    pub(super) const READ_ONLY: [u16; 2] = [1290, 1836];
    /// Shutting down, killed, gone, lost; a Galera node that is not ready.
    pub(super) const LOST: [u16; 7] = [1047, 1053, 1152, 1317, 1927, 2006, 2013];
    /// Too many connections, of all or of a user.
    pub(super) const BUSY: [u16; 2] = [1040, 1203];
}

/// An SQL error in words; a database that stays locked is the service being unavailable.
pub(super) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    if let Some(said) = of_server(&error) {
        return said.because(error);
    }
    let text = error.to_string();
    if text.contains("database is locked") || text.contains("database table is locked") {
        return Error::new(
            ErrorKind::Unavailable,
            "the database is locked by another process",
        )
        .hint("Another command has held it for a minute; see which one, and try again.")
        .because(error);
    }
    if text.contains("disk is full") {
        return Error::too_large("the disk that holds the database is full").because(error);
    }
    if text.contains("readonly database") || text.contains("unable to open database file") {
        return Error::failed("the database cannot be opened for writing")
            .hint(
                "Check that the file system is writable, and who owns the file and its directory.",
            )
            .because(error);
    }
    if text.contains("is not a database") || text.contains("malformed") {
        return Error::internal(
            "the database file is damaged, cannot be read, or is not an SQLite database",
        )
        .because(error);
    }
    Error::internal(format!("the database refused a statement: {text}")).because(error)
}

/// What a server or the way to it means; None of what SQLite says.
fn of_server(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    if is_none_free(error) {
        return Some(
            Error::new(
                ErrorKind::Unavailable,
                "no connection to the database could be made, or was free, in time",
            )
            .hint("See whether its server runs, and how many connections may be open."),
        );
    }
    let error = sqlx_error(error)?;
    if is_lost(error) {
        return Some(
            Error::new(
                ErrorKind::Unavailable,
                "the connection to the database was lost",
            )
            .hint("See whether its server runs, and try again."),
        );
    }
    let number = number(error)?;
    let text = match error {
        sqlx::Error::Database(said) => said.message().to_owned(),
        other => other.to_string(),
    };
    Some(match number {
        number::DEADLOCK | number::LOCK_WAIT => Error::new(
            ErrorKind::Unavailable,
            "the database is busy: others change what is to be changed",
        )
        .hint("Try again."),
        n if number::DUPLICATE.contains(&n) => {
            Error::conflict(format!("the database holds that already: {text}"))
        }
        number::TOO_LONG => Error::invalid(format!("the database has no room for a value: {text}")),
        n if number::NO_CHARACTER.contains(&n) => Error::invalid(format!(
            "the database cannot keep a character of a value: {text}"
        )),
        n if number::NOT_ALLOWED.contains(&n) => {
            Error::failed(format!("the database does not allow this: {text}"))
                .hint("An administrator of its server allows it with GRANT.")
        }
        n if number::FULL.contains(&n) => {
            Error::too_large("the disk that holds the database is full")
        }
        n if number::READ_ONLY.contains(&n) => Error::new(
            ErrorKind::Unavailable,
            "the server of the database is read-only",
        ),
        n if number::BUSY.contains(&n) => Error::new(
            ErrorKind::Unavailable,
            format!("the server of the database is busy: {text}"),
        ),
        n => Error::internal(format!("the database refused a statement: {text} ({n})")),
    })
}

/// Whether it was a connection of ours that was waited for.
fn is_none_free(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_abstraction = matches!(
        error.downcast_ref::<DbErr>(),
        Some(DbErr::ConnectionAcquire(_))
    );
    let of_driver = matches!(
        error.downcast_ref::<sqlx::Error>(),
        Some(sqlx::Error::PoolTimedOut)
    );
    of_abstraction || of_driver
}

/// What of it comes from the driver.
fn sqlx_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e sqlx::Error> {
    if let Some(error) = error.downcast_ref::<sqlx::Error>() {
        return Some(error);
    }
    match error.downcast_ref::<DbErr>()? {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// The number of an error of a server.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    match error {
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .map(sqlx::mysql::MySqlDatabaseError::number),
        _ => None,
    }
}

/// Whether a connection broke, or there is none.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // That is what TLS calls a certificate that it does not trust.
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        sqlx::Error::PoolTimedOut => true,
        error => number(error).is_some_and(|number| number::LOST.contains(&number)),
    }
}

/// Whether a server that could not be connected to may be there in a moment.
pub(super) fn is_unreachable(error: &sqlx::Error) -> bool {
    is_lost(error) || number(error).is_some_and(|number| number::BUSY.contains(&number))
}

/// What kept a statement, or a transaction that was not committed, from succeeding: the same may succeed
/// now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// The server undid it so that others could go on, or let it wait for them too long.
    Undone,
    /// Another process was quicker to write the same.
    Overtaken,
    /// The connection broke.
    Lost,
}

/// The mishap that an error tells of.
pub(super) fn mishap(error: &Error) -> Option<Mishap> {
    let error = sqlx_error(std::error::Error::source(error)?)?;
    if is_lost(error) {
        return Some(Mishap::Lost);
    }
    match number(error)? {
        number::DEADLOCK | number::LOCK_WAIT => Some(Mishap::Undone),
        n if number::DUPLICATE.contains(&n) => Some(Mishap::Overtaken),
        _ => None,
    }
}

/// Whether SQLite has certainly not made what it was to commit: another connection was in the way, or a
/// constraint. After an error of the disk the whole transaction may be in the log.
pub(super) fn is_refusal(error: &Error) -> bool {
    /// `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_CONSTRAINT`.
    const REFUSALS: [i32; 3] = [5, 6, 19];
    let Some(sqlx::Error::Database(error)) =
        std::error::Error::source(error).and_then(|error| sqlx_error(error))
    else {
        return false;
    };
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    // The last byte is the kind, the others say more of it.
    code.is_some_and(|code| REFUSALS.contains(&(code & 0xff)))
}

/// The error of a commit that may have been made all the same.
pub(super) fn in_doubt(error: Error) -> Error {
    let kind = error.kind();
    Error::new(kind, error.message())
        .hint("Whether the change was made is not known: look before you try again.")
        .because(InDoubt(error))
}

/// The cause of the error of a commit that may have been made all the same.
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

/// Whether an error leaves open whether what was to be written is written: nothing may be undone then.
pub fn is_in_doubt(error: &Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<InDoubt>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_in_vain_is_not_called_lost() {
        let acquired = DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout);
        for error in [failed(acquired), failed(sqlx::Error::PoolTimedOut)] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.message().contains("was free, in time"), "{error}");
        }
        let broken = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let broken = failed(DbErr::Query(RuntimeErr::SqlxError(broken.into())));
        assert_eq!(mishap(&broken), Some(Mishap::Lost));
        assert!(!is_in_doubt(&broken));
    }
}
