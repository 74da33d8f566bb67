//! Clearing what processes left behind that died at their work.

use super::Local;
use super::store::Residue;
use crate::Result;
use crate::model::ImageStatus;

impl Local {
    /// Undoes the uploads, and finishes the deletions, whose processes are dead.
    pub(super) async fn recover(&self) -> Result<()> {
        for store in self.stores.iter() {
            for residue in store.residue().await? {
                match residue {
                    Residue::Upload { id, mut put } => {
                        let transaction = self.catalog.begin().await?;
                        let stored = transaction.load_image(&id, &self.caller.project).await?;
                        match stored.map(|stored| stored.image.status) {
                            // It died between recording the data and saying so.
                            Some(ImageStatus::Active | ImageStatus::Deactivated) => {}
                            // The data goes before the status: until then nobody else may upload.
                            Some(ImageStatus::Saving) => {
                                put.discard().await?;
                                transaction
                                    .set_status(&id, ImageStatus::Saving, ImageStatus::Queued)
                                    .await?;
                            }
                            _ => put.discard().await?,
                        }
                        transaction.commit().await?;
                        // Last, so that whoever dies on the way here is followed by another.
                        put.finish().await?;
                    }
                    Residue::Delete { id, delete } => {
                        // Recorded or not: what no record knows goes, and nothing else.
                        let kept = self.catalog.recorded_addresses(&id).await?;
                        delete.finish(&kept).await?;
                    }
                }
            }
        }
        Ok(())
    }
}
