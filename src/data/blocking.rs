//! Blocking work on worker threads.

use crate::{Error, Result};

/// Runs blocking work, such as disk I/O, on a thread that may block.
///
/// # Errors
/// The errors of the work; `Internal` if it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(Error::internal("a worker thread failed").because(e)),
    }
}
