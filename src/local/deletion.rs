//! Deleting data: first the record, then the data that no record names any more.
//!
//! The journal notes the addresses before the record is changed; a process that crashes after that is followed by the
//! next command (see [`super::journal`]). The place of the data has to be there before anything is changed: what
//! is on a file system that is not mounted would come back with it.

use super::Engine;
use super::journal::{Datum, Entry, Intent, Note};
use crate::data::blocking;
use crate::model::Location;
use crate::{Error, Result};

/// A deletion that was noted.
pub(super) struct Deletion {
    /// The image.
    id: String,
    /// Its data.
    data: Vec<Datum>,
    /// Whether other images may name the same data.
    shared: bool,
    /// Whether what is staged is removed as well.
    staged: bool,
    /// The entry of the journal; None where there is nothing to remove.
    entry: Option<Entry>,
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
        if staged {
            // Without a staging area nothing could be removed from it.
            self.staging()?;
        }
        let mut data = Vec::new();
        // Where locations are shown, callers can name them, and could name files before Glance refused that.
        let mut shared = self.settings.exposure.get()?.locations;
        for location in locations {
            let store = self.stores.holding(location).map_err(|error| {
                Error::failed(format!("the data of image {id} cannot be deleted: {error}"))
                    .hint("Delete it with the service that stored it.")
            })?;
            store.check_delete(&location.url).await?;
            if !store.info().read_only {
                shared |= !store.is_exclusive(&location.url, id);
                data.push(Datum {
                    url: location.url.clone(),
                    store: store.info().id.clone(),
                });
            }
        }
        if let Some(reserve) = self.reserve.clone() {
            blocking(move || {
                reserve.release_if_full();
                Ok(())
            })
            .await?;
        }
        let entry = if staged || !data.is_empty() {
            let note = Note {
                data: data.clone(),
                ..Note::default()
            };
            let busy =
                || Error::conflict(format!("image {id} is being deleted by another process"));
            Some(self.note(id, &Intent::Delete, Some(note), busy).await?)
        } else {
            None
        };
        Ok(Deletion {
            id: id.to_string(),
            data,
            shared,
            staged,
            entry,
        })
    }

    /// Removes the data of a deletion that is recorded, as far as no record names it any more.
    ///
    /// # Errors
    /// `Io`; the next command tries again.
    pub(super) async fn finish_deletion(&self, deletion: Deletion) -> Result<()> {
        let Deletion {
            id,
            mut data,
            shared,
            staged,
            entry: Some(entry),
        } = deletion
        else {
            return Ok(());
        };
        let finish = async {
            if staged {
                self.unstage(&id).await?;
            }
            let addresses: Vec<&str> = data.iter().map(|one| one.url.as_str()).collect();
            // Others who delete what names the same data look after their own commit: the last one removes it.
            let held = if shared {
                self.catalog.holders(&addresses).await?
            } else {
                self.catalog.holders_of_image(&id, &addresses).await?
            };
            data.retain(|one| !held.iter().any(|(_, holder)| *holder == one.url));
            self.remove_data(data).await?;
            entry.close().await
        };
        finish.await.map_err(|error| {
            error
                .context("the record is deleted, its data is not yet")
                .context(format_args!("image {id}"))
                .hint("The next command tries again.")
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
        match deletion.entry {
            Some(entry) => entry.close().await,
            None => Ok(()),
        }
    }
}
