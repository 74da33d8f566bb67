//! Termination signals: SIGINT, SIGTERM and SIGHUP.
//!
//! A command receives signals through [`Signals`], stops its transfers and cleans up. If its thread is blocked
//! in a system call or computing, a separate thread ends the process: see [`Guard`].

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

/// Time that a second signal leaves for the command to end by itself.
const SECOND_SIGNAL_GRACE: Duration = Duration::from_millis(200);

/// Returns the signals to handle. Signals ignored at start stay ignored, as `nohup` and background jobs of a
/// shell expect.
fn wanted() -> Vec<i32> {
    let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    let is_wanted = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(is_wanted)
        .collect()
}

/// Returns the mask of ignored signals from `/proc/PID/status`. Signal 1 is the lowest bit.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// The signals received by a command. If no handler can be installed, signals have their default effect.
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Installs the handlers. MUST be called within a runtime.
    pub fn install() -> Self {
        let signals = wanted().into_iter();
        Self(
            signals
                .filter_map(|number| signal(SignalKind::from_raw(number)).ok())
                .collect(),
        )
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.0.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    }
}

/// A thread that ends the process after a signal, unless the guard is dropped first.
///
/// After the first signal the command has `grace` to end, or unlimited time if `None`; after the second one
/// 200 ms. At a prompt the first signal ends the process immediately, because no work is in progress.
pub struct Guard(Vec<SigId>);

impl Guard {
    /// Starts the thread. If that fails, only the command itself handles signals.
    pub fn start(grace: Option<Duration>) -> Self {
        Self::watch(&wanted(), grace)
    }

    /// Starts the thread for a service, which ends by itself after the first signal, and which SIGHUP does not end.
    pub fn of_service() -> Self {
        let ends = wanted().into_iter().filter(|signal| *signal != SIGHUP);
        Self::watch(&ends.collect::<Vec<_>>(), None)
    }

    fn watch(signals: &[i32], grace: Option<Duration>) -> Self {
        let Ok((reader, writer)) = UnixStream::pair() else {
            return Self(Vec::new());
        };
        let thread = std::thread::Builder::new().name("signals".to_string());
        if thread
            .spawn(move || end_after_signals(reader, grace))
            .is_err()
        {
            return Self(Vec::new());
        }
        let register = |signal: &i32| {
            let writer = writer.try_clone().ok()?;
            signal_hook::low_level::pipe::register(*signal, writer).ok()
        };
        Self(signals.iter().filter_map(register).collect())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closes the last writable end of the pipe, which ends the thread.
        for id in self.0.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Returns whether the process waits at a prompt.
pub fn is_at_prompt() -> bool {
    PROMPT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some()
}

/// Waits for signals, one byte each, until the other end of the pipe is closed.
fn end_after_signals(mut reader: UnixStream, grace: Option<Duration>) {
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
    if !is_at_prompt() {
        match wait(grace) {
            None => return,
            Some(true) if wait(Some(SECOND_SIGNAL_GRACE)).is_none() => return,
            Some(_) => {}
        }
    }
    end();
}

/// Ends the process as interrupted.
#[expect(
    clippy::exit,
    reason = "the main thread is blocked in a system call or computing"
)]
fn end() {
    static ENDS: AtomicBool = AtomicBool::new(false);
    if ENDS.swap(true, Ordering::Relaxed) {
        return;
    }
    // Standard error may be a full pipe, or locked by the blocked thread.
    let (done, is_done) = channel();
    let _ = std::thread::Builder::new().spawn(move || {
        restore_terminal();
        super::ui::plain_error(&Error::new(ErrorKind::Interrupted, "interrupted"));
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(SECOND_SIGNAL_GRACE);
    std::process::exit(i32::from(ErrorKind::Interrupted.exit_code()));
}

/// A prompt that waits for an answer.
struct ActivePrompt {
    /// The terminal settings before the prompt changed them; `None` if standard input is not a terminal.
    before: Option<Termios>,
}

/// The current prompt, if any.
static PROMPT: Mutex<Option<ActivePrompt>> = Mutex::new(None);

/// Runs a prompt, which may change the terminal settings. A signal ends the process and restores them.
pub fn at_prompt<T>(ask: impl FnOnce() -> T) -> T {
    let before = tcgetattr(std::io::stdin()).ok();
    let set = |prompt| *PROMPT.lock().unwrap_or_else(PoisonError::into_inner) = prompt;
    set(Some(ActivePrompt { before }));
    let _guard = Guard::start(Some(SECOND_SIGNAL_GRACE));
    let answer = ask();
    set(None);
    answer
}

fn restore_terminal() {
    let prompt = PROMPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(state) = prompt.and_then(|prompt| prompt.before) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &state);
        // Ends the line of the prompt before the next message.
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
