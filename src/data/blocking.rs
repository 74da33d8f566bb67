//! Work that may wait for a disk.

use crate::{Error, Result};

/// Runs work that may wait for a disk on a thread that may.
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
