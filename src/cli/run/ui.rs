//! Messages on stderr, and error formats of each grammar.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::hints;
use crate::cli::command::grammar::Grammar;
use crate::config::Environment;
use crate::model::Timestamp;
use crate::output::escape_controls;
use crate::{Error, ErrorKind, Result};

/// Prints a dimmed line if colors are enabled.
pub fn dim(environment: &Environment, text: &str) {
    if wrote_json("INFO", "info", text) {
        return;
    }
    if environment.get("NO_COLOR").is_none() && std::io::stderr().is_terminal() {
        write_stderr(&format!("\x1b[2m{}\x1b[0m", escape_controls(text)));
    } else {
        write_stderr(&escape_controls(text));
    }
}

/// Writes a line to stderr; failures are ignored.
fn write_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Ends the line of a prompt on stderr.
pub fn new_line() {
    write_stderr("");
}

/// Writes a line to stderr and to the log.
fn write_line(level: &str, line: &str) {
    write_stderr(line);
    if let Some(log) = SINK.get() {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(level, line);
    }
}

/// Whether messages on stderr are JSON; process-wide.
static JSON: AtomicBool = AtomicBool::new(false);

/// Lets every further message on stderr be a JSON object on one line, with the keys `level` (`error`, `warning` or `info`)
/// and `message`. Errors have `kind`, `status` (of HTTP, or null), `exit_code` and `hints`, too.
pub fn write_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// Writes a message in JSON if that is selected. Returns whether it is.
fn wrote_json(level: &str, name: &str, text: &str) -> bool {
    let is_json = JSON.load(Ordering::Relaxed);
    if is_json {
        write_line(level, &json!({"level": name, "message": text}).to_string());
    }
    is_json
}

/// Returns an error as a JSON object.
fn error_object(grammar: Grammar, error: &Error) -> Value {
    let hints = error.hints().iter().map(std::slice::from_ref);
    let hints = hints.filter_map(|hint| hints::sentences(grammar, hint));
    json!({
        "level": "error",
        "kind": error.kind().name(),
        "status": error.status().map(|(status, _)| status),
        "exit_code": error.kind().exit_code(),
        "message": error.message(),
        "hints": hints.collect::<Vec<_>>(),
    })
}

/// Optional second sink for stderr messages; process-wide.
static SINK: OnceLock<Mutex<Box<dyn Record>>> = OnceLock::new();

/// A sink for messages.
pub trait Record: Send {
    /// Records a line with its level (`ERROR`, `INFO`); failures are ignored.
    fn write(&mut self, level: &str, line: &str);

    /// Records a message of the library that is not printed, with the name of its logger. By default, drops it.
    fn write_unprinted(&mut self, _logger: &str, _text: &str) {}
}

/// Installs a sink for all further messages.
pub fn record(log: Box<dyn Record>) {
    // A second sink is ignored: a process runs one command.
    let _ = SINK.set(Mutex::new(log));
}

struct Log {
    file: File,
    program: &'static str,
}

impl Record for Log {
    /// Writes a line in the format of upstream's log file.
    fn write(&mut self, level: &str, line: &str) {
        let mut now = Timestamp::now().to_catalog();
        now.truncate(now.len() - 3);
        let (process, program) = (std::process::id(), self.program);
        let _ = writeln!(self.file, "{now} {process} {level} {program} {line}");
    }
}

/// Appends all further messages to the file at `path`, each with time (UTC) and level.
///
/// # Errors
/// `Io` if the file cannot be opened.
pub fn log_to(path: &Path, grammar: Grammar) -> Result<()> {
    let file = open_log(path)?;
    let program = grammar.program();
    record(Box::new(Log { file, program }));
    Ok(())
}

/// Opens a file for appending.
pub fn open_log(path: &Path) -> Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map_err(|e| Error::io("open", path, e))
}

/// Prints one or more lines of `--debug` output.
pub fn debug(text: &str) {
    for line in text.lines() {
        write_line("DEBUG", &format!("DEBUG {}", escape_controls(line)));
    }
}

/// Prints an informational line.
pub fn info(text: &str) {
    if wrote_json("INFO", "info", text) {
        return;
    }
    write_line("INFO", &escape_controls(text));
}

/// The loggers of notifications, by the driver `log`.
const NOTIFICATIONS: &str = "oslo.messaging.notification.";

/// A logger that prints the library's warnings as notices, and only records its other messages, until it is replaced.
struct Library;

/// The logger that replaces it.
static SERVICE: OnceLock<Box<dyn log::Log>> = OnceLock::new();

/// Lets another logger have the library's messages of this level and above.
pub fn log_with(logger: Box<dyn log::Log>, level: log::LevelFilter) {
    // A second logger is ignored: a process runs one service.
    let _ = SERVICE.set(logger);
    log::set_max_level(level);
}

