//! What a transfer tells of itself while it goes on, and how it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// The other end of a transfer: who watches it, and whether it shall stop.
#[derive(Clone, Default)]
pub struct Watch {
    progress: Option<Arc<dyn Progress>>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    /// The same watch, telling `progress` as well.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Asks every transfer under this watch to stop soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Fails once the transfer was asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        Ok(())
    }

    /// A transfer of `total` bytes begins.
    pub fn begin(&self, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress.begin(total);
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
