//! Progress and cancellation of transfers.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Error, ErrorKind, Result};

/// A receiver of progress. Called from several threads.
pub trait Progress: Send + Sync {
    /// Begins a transfer of `total` bytes; None if the size is unknown.
    fn begin(&self, total: Option<u64>);
    /// Reports `bytes` more transferred bytes.
    fn advance(&self, bytes: u64);
    /// Ends the transfer, complete or not.
    fn end(&self);
}

/// The control of a transfer: a receiver of its progress, and the request to stop it.
#[derive(Clone, Default)]
pub struct Watch {
    progress: Option<Arc<dyn Progress>>,
    stop: CancellationToken,
    /// The size in bytes of a transfer whose source does not know it.
    expected: Option<u64>,
}

impl Watch {
    /// Returns the same watch with `progress` as an additional receiver.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Returns the same watch for a transfer of `size` bytes, if its source does not know the size.
    #[must_use]
    pub fn expecting(mut self, size: Option<u64>) -> Self {
        self.expected = size;
        self
    }

    /// Returns a watch that stops with this one, without its receiver of progress.
    #[must_use]
    pub fn silent(&self) -> Self {
        Self {
            progress: None,
            ..self.clone()
        }
    }

    /// Returns a watch that stops with this one, or when the guard is dropped, which does not stop this one.
    pub fn child(&self) -> (Self, DropGuard) {
        let stop = self.stop.child_token();
        let guard = stop.clone().drop_guard();
        let child = Self {
            stop,
            ..self.clone()
        };
        (child, guard)
    }

    /// Requests every transfer under this watch to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for a time, or until a stop is requested.
    ///
    /// # Errors
    /// `Interrupted` if a stop is requested.
    pub async fn sleep(&self, time: std::time::Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.stopped() => self.check(),
        }
    }

    /// Waits until the transfer is requested to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Returns an error if the transfer was requested to stop.
    pub fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        Ok(())
    }

    /// Begins a transfer of `total` bytes.
    pub fn begin(&self, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress.begin(total.or(self.expected));
        }
    }

    /// Reports `bytes` more transferred bytes; fails if the transfer was requested to stop.
    pub fn advance(&self, bytes: u64) -> Result<()> {
        if let Some(progress) = &self.progress {
            progress.advance(bytes);
        }
        self.check()
    }

    /// Ends the transfer.
    pub fn end(&self) {
        if let Some(progress) = &self.progress {
            progress.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Totals(Mutex<Vec<Option<u64>>>);

    impl Progress for Totals {
        fn begin(&self, total: Option<u64>) {
            self.0.lock().unwrap().push(total);
        }

        fn advance(&self, _: u64) {}

        fn end(&self) {}
    }

    #[test]
    fn a_child_stops_with_its_parent_and_not_the_other_way_round() {
        let parent = Watch::default();
        let (child, guard) = parent.child();
        drop(guard);
        assert!(child.check().is_err());
        assert!(parent.check().is_ok());
        let (child, _guard) = parent.child();
        parent.stop();
        assert!(child.check().is_err());
    }

    #[test]
    fn the_expected_size_is_that_of_a_source_without_one() {
        let totals = Arc::new(Totals::default());
        let watch = Watch::default().with_progress(Arc::clone(&totals) as _);
        watch.begin(None);
        let watch = watch.expecting(Some(7));
        watch.begin(None);
        watch.begin(Some(3));
        assert_eq!(*totals.0.lock().unwrap(), [None, Some(7), Some(3)]);
    }
}