impl log::Log for Library {
    /// Accepts records of this library only; those of others are for developers.
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let target = metadata.target();
        target.starts_with(env!("CARGO_CRATE_NAME")) || target.starts_with(NOTIFICATIONS)
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(logger) = SERVICE.get() {
            return logger.log(record);
        }
        let text = record.args().to_string();
        if record.level() <= log::Level::Warn {
            notice(&text);
        } else if let Some(log) = SINK.get() {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.write_unprinted(record.target(), &text);
        }
    }

    fn flush(&self) {}
}

/// Installs the logger for the library's warnings.
pub fn listen() {
    // A second call has no effect.
    if log::set_logger(&Library).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}

/// Prints a notice, which is not a failure.
pub fn notice(text: &str) {
    if wrote_json("WARNING", "warning", text) {
        return;
    }
    write_line("WARNING", &escape_controls(text));
}

/// Prints an error in the format of `grammar`, with its hints.
pub fn error(grammar: Grammar, error: &Error) {
    errors(grammar, std::slice::from_ref(error));
}

/// Prints the errors of a command in the format of `grammar`, with their hints.
pub fn errors(grammar: Grammar, errors: &[Error]) {
    for line in lines(grammar, errors, |error| describe(grammar, error)) {
        write_line("ERROR", &line);
    }
}

/// Prints an error without an HTTP status, with its hints.
pub fn plain_error(error: &Error) {
    let message = |error: &Error| error.message().to_string();
    for line in lines(Grammar::Glance, std::slice::from_ref(error), message) {
        write_line("ERROR", &line);
    }
}

/// Returns the lines to print for errors: each error formatted by `word`, then its hints on one line, unless the next
/// error has the same ones. Errors about closed output are omitted.
fn lines(grammar: Grammar, errors: &[Error], word: impl Fn(&Error) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, error) in errors.iter().enumerate() {
        if error.kind() == ErrorKind::ClosedPipe {
            continue;
        }
        if JSON.load(Ordering::Relaxed) {
            lines.push(error_object(grammar, error).to_string());
            continue;
        }
        lines.push(escape_controls(&word(error)).into_owned());
        let next = errors.get(index + 1).map(Error::hints);
        if next != Some(error.hints())
            && let Some(line) = hints::line(grammar, error.hints())
        {
            lines.push(escape_controls(&line).into_owned());
        }
    }
    lines
}

/// Returns an error in the format of the grammar's client. The first one prefixes the HTTP status, except for a
/// rejected token; the second one names the exception that openstacksdk raises. The generic `HttpException` is
/// named only if a server responded with the status.
///
/// *Source:* `main` in `glanceclient/shell.py`, `openstack/exceptions.py`.
fn describe(grammar: Grammar, error: &Error) -> String {
    let message = error.message();
    let Some((status, reason)) = error.status() else {
        return message.to_string();
    };
    match grammar {
        Grammar::Glance if status == 401 => {
            format!("Invalid OpenStack Identity credentials. {message}")
        }
        Grammar::Glance => format!("HTTP {status} {reason}: {message}"),
        Grammar::Openstack => {
            let exception = match status {
                400 => "BadRequestException",
                403 => "ForbiddenException",
                404 => "NotFoundException",
                409 => "ConflictException",
                _ if error.is_answer() => "HttpException",
                _ => return message.to_string(),
            };
            format!("{exception}: {status}: {reason}: {message}")
        }
    }
}

/// Returns an error of the service on one line, for use in another message.
pub fn inline(grammar: Grammar, error: &Error) -> String {
    describe(grammar, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_exception_is_named_where_a_server_answered() {
        let message = |error: &Error| describe(Grammar::Openstack, error);
        let local = Error::unsupported_media("not that format");
        assert_eq!(message(&local), "not that format");
        let remote = Error::of_status(415, "not that format");
        assert_eq!(
            message(&remote),
            "HttpException: 415: Unsupported Media Type: not that format"
        );
        let missing = Error::not_found("no such image");
        assert_eq!(
            message(&missing),
            "NotFoundException: 404: Not Found: no such image"
        );
    }

    #[test]
    fn a_hint_that_errors_share_is_printed_once() {
        let errors = [
            Error::failed("a").hint("Mount the disk."),
            Error::new(ErrorKind::ClosedPipe, "b"),
            Error::failed("c").hint("Wait."),
            Error::failed("d").hint("Wait."),
        ];
        let lines = lines(Grammar::Glance, &errors, |error| {
            error.message().to_string()
        });
        assert_eq!(
            lines,
            ["a", "Hint: Mount the disk.", "c", "d", "Hint: Wait."]
        );
    }
}
