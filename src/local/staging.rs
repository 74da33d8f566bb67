//! The staging area: where data waits to be imported, a file an image, named by its id.
//!
//! It is a store of its own, on the same rules: written beside its name, durable, renamed, and noted in
//! the journal meanwhile.
//!
//! *Source:* `stage` in `glance/api/v2/image_data.py` of the reference implementation.

use std::path::{Path, PathBuf};

use super::access::{self, Target};
use super::catalog::is_in_doubt;
use super::data::check_promise;
use super::journal::Journal;
use super::store::{Directory, FileStore, Store, Writing};
use super::{FILE_MODE, Local};
use crate::data::Source;
use crate::model::{ImageStatus, Location, StoreInfo};
use crate::service::Staging;
use crate::{Error, ErrorKind, Result};

/// The name that the reference implementation gives the staging area as a store.
const ID: &str = "os_glance_staging_store";

/// The staging area in a directory, which is made when it is needed.
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
    FileStore::new(info, vec![directory], writing)
}

impl Local {
    /// The file that the data of an image is staged in.
    pub(super) fn staged(&self, id: &str) -> PathBuf {
        self.settings.staging_dir.join(id)
    }

    /// The same, as a location.
    pub(super) fn staged_location(&self, id: &str) -> Location {
        Location {
            url: format!("file://{}", self.staged(id).display()),
            metadata: serde_json::Map::new(),
        }
    }

    /// The journal of the staging area.
    pub(super) fn staging_journal(&self) -> Journal {
        Journal::of(&self.settings.staging_dir)
    }

    /// Removes what is staged for an image, if anything is.
    pub(super) async fn unstage(&self, id: &str) -> Result<()> {
        let path = self.staged(id);
        super::store::blocking(move || {
            remove(&path)?;
            remove_derived(&path)
        })
        .await
    }

    /// Removes what was made of what is staged for an image, which stays.
    pub(super) async fn unstage_derived(&self, id: &str) -> Result<()> {
        let path = self.staged(id);
        super::store::blocking(move || remove_derived(&path)).await
    }

    /// From `queued` to `uploading`, with the data in the staging area.
    pub(super) async fn stage(&self, id: &str, staging: Staging) -> Result<()> {
        let stored = self.find(id).await?;
        let target = Target::new(&stored.image, stored.is_member);
        access::check_change(&self.caller, target, "stage data for")?;
        let status = stored.image.status;
        if status != ImageStatus::Queued {
            return Err(not_allowed(status));
        }
        let size = staging.size.or_else(|| staging.source.size());
        self.check_staging(size.unwrap_or(0)).await?;
        let cap = self.room(stored.image.owner.as_deref()).await?;
        if size.is_some_and(|size| size > cap.bytes) {
            return Err(cap.exceeded());
        }
        let room = staging.source.stored_size().or(size);
        let begun = self.staging.begin(id, room).await;
        let mut put = begun.map_err(|error| match error.kind() {
            ErrorKind::Conflict => not_allowed(ImageStatus::Uploading)
                .hint("Another process is staging data for this image."),
            _ => error,
        })?;
        if let Err(error) = self.start_staging(id).await {
            put.discard().await?;
            put.finish().await?;
            return Err(error);
        }
        let staged = async {
            // What is there all the same is of no use to an image that was queued.
            self.unstage(id).await?;
            let Staging {
                source,
                size,
                watch,
            } = staging;
            let look = Box::new(cap.counter());
            let taken = put.take(source, Vec::new(), watch, look).await?;
            check_promise(size, taken.size)?;
            put.publish().await?;
            self.finish_staging(id, taken.size).await
        };
        let outcome = staged.await;
        if let Err(error) = &outcome {
            if is_in_doubt(error) {
                // Whether it is staged is for whoever clears the entry of the journal to find out.
                return outcome;
            }
            // First the data goes, then the image may be staged for again.
            put.discard().await?;
            let work = || async {
                let transaction = self.catalog.begin().await?;
                transaction
                    .set_status(id, ImageStatus::Uploading, ImageStatus::Queued)
                    .await?;
                transaction.commit().await
            };
            self.catalog.insist(work).await?;
        }
        put.finish().await?;
        outcome
    }

    /// Records how much is staged.
    async fn finish_staging(&self, id: &str, size: u64) -> Result<()> {
        let work = || async {
            let transaction = self.catalog.begin().await?;
            if !transaction.set_staged_size(id, size).await? {
                return Err(Error::new(
                    ErrorKind::Gone,
                    format!(
                        "Image {id} could not be found after staging: it was deleted meanwhile"
                    ),
                ));
            }
            transaction.commit().await
        };
        self.catalog.insist(work).await
    }

    /// From `queued` to `uploading`: from here on nobody else stages data for the image.
    async fn start_staging(&self, id: &str) -> Result<()> {
        let work = || async {
            let transaction = self.catalog.begin().await?;
            if transaction
                .set_status(id, ImageStatus::Queued, ImageStatus::Uploading)
                .await?
            {
                self.check_uploading(&transaction).await?;
                return transaction.commit().await;
            }
            let now = transaction.load_image(id, &self.caller.project).await?;
            Err(now.map_or_else(
                || access::not_found(id),
                |now| not_allowed(now.image.status),
            ))
        };
        self.catalog.insist(work).await
    }

    /// Puts data that was fetched into the staging area, for an import that goes on.
    pub(super) async fn keep_fetched(
        &self,
        id: &str,
        source: Source,
        watch: crate::data::Watch,
        cap: super::quota::Cap,
    ) -> Result<u64> {
        // What an earlier attempt left is of no use.
        self.unstage(id).await?;
        let mut put = self.staging.begin(id, None).await?;
        let kept = async {
            let look = Box::new(cap.counter());
            let taken = put.take(source, Vec::new(), watch, look).await?;
            put.publish().await?;
            Ok(taken.size)
        };
        let outcome = kept.await;
        if outcome.is_err() {
            put.discard().await?;
        }
        put.finish().await?;
        outcome
    }
}

fn not_allowed(status: ImageStatus) -> Error {
    Error::conflict(format!(
        "Image status transition from {status} to uploading is not allowed"
    ))
}

/// What is made of a staged file, each beside it: `ID.uc`, as the reference implementation calls it, and
/// `ID.converted`.
pub(super) const UNWRAPPED: &str = "uc";
pub(super) const CONVERTED: &str = "converted";

fn remove_derived(staged: &Path) -> Result<()> {
    for suffix in [UNWRAPPED, CONVERTED] {
        remove(&staged.with_extension(suffix))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}
