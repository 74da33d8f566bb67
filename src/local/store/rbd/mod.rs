//! The `rbd` store: images in a pool of a Ceph cluster.
//!
//! The data of an image is the snapshot `snap` of an RBD image that is named after it. The snapshot is protected, so
//! that it can be cloned. Functions of librbd block, and are called on threads that may block; reads and writes continue
//! in the background. The connection is made when data is first requested, and kept.
//!
//! *Source:* `glance_store/_drivers/rbd.py`.

mod address;
mod removal;
mod session;
mod space;
mod writer;

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use async_stream::try_stream;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use librbd::{Image, Pool, errno};
use serde_json::{Map, Value, json};

use address::{Address, address_of};
use session::Connector;
use writer::RbdWriter;

use super::{IN_TRANSIT, Removal, Store, Writer};
use crate::data::source::ByteStream;
use crate::data::{Source, blocking};
use crate::model::{ByteRange, StoreInfo};
use crate::{Error, ErrorKind, Result, config};

/// The name of the snapshot with the data.
const SNAPSHOT: &str = "snap";

/// The number of bytes of a read.
const READ: usize = 1 << 20;

/// The number of reads ahead of the reader. The library copies the bytes of each.
const READS: usize = 6;

/// The number of images that one request deletes at a time.
const DELETIONS: usize = 8;

/// A store of images in a pool.
pub struct RbdStore {
    info: StoreInfo,
    /// The description with the ID of the cluster, once that is known.
    connected: OnceLock<StoreInfo>,
    connector: Arc<Connector>,
}

impl RbdStore {
    /// Creates a store with these settings. Does not connect to the cluster.
    pub fn new(mut info: StoreInfo, settings: config::RbdStore) -> Self {
        if let Some(detail) = &mut info.detail {
            detail.properties = properties(&settings);
        }
        Self {
            connected: OnceLock::new(),
            connector: Arc::new(Connector::new(info.id.clone(), settings)),
            info,
        }
    }

    /// Connects, and opens the pool. Returns the ID of the cluster. Waits only a short time.
    ///
    /// # Errors
    /// `Unreachable` if the cluster does not respond; `Failed` if something is missing, or the user is refused.
    pub async fn probe(&self) -> Result<String> {
        self.connector
            .check_soon(None, SNAPSHOT.to_string())
            .await?;
        self.connector.fsid_soon().await
    }

    /// Returns the address of the data of image `id`.
    fn address(&self, fsid: &str, id: &str) -> String {
        address_of(fsid, &self.connector.settings.pool, id, SNAPSHOT)
    }

    /// Opens the data at an address for reading.
    async fn open_image(&self, url: &str) -> Result<(Closing, u64)> {
        let address = Address::parse(url)?;
        let open = move |connector: &Arc<Connector>| {
            let pool = connector.pool(address.pool.as_deref())?;
            let failed = |error: librbd::Error| match error.errno() {
                Some(errno::ENOENT) => missing(connector, &address),
                _ => connector.failed(&format!("read image {}", address.image), &error),
            };
            let image = open_at(&pool, &address).map_err(failed)?;
            let size = image.size().map_err(failed)?;
            Ok((Closing::new(Arc::new(image)), size))
        };
        self.connector.run(open).await
    }
}

/// Returns the properties of a store that administrators may see.
fn properties(settings: &config::RbdStore) -> Map<String, Value> {
    Map::from_iter([
        ("chunk_size".to_string(), json!(settings.chunk_size)),
        ("pool".to_string(), json!(settings.pool)),
        (
            "thin_provisioning".to_string(),
            json!(settings.thin_provisioning),
        ),
        ("fsid".to_string(), Value::Null),
    ])
}

/// Opens the image or snapshot of an address for reading. Blocks.
fn open_at(pool: &Pool, address: &Address) -> librbd::Result<Image> {
    pool.open_read_only(&address.image, address.snapshot.as_deref())
}

/// Returns the error for data that does not exist.
fn missing(connector: &Connector, address: &Address) -> Error {
    let pool = address.pool.as_ref();
    let pool = pool.unwrap_or(&connector.settings.pool);
    let at = address.snapshot.as_ref().map(|name| format!("@{name}"));
    connector.on(Error::not_found(format!(
        "image data {pool}/{}{} is missing",
        address.image,
        at.unwrap_or_default()
    )))
}

