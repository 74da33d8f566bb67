//! What is said on stderr, and how errors sound in each grammar.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::registry::Grammar;
use super::signals::at_prompt;
use crate::config::Environment;
use crate::model::Timestamp;
use crate::output::{StandardOutput, escape_controls};
use crate::remote::auth::Prompt;
use crate::{Error, ErrorKind, Result};

/// A line in dim letters, where there is colour.
pub fn dim(environment: &Environment, text: &str) {
    if environment.get("NO_COLOR").is_none() && std::io::stderr().is_terminal() {
        say(&format!("\x1b[2m{}\x1b[0m", escape_controls(text)));
    } else {
        say(&escape_controls(text));
    }
}

/// A line on stderr. Nothing can be done when that fails.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Ends the line on stderr that a prompt began.
pub fn new_line() {
    say("");
}

/// A line on stderr, and in the log.
fn tell(level: &str, line: &str) {
    say(line);
    if let Some(log) = LOG.get() {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(level, line);
    }
}

/// Where what is said on stderr is written to as well: as stderr itself, one for the process.
static LOG: OnceLock<Mutex<Box<dyn Record>>> = OnceLock::new();

/// Who keeps what is said.
pub trait Record: Send {
    /// Keeps a line of a level (`ERROR`, `INFO`). Nothing can be done when that fails.
    fn write(&mut self, level: &str, line: &str);
}

/// Has what is said from here on kept as well.
pub fn record(log: Box<dyn Record>) {
    // A second one is refused: a process runs one command.
    let _ = LOG.set(Mutex::new(log));
}

struct Log {
    file: File,
    program: &'static str,
}

impl Record for Log {
    /// A line as the real client's log has it.
    fn write(&mut self, level: &str, line: &str) {
        let mut now = Timestamp::now().to_catalog();
        now.truncate(now.len() - 3);
        let (process, program) = (std::process::id(), self.program);
        let _ = writeln!(self.file, "{now} {process} {level} {program} {line}");
    }
}

/// Appends what is said from here on to the file at `path`, each line with its time (UTC) and level.
///
/// # Errors
/// `Io` when it cannot be opened.
pub fn log_to(path: &Path, grammar: Grammar) -> Result<()> {
    let file = open_log(path)?;
    let program = grammar.program();
    record(Box::new(Log { file, program }));
    Ok(())
}

/// Opens a file that lines are appended to.
pub fn open_log(path: &Path) -> Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map_err(|e| Error::io("open", path, e))
}

/// A line of what `--debug` shows, or several.
pub fn debug(text: &str) {
    for line in text.lines() {
        tell("DEBUG", &format!("DEBUG {}", escape_controls(line)));
    }
}

/// What goes on, for those who want to know.
pub fn info(text: &str) {
    tell("INFO", &escape_controls(text));
}

/// A logger that prints the library's warnings as notices.
struct Library;

impl log::Log for Library {
    /// Other libraries talk to their developers.
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            notice(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Has the warnings of the library told, from here on.
pub fn listen() {
    // A second time changes nothing.
    if log::set_logger(&Library).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}

/// A notice: nothing failed.
pub fn notice(text: &str) {
    tell("WARNING", &escape_controls(text));
}

/// Prints an error in the words of `grammar`, and its hint.
pub fn error(grammar: Grammar, error: &Error) {
    errors(grammar, std::slice::from_ref(error));
}

/// Prints the errors of a command in the words of `grammar`, and their hints.
pub fn errors(grammar: Grammar, errors: &[Error]) {
    for line in lines(errors, |error| describe(grammar, error)) {
        tell("ERROR", &line);
    }
}

/// An error of a program that asks no service, and its hint: there is no status to name.
pub fn plain_error(error: &Error) {
    for line in lines(std::slice::from_ref(error), |error| {
        error.message().to_string()
    }) {
        tell("ERROR", &line);
    }
}

/// The lines that errors take: each error as `word` puts it, then its hint, unless the next error has the same one.
/// Output that nobody reads any more is no error to report.
fn lines(errors: &[Error], word: impl Fn(&Error) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, error) in errors.iter().enumerate() {
        if error.kind() == ErrorKind::ClosedPipe {
            continue;
        }
        lines.push(escape_controls(&word(error)).into_owned());
        let next = errors.get(index + 1).and_then(Error::hint_text);
        if let Some(hint) = error.hint_text().filter(|hint| next != Some(*hint)) {
            lines.push(escape_controls(&format!("Hint: {hint}")).into_owned());
        }
    }
    lines
}

/// The user at a terminal, who can be asked for a secret.
pub struct Terminal;

impl Prompt for Terminal {
    fn secret(&self, what: &str) -> Result<Option<String>> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(None);
        }
        let asked = at_prompt(|| {
            dialoguer::Password::new()
                .with_prompt(what)
                .allow_empty_password(true)
                .interact()
        });
        match asked {
            Ok(secret) => Ok(Some(secret).filter(|secret| !secret.is_empty())),
            Err(e) => Err(Error::failed("nothing could be read from the terminal").because(e)),
        }
    }

    fn tell(&self, line: &str) {
        notice(line);
    }
}

/// Asks whether something shall be done: at a terminal; else as Python's `input` does, which takes the
/// answer from whatever standard input is.
///
/// # Errors
/// `Failed` when nothing can be read.
pub fn confirm(question: &str) -> Result<bool> {
    let unreadable = |e| Error::failed("nothing could be read from the terminal").because(e);
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        let asked = dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false);
        return at_prompt(|| asked.interact()).map_err(unreadable);
    }
    let mut out = StandardOutput::open()?;
    let asked = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    asked.map_err(|e| Error::io("write to", "standard output", e))?;
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.map_err(|e| Error::io("read", "standard input", e))? == 0 {
        return Err(Error::failed("EOF when reading a line"));
    }
    let answer = answer.trim_end_matches(['\r', '\n']).to_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}

/// Returns an error in the words of the grammar's client: the first one names the HTTP status in front, but for
/// a token that is refused; the second one the exception its library raises. An exception that stands for no
/// status of its own, `HttpException`, is named where a server answered with that status, and nowhere else.
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

/// An error of the service in one line, as part of another message.
pub fn inline(grammar: Grammar, error: &Error) -> String {
    describe(grammar, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_exception_is_named_where_a_server_answered() {
        let told = |error: &Error| describe(Grammar::Openstack, error);
        let local = Error::unsupported_media("not that format");
        assert_eq!(told(&local), "not that format");
        let remote = Error::of_status(415, "not that format");
        assert_eq!(
            told(&remote),
            "HttpException: 415: Unsupported Media Type: not that format"
        );
        let missing = Error::not_found("no such image");
        assert_eq!(
            told(&missing),
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
        let lines = lines(&errors, |error| error.message().to_string());
        assert_eq!(
            lines,
            ["a", "Hint: Mount the disk.", "c", "d", "Hint: Wait."]
        );
    }
}
