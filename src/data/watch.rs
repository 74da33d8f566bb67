//! What a transfer tells of itself while it goes on, and how it is told to stop.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Error, ErrorKind, Result};

/// Hears of the bytes of a transfer. Called from several threads.
pub trait Progress: Send + Sync {
    /// A transfer of `total` bytes begins; None where the size is not known.
    fn begin(&self, total: Option<u64>);
    /// `bytes` more have been transferred.
    fn advance(&self, bytes: u64);
    /// The transfer is over, whole or not.
    fn end(&self);
}

/// The control of a transfer: where its progress is reported, and whether it has to stop.
#[derive(Clone, Default)]
pub struct Watch {
    progress: Option<Arc<dyn Progress>>,
    stop: CancellationToken,
    /// Bytes of a transfer whose source does not know its size.
    expected: Option<u64>,
}

impl Watch {
    /// The same watch, telling `progress` as well.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The same watch, of a transfer that will have `size` bytes where its source does not know better.
    #[must_use]
    pub fn expecting(mut self, size: Option<u64>) -> Self {
        self.expected = size;
        self
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

    /// Asks every transfer under this watch to stop soon.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the transfer is asked to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Fails once the transfer was asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        Ok(())
    }

    /// A transfer of `total` bytes begins.
    pub fn begin(&self, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress.begin(total.or(self.expected));
        }
    }

    /// `bytes` more were transferred; fails once asked to stop.
    pub fn advance(&self, bytes: u64) -> Result<()> {
        if let Some(progress) = &self.progress {
            progress.advance(bytes);
        }
        self.check()
    }

    /// The transfer is over.
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
