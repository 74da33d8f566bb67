//! Dirty pages on their way to the disk while data still arrives.

use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::{Error, Result};

/// Starts writing dirty pages to the disk while data still arrives, so that the `fsync` at the end
/// has little left to wait for.
pub(super) struct Writeback {
    pending: usize,
    file: Option<File>,
    /// Wakes the thread, which ends when this is dropped.
    nudge: Option<SyncSender<()>>,
}

impl Writeback {
    /// Bytes after which the disk is set to work.
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
                        // A failure shows again, and is reported, at the fsync that ends the transfer.
                        let _ = file.sync_data();
                    }
                });
            self.nudge = spawned.is_ok().then_some(nudge);
        }
        if let Some(nudge) = &self.nudge {
            // Busy with the last step: it will see these pages too.
            let _ = nudge.try_send(());
        }
    }
}
