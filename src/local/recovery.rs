//! Clearing what processes left behind that died at their work.

use super::Local;
use super::catalog::StoredImage;
use super::store::{Delete, Put, Residue, Store};
use crate::Result;
use crate::model::ImageStatus;

impl Local {
    /// Undoes the uploads and imports, and finishes the deletions, whose processes are dead.
    pub(super) async fn recover(&self) -> Result<()> {
        for store in self.stores.iter() {
            for residue in store.residue().await? {
                match residue {
                    Residue::Upload { id, put } => {
                        let recorded = |stored: &StoredImage, put: &dyn Put| {
                            stored.locations.iter().any(|at| put.is_at(&at.url))
                        };
                        self.clear_upload(&id, put, ImageStatus::Saving, recorded)
                            .await?;
                    }
                    Residue::Delete { id, delete } => self.clear_delete(&id, delete).await?,
                }
            }
        }
        for residue in self.staging.residue().await? {
            match residue {
                Residue::Upload { id, put } => {
                    // The size is recorded last.
                    let recorded = |stored: &StoredImage, _: &dyn Put| {
                        stored.image.status == ImageStatus::Uploading && stored.image.size.is_some()
                    };
                    self.clear_upload(&id, put, ImageStatus::Uploading, recorded)
                        .await?;
                }
                Residue::Delete { id, delete } => self.clear_delete(&id, delete).await?,
            }
        }
        self.clear_imports().await
    }

    /// Undoes what was stored for an image that is in state `while_storing` meanwhile, unless it was
    /// `recorded` and only saying so is missing.
    async fn clear_upload(
        &self,
        id: &str,
        mut put: Box<dyn Put>,
        while_storing: ImageStatus,
        recorded: impl Fn(&StoredImage, &dyn Put) -> bool,
    ) -> Result<()> {
        let transaction = self.catalog.begin().await?;
        let stored = transaction.load_image(id, &self.caller.project).await?;
        let keep = stored
            .as_ref()
            .is_some_and(|stored| recorded(stored, put.as_ref()));
        if !keep {
            // The data goes before the status: until then nobody else may store any.
            put.discard().await?;
            if stored.is_some_and(|stored| stored.image.status == while_storing) {
                transaction
                    .set_status(id, while_storing, ImageStatus::Queued)
                    .await?;
            }
        }
        transaction.commit().await?;
        // Last, so that whoever dies on the way here is followed by another.
        put.finish().await
    }

    /// Finishes a deletion, recorded or not: what no record knows goes, and nothing else.
    async fn clear_delete(&self, id: &str, delete: Box<dyn Delete>) -> Result<()> {
        // In a transaction: the last word of a dead process may still be on its way through a server, which
        // keeps the image locked until then.
        let transaction = self.catalog.begin().await?;
        let alive = transaction.load_image(id, &self.caller.project).await?;
        let mut kept = transaction.recorded_addresses(id).await?;
        transaction.commit().await?;
        if alive.is_some_and(|stored| stored.image.status.may_be_staged()) {
            kept.push(self.staged_location(id).url);
        }
        delete.finish(&kept).await
    }
}
