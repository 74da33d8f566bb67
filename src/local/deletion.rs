//! Deletion of data: first the record, then data that no record refers to any more.
//!
//! The addresses are written to the journal before the record is changed, so that the next command can finish the
//! deletion after a crash (see [`super::journal`]). The place of the data must exist before anything is changed:
//! data on an unmounted file system would reappear later.

use std::collections::HashSet;

use super::Engine;
use super::catalog::Holders;
use super::journal::{Datum, Entry, Intent, Note};
use crate::data::blocking;
use crate::model::Location;
use crate::{Error, ErrorKind, Result};

/// A deletion with a journal entry.
pub(super) struct Deletion {
    /// The image's ID.
    id: String,
    /// The image's data.
    data: Vec<Datum>,
    /// Whether other images may refer to the same data.
    shared: bool,
    /// Whether staged data is removed as well.
    staged: bool,
    /// The journal entry; None if there is nothing to remove.
    entry: Option<Entry>,
}

impl Engine {
    /// Records in the journal that the data of an image at `locations` will be deleted, and its staged data if
    /// `staged`.
    ///
    /// # Errors
    /// `Failed` for data in a store that cannot be opened, because the data would be left behind; `Io` and `Failed`
    /// for a store whose directory is missing. Nothing was changed then.
    pub(super) async fn begin_deletion(
        &self,
        id: &str,
        locations: &[Location],
        staged: bool,
    ) -> Result<Deletion> {
        if staged {
            // Fails before any change if the staging area is not configured.
            self.staging()?;
        }
        let mut data = Vec::new();
        // Callers can name exposed locations, and could name files before Glance refused that.
        let mut shared = self.settings.exposure.get()?.locations;
        for location in locations {
            let store = self.stores.holding(location).map_err(|error| {
                Error::failed(format!("the data of image {id} cannot be deleted: {error}"))
                    .hint("Delete it with the service that stored it.")
            })?;
            let checked = store.check_delete(&location.url).await;
            checked.map_err(|error| match error.kind() {
                ErrorKind::Conflict => error.context(format_args!(
                    "Image {id} could not be deleted because it is in use"
                )),
                _ => error,
            })?;
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

    /// Removes the data of a recorded deletion that no record refers to any more.
    ///
    /// # Errors
    /// `Io`. The next command tries again.
    pub(super) async fn finish_deletion(&self, deletion: Deletion) -> Result<()> {
        let Deletion {
            id,
            data,
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
            // Each deletion of shared data checks the records after its own commit, so the last one removes the
            // data.
            let held = if shared {
                self.catalog.holders(&addresses).await?
            } else {
                self.catalog.holders_of_image(&id, &addresses).await?
            };
            self.remove_data(unreferenced(data, &held)?).await?;
            entry.close().await
        };
        finish.await.map_err(|error| {
            error
                .context("the record is deleted, but its data is not")
                .context(format_args!("image {id}"))
                .hint("The next command tries again.")
        })
    }

    /// Reserves disk space for later deletions. Called after data was stored.
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

    /// Removes the journal entry of a deletion that was not made.
    pub(super) async fn abandon_deletion(&self, deletion: Deletion) -> Result<()> {
        match deletion.entry {
            Some(entry) => entry.close().await,
            None => Ok(()),
        }
    }
}

/// Returns the data to which no location of `holders` refers.
///
/// # Errors
/// The errors of [`Holders::refer_to`].
pub(super) fn unreferenced(data: Vec<Datum>, holders: &Holders) -> Result<Vec<Datum>> {
    let mut left = Vec::with_capacity(data.len());
    for one in data {
        if !holders.refer_to(&one.url, &HashSet::new())? {
            left.push(one);
        }
    }
    Ok(left)
}
