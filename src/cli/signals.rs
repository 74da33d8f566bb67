//! Signals that ask a program to end: SIGINT, SIGTERM and SIGHUP.
//!
//! A command hears of them through [`Signals`], stops its transfers and tidies up. Where it cannot hear, because
//! its thread waits in a system call or computes, a thread of its own ends the process: see [`Guard`].

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::select_all;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Error, ErrorKind};

/// Exit code of a program that a signal ended.
const INTERRUPTED: i32 = 130;

/// How long a second signal waits for the command to end by itself.
const MOMENT: Duration = Duration::from_millis(200);

/// The signals. One that was ignored when the program started stays ignored, as `nohup` and a shell's background
/// jobs want it.
fn wanted() -> Vec<i32> {
    let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    let is_wanted = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(is_wanted)
        .collect()
}

/// Returns the mask of ignored signals from the text of `/proc/PID/status`; signal 1 is the lowest bit.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// The signals as a command hears of them. Where no handler can be installed, signals have their usual effect.
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Installs the handlers, within a runtime.
    pub fn install() -> Self {
        let signals = wanted().into_iter();
        Self(
            signals
                .filter_map(|number| signal(SignalKind::from_raw(number)).ok())
                .collect(),
        )
    }

    /// Waits for the next one of them.
    pub async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.0.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    }
}

/// A thread that ends the process after a signal, unless the guard is dropped before.
///
/// After the first signal the command has `patience` to end, for ever if that is None; after the second one a
/// moment. At a prompt the first signal ends the process at once: nothing was begun yet.
pub struct Guard(Vec<SigId>);

impl Guard {
    /// Starts the thread. Where it cannot be started there is none, and commands end when they hear of signals.
    pub fn start(patience: Option<Duration>) -> Self {
        let Ok((reader, writer)) = UnixStream::pair() else {
            return Self(Vec::new());
        };
        let thread = std::thread::Builder::new().name("signals".to_string());
        if thread.spawn(move || watch_over(reader, patience)).is_err() {
            return Self(Vec::new());
        }
        let register = |signal| {
            let writer = writer.try_clone().ok()?;
            signal_hook::low_level::pipe::register(signal, writer).ok()
        };
        Self(wanted().into_iter().filter_map(register).collect())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The last end of the pipe that could be written to is closed by this, which ends the thread.
        for id in self.0.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Waits for signals, which come as a byte each, until the other end is closed.
fn watch_over(mut reader: UnixStream, patience: Option<Duration>) {
    let mut wait = |limit: Option<Duration>| -> Option<bool> {
        reader.set_read_timeout(limit).ok()?;
        loop {
            match reader.read(&mut [0]) {
                Ok(0) => return None,
                Ok(_) => return Some(true),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Some(false),
            }
        }
    };
    if wait(None).is_none() {
        return;
    }
    let is_asking = PROMPT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some();
    if !is_asking {
        match wait(patience) {
            None => return,
            Some(true) if wait(Some(MOMENT)).is_none() => return,
            Some(_) => {}
        }
    }
    end();
}

/// Ends the process as an interrupted one.
#[expect(
    clippy::exit,
    reason = "the thread that would return waits in a system call, or computes"
)]
fn end() {
    static ENDS: AtomicBool = AtomicBool::new(false);
    if ENDS.swap(true, Ordering::Relaxed) {
        return;
    }
    // Standard error may be a pipe that nobody reads, or locked by the thread that waits.
    let (done, is_done) = channel();
    let _ = std::thread::Builder::new().spawn(move || {
        restore_terminal();
        super::ui::plain_error(&Error::new(ErrorKind::Interrupted, "interrupted"));
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(MOMENT);
    std::process::exit(INTERRUPTED);
}

/// A prompt that waits for an answer.
struct Asking {
    /// The state of the terminal before the prompt changed it; None where standard input is no terminal.
    before: Option<Termios>,
}

/// The prompt that waits for an answer, if there is one.
static PROMPT: Mutex<Option<Asking>> = Mutex::new(None);

/// Asks the user something by `ask`, which may change the state of the terminal; a signal ends the process, and
/// restores that state.
pub fn at_prompt<T>(ask: impl FnOnce() -> T) -> T {
    let before = tcgetattr(std::io::stdin()).ok();
    let set = |asking| *PROMPT.lock().unwrap_or_else(PoisonError::into_inner) = asking;
    set(Some(Asking { before }));
    let _guard = Guard::start(Some(MOMENT));
    let answer = ask();
    set(None);
    answer
}

fn restore_terminal() {
    let asking = PROMPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(state) = asking.and_then(|asking| asking.before) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &state);
        // The prompt is on the line that the next message would continue.
        super::ui::new_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let status = "Name:\tglance\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored(status), 0x1001);
        assert_eq!(ignored(status) & (1 << (SIGHUP - 1)), 1);
        assert_eq!(ignored(""), 0);
        assert_eq!(ignored("SigIgn:\tx\n"), 0);
    }
}