/// Returns the error for a name that is already in use.
fn taken(connector: &Connector, name: &str) -> Error {
    let pool = &connector.settings.pool;
    connector
        .on(Error::conflict(format!(
            "{name} already exists in pool '{pool}'"
        )))
        .hint("It is not the data of an image. Check it, then rename it.")
}

/// An open image. Closing it may block; if this is dropped, a thread closes it.
struct Closing(Option<Arc<Image>>);

impl Closing {
    fn new(image: Arc<Image>) -> Self {
        Self(Some(image))
    }

    /// Closes the image, unless there are other references to it. Blocks.
    fn close(mut self) {
        drop(self.0.take());
    }

    /// Checks that the data still exists: of deleted objects, zeros are read. The snapshot is removed before the objects.
    ///
    /// # Errors
    /// `NotFound` if the image was deleted, or replaced by another one of its name.
    async fn check_exists(&self, connector: &Arc<Connector>, address: &Address) -> Result<()> {
        let (connector, address) = (Arc::clone(connector), address.clone());
        let image = self.0.clone();
        blocking(move || {
            let failed = |error: librbd::Error| connector.failed("read an image", &error);
            let pool = connector.pool(address.pool.as_deref())?;
            let id = image.map(|image| image.id()).transpose().map_err(failed)?;
            let now = match open_at(&pool, &address) {
                Ok(now) => Some(now.id().map_err(failed)?),
                Err(error) if error.is(errno::ENOENT) => None,
                Err(error) => return Err(failed(error)),
            };
            if now.is_some() && now == id {
                return Ok(());
            }
            Err(connector.on(Error::not_found(format!(
                "image {} was deleted while its data was read",
                address.image
            ))))
        })
        .await
    }

    /// Closes the image on a thread that may block.
    async fn close_later(self) -> Result<()> {
        blocking(move || {
            self.close();
            Ok(())
        })
        .await
    }
}

impl Deref for Closing {
    type Target = Image;

    #[expect(clippy::expect_used, reason = "it is empty only while it is dropped")]
    fn deref(&self) -> &Image {
        self.0.as_ref().expect("the image is open")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(image) = self.0.take() {
            let thread = std::thread::Builder::new().name("close".to_string());
            // If the system refuses a thread, the image was dropped with the closure, and so closed here.
            let _ = thread.spawn(move || drop(image));
        }
    }
}

#[async_trait]
impl Store for RbdStore {
    fn info(&self) -> &StoreInfo {
        self.connected.get().unwrap_or(&self.info)
    }

    /// Returns the description with the ID of the cluster and the space of the pool, or without them if there is no
    /// connection within a short time.
    async fn describe(&self) -> StoreInfo {
        if let Ok(fsid) = self.connector.fsid_soon().await {
            let mut info = self.info.clone();
            if let Some(detail) = &mut info.detail {
                detail.properties.insert("fsid".to_string(), json!(fsid));
            }
            let _ = self.connected.set(info);
        }
        let mut info = self.info().clone();
        if let Some(detail) = &mut info.detail
            && let Ok(space) = self.connector.space_soon().await
        {
            detail.space = space;
        }
        info
    }

    fn reads(&self, url: &str) -> bool {
        Address::is_one(url)
    }

    /// Returns whether an address is in this cluster and pool; false before the first connection.
    fn owns(&self, url: &str) -> bool {
        let Ok(address) = Address::parse(url) else {
            return false;
        };
        address.fsid.is_some()
            && address.fsid.as_deref() == self.connector.known_fsid()
            && address.pool.as_ref() == Some(&self.connector.settings.pool)
    }

