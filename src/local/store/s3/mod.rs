//! The `s3` store: objects in a bucket of Amazon S3 or a compatible service.
//!
//! The data of an image is the object that is named after it. Requests are signed here and sent by `crate::http`
//! (see docs/decisions/0022-own-s3-requests.md).
//!
//! *Source:* `glance_store/_drivers/s3.py` for options, addresses and the sizes of parts; AWS's reference of S3.

mod address;
mod digests;
mod download;
mod failure;
mod plan;
mod service;
mod sign;
mod writer;
mod xml;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use address::{Address, Object, is_address};
use failure::{Refusal, Trouble};
use plan::Plan;
use service::{Found, Service};
use writer::{S3Writer, Target, clear_uploads, taken};

use super::{CLOCK_SLACK, IN_TRANSIT, Removal, Store, Writer};
use crate::data::Source;
use crate::model::{ByteRange, StoreInfo, Timestamp};
use crate::{Error, Result, config};

/// The number of objects that one request deletes at a time.
const DELETIONS: usize = 8;

/// A store of objects in a bucket.
pub struct S3Store {
    info: StoreInfo,
    settings: config::S3Store,
    service: Arc<Service>,
}

impl S3Store {
    /// Creates a store with these settings. Does not connect to the service.
    pub fn new(mut info: StoreInfo, settings: config::S3Store) -> Self {
        if let Some(detail) = &mut info.detail {
            detail.properties = properties(&settings);
        }
        Self {
            service: Arc::new(Service::new(&settings)),
            info,
            settings,
        }
    }

    /// Deletes an object, if it exists.
    async fn clear_object(&self, object: &Object) -> Result<(), Trouble> {
        match self.service.find(object).await {
            Ok(Some(_)) => self.service.delete(object).await,
            Ok(None) => Ok(()),
            Err(trouble) if trouble.is_missing_bucket() => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Returns the address of the bucket, which can be read.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub async fn probe(&self) -> Result<String> {
        let object = self.address("glance-doctor").object;
        self.find(&object).await?;
        Ok(self.service.shown(&object.bucket))
    }

    /// Returns the address of the data of image `id`.
    fn address(&self, id: &str) -> Address {
        Address {
            is_secure: self.settings.is_secure,
            host: self.settings.host.clone(),
            object: Object {
                bucket: self.settings.bucket.clone(),
                key: id.to_string(),
            },
        }
    }

    fn error(&self, trouble: Trouble, bucket: &str) -> Error {
        trouble.into_error(&self.info.id, &self.service.shown(bucket))
    }

    /// Returns the object at an address; None if the bucket does not have it.
    async fn find(&self, object: &Object) -> Result<Option<Found>> {
        let found = self.service.find(object).await;
        found.map_err(|trouble| self.error(trouble, &object.bucket))
    }

    /// Removes an object, or only checks it.
    async fn remove(&self, removal: Removal, dry_run: bool) -> Result<Option<u64>> {
        let object = Address::parse(&removal.url)?.object;
        let Some(found) = self.find(&object).await? else {
            return Ok(None);
        };
        if let Some(moment) = removal.unless_later {
            let is_late = |written: Timestamp| written.before(CLOCK_SLACK) > moment;
            if found.modified.is_none_or(is_late) {
                let shown = Address::parse(&removal.url)?.text();
                let message = format!("{shown} was written after the location was deleted");
                return Err(Error::failed(message));
            }
        }
        if !dry_run {
            let deleted = self.service.delete(&object).await;
            deleted.map_err(|trouble| self.error(trouble, &object.bucket))?;
        }
        Ok(Some(found.size))
    }
}

/// Returns the properties of a store that administrators may see.
fn properties(settings: &config::S3Store) -> Map<String, Value> {
    [
        (
            "s3_store_large_object_size",
            json!(settings.large_object_size),
        ),
        (
            "s3_store_large_object_chunk_size",
            json!(settings.chunk_size),
        ),
        ("s3_store_thread_pools", json!(settings.thread_pools)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_string(), value))
    .collect()
}

/// Returns the error for data that does not exist.
fn missing(address: &Address) -> Error {
    Error::not_found(format!("image data {} is missing", address.text()))
}

#[async_trait]
impl Store for S3Store {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn reads(&self, url: &str) -> bool {
        is_address(url)
    }

    fn owns(&self, url: &str) -> bool {
        Address::parse(url).is_ok_and(|address| {
            address.is_secure == self.settings.is_secure
                && address.host.eq_ignore_ascii_case(&self.settings.host)
                && address.object.bucket == self.settings.bucket
        })
    }

    async fn addresses(&self, id: &str) -> Result<Vec<String>> {
        Ok(vec![self.address(id).text()])
    }

    /// Looks up the object, and the bucket with it.
    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>> {
        let address = self.address(id);
        let object = &address.object;
        let is_missing = match self.service.find(object).await {
            Ok(None) => self.service.is_missing(&object.bucket).await,
            Ok(Some(_)) => return Err(taken(&address.text())),
            Err(trouble) if trouble.is_missing_bucket() => Ok(true),
            Err(trouble) => Err(trouble),
        };
        let is_missing = is_missing.map_err(|trouble| self.error(trouble, &object.bucket))?;
        if is_missing && !self.settings.creates_bucket {
            let refusal = Refusal::of_missing_bucket();
            return Err(self.error(refusal.into(), &object.bucket));
        }
        let target = Target {
            service: Arc::clone(&self.service),
            store: self.info.id.clone(),
            object: object.clone(),
            token: uuid::Uuid::new_v4().to_string(),
            pools: self.settings.thread_pools,
            with_checksums: self.settings.sends_checksums,
        };
        let plan = Plan::of(&self.settings, size);
        let writer = S3Writer::new(target, address.text(), plan, size, is_missing);
        Ok(Box::new(writer))
    }

    async fn size(&self, url: &str) -> Result<u64> {
        let address = Address::parse(url)?;
        let found = self.find(&address.object).await?;
        found
            .map(|found| found.size)
            .ok_or_else(|| missing(&address))
    }

    async fn open(&self, url: &str, range: ByteRange) -> Result<Source> {
        let address = Address::parse(url)?;
        let place = self.service.shown(&address.object.bucket);
        let download = download::Download {
            service: Arc::clone(&self.service),
            store: self.info.id.clone(),
            object: address.object.clone(),
            place,
        };
        let opened = download
            .open(range, self.settings.verifies_checksums)
            .await?;
        opened.ok_or_else(|| missing(&address))
    }

    async fn check_delete(&self, url: &str) -> Result<()> {
        self.find(&Address::parse(url)?.object).await.map(drop)
    }

    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let removals = removals
            .into_iter()
            .map(|removal| self.remove(removal, dry_run));
        stream::iter(removals).buffered(DELETIONS).collect().await
    }

    /// Removes unfinished uploads, if the service lists them, and an object that is not recorded; twice, because the
    /// request of a killed process may have been in transit. A missing bucket has neither.
    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()> {
        let object = self.address(id).object;
        let cleared = async {
            clear_uploads(&self.service, &object).await?;
            let is_recorded = recorded.iter().any(|url| {
                self.owns(url) && Address::parse(url).is_ok_and(|one| one.object == object)
            });
            if is_recorded {
                return Ok(());
            }
            self.clear_object(&object).await?;
            tokio::time::sleep(IN_TRANSIT).await;
            self.clear_object(&object).await
        };
        let cleared: Result<(), Trouble> = cleared.await;
        cleared.map_err(|trouble| self.error(trouble, &object.bucket))
    }
}
