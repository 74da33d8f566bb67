//! Undoing an import that failed, or whose process died: what was staged is kept where it can be
//! imported again, and the image is as it was before.

use super::{listed, merge};
use crate::local::Local;
use crate::local::journal::Intent;
use crate::local::store::blocking;
use crate::model::import::{FAILED, LOCK, TO_GO};
use crate::model::{Image, ImageStatus, Task, TaskStatus};
use crate::{Error, ErrorKind, Result};

impl Local {
    /// Undoes an import by `task`, which failed for this reason. Copies that were not recorded have been
    /// discarded.
    pub(super) async fn undo(&self, id: &str, task: &Task, error: &Error) -> Result<()> {
        // Data that is refused will be refused again; all else may be put right.
        let refused = matches!(
            error.kind(),
            ErrorKind::UnsupportedMedia | ErrorKind::Corrupt | ErrorKind::Invalid
        );
        self.give_back(id, Some(task), !refused, error.message())
            .await
    }

    /// Undoes the imports whose processes are dead.
    pub(in crate::local) async fn clear_imports(&self) -> Result<()> {
        for mut entry in self.staging_journal().residue(&[Intent::Import])? {
            let noted = entry.noted()?;
            let task = noted.first().and_then(|task| task.to_str());
            let task = match task {
                Some(task) => self.catalog.load_task(task).await?,
                None => None,
            };
            let why = "The process that did it died.";
            self.give_back(&entry.id, task.as_ref(), true, why).await?;
            blocking(move || entry.finish()).await?;
        }
        Ok(())
    }

    /// Takes the lock of `task` off an image and says why it failed; what is staged is kept where it can
    /// be imported again, if `keep`. Without a task, and for one that is over, only what is staged for
    /// nobody goes.
    async fn give_back(&self, id: &str, task: Option<&Task>, keep: bool, why: &str) -> Result<()> {
        let work = || async {
            let transaction = self.catalog.begin().await?;
            let stored = transaction.load_image(id, &self.caller.project).await?;
            let mut status = stored.as_ref().map(|stored| stored.image.status);
            let lock = task.map(|task| task.id.as_str());
            let locked =
                stored.filter(|stored| lock.is_some() && stored.image.property(LOCK) == lock);
            if let (Some(before), Some(task)) = (locked.map(|stored| stored.image), task) {
                let mut image = before.clone();
                if listed(&image, FAILED).is_empty() {
                    let to_go = listed(&image, TO_GO);
                    let to_go: Vec<&str> = to_go.iter().map(String::as_str).collect();
                    merge(&mut image, FAILED, &to_go);
                }
                image.set_property(TO_GO, "");
                image.properties.retain(|(name, _)| name != LOCK);
                image.updated_at = self.catalog.now();
                transaction.update_image(&before, &image).await?;
                if image.status == ImageStatus::Importing {
                    let to = if keep && self.is_staged(&image, task) {
                        ImageStatus::Uploading
                    } else {
                        ImageStatus::Queued
                    };
                    transaction
                        .set_status(id, ImageStatus::Importing, to)
                        .await?;
                    status = Some(to);
                }
            }
            if let Some(task) = task {
                let before = transaction.load_task(&task.id).await?;
                if let Some(before) = before.filter(|task| task.status == TaskStatus::Processing) {
                    let failed = self.over(before, Err(why.to_string()));
                    transaction.finish_task(&failed).await?;
                }
            }
            // Nobody but an image that waits for its import has anything staged. It goes before the status
            // is anyone else's to change.
            if status == Some(ImageStatus::Uploading) {
                self.unstage_derived(id).await?;
            } else {
                self.unstage(id).await?;
            }
            transaction.commit().await
        };
        self.catalog.insist(work).await
    }

    /// Whether all of an image's data was staged by its owner and is still there.
    fn is_staged(&self, image: &Image, task: &Task) -> bool {
        let method = task
            .input
            .as_ref()
            .and_then(|input| input["import_req"]["method"]["name"].as_str());
        let there = std::fs::metadata(self.staged(&image.id)).map(|file| file.len());
        method == Some("glance-direct") && there.ok() == image.size
    }
}
