//! Undoing what failed, and clearing what processes left that died over it.
//!
//! The journal says what was begun, the record says how far it came. A failed operation is undone by its own
//! process where it can be: first the data, then the record, then the entry of the journal. Where a step of that
//! fails, or it is not known whether a commit was made, the entry stays, and the next command clears it as if
//! the process had died there.

use super::Engine;
use super::catalog::{StoredImage, is_in_doubt};
use super::journal::Intent;
use super::store::{Delete, Put, Residue, Store, blocking, is_residue};
use crate::model::ImageStatus;
use crate::model::schema::is_uuid;
use crate::{Error, Result};

impl Engine {
    /// Begins something that is refused while a dead process' residue of the same is not cleared: clears that,
    /// then begins.
    ///
    /// # Errors
    /// Those of `begin`; why the residue could not be cleared.
    pub(super) async fn begin_cleared<T, W>(&self, begin: impl Fn() -> W) -> Result<T>
    where
        W: Future<Output = Result<T>>,
    {
        match begin().await {
            Err(error) if is_residue(&error) => {
                let cleared = self.recover().await;
                match begin().await {
                    Err(error) if is_residue(&error) => Err(cleared.err().unwrap_or(error)),
                    other => other,
                }
            }
            other => other,
        }
    }

    /// Undoes an upload that failed for this reason, of an image that is in state `while_storing` meanwhile.
    pub(super) async fn undo_upload(
        &self,
        id: &str,
        mut put: Box<dyn Put>,
        while_storing: ImageStatus,
        error: Error,
    ) -> Error {
        if is_in_doubt(&error) {
            return error;
        }
        let undo = async {
            put.discard().await?;
            self.requeue(id, while_storing).await?;
            put.finish().await
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

    /// Undoes the uploads and imports, and finishes the deletions, whose processes are dead.
    ///
    /// # Errors
    /// The first of those for which something could not be cleared; the rest is.
    pub(super) async fn recover(&self) -> Result<()> {
        let mut failure = None;
        let mut note = |outcome: Result<()>| {
            if let Err(error) = outcome {
                failure.get_or_insert(error);
            }
        };
        let mut all = Vec::new();
        let stores = self.stores.iter().map(|store| (store, false));
        // Who has no staging area has staged nothing.
        let staging = self.staging().ok().map(|store| (store as &dyn Store, true));
        for (store, is_staging) in stores.chain(staging) {
            match store.residue().await {
                Ok(residue) => all.extend(residue.into_iter().map(|one| (one, is_staging))),
                Err(error) => note(Err(error)),
            }
        }
        let mut imports = Vec::new();
        if let Ok(journal) = self.staging_journal() {
            match blocking(move || journal.residue(&[Intent::Import])).await {
                Ok(residue) => imports = residue,
                Err(error) => note(Err(error)),
            }
        }
        if !all.is_empty() || !imports.is_empty() {
            match self.catalog.settle().await {
                Ok(()) => {
                    for (residue, is_staging) in all {
                        note(self.clear(residue, is_staging).await);
                    }
                    // What a task created is deleted once the import of its data is undone.
                    imports.sort_by_cached_key(
                        |entry| matches!(entry.noted(), Ok(Some(noted)) if noted.len() > 1),
                    );
                    for entry in imports {
                        note(self.clear_import(entry).await);
                    }
                }
                Err(error) => note(Err(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn clear(&self, residue: Residue, is_staging: bool) -> Result<()> {
        match residue {
            Residue::Upload { id, put } if is_staging => self.clear_staging(&id, put).await,
            Residue::Upload { id, put } => self.clear_upload(&id, put).await,
            Residue::Delete { id, delete } => self.clear_delete(&id, delete).await,
        }
    }

    /// Undoes an upload, unless an image has the data and only the end of the work is missing.
    async fn clear_upload(&self, id: &str, put: Box<dyn Put>) -> Result<()> {
        let address = put.address();
        let transaction = self.catalog.begin().await?;
        let stored = transaction.load_image(id, "").await?;
        let is_recorded = !transaction.holders(&[&address]).await?.is_empty();
        self.clear_put(transaction, stored, put, ImageStatus::Saving, is_recorded)
            .await
    }

    /// Undoes a staging, unless it is recorded, and only the end of the work is missing.
    async fn clear_staging(&self, id: &str, put: Box<dyn Put>) -> Result<()> {
        let transaction = self.catalog.begin().await?;
        let stored = transaction.load_image(id, "").await?;
        let is_recorded = stored
            .as_ref()
            .is_some_and(|stored| match stored.image.status {
                // The size is recorded last.
                ImageStatus::Uploading => stored.image.size.is_some(),
                // Whatever is staged then is the import's.
                ImageStatus::Importing => true,
                _ => false,
            });
        self.clear_put(
            transaction,
            stored,
            put,
            ImageStatus::Uploading,
            is_recorded,
        )
        .await
    }

    async fn clear_put(
        &self,
        transaction: super::catalog::Transaction,
        stored: Option<StoredImage>,
        mut put: Box<dyn Put>,
        while_storing: ImageStatus,
        is_recorded: bool,
    ) -> Result<()> {
        if !is_recorded {
            // The data goes before the status: until then nobody else may store any.
            put.discard().await?;
            if let Some(stored) = stored.filter(|stored| stored.image.status == while_storing) {
                transaction
                    .set_status(&stored.image.id, while_storing, ImageStatus::Queued)
                    .await?;
            }
        }
        transaction.commit().await?;
        // Last, so that a process that dies on the way here is followed by another.
        put.finish().await
    }

    /// Finishes a deletion, if it is recorded.
    ///
    /// The entry alone is not believed: what goes is data that a record of the image names, or that is under the
    /// name that a store gives it, and that no other record names.
    async fn clear_delete(&self, id: &str, delete: Box<dyn Delete>) -> Result<()> {
        let noted = delete.noted().map(<[String]>::to_vec);
        // In a transaction: the last word of a dead process may still be on its way through a server, which
        // keeps the image locked until then.
        let read = self.catalog.write(async |transaction| {
            let found = transaction.load_image(id, "").await?;
            let is_alive = found.is_some();
            let recorded = match &noted {
                Some(_) => transaction.addresses(id).await?,
                // It was written on a full disk, or is damaged: what the record says is deleted goes.
                None => transaction.deleted_addresses(id).await?,
            };
            let noted = match &noted {
                None if !is_alive && !recorded.is_empty() => Some(recorded.clone()),
                noted => (*noted).clone(),
            };
            let urls: Vec<&str> = noted.iter().flatten().map(String::as_str).collect();
            let held = transaction.holders(&urls).await?;
            Ok((is_alive, recorded, noted, held))
        });
        let (is_alive, recorded, noted, held) = read.await?;
        if noted.is_none() {
            // Nothing was deleted, or it is not known what is left of it.
            return if is_alive {
                delete.abandon().await
            } else {
                Ok(())
            };
        }
        if !is_alive && is_uuid(id) {
            self.unstage(id).await?;
        }
        let mut removed = noted.unwrap_or_default();
        removed.retain(|url| {
            let is_known =
                recorded.contains(url) || !is_alive && is_uuid(id) && delete.is_own(url, id);
            is_known && !held.iter().any(|(_, holder)| holder == url)
        });
        delete.finish(&removed).await
    }
}

/// Removes what was stored for nobody, after `error`.
pub(super) async fn discard(mut put: Box<dyn Put>, error: Error) -> Error {
    if is_in_doubt(&error) {
        return error;
    }
    let discarded = async {
        put.discard().await?;
        put.finish().await
    };
    explained(error, discarded.await)
}

/// The error of an operation that failed, and whose undoing may have failed as well.
pub(super) fn explained(error: Error, undone: Result<()>) -> Error {
    match undone {
        Ok(()) => error,
        Err(why) => error.and_hint(format!(
            "Undoing it failed ({why}); the next command tries again."
        )),
    }
}
