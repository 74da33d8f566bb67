//! What is said on stderr, and how errors sound in each grammar.

use std::io::{IsTerminal, Write};

use super::registry::Grammar;
use crate::config::Environment;
use crate::output::escape_controls;
use crate::{Error, ErrorKind};

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

/// A notice: nothing failed.
pub fn notice(text: &str) {
    say(&escape_controls(text));
}

/// An error, and its hint.
pub fn error(grammar: Grammar, error: &Error) {
    if error.kind() == ErrorKind::ClosedPipe {
        return;
    }
    say(&escape_controls(&describe(grammar, error)));
    if let Some(hint) = error.hint_text() {
        say(&escape_controls(&format!("Hint: {hint}")));
    }
}

/// An error in the words of the grammar's client: the first one names the HTTP status in front, the
/// second one the exception its library raises.
fn describe(grammar: Grammar, error: &Error) -> String {
    let message = error.message();
    let Some((status, reason)) = error.kind().status() else {
        return message.to_string();
    };
    match grammar {
        Grammar::Glance => format!("HTTP {status} {reason}: {message}"),
        Grammar::Openstack => {
            let exception = match status {
                400 => "BadRequestException",
                403 => "ForbiddenException",
                404 => "NotFoundException",
                409 => "ConflictException",
                _ => "HttpException",
            };
            format!("{exception}: {status}: {reason}: {message}")
        }
    }
}

/// An error of the service in one line, as part of another message.
pub fn inline(grammar: Grammar, error: &Error) -> String {
    describe(grammar, error)
}
