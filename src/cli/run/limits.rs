//! Process limits (`ulimit`) that would end a process without a message or in a panic.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Builder, Runtime};

use crate::error::describe;
use crate::output::escape_controls;
use crate::{Error, Result};

/// Minimum stack size of a command, in bytes.
const MIN_STACK: usize = 8 << 20;

/// Minimum stack size for running on the main thread, in bytes.
const MIN_MAIN_STACK: u64 = 4 << 20;

/// The messages of system errors caused by process limits.
const LIMITS: [&str; 3] = [
    "Resource temporarily unavailable",
    "Cannot allocate memory",
    "Too many open files",
];

/// The hint for a process limit that is too low.
const HINT: &str = "A process limit is too low. Check ulimit -n, -u and -v.";

/// Runs a program so that reaching a process limit is an error: one line on stderr, exit code 1.
///
/// - Exceeding `ulimit -f` fails the system call, as on a full disk; SIGXFSZ is ignored. Child processes get
///   the default action.
///
/// - A small stack (`ulimit -s`) is not used.
///
/// - If a library cannot start a thread, it panics there. The process ends as if killed; the next command
///   recovers what is left.
pub fn within(run: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    let arrived = Arc::new(AtomicBool::new(false));
    // Otherwise the signal kills the process, and the next run has to recover.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, arrived);
    std::panic::set_hook(Box::new(end_after_panic));
    let stack = getrlimit(Resource::Stack).current;
    if stack.is_none_or(|bytes| bytes >= MIN_MAIN_STACK) {
        return run();
    }
    let thread = thread::Builder::new().stack_size(MIN_STACK).spawn(run);
    match thread {
        Ok(thread) => thread.join().unwrap_or(ExitCode::FAILURE),
        Err(e) => {
            write_stderr(&format!("cannot start a thread: {}. {HINT}", describe(&e)));
            ExitCode::FAILURE
        }
    }
}

/// Builds the runtime that commands run on.
///
/// # Errors
/// `Failed` if a process limit is reached.
pub fn runtime() -> Result<Runtime> {
    build(&mut Builder::new_current_thread())
}

/// Builds the runtime that a service runs on: a thread for each processor.
///
/// # Errors
/// `Failed` if a process limit is reached.
pub fn server_runtime() -> Result<Runtime> {
    build(&mut Builder::new_multi_thread())
}

fn build(builder: &mut Builder) -> Result<Runtime> {
    builder.enable_all().build().map_err(|e| {
        Error::failed(format!("cannot start the runtime: {}", describe(&e)))
            .hint(HINT)
            .because(e)
    })
}

/// Reports a panic on one line and exits 1.
#[expect(
    clippy::exit,
    reason = "a process that panics is aborted otherwise, with a core and without a message for the user"
)]
fn end_after_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned());
    write_stderr(&describe_panic(&text.unwrap_or_default(), &place(info)));
    std::process::exit(1);
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location()
        .map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()))
}

/// Returns the message for a panic: the process limit that caused it, or its location in the code.
fn describe_panic(text: &str, place: &str) -> String {
    let text = text.lines().collect::<Vec<_>>().join(" ");
    let is_limit = LIMITS.iter().any(|reason| text.contains(reason));
    if is_limit {
        let what = text.split(" (os error ").next().unwrap_or_default();
        return format!("cannot continue: {what}. {HINT}");
    }
    format!("internal error: {text}{place}. Please report it.")
}

/// Writes a line to stderr; failures are ignored.
fn write_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", escape_controls(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_reported_on_one_line() {
        let thread = "OS can't spawn worker thread: Resource temporarily unavailable (os error 11)";
        assert_eq!(
            describe_panic(thread, " (x.rs:1)"),
            format!(
                "cannot continue: OS can't spawn worker thread: Resource temporarily unavailable. {HINT}"
            )
        );
        assert_eq!(
            describe_panic("a\nb", " (x.rs:1)"),
            "internal error: a b (x.rs:1). Please report it."
        );
    }
}