    /// Returns the address in the cluster. Waits only a short time for its ID, because recovery asks for it before any
    /// other work.
    async fn addresses(&self, id: &str) -> Result<Vec<String>> {
        let fsid = self.connector.fsid_soon().await?;
        Ok(vec![self.address(&fsid, id)])
    }

    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>> {
        let name = id.to_string();
        let check = move |connector: &Arc<Connector>| {
            let pool = connector.pool(None)?;
            match pool.open_read_only(&name, None) {
                Ok(_) => return Err(taken(connector, &format!("image {name}"))),
                Err(error) if error.is(errno::ENOENT) => {}
                Err(error) => {
                    return Err(connector.failed(&format!("create image {name}"), &error));
                }
            }
            Ok(connector.session()?.fsid.clone())
        };
        let fsid = self.connector.run(check).await?;
        let address = self.address(&fsid, id);
        let connector = Arc::clone(&self.connector);
        Ok(Box::new(RbdWriter::new(connector, id, address, size)))
    }

    async fn size(&self, url: &str) -> Result<u64> {
        let (image, size) = self.open_image(url).await?;
        image.close_later().await?;
        Ok(size)
    }

    async fn open(&self, url: &str, range: ByteRange) -> Result<Source> {
        let (image, size) = self.open_image(url).await?;
        let Some(length) = range.length(size) else {
            return Err(Error::new(
                ErrorKind::RangeNotSatisfiable,
                format!("the data ends before byte {}", range.start),
            ));
        };
        let connector = Arc::clone(&self.connector);
        let address = Address::parse(url)?;
        Ok(Source::Stream {
            stream: read(connector, image, address, range.start, length),
            size: Some(length),
        })
    }

    async fn check_delete(&self, url: &str) -> Result<()> {
        let (connector, url) = (Arc::clone(&self.connector), url.to_string());
        blocking(move || removal::check(&connector, &url)).await
    }

    /// Deletes images, several at a time, once the cluster has responded for the first of them: recovery waits for it.
    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        if let Some(Ok(first)) = removals.first().map(|first| Address::parse(&first.url))
            && let Err(error) = self.connector.check_soon(first.pool, first.image).await
        {
            let refuse = |_| Err(Error::new(error.kind(), error.message()).hints_of(&error));
            return removals.into_iter().map(refuse).collect();
        }
        let deletions = removals.into_iter().map(|removal| {
            let connector = Arc::clone(&self.connector);
            blocking(move || removal::delete(&connector, &removal, dry_run))
        });
        stream::iter(deletions).buffered(DELETIONS).collect().await
    }

    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()> {
        let (connector, name) = (Arc::clone(&self.connector), id.to_string());
        // Recovery waits for this.
        self.connector.check_soon(None, id.to_string()).await?;
        let fsid = self.connector.fsid_soon().await?;
        if recorded.contains(&self.address(&fsid, id)) {
            return Ok(());
        }
        let discard = || {
            let (connector, name) = (Arc::clone(&connector), name.clone());
            blocking(move || {
                let pool = connector.pool(None)?;
                removal::discard(&connector, &pool, &name)
            })
        };
        discard().await?;
        // An operation of a killed process may have been in transit.
        tokio::time::sleep(IN_TRANSIT).await;
        discard().await
    }
}

/// Returns a stream of `length` bytes from `start` on, which it reads ahead.
fn read(
    connector: Arc<Connector>,
    image: Closing,
    address: Address,
    start: u64,
    length: u64,
) -> ByteStream {
    let data = try_stream! {
        let failed = |error: librbd::Error| connector.failed("read an image", &error);
        let (mut next, end) = (start, start + length);
        let mut reads = VecDeque::new();
        loop {
            while reads.len() < READS && next < end {
                // Up to the next multiple, so that a read is within an object.
                let whole = READ - usize::try_from(next % READ as u64).unwrap_or(0);
                let wanted = whole.min(usize::try_from(end - next).unwrap_or(whole));
                reads.push_back((image.read(next, wanted).map_err(failed)?, wanted));
                next += wanted as u64;
            }
            let Some((read, wanted)) = reads.pop_front() else {
                break;
            };
            let (count, bytes) = connector.reporting(read).await?.map_err(failed)?;
            if usize::try_from(count).ok() != Some(wanted) {
                Err(connector.error("an image ends before its size"))?;
            }
            if reads.is_empty() && next == end {
                image.check_exists(&connector, &address).await?;
            }
            yield Bytes::from(bytes);
        }
        image.close_later().await?;
    };
    data.boxed()
}
