//! The staging area: a file per image with data that awaits import, named by the image's ID.
//!
//! It is a store with the usual rules: data is written next to its final name, synced and renamed, under a journal
//! entry.
//!
//! *Source:* `stage` in `glance/api/v2/image_data.py` of the reference implementation.

use std::path::{Path, PathBuf};

use super::data::check_promise;
use super::directories::FILE_MODE;
use super::journal::Intent;
use super::policy::{Action, ImageTarget};
use super::store::{Directory, FileStore, Writing};
use super::storing::Storing;
use super::{Engine, Local, visibility};
use crate::config::ProjectLimits;
use crate::data::durable::remove_durably;
use crate::data::{Source, blocking};
use crate::model::import::STAGE_HOST;
use crate::model::{ImageStatus, StoreInfo};
use crate::service::Staging;
use crate::{Error, ErrorKind, Result};

/// The name of the staging area as a store of the reference implementation.
const ID: &str = "os_glance_staging_store";

/// Creates the store of the staging area in a directory, which is created when needed.
pub(super) fn store(directory: &Path) -> FileStore {
    let info = StoreInfo {
        id: ID.to_string(),
        description: None,
        is_default: false,
        read_only: false,
        detail: None,
    };
    let directory = Directory {
        path: directory.to_path_buf(),
        priority: 0,
    };
    let writing = Writing {
        mode: FILE_MODE,
        sparse: false,
    };
    FileStore::new(info, vec![directory], writing).tolerant()
}

impl Engine {
    /// Returns the staging area.
    ///
    /// # Errors
    /// `Failed` if its configuration is invalid.
    pub(super) fn staging(&self) -> Result<&FileStore> {
        self.staging.get()
    }

    /// Returns the path of an image's staged data.
    pub(super) fn staged(&self, id: &str) -> Result<PathBuf> {
        Ok(self.settings.staging_dir.get()?.join(id))
    }

    /// Begins to stage data for image `id`.
    ///
    /// # Errors
    /// `Conflict` while another process does the same; errors of [`Engine::begin_storing`].
    async fn begin_staging(&self, id: &str, size: Option<u64>) -> Result<Storing> {
        let busy = || {
            not_allowed(ImageStatus::Uploading)
                .hint("Another process is staging data for this image.")
        };
        self.begin_storing(self.staging()?, Intent::Stage, id, size, busy)
            .await
    }

    /// Removes the staged data of an image and the files derived from it, if any. The removal is durable.
    pub(super) async fn unstage(&self, id: &str) -> Result<()> {
        let path = self.staged(id)?;
        self.remove_staged([vec![path.clone()], derived(&path)].concat())
            .await
    }

    /// Removes the files that were derived from the staged data of an image; the data itself stays.
    pub(super) async fn unstage_derived(&self, id: &str) -> Result<()> {
        self.remove_staged(derived(&self.staged(id)?)).await
    }

