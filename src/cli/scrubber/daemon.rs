//! The scrubber as a daemon.

use std::process::ExitCode;
use std::time::Duration;

use super::scrub::Session;
use crate::cli::run::limits;
use crate::cli::run::signals::{Guard, Signals};
use crate::{Error, ErrorKind, Result};

/// Minimum delay between two runs.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Scrubs at intervals until a signal arrives. The first signal lets the current batch finish, a second one
/// does not. Failures are logged and retried by the next scrub.
pub fn run(session: &Session, round: impl AsyncFn() -> Result<u8>) -> Result<ExitCode> {
    let rest = session
        .settings
        .scrubber
        .get()?
        .wakeup_time
        .max(MIN_INTERVAL);
    let runtime = limits::runtime()?;
    // A batch may take long after the first signal; a second one ends it at any point.
    let _guard = Guard::start(None);
    let ended = runtime.block_on(async {
        let mut signals = Signals::install();
        loop {
            let mut scrub = std::pin::pin!(round());
            let done = tokio::select! {
                done = &mut scrub => done,
                () = signals.next() => {
                    session.watch.stop();
                    tokio::select! {
                        done = scrub => {
                            if let Err(error) = done
                                && error.kind() != ErrorKind::Interrupted
                            {
                                session.log.error(&error);
                            }
                            return Ok(());
                        }
                        () = signals.next() => {
                            return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
                        }
                    }
                }
            };
            if let Err(error) = done {
                session.log.error(&error);
            }
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = signals.next() => return Ok(()),
            }
        }
    });
    runtime.shutdown_background();
    ended.map(|()| ExitCode::SUCCESS)
}
