//! Storing data: in the journal first, then in the store, then in the record.

use super::Engine;
use super::catalog::is_in_doubt;
use super::journal::{Entry, Intent, explained};
use super::store::{Store, Writer, storage_error};
use crate::data::pump::{self, Look, Taken};
use crate::data::{Algorithm, Source, Watch};
use crate::model::ImageStatus;
use crate::{Error, ErrorKind, Result};

/// Data on its way into a store, noted in the journal. Dropping it leaves the entry, as a crash does.
pub(super) struct Storing {
    writer: Box<dyn Writer>,
    entry: Entry,
}

impl Storing {
    /// Reads all of `source`. At most once.
    pub(super) async fn take(
        &mut self,
        source: Source,
        algorithms: Vec<Algorithm>,
        watch: Watch,
        look: Look,
    ) -> Result<Taken> {
        let sink = self.writer.sink().await?;
        let taken = pump::transfer(source, sink, algorithms, watch, look).await;
        taken.map_err(storage_error)
    }

    /// Makes the data durable at its address, which is returned.
    pub(super) async fn commit(&mut self) -> Result<String> {
        self.writer.commit().await?;
        Ok(self.writer.address().to_string())
    }

    /// Ends the entry of the journal: the record says what became of the data.
    pub(super) async fn close(self) -> Result<()> {
        self.entry.close().await
    }

    /// Removes what was stored for no image, after `error`.
    pub(super) async fn discard(mut self, error: Error) -> Error {
        if is_in_doubt(&error) {
            return error;
        }
        let discarded = async {
            self.writer.abort().await?;
            self.close().await
        };
        explained(error, discarded.await)
    }
}

impl Engine {
    /// Begins to store the data of image `id`; `intent` is an upload into `store`, or a staging where that is the
    /// staging area. `size` is how many bytes will be written, where that is known.
    ///
    /// # Errors
    /// Those of [`Store::create`]; that of `busy` while another process does the same.
    pub(super) async fn begin_storing(
        &self,
        store: &dyn Store,
        intent: Intent,
        id: &str,
        size: Option<u64>,
        busy: impl Fn() -> Error,
    ) -> Result<Storing> {
        let writer = match store.create(id, size).await {
            // The data may be what an upload has committed, but not recorded: that of a crashed process is cleared. The
            // entry ends before the address is checked again: it says that there was nothing at it.
            Err(error)
                if error.kind() == ErrorKind::Conflict && self.journal()?.has(id, &intent) =>
            {
                self.note(id, &intent, None, &busy).await?.close().await?;
                store.create(id, size).await?
            }
            created => created?,
        };
        let entry = self.note(id, &intent, None, busy).await?;
        Ok(Storing { writer, entry })
    }

    /// Begins to upload the data of image `id` into `store`.
    ///
    /// # Errors
    /// Those of [`Engine::begin_storing`].
    pub(super) async fn begin_upload(
        &self,
        store: &dyn Store,
        id: &str,
        size: Option<u64>,
    ) -> Result<Storing> {
        let intent = Intent::Upload {
            store: store.info().id.clone(),
        };
        self.begin_storing(store, intent, id, size, || {
            Error::conflict("Image status transition from saving to saving is not allowed")
                .hint("Another process is uploading data for this image.")
        })
        .await
    }

    /// Undoes an upload that failed for this reason, of an image that is in state `while_storing` until then.
    pub(super) async fn undo_upload(
        &self,
        id: &str,
        mut storing: Storing,
        while_storing: ImageStatus,
        error: Error,
    ) -> Error {
        if is_in_doubt(&error) {
            return error;
        }
        let undo = async {
            storing.writer.abort().await?;
            self.requeue(id, while_storing).await?;
            storing.close().await
        };
        explained(error, undo.await)
    }

    /// Sets an image whose upload failed back to `queued`.
    async fn requeue(&self, id: &str, from: ImageStatus) -> Result<()> {
        self.catalog
            .write(async |transaction| {
                transaction
                    .set_status(id, from, ImageStatus::Queued)
                    .await?;
                Ok(())
            })
            .await
    }
}
