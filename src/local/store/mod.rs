//! Where image data is kept.

mod file;
mod http;
mod unopened;

pub use file::{Directory, FileStore, Writing};
pub use http::HttpStore;
pub use unopened::UnopenedStore;

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::journal::{Begun, Entry};
use crate::config::Setting;
use crate::data::pump::{Look, Taken};
use crate::data::{Algorithm, Source, Watch};
use crate::model::{Location, StoreInfo, Timestamp};
use crate::{Error, Result};

/// A place that keeps the data of images.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns what callers may know of it, details included.
    fn info(&self) -> &StoreInfo;

    /// Whether it can read what is at an address of this kind.
    fn reads(&self, url: &str) -> bool;

    /// Whether what is at an address is, or would be, its own.
    fn owns(&self, url: &str) -> bool;

    /// Whether an address is the one that this store gives the data of image `id`, and of a kind that services take
    /// from nobody who names locations: records of other images do not name it.
    fn is_exclusive(&self, url: &str, id: &str) -> bool {
        let _ = (url, id);
        false
    }

    /// Begins to store the data of image `id`; `size` is how many bytes will be written, where that is known.
    ///
    /// # Errors
    /// `Conflict` while another process does the same, where a dead process left residue of the same (see
    /// [`is_residue`]), and where there is data of that name already; `TooLarge` when it cannot fit; `Gone` for a
    /// store that is only read.
    async fn begin(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Put>>;

    /// Bytes at an address, as far as that is told without reading them.
    ///
    /// # Errors
    /// `NotFound` when there are none, `Invalid` for no address, `Unreachable`.
    async fn size(&self, url: &str) -> Result<u64>;

    /// Opens data by its address.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    async fn open(&self, url: &str) -> Result<Source>;

    /// Checks that the data at an address could be deleted now: it is there, or its absence is certain.
    ///
    /// # Errors
    /// `Io` and `Failed` where the place of the data is not there, such as a file system that is not mounted.
    async fn check_delete(&self, url: &str) -> Result<()>;

    /// Notes, durably, that the data of image `id` at `urls` is about to be deleted.
    ///
    /// # Errors
    /// As of [`Store::begin`] for residue; `Io`.
    async fn begin_delete(&self, id: &str, urls: &[String]) -> Result<Box<dyn Delete>>;

    /// Removes data whose record says already that it is to go, and which no other record names; or only
    /// looks, if `dry_run`. For each, in their order, its bytes, or None where nothing was there. What is
    /// told as removed MUST stay removed when the machine stops.
    ///
    /// A store that is only read removes nothing.
    async fn remove(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let _ = dry_run;
        let refuse = |_| {
            Err(Error::failed(format!(
                "store '{}' is only read",
                self.info().id
            )))
        };
        removals.into_iter().map(refuse).collect()
    }

    /// Uploads and deletions that a dead process left unfinished; now ours to clear.
    async fn residue(&self) -> Result<Vec<Residue>>;
}

/// A request to remove data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The address of the data.
    pub url: String,
    /// The moment after which data written at that address is other data, which stays; None where there can be none.
    pub unless_later: Option<Timestamp>,
}

/// Data that is being stored. Nothing is under its final name before [`Put::publish`]; dropping it
/// before [`Put::finish`] leaves residue, as dying does.
#[async_trait]
pub trait Put: Send + Sync {
    /// Reads all of `source`. At most once.
    async fn take(
        &mut self,
        source: Source,
        algorithms: Vec<Algorithm>,
        watch: Watch,
        look: Look,
    ) -> Result<Taken>;

    /// Makes the data durable under its final name; its address.
    async fn publish(&mut self) -> Result<String>;

    /// The address that the data has, or will have once published.
    fn address(&self) -> String;

    /// Removes whatever was stored, published or not, durably. It stays known as residue until [`Put::finish`],
    /// so that the record can be mended between the two. Data of the same name that is not this one's stays.
    async fn discard(&mut self) -> Result<()>;

    /// The record says what became of the data: nothing is left to do.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// Data that is being deleted. Dropping it before [`Delete::finish`] leaves residue, as dying does.
#[async_trait]
pub trait Delete: Send {
    /// The addresses that were noted; None where they cannot be read any more.
    fn noted(&self) -> Option<&[String]>;

    /// Whether an address is the one that this store gives the data of image `id`.
    fn is_own(&self, url: &str, id: &str) -> bool;

    /// The deletion is recorded: removes the data at `removals`, durably.
    ///
    /// # Errors
    /// `Io`, also where the place of the data is not there; it stays known as residue.
    async fn finish(self: Box<Self>, removals: &[String]) -> Result<()>;

