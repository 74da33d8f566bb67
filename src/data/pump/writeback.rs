//! Writeback of dirty pages while data still arrives.

use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::{Error, Result};

/// Starts the writeback of dirty pages while data still arrives, so that the final `fsync` has little left
/// to wait for.
pub(super) struct Writeback {
    pending: usize,
    file: Option<File>,
    /// Wakes the thread; dropping it ends the thread.
    nudge: Option<SyncSender<()>>,
}

impl Writeback {
    /// The number of bytes between two writebacks.
    const STEP: usize = 64 * 1024 * 1024;

    pub(super) fn new(target: &File) -> Result<Self> {
        let file = target
            .try_clone()
            .map_err(|e| Error::internal("cannot duplicate a file").because(e))?;
        Ok(Self {
            pending: 0,
            file: Some(file),
            nudge: None,
        })
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.pending += bytes;
        if self.pending < Self::STEP {
            return;
        }
        self.pending = 0;
        if let Some(file) = self.file.take() {
            let (nudge, nudges) = sync_channel::<()>(1);
            let spawned = std::thread::Builder::new()
                .name("writeback".to_string())
                .spawn(move || {
                    for () in nudges {
                        // A failure occurs again, and is reported, at the final fsync of the transfer.
                        let _ = file.sync_data();
                    }
                });
            self.nudge = spawned.is_ok().then_some(nudge);
        }
        if let Some(nudge) = &self.nudge {
            // Busy with the previous step: it will write these pages too.
            let _ = nudge.try_send(());
        }
    }
}
