//! Undoes an import that failed, or whose process crashed. Staged data is kept if it can be imported again, and the
//! image returns to its previous state.

use super::{check_lock, listed, merge};
use crate::local::Engine;
use crate::local::journal::Entry;
use crate::model::import::{FAILED, LOCK, STAGE_HOST, TO_GO};
use crate::model::{ImageStatus, Task, TaskStatus};
use crate::{Error, ErrorKind, Result};

/// The message of a task whose process crashed.
const CRASHED: &str = "The process of the task crashed.";

impl Engine {
    /// Undoes an import by `task` that failed with `error`. Unrecorded copies have been discarded before.
    pub(in crate::local) async fn undo(&self, id: &str, task: &Task, error: &Error) -> Result<()> {
        // Invalid data stays invalid. Other causes, such as a failed disk, can be corrected.
        let refused = error.kind() == ErrorKind::UnsupportedMedia;
        let lock = Some(task.id.as_str());
        self.release_image(id, lock, Some(task), !refused, error.message())
            .await
    }

    /// Undoes an import whose process crashed.
    pub(in crate::local) async fn clear_import(&self, entry: Entry) -> Result<()> {
        let Some(note) = entry.note()? else {
            return self.clear_unreadable(entry).await;
        };
        let lock = note.task.as_deref();
        let task = match lock {
            Some(lock) => self.catalog.load_task(lock).await?,
            None => None,
        };
        self.release_image(&entry.id, lock, task.as_ref(), true, CRASHED)
            .await?;
        // The image that a task created for its data. If another import holds it now, that one continues.
        if let Some(image) = &note.image
            && !self.delete_unfilled(image).await?
        {
            return Ok(());
        }
        entry.close().await
    }

    /// Undoes an import whose journal entry is unreadable: the one that holds the image's lock, once it made no
    /// progress for so long that it must have crashed. Until then the entry stays.
    async fn clear_unreadable(&self, entry: Entry) -> Result<()> {
        let stored = self.catalog.load_image(&entry.id, "").await?;
        let lock = stored.and_then(|stored| stored.image.property(LOCK).map(str::to_string));
        if let Some(lock) = lock {
            let task = self.catalog.load_task(&lock).await?;
            check_lock(&entry.id, task.as_ref())?;
            self.release_image(&entry.id, Some(&lock), task.as_ref(), true, CRASHED)
                .await?;
        }
        entry.close().await
    }

    /// Removes `lock`, the ID of `task`, from an image, and records the failure in the task. Staged data that can
    /// be imported again is kept if `keep`. If the image does not have that lock, only orphaned staged data is
    /// removed.
    async fn release_image(
        &self,
        id: &str,
        lock: Option<&str>,
        task: Option<&Task>,
        keep: bool,
        why: &str,
    ) -> Result<()> {
        self.catalog
            .write(async |transaction| {
                let stored = transaction.load_image(id, "").await?;
                let mut status = stored.as_ref().map(|stored| stored.image.status);
                let locked =
                    stored.filter(|stored| lock.is_some() && stored.image.property(LOCK) == lock);
                if let Some(before) = locked.map(|stored| stored.image) {
                    let mut image = before.clone();
                    // A task that registers data has no stores.
                    let has_stores = image.property(TO_GO).is_some();
                    if has_stores && listed(&image, FAILED).is_empty() {
                        let to_go = listed(&image, TO_GO);
                        let to_go: Vec<&str> = to_go.iter().map(String::as_str).collect();
                        merge(&mut image, FAILED, &to_go);
                    }
                    if has_stores {
                        image.set_property(TO_GO, "");
                    }
                    let is_importing = image.status == ImageStatus::Importing;
                    // Data that stays is still on this host.
                    let stays = keep && is_importing && self.is_staged(id, task)?;
                    let is_over = |name: &str| name == LOCK || !stays && name == STAGE_HOST;
                    image.properties.retain(|(name, _)| !is_over(name));
                    image.updated_at = self.catalog.now();
                    transaction.update_image(&before, &image).await?;
                    if is_importing {
                        let to = if stays {
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
                    if let Some(before) =
                        before.filter(|task| task.status == TaskStatus::Processing)
                    {
                        let failed = self.finished_task(before, Err(why.to_string()));
                        transaction.finish_task(&failed).await?;
                    }
                }
                // Only an image that awaits its import, or is being imported by another process, may have staged data.
                // It is removed before the status can change.
                match status {
                    Some(ImageStatus::Importing) => {}
                    Some(ImageStatus::Uploading) => self.unstage_derived(id).await?,
                    _ => self.unstage(id).await?,
                }
                Ok(())
            })
            .await
    }

    /// Returns whether the image's owner, and not the import, staged data. If the import is unknown, all data may
    /// be the owner's.
    ///
    /// # Errors
    /// `Io` if that cannot be determined. The data is not removed then.
    fn is_staged(&self, id: &str, task: Option<&Task>) -> Result<bool> {
        let input = task.and_then(|task| task.input.as_ref());
        let method = input.and_then(|input| input["import_req"]["method"]["name"].as_str());
        let path = self.staged(id)?;
        let there = path
            .try_exists()
            .map_err(|e| Error::io("access", &path, e))?;
        Ok(there && (task.is_none() || method == Some("glance-direct")))
    }
}
