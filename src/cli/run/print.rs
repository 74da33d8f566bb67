//! Texts on standard output, and the exit code of the process.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ui;
use crate::cli::command::grammar::Grammar;
use crate::output::StandardOutput;
use crate::{Error, ErrorKind};

/// Whether [`print`] failed to write; the program then fails regardless of its result.
static OUTPUT_FAILED: AtomicBool = AtomicBool::new(false);

/// Returns the exit code of the process, given the one of its command.
pub fn exit_code(code: ExitCode) -> ExitCode {
    if OUTPUT_FAILED.load(Ordering::Relaxed) {
        return ExitCode::FAILURE;
    }
    code
}

/// Prints a text and a newline on standard output. Returns `code` as an exit code, or that of the failure.
pub fn print(text: &str, code: u8) -> ExitCode {
    let print = || {
        let mut out = StandardOutput::open()?;
        out.write_all(format!("{text}\n").as_bytes())
            .map_err(|e| Error::io("write to", "standard output", e))
    };
    match print() {
        Err(error) if error.kind() != ErrorKind::ClosedPipe => {
            // Report the failure only once.
            if !OUTPUT_FAILED.swap(true, Ordering::Relaxed) {
                ui::plain_error(&error);
            }
            ExitCode::FAILURE
        }
        _ => ExitCode::from(code),
    }
}

/// Clears the terminal.
pub fn clear_screen() {
    if let Ok(mut out) = StandardOutput::open() {
        let _ = out.write_all(b"\x1b[H\x1b[2J");
    }
}

/// Prints a text on standard output. Failures are ignored.
pub fn print_silently(text: &str) -> ExitCode {
    if let Ok(mut out) = StandardOutput::open() {
        let _ = out.write_all(text.as_bytes());
    }
    ExitCode::SUCCESS
}

/// Prints the result of one step of a command immediately, because the next step may take hours.
pub fn print_step(line: &str) {
    print(line, 0);
}

/// Prints an error in the format of `grammar`. Returns its exit code.
pub fn fail(grammar: Grammar, error: &Error) -> ExitCode {
    ui::error(grammar, error);
    ExitCode::from(error.kind().exit_code())
}

/// Prints an error without an HTTP status. Returns its exit code.
pub fn fail_plainly(error: &Error) -> ExitCode {
    ui::plain_error(error);
    ExitCode::from(error.kind().exit_code())
}