    /// Checks that all data of an image is staged: `size` bytes, if recorded.
    ///
    /// # Errors
    /// `Io` if it is missing; `Corrupt` if its size differs. It is not changed.
    pub(super) async fn check_staged(&self, id: &str, size: Option<u64>) -> Result<()> {
        let path = self.staged(id)?;
        blocking(move || {
            let found = std::fs::metadata(&path).map_err(|e| Error::io("read", &path, e))?;
            match size {
                Some(size) if size != found.len() => Err(Error::corrupt(format!(
                    "{} has {} bytes instead of the {size} that were staged",
                    path.display(),
                    found.len()
                ))),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn remove_staged(&self, paths: Vec<PathBuf>) -> Result<()> {
        let directory = self.settings.staging_dir.get()?.clone();
        blocking(move || remove_durably(&directory, paths.iter().map(PathBuf::as_path))).await
    }

    /// Stores downloaded data in the staging area, for the same import.
    pub(super) async fn keep_fetched(
        &self,
        id: &str,
        source: Source,
        watch: crate::data::Watch,
        cap: super::quota::Cap,
    ) -> Result<u64> {
        // The leftovers of an earlier attempt are useless.
        self.unstage(id).await?;
        let mut storing = self.begin_staging(id, None).await?;
        let kept = async {
            let look = Box::new(cap.counter());
            let taken = storing.take(source, Vec::new(), watch, look).await?;
            storing.commit().await?;
            Ok(taken.size)
        };
        match kept.await {
            Ok(size) => {
                storing.close().await?;
                Ok(size)
            }
            Err(error) => Err(storing.discard(error).await),
        }
    }
}

impl Local {
    /// Stages data: changes the status from `queued` to `uploading`, and stores the data in the staging area.
    pub(super) async fn stage(&self, id: &str, staging: Staging) -> Result<()> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::StageImage, target)?;
        let status = stored.image.status;
        if status != ImageStatus::Queued {
            return Err(not_allowed(status));
        }
        let size = staging.size.or_else(|| staging.source.size());
        let limits = self.project_limits().await?;
        self.check_staging(limits, size.unwrap_or(0)).await?;
        let cap = self.room(stored.image.owner.as_deref()).await?;
        if size.is_some_and(|size| size > cap.bytes) {
            return Err(cap.exceeded());
        }
        let room = staging.source.stored_size().or(size);
        let mut storing = self.begin_staging(id, room).await?;
        if let Err(error) = self.start_staging(id, limits).await {
            return Err(storing.discard(error).await);
        }
        let staged = async {
            // A queued image has no staged data, so leftovers are useless.
            self.unstage(id).await?;
            let Staging {
                source,
                size,
                watch,
            } = staging;
            let look = Box::new(cap.counter());
            let taken = storing.take(source, Vec::new(), watch, look).await?;
            check_promise(size, taken.size)?;
            storing.commit().await?;
            self.finish_staging(id, taken.size).await
        };
        match staged.await {
            Ok(()) => {
                storing.close().await?;
                self.keep_reserve().await
            }
            Err(error) => Err(self
                .undo_upload(id, storing, ImageStatus::Uploading, error)
                .await),
        }
    }

    /// Records the size of the staged data.
    async fn finish_staging(&self, id: &str, size: u64) -> Result<()> {
        self.catalog
            .write(async |transaction| {
                if !transaction.set_staged_size(id, size).await? {
                    return Err(Error::new(
                        ErrorKind::Gone,
                        format!(
                            "Image {id} could not be found after staging: it was deleted concurrently"
                        ),
                    ));
                }
                if let Some(host) = self.settings.self_url.get()?
                    && let Some(found) = transaction.load_image(id, &self.caller.project).await?
                {
                    let mut image = found.image.clone();
                    image.set_property(STAGE_HOST, host);
                    transaction.update_image(&found.image, &image).await?;
                }
                Ok(())
            })
            .await
    }

    /// Changes the status from `queued` to `uploading`, which prevents other processes from staging data.
    async fn start_staging(&self, id: &str, limits: ProjectLimits) -> Result<()> {
        self.catalog
            .write(async |transaction| {
                if transaction
                    .set_status(id, ImageStatus::Queued, ImageStatus::Uploading)
                    .await?
                {
                    self.check_uploading(&transaction, limits).await?;
                    return Ok(());
                }
                let now = transaction.load_image(id, &self.caller.project).await?;
                Err(now.map_or_else(
                    || visibility::not_found(id),
                    |now| not_allowed(now.image.status),
                ))
            })
            .await
    }
}

fn not_allowed(status: ImageStatus) -> Error {
    Error::conflict(format!(
        "Image status transition from {status} to uploading is not allowed"
    ))
}

/// The extensions of files that are derived from a staged file, next to it: `ID.uc`, as in the reference
/// implementation, and `ID.converted`.
pub(super) const UNWRAPPED: &str = "uc";
pub(super) const CONVERTED: &str = "converted";

fn derived(staged: &Path) -> Vec<PathBuf> {
    vec![
        staged.with_extension(UNWRAPPED),
        staged.with_extension(CONVERTED),
    ]
}
