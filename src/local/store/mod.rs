//! Where image data is kept.

mod file;
mod http;
mod unopened;

pub use file::{Directory, FileStore, Writing};
pub use http::HttpStore;
pub use unopened::UnopenedStore;

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::config::Setting;
use crate::data::Source;
use crate::data::pump::Sink;
use crate::model::{ByteRange, Location, StoreInfo, Timestamp};
use crate::{Error, Parameter, Result};

/// A place that keeps the data of images. It knows nothing of records, nor of the journal.
///
/// Opening a store MUST NOT wait for it: files are read and connections made when data is asked for, so that a store that
/// is down, or whose configuration is refused, fails only what needs its data.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns what callers may know of it, details included.
    fn info(&self) -> &StoreInfo;

    /// Whether it can read what is at an address of this kind.
    fn reads(&self, url: &str) -> bool;

    /// Whether what is at an address is, or would be, its own.
    fn owns(&self, url: &str) -> bool;

    /// Returns the addresses that this store may give the data of image `id`. None for a store that is only read.
    fn addresses(&self, id: &str) -> Vec<String>;

    /// Whether an address is one of [`Store::addresses`], and of a kind that services take from no caller who names
    /// locations: records of other images do not name it.
    fn is_exclusive(&self, url: &str, id: &str) -> bool {
        let _ = (url, id);
        false
    }

    /// Prepares to store the data of image `id`: chooses its place. `size` is how many bytes will be written, where that
    /// is known. Nothing is written yet.
    ///
    /// # Errors
    /// `Conflict` where there is data at any of [`Store::addresses`] already; `TooLarge` when it cannot fit; `Gone` for a
    /// store that is only read.
    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>>;

    /// Returns the number of bytes at an address, as far as that is told without reading them.
    ///
    /// # Errors
    /// `NotFound` when there are none, `Invalid` for what is not an address, `Unreachable`.
    async fn size(&self, url: &str) -> Result<u64>;

    /// Opens data, or a range of it, by its address.
    ///
    /// # Errors
    /// `NotFound` when there is none; `RangeNotSatisfiable` for a range that begins at the end of the data or after it.
    async fn open(&self, url: &str, range: ByteRange) -> Result<Source>;

    /// Checks that the data at an address could be deleted now: it is there, or its absence is certain.
    ///
    /// # Errors
    /// `Io` and `Failed` where the place of the data is not there, such as a file system that is not mounted.
    async fn check_delete(&self, url: &str) -> Result<()>;

    /// Deletes data that no record names any more; or only checks, if `dry_run`. Returns for each, in their order, its
    /// bytes, or None where nothing was there. What is reported as deleted MUST stay so when the machine stops.
    ///
    /// A store that is only read deletes nothing.
    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let _ = dry_run;
        let refuse = |_| {
            Err(Error::failed(format!(
                "store '{}' is only read",
                self.info().id
            )))
        };
        removals.into_iter().map(refuse).collect()
    }

    /// Removes, durably, what a crashed process left that was storing the data of image `id`: what was not committed, and
    /// what is at any of [`Store::addresses`] but not in `recorded`. [`Store::create`] has found nothing there.
    ///
    /// MUST be harmless where nothing is left, and MUST NOT be called while another process stores data of that image.
    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()>;
}

/// A request to remove data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The address of the data.
    pub url: String,
    /// The moment after which data written at that address is other data, which stays; None where there can be none.
    pub unless_later: Option<Timestamp>,
}

/// Data that is being stored. Nothing is at its address before [`Writer::commit`]. Dropping it leaves what
/// [`Store::clear`] removes, as a crash does.
#[async_trait]
pub trait Writer: Send + Sync {
    /// Returns the address that the data has once it is committed.
    fn address(&self) -> &str;

    /// Begins to write: returns where the data goes. At most once.
    async fn sink(&mut self) -> Result<Sink<'_>>;

    /// Makes what was written durable at its address.
    ///
    /// # Errors
    /// `Conflict` where there is other data by now, which stays. After any error [`Writer::abort`] is allowed.
    async fn commit(&mut self) -> Result<()>;

    /// Removes what was written, committed or not, durably. Data of the same address that is not this one's MUST stay.
    async fn abort(&mut self) -> Result<()>;
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

/// Returns the error for a store that has no room.
fn full(why: &str) -> Error {
    Error::too_large(format!("Image storage media is full: {why}"))
        .hint("Make room in the store's directory.")
        .hint(Parameter::Store)
}

/// Returns the error of a transfer into a store. A full disk has a status of its own.
pub(super) fn storage_error(error: Error) -> Error {
    let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge,
        ) => full(error.message()),
        _ => error,
    }
}
