//! Storing of data: first in the journal, then in the store, then in the record.

use super::catalog::{Lease, is_in_doubt};
use super::journal::{Entry, Intent, explained};
use super::store::{Store, Writer, storage_error};
use super::{Engine, Local};
use crate::data::pump::{self, Look, Taken};
use crate::data::verification::find_difference;
use crate::data::{Algorithm, Source, Watch};
use crate::model::{ByteRange, Image, ImageStatus};
use crate::{Error, ErrorKind, Result};

/// An upload into a store with a journal entry. Dropping it leaves the entry, as after a crash.
pub(super) struct Storing {
    writer: Box<dyn Writer>,
    entry: Entry,
}

impl Storing {
    /// Reads all of `source`. MUST be called at most once.
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

    /// Makes the data durable at its address, and returns the address. For data of an image see
    /// [`Local::commit_data`].
    pub(super) async fn commit(&mut self) -> Result<String> {
        self.writer.commit().await?;
        Ok(self.writer.address().to_string())
    }

    /// Closes the journal entry after the data was recorded.
    pub(super) async fn close(self) -> Result<()> {
        self.entry.close().await
    }

    /// Removes the stored data after `error`, if no image has it.
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

impl Local {
    /// Makes the data of an image durable in a store, and returns its address. If the service
    /// [verifies](Local::verifying_stored) it, reads it back and compares it with the hashes in `image`.
    ///
    /// # Errors
    /// Errors of the store; `Io` if it returns other data.
    pub(super) async fn commit_data(
        &self,
        storing: &mut Storing,
        store: &dyn Store,
        image: &Image,
        watch: &Watch,
    ) -> Result<String> {
        let url = storing.commit().await?;
        if self.verifies_stored {
            let source = store.open(&url, ByteRange::ALL).await?;
            if let Some(difference) = find_difference(source, image, watch).await? {
                let (store, id) = (&store.info().id, &image.id);
                let message = format!(
                    "store '{store}' returned other data of image {id} than was stored: {difference}"
                );
                return Err(Error::new(ErrorKind::Io, message).hint(
                    "The data was removed from the store. Check the store before you try again.",
                ));
            }
        }
        Ok(url)
    }
}

/// Returns the error for an image whose data another process uploads.
pub(super) fn uploading() -> Error {
    Error::conflict("Image status transition from saving to saving is not allowed")
        .hint("Another process is uploading data for this image.")
}

impl Engine {
    /// Begins to store the data of image `id`. `intent` is an upload into `store`, or a staging if that is the
    /// staging area. `size` is the number of bytes to be written, if known.
    ///
    /// # Errors
    /// Errors of [`Store::create`]; the error of `busy` while another process does the same.
    pub(super) async fn begin_storing(
        &self,
        store: &dyn Store,
        intent: Intent,
        id: &str,
        size: Option<u64>,
        busy: impl Fn() -> Error,
    ) -> Result<Storing> {
        let writer = match store.create(id, size).await {
            // An upload may have committed the data but not recorded it; that of a crashed process is cleared
            // first. The entry is closed before the address is checked again, because an entry implies that there
            // was no data at the address.
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
    /// Same as [`Engine::begin_storing`].
    pub(super) async fn begin_upload(
        &self,
        store: &dyn Store,
        id: &str,
        size: Option<u64>,
    ) -> Result<Storing> {
        let intent = Intent::Upload {
            store: store.info().id.clone(),
        };
        self.begin_storing(store, intent, id, size, uploading).await
    }

    /// Takes the lease on the upload of image `id`, by which other hosts know that it is in progress; None if another
    /// process has it.
    pub(super) async fn lease_upload(&self, id: &str) -> Result<Option<Lease>> {
        self.catalog.lease(&format!("upload/{id}")).await
    }

    /// Undoes an upload that failed with `error`, of an image in status `while_storing`.
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

    /// Resets an image whose upload failed to `queued`.
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

#[cfg(test)]
mod tests;
