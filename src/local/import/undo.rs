//! Undoing an import that failed, or whose process died: what was staged is kept where it can be
//! imported again, and the image is as it was before.

use super::{check_lock, listed, merge};
use crate::local::Engine;
use crate::local::journal::Entry;
use crate::model::import::{FAILED, LOCK, TO_GO};
use crate::model::{ImageStatus, Task, TaskStatus};
use crate::{Error, ErrorKind, Result};

/// What the task of a dead process says.
const DIED: &str = "The process that did it died.";

impl Engine {
    /// Undoes an import by `task`, which failed for this reason. Copies that were not recorded have been
    /// discarded.
    pub(super) async fn undo(&self, id: &str, task: &Task, error: &Error) -> Result<()> {
        // What the bytes are does not change; all else, a disk that fails among it, may be put right.
        let refused = error.kind() == ErrorKind::UnsupportedMedia;
        let lock = Some(task.id.as_str());
        self.give_back(id, lock, Some(task), !refused, error.message())
            .await
    }

    /// Undoes an import whose process is dead.
    pub(in crate::local) async fn clear_import(&self, entry: Entry) -> Result<()> {
        let Some(note) = entry.note()? else {
            return self.clear_unreadable(entry).await;
        };
        let lock = note.task.as_deref();
        let task = match lock {
            Some(lock) => self.catalog.load_task(lock).await?,
            None => None,
        };
        self.give_back(&entry.id, lock, task.as_ref(), true, DIED)
            .await?;
        // What a task created for the data that did not arrive. An import that has it by now goes on.
        if let Some(image) = &note.image
            && !self.delete_unfilled(image).await?
        {
            return Ok(());
        }
        entry.close().await
    }

    /// Undoes an import of which it cannot be read which one it was: the one that holds the image, once it has
    /// not been heard of for so long that it must be dead. Until then the entry stays.
    async fn clear_unreadable(&self, entry: Entry) -> Result<()> {
        let stored = self.catalog.load_image(&entry.id, "").await?;
        let lock = stored.and_then(|stored| stored.image.property(LOCK).map(str::to_string));
        if let Some(lock) = lock {
            let task = self.catalog.load_task(&lock).await?;
            check_lock(&entry.id, task.as_ref())?;
            self.give_back(&entry.id, Some(&lock), task.as_ref(), true, DIED)
                .await?;
        }
        entry.close().await
    }

    /// Takes `lock`, the id of `task`, off an image and says why the task failed; what is staged is kept where it
    /// can be imported again, if `keep`. Where the image does not bear that lock, only what is staged for nobody
    /// goes.
    async fn give_back(
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
                        let to = if keep && self.is_staged(id, task)? {
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
                        let failed = self.over(before, Err(why.to_string()));
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

    /// Whether there is data that the owner of an image staged, and not the import; of an import that is not
    /// known any more all data may be the owner's.
    ///
    /// # Errors
    /// `Io` when that cannot be found out: it is no reason to remove anything.
    fn is_staged(&self, id: &str, task: Option<&Task>) -> Result<bool> {
        let input = task.and_then(|task| task.input.as_ref());
        let method = input.and_then(|input| input["import_req"]["method"]["name"].as_str());
        let path = self.staged(id)?;
        let there = path
            .try_exists()
            .map_err(|e| Error::io("look at", &path, e))?;
        Ok(there && (task.is_none() || method == Some("glance-direct")))
    }
}