    /// The data stays.
    async fn abandon(self: Box<Self>) -> Result<()>;
}

/// What a dead process left.
pub enum Residue {
    /// An upload, maybe with its data already under the final name.
    Upload {
        /// The image.
        id: String,
        /// Discards the data, or finishes when it turns out to be recorded.
        put: Box<dyn Put>,
    },
    /// A deletion, recorded or not.
    Delete {
        /// The image.
        id: String,
        /// Removes the data that turns out not to be recorded any more.
        delete: Box<dyn Delete>,
    },
}

/// The stores of a deployment.
pub struct StoreSet {
    stores: Vec<Box<dyn Store>>,
    default: Setting<String>,
    named: bool,
}

impl StoreSet {
    /// Stores of which uploads go to `default`; `named` when callers may name them.
    pub fn new(stores: Vec<Box<dyn Store>>, default: Setting<String>, named: bool) -> Self {
        Self {
            stores,
            default,
            named,
        }
    }

    /// Every store, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Store> {
        self.stores.iter().map(AsRef::as_ref)
    }

    /// Whether stores have names that callers and locations use.
    pub fn named(&self) -> bool {
        self.named
    }

    /// The store that the data at a location is in: the one that such addresses belong to, else the one
    /// that its metadata name, else any that reads such addresses.
    ///
    /// # Errors
    /// `Invalid` where there is none.
    pub fn holding(&self, location: &Location) -> Result<&dyn Store> {
        let url = location.url.as_str();
        let named = |store: &&dyn Store| Some(store.info().id.as_str()) == location.store();
        let reads = |store: &&dyn Store| store.reads(url);
        self.owning(url)
            .or_else(|| self.iter().filter(reads).find(named))
            .or_else(|| self.iter().find(reads))
            .ok_or_else(|| {
                let scheme = url.split("://").next().unwrap_or_default();
                Error::invalid(format!("there is no store for addresses of kind {scheme}"))
            })
    }

    /// The store that what is at an address belongs to.
    pub fn owning(&self, url: &str) -> Option<&dyn Store> {
        self.iter().find(|store| store.owns(url))
    }

    /// Preference of the store that a location names; higher first.
    pub fn weight(&self, location: &Location) -> i64 {
        let named = |store: &&StoreInfo| Some(store.id.as_str()) == location.store();
        let store = self.iter().map(Store::info).find(named);
        store
            .and_then(|store| store.detail.as_ref())
            .map_or(0, |detail| detail.weight)
    }

    /// The store of that id, or the default one.
    ///
    /// # Errors
    /// `Invalid` when there is none; `Failed` where the configuration names no default.
    pub fn get(&self, id: Option<&str>) -> Result<&dyn Store> {
        let id = match id {
            Some(id) => id,
            None => self.default.get()?,
        };
        self.iter()
            .find(|store| store.info().id == id)
            .ok_or_else(|| {
                let known: Vec<&str> = self.iter().map(|store| store.info().id.as_str()).collect();
                Error::invalid(format!("there is no store '{id}'"))
                    .hint(format!("The stores are: {}.", known.join(", ")))
            })
    }
}

/// The path in a `file://` address.
pub fn file_path(url: &str) -> Option<PathBuf> {
    url.strip_prefix("file://").map(PathBuf::from)
}

/// Removes a journal entry whose work is over.
pub(super) async fn close(entry: Entry) -> Result<()> {
    blocking(move || entry.finish()).await
}

/// The cause of an error that says that a dead process left something to be cleared first.
#[derive(Debug)]
struct LeftOver;

impl std::fmt::Display for LeftOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a process died over this image")
    }
}

impl std::error::Error for LeftOver {}

/// Whether an error says that a dead process left something to be cleared first.
pub fn is_residue(error: &Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<LeftOver>)
}

/// Returns the entry, if it is a new one.
///
/// # Errors
/// `Conflict`: the one of `busy` while another process is at the same work, and one of [`is_residue`].
pub(super) fn ours(begun: Begun, id: &str, busy: impl FnOnce() -> Error) -> Result<Entry> {
    match begun {
        Begun::Ours(entry) => Ok(entry),
        Begun::Theirs => Err(busy()),
        Begun::Residue => Err(Error::conflict(format!(
            "image {id} was left unfinished by a process that died, and cleaning up failed"
        ))
        .because(LeftOver)),
    }
}

/// The most transfers between files that run at a time. Each keeps a thread busy, and small work must find one.
static TRANSFERS: Semaphore = Semaphore::const_new(8);

/// Runs a transfer on a thread that may wait for a disk, once few enough others run.
pub(super) async fn transfer<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let _permit = TRANSFERS.acquire().await;
    blocking(work).await
}

/// Runs what may wait for a disk on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(Error::internal("a worker thread failed").because(e)),
    }
}
