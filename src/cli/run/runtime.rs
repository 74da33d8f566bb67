//! The runtime of a command, which a signal ends.

use std::time::Duration;

use super::limits;
use super::signals::{Guard, Signals, is_at_prompt};
use super::ui;
use crate::data::Watch;
use crate::{Error, ErrorKind, Result};

/// Time for an interrupted command to clean up; the next command cleans up what is left.
const GRACE: Duration = Duration::from_secs(4);

/// Time after a signal until the process is ended if its command does not end; less than the documented five
/// seconds.
const EXIT_DEADLINE: Duration = Duration::from_millis(4500);

/// The time after a signal until a message explains why the command has not ended.
const NOTICE_DELAY: Duration = Duration::from_millis(500);

/// Runs a future on this thread until it completes or a signal requests the end of the program.
pub fn block_on<T>(watch: &Watch, work: impl Future<Output = Result<T>>) -> Result<T> {
    run(watch, GRACE, work)
}

/// Runs a future that changes nothing, like [`block_on`]. A signal ends it at once.
pub fn block_on_reading<T>(watch: &Watch, work: impl Future<Output = Result<T>>) -> Result<T> {
    run(watch, Duration::ZERO, work)
}

fn run<T>(watch: &Watch, grace: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = limits::runtime()?;
    let _guard = Guard::start(Some(EXIT_DEADLINE));
    let result = runtime.block_on(async {
        let interrupted = Error::new(ErrorKind::Interrupted, "interrupted");
        // Installed before any work that a signal could leave half done.
        let mut signals = Signals::install();
        let mut work = std::pin::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            () = signals.next() => watch.stop(),
        }
        // The transfer stops and cleans up. A second signal or the end of the grace period aborts it.
        let explain = async {
            tokio::time::sleep(NOTICE_DELAY).await;
            ui::notice("Ending; a second signal ends the command at once.");
            tokio::time::sleep(GRACE.saturating_sub(NOTICE_DELAY)).await;
        };
        let end = async {
            // A prompt restores the terminal before the process ends.
            if !grace.is_zero() || is_at_prompt() {
                explain.await;
            }
        };
        tokio::select! {
            biased;
            result = &mut work => result.and(Err(interrupted)),
            () = signals.next() => Err(interrupted),
            () = end => Err(interrupted),
        }
    });
    // A thread that waits for input must not keep the program running.
    runtime.shutdown_background();
    result
}
