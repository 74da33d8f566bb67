//! Stores of image data.

mod file;
mod http;
mod rbd;
mod s3;
mod swift;
mod unopened;

pub use file::{Directory, FileStore, Writing};
pub use http::HttpStore;
pub use rbd::RbdStore;
pub use s3::S3Store;
pub use swift::SwiftStore;
pub use unopened::UnopenedStore;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::config::Setting;
use crate::data::Source;
use crate::data::pump::Sink;
use crate::model::{ByteRange, Location, StoreInfo, Timestamp};
use crate::{Error, Parameter, Result};

/// Tolerance for databases that truncate timestamps to seconds.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// The time that a service may take to carry out a request whose sender has crashed.
const IN_TRANSIT: Duration = Duration::from_secs(1);

/// A store of image data. It has no access to records or to the journal.
///
/// Opening a store MUST NOT wait for it. Files are read and connections made when data is requested, so that an
/// unavailable or misconfigured store affects only operations that need its data.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns the public description, including details.
    fn info(&self) -> &StoreInfo;

    /// Returns the public description with what only the store itself knows, as far as it responds within a few
    /// seconds.
    async fn describe(&self) -> StoreInfo {
        self.info().clone()
    }

    /// Returns the store as it reads addresses that a request names: the address and each redirect must pass the rules
    /// for downloads. None for a store whose addresses do not name hosts.
    fn filtered(&self) -> Option<&dyn Store> {
        None
    }

    /// Returns whether the store can read addresses of this kind.
    fn reads(&self, url: &str) -> bool;

    /// Returns whether this store owns, or would own, the data at `url`.
    fn owns(&self, url: &str) -> bool;

    /// Returns the addresses that this store may assign to the data of image `id`; empty for a read-only store. May
    /// wait for a store whose addresses depend on what it reports.
    ///
    /// # Errors
    /// Errors of a store whose addresses depend on what it reports, if it does not respond.
    async fn addresses(&self, id: &str) -> Result<Vec<String>>;

    /// Returns, without waiting, whether an address is one of [`Store::addresses`] and callers cannot add it as a
    /// location, so that no record of another image names it.
    fn is_exclusive(&self, url: &str, id: &str) -> bool {
        let _ = (url, id);
        false
    }

    /// Returns the size of `source` that [`Store::create`] needs: that of its data; for a store that omits holes, of
    /// what it will write.
    fn size_of(&self, source: &Source) -> Option<u64> {
        source.size()
    }

    /// Prepares to store the data of image `id`: chooses the place, and writes nothing. `size` is that of
    /// [`Store::size_of`], or a declared one, if known.
    ///
    /// # Errors
    /// `Conflict` if there is already data at any of [`Store::addresses`]; `TooLarge` if the data cannot fit;
    /// `Gone` for a read-only store.
    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>>;

    /// Returns the size in bytes of the data at an address, as far as the store reports it without reading the
    /// data.
    ///
    /// # Errors
    /// `NotFound` if there is no data; `Invalid` for an invalid address; `Unreachable`.
    async fn size(&self, url: &str) -> Result<u64>;

    /// Opens the data at an address, or a range of it.
    ///
    /// # Errors
    /// `NotFound` if there is no data; `RangeNotSatisfiable` for a range that begins at or after the end of the
    /// data.
    async fn open(&self, url: &str, range: ByteRange) -> Result<Source>;

    /// Checks that the data at an address could be deleted now: it exists, or certainly does not.
    ///
    /// # Errors
    /// `Io` and `Failed` if the place of the data is missing, such as an unmounted file system.
    async fn check_delete(&self, url: &str) -> Result<()>;

    /// Deletes data that no record refers to any more, or only checks it if `dry_run`. Returns the size in bytes of
    /// each, in the same order, or None if nothing was there. Reported deletions MUST survive a power failure.
    ///
    /// A read-only store refuses all deletions.
    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let _ = dry_run;
        let refuse = |_| {
            Err(Error::failed(format!(
                "store '{}' is read-only",
                self.info().id
            )))
        };
        removals.into_iter().map(refuse).collect()
    }

    /// Removes what a crashed process left while it stored the data of image `id`: data that was not committed, and
    /// data at any of [`Store::addresses`] that is not in `recorded`. [`Store::create`] had found no data there.
    /// The removal is durable.
    ///
    /// MUST be harmless if nothing was left. MUST NOT be called while another process stores data of the same
    /// image.
    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()>;
}

