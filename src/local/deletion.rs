//! Deleting data: first the record, then the data that no record names any more.
//!
//! The journal notes the addresses before the record is changed; who dies after that is followed by the next
//! command (see [`super::recovery`]). The place of the data has to be there before anything is changed: what
//! is on a file system that is not mounted would come back with it.

use super::Engine;
use super::store::{Delete, Store, blocking};
use crate::model::Location;
use crate::{Error, Result};

/// A deletion that was noted.
pub(super) struct Deletion {
    /// The image.
    id: String,
    /// The addresses of its data.
    urls: Vec<String>,
    /// Whether other images may name these.
    shared: bool,
    /// Whether what is staged goes as well.
    staged: bool,
    /// The entry of the journal; None where there is nothing to remove.
    delete: Option<Box<dyn Delete>>,
}

impl Engine {
    /// Notes that the data of an image at `locations`, and what is staged for it if `staged`, is about to be
    /// deleted.
    ///
    /// # Errors
    /// `Failed` for data in a store that cannot be opened: it would be left behind. `Io` and `Failed` for a
    /// store that is not there. Nothing was changed then.
    pub(super) async fn begin_deletion(
        &self,
        id: &str,
        locations: &[Location],
        staged: bool,
    ) -> Result<Deletion> {
        let urls: Vec<String> = locations.iter().map(|at| at.url.clone()).collect();
        let mut keeper: Option<&dyn Store> = if staged { Some(self.staging()?) } else { None };
        // Where locations are shown, callers can name them, and could name files before Glance refused that.
        let mut shared = self.settings.exposure.get()?.locations;
        for location in locations {
            let store = self.stores.holding(location).map_err(|error| {
                Error::failed(format!("the data of image {id} cannot be deleted: {error}"))
                    .hint("Delete it with the service that stored it.")
            })?;
            store.check_delete(&location.url).await?;
            if !store.info().read_only {
                keeper.get_or_insert(store);
                shared |= !store.is_exclusive(&location.url, id);
            }
        }
        if let Some(reserve) = self.reserve.clone() {
            blocking(move || {
                reserve.release_if_full();
                Ok(())
            })
            .await?;
        }
        let delete = match keeper {
            Some(store) => {
                let begin = || store.begin_delete(id, &urls);
                Some(self.begin_cleared(begin).await?)
            }
            None => None,
        };
        Ok(Deletion {
            id: id.to_string(),
            urls,
            shared,
            staged,
            delete,
        })
    }

    /// Removes the data of a deletion that is recorded, as far as no record names it any more.
    ///
    /// # Errors
    /// `Io`; the next command tries again.
    pub(super) async fn finish_deletion(&self, deletion: Deletion) -> Result<()> {
        let Deletion {
            id,
            urls,
            shared,
            staged,
            delete: Some(delete),
        } = deletion
        else {
            return Ok(());
        };
        let finish = async {
            if staged {
                self.unstage(&id).await?;
            }
            let addresses: Vec<&str> = urls.iter().map(String::as_str).collect();
            // Others who delete what names the same data look after their own commit: the last one removes it.
            let held = if shared {
                self.catalog.holders(&addresses).await?
            } else {
                self.catalog.holders_of_image(&id, &addresses).await?
            };
            let held = |url: &String| held.iter().any(|(_, holder)| holder == url);
            let removals: Vec<String> = urls.iter().filter(|url| !held(url)).cloned().collect();
            delete.finish(&removals).await
        };
        finish.await.map_err(|error| {
            Error::new(
                error.kind(),
                format!("image {id}: the record is deleted, its data is not yet: {error}"),
            )
            .hint("The next command tries again.")
            .because(error)
        })
    }

    /// Keeps room for deletions on a disk that is going to be full; called where data was stored.
    pub(super) async fn keep_reserve(&self) -> Result<()> {
        match self.reserve.clone() {
            Some(reserve) => {
                blocking(move || {
                    reserve.keep();
                    Ok(())
                })
                .await
            }
            None => Ok(()),
        }
    }

    /// Forgets a deletion that did not happen.
    pub(super) async fn abandon_deletion(&self, deletion: Deletion) -> Result<()> {
        match deletion.delete {
            Some(delete) => delete.abandon().await,
            None => Ok(()),
        }
    }
}