/// A request to remove data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The address of the data.
    pub url: String,
    /// The moment after which data written at that address is other data and stays; None if other data cannot be
    /// there.
    pub unless_later: Option<Timestamp>,
}

/// An upload in progress. There MUST be no data at its address before [`Writer::commit`]. Dropping it leaves what a
/// crash leaves, for [`Store::clear`] to remove.
#[async_trait]
pub trait Writer: Send + Sync {
    /// Returns the address of the data after the commit.
    fn address(&self) -> &str;

    /// Opens the target of the data. MUST be called at most once.
    async fn sink(&mut self) -> Result<Sink<'_>>;

    /// Makes the written data durable at its address.
    ///
    /// # Errors
    /// `Conflict` if other data has arrived there, which stays. [`Writer::abort`] MAY be called after any error.
    async fn commit(&mut self) -> Result<()>;

    /// Removes the written data, committed or not, durably. Other data at the same address MUST stay.
    async fn abort(&mut self) -> Result<()>;
}

/// The stores of a deployment.
pub struct StoreSet {
    stores: Vec<Box<dyn Store>>,
    default: Setting<String>,
    named: bool,
}

impl StoreSet {
    /// Creates the set. Uploads go to `default` unless the caller selects a store; `named` if callers may.
    pub fn new(stores: Vec<Box<dyn Store>>, default: Setting<String>, named: bool) -> Self {
        Self {
            stores,
            default,
            named,
        }
    }

    /// Returns all stores in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Store> {
        self.stores.iter().map(AsRef::as_ref)
    }

    /// Returns whether stores have names that callers and locations use.
    pub fn named(&self) -> bool {
        self.named
    }

    /// Returns the store of the data at a location: the store that owns the address, else the store in the
    /// location's metadata, else any store that reads such addresses.
    ///
    /// # Errors
    /// `Invalid` if no store matches.
    pub fn holding(&self, location: &Location) -> Result<&dyn Store> {
        let url = location.url.as_str();
        let named = |store: &&dyn Store| Some(store.info().id.as_str()) == location.store();
        let reads = |store: &&dyn Store| store.reads(url);
        self.owning(url)
            .or_else(|| self.iter().filter(reads).find(named))
            .or_else(|| self.iter().find(reads))
            .ok_or_else(|| {
                let scheme = url.split("://").next().unwrap_or_default();
                Error::invalid(format!("no store reads {scheme} addresses"))
            })
    }

    /// Returns the store that owns the data at an address.
    pub fn owning(&self, url: &str) -> Option<&dyn Store> {
        self.iter().find(|store| store.owns(url))
    }

    /// Returns the preference of the store that a location names; higher first.
    pub fn weight(&self, location: &Location) -> i64 {
        let named = |store: &&StoreInfo| Some(store.id.as_str()) == location.store();
        let store = self.iter().map(Store::info).find(named);
        store
            .and_then(|store| store.detail.as_ref())
            .map_or(0, |detail| detail.weight)
    }

    /// Returns the store with that ID, or the default store.
    ///
    /// # Errors
    /// `Invalid` for an unknown ID; `Failed` if the configuration has no valid default.
    pub fn get(&self, id: Option<&str>) -> Result<&dyn Store> {
        let id = match id {
            Some(id) => id,
            None => self.default.get()?,
        };
        self.iter()
            .find(|store| store.info().id == id)
            .ok_or_else(|| {
                let known: Vec<&str> = self.iter().map(|store| store.info().id.as_str()).collect();
                Error::invalid(format!("unknown store '{id}'"))
                    .hint(format!("The stores are: {}.", known.join(", ")))
            })
    }
}

/// Returns the path in a `file://` address.
pub fn file_path(url: &str) -> Option<PathBuf> {
    url.strip_prefix("file://").map(PathBuf::from)
}

/// Returns the error for a store without free space.
fn full(why: &str) -> Error {
    Error::too_large(format!("Image storage media is full: {why}"))
        .hint("Free space in the store's directory.")
        .hint(Parameter::Store)
}

/// Returns the error of a transfer into a store. A full disk has its own status.
pub(super) fn storage_error(error: Error) -> Error {
    let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge,
        ) => full(error.message()),
        _ => error,
    }
}
