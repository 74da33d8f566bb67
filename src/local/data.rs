//! Uploads and downloads of image data.

use std::sync::{Arc, Mutex, PoisonError};

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::catalog::{Lease, NewLocation};
use super::events::{Event, Sent};
use super::inspection::Inspection;
use super::policy::{Action, ImageTarget};
use super::quota::Cap;
use super::store::Store;
use super::storing::{Storing, uploading};
use super::{Local, StoredImage, visibility};
use crate::config::ProjectLimits;
use crate::data::{Algorithm, Source, Watch};
use crate::model::{ByteRange, Image, ImageStatus, MultiHash};
use crate::service::{ImageBytes, ImageData, Reading, Receipt, Upload};
use crate::{Error, ErrorKind, Result};

#[async_trait]
impl ImageData for Local {
    async fn upload_image(&self, id: &str, upload: Upload) -> Result<Image> {
        let id = id.to_string();
        let watch = upload.watch.clone();
        let change =
            |local: Self, watch| async move { local.upload(&id, Upload { watch, ..upload }).await };
        self.to_its_end(&watch, change).await
    }

    /// Ignores a known record: the caller's access is checked against the current one.
    async fn open_image(&self, id: &str, reading: Reading) -> Result<ImageBytes> {
        let range = reading.range;
        let mut bytes = self.open_data(id, reading).await?;
        if bytes.source.is_some() && self.events.is_listening() {
            bytes.receipt = self.receipt(bytes.image.clone(), range);
        }
        Ok(bytes)
    }
}

impl Local {
    /// Returns the receipt of a range of an image's data, which reports it as sent.
    fn receipt(&self, image: Image, range: ByteRange) -> Receipt {
        let local = self.clone();
        Receipt::new(move |bytes| {
            let expected = image.size.and_then(|size| range.length(size));
            let sent = Sent {
                image: &image,
                receiver: &local.caller,
                bytes,
                is_complete: expected.is_none_or(|expected| expected == bytes),
            };
            local.emit(&local.caller, &Event::ImageSent(sent));
        })
    }

    /// Opens the data of an image, through the cache if the deployment has one.
    ///
    /// # Errors
    /// Same as [`ImageData::open_image`].
    async fn open_data(&self, id: &str, reading: Reading) -> Result<ImageBytes> {
        let Reading { prefer, range, .. } = reading;
        let stored = self.find(id).await?;
        let deactivated = stored.image.status == ImageStatus::Deactivated;
        self.check_download(&stored)?;
        // Only administrators read a deactivated image, directly from its stores.
        let cache = self.download_cache().filter(|_| !deactivated);
        let Some(cache) = cache else {
            return self.open_from_stores(stored, &prefer, range).await;
        };
        // A failure of the cache does not matter: the data is in the stores.
        if let Ok(Some(source)) = cache.open_image(&stored.image).await {
            return Ok(ImageBytes {
                image: self.shown(stored.image, stored.locations)?,
                source: Some(source.limited_to(range)?),
                receipt: Receipt::default(),
            });
        }
        let mut bytes = self.open_from_stores(stored, &prefer, range).await?;
        if range.is_all()
            && bytes.source.is_some()
            && let Ok(Some(fill)) = cache.begin_fill(&bytes.image).await
            && let Some(source) = bytes.source.take()
        {
            bytes.source = Some(fill.through(source));
        }
        Ok(bytes)
    }

    /// Uploads the data of a queued image, which becomes active.
    async fn upload(&self, id: &str, upload: Upload) -> Result<Image> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::UploadImage, target)?;
        check_formats(&stored.image)?;
        let status = stored.image.status;
        if !status.may_become(ImageStatus::Saving) {
            return Err(not_allowed(status));
        }
        let store = self.stores.get(upload.store.as_deref())?;
        let size = upload.size.or_else(|| upload.source.size());
        let limits = self.project_limits().await?;
        self.check_size(limits, size.unwrap_or(0)).await?;
        let cap = self.room(stored.image.owner.as_deref()).await?;
        if size.is_some_and(|size| size > cap.bytes) {
            return Err(cap.exceeded());
        }
        let room = store.size_of(&upload.source).or(size);
        let mut storing = match self.begin_upload(store, id, room).await {
            Ok(storing) => storing,
            // What is at the address may be the upload of another host.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let now = self.find(id).await?.image.status;
                return Err(if now == status {
                    error
                } else {
                    not_allowed(now)
                });
            }
            Err(error) => return Err(error),
        };
        // Held until the journal entry is closed.
        let _lease = match self.start_saving(id, limits).await {
            Ok(lease) => lease,
            Err(error) => return Err(storing.discard(error).await),
        };
        if self.events.is_listening() {
            let mut saving = stored.image.clone();
            saving.status = ImageStatus::Saving;
            self.emit(&self.caller, &Event::ImageUpdated(&saving));
            let prepared = Event::ImagePrepared {
                image: &saving,
                store: self.stores.named().then_some(store.info().id.as_str()),
            };
            self.emit(&self.caller, &prepared);
        }
        match self
            .store_data(stored, upload, &mut storing, store, cap)
            .await
        {
            Ok(()) => {
                storing.close().await?;
                self.keep_reserve().await?;
                let image = self.changed_image(id).await?;
                self.emit(&self.caller, &Event::ImageUploaded(&image));
                self.emit(&self.caller, &Event::ImageActivated(&image));
                self.emit(&self.caller, &Event::ImageUpdated(&image));
                Ok(image)
            }
            Err(error) => {
                let failed = Event::UploadFailed(error.message());
                self.emit(&self.caller, &failed);
                Err(self
                    .undo_upload(id, storing, ImageStatus::Saving, error)
                    .await)
            }
        }
    }

    /// Checks that the caller may download an image. Only administrators may download a deactivated one.
    fn check_download(&self, stored: &StoredImage) -> Result<()> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        if stored.image.status == ImageStatus::Deactivated {
            self.policy
                .check(&self.caller, Action::DownloadDeactivated, target)?;
        }
        self.policy
            .check(&self.caller, Action::DownloadImage, target)
    }

    /// Opens the data of an image from its stores, without a cache.
    ///
    /// # Errors
    /// Same as [`ImageData::open_image`].
    pub async fn open_stored(&self, id: &str) -> Result<ImageBytes> {
        let stored = self.find(id).await?;
        self.check_download(&stored)?;
        self.open_from_stores(stored, &[], ByteRange::ALL).await
    }

    /// Opens data from the first of the preferred stores that has it, else from any store.
    pub(super) async fn open_from_stores(
        &self,
        stored: StoredImage,
        prefer: &[String],
        range: ByteRange,
    ) -> Result<ImageBytes> {
        let source = self.source_of(&stored, prefer, range).await?;
        Ok(ImageBytes {
            image: self.shown(stored.image, stored.locations)?,
            source,
            receipt: Receipt::default(),
        })
    }

    /// Returns a range of an image's data, from the first of the preferred stores that has it, else from any store;
    /// None if the image has no data.
    ///
    /// The data may be deleted or moved after the record was read. If it cannot be opened, the record is read again,
    /// and a changed one is tried once.
    ///
    /// # Errors
    /// `NotFound` if the image was deleted; `RangeNotSatisfiable`; `Failed` if no store can open its data.
    pub(super) async fn source_of(
        &self,
        stored: &StoredImage,
        prefer: &[String],
        range: ByteRange,
    ) -> Result<Option<Source>> {
        let error = match self.open_any(stored, prefer, range).await {
            Ok(source) => return Ok(source),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::RangeNotSatisfiable {
            return Err(error);
        }
        let now = self.find(&stored.image.id).await?;
        if now.locations == stored.locations {
            return Err(error);
        }
        self.open_any(&now, prefer, range).await
    }

    /// Opens a range of the data that a record refers to, as [`Self::source_of`] does.
    async fn open_any(
        &self,
        stored: &StoredImage,
        prefer: &[String],
        range: ByteRange,
    ) -> Result<Option<Source>> {
        let size = stored.image.size;
        let length = match size {
            Some(size) => range.length(size),
            None => range.end.map(|end| end - range.start),
        };
        let mut locations: Vec<_> = stored.locations.iter().collect();
        let rank = |store: Option<&str>| {
            let preferred = prefer.iter().position(|id| Some(id.as_str()) == store);
            preferred.unwrap_or(prefer.len())
        };
        locations.sort_by_key(|at| rank(at.store()));
        let mut failure = None;
        for location in locations {
            let opened = match self.stores.holding(location) {
                Ok(store) => match self.reader_of(store, &location.url).await {
                    Ok(store) => store.open(&location.url, range).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match opened {
                Ok(source) => return Ok(Some(limited_to(length, source))),
                Err(error) if error.kind() == ErrorKind::RangeNotSatisfiable => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) => {
                let failure = Error::internal(format!(
                    "the data of image {} cannot be read: {error}",
                    stored.image.id
                ));
                let failure = match error.kind() {
                    ErrorKind::NotFound if error.hints().is_empty() => failure
                        .hint("The image's record exists, but its data is missing from the store."),
                    _ => failure.hints_of(&error),
                };
                Err(failure.because(error))
            }
            None => Ok(None),
        }
    }

    /// Stores the data of an image in status `saving`, and records it; the image becomes active.
    async fn store_data(
        &self,
        stored: StoredImage,
        upload: Upload,
        storing: &mut Storing,
        store: &dyn Store,
        cap: Cap,
    ) -> Result<()> {
        let watch = upload.watch.clone();
        let intake = Intake {
            source: upload.source,
            promised: upload.size,
            allow_mismatch: upload.allow_format_mismatch,
            watch: upload.watch,
            cap,
        };
        let image = self.take(stored.image, intake, storing).await?;
        let url = self.commit_data(storing, store, &image, &watch).await?;
        let metadata = &self.location_metadata(store);
        self.catalog
            .write(async |transaction| {
                if !transaction.activate(&image, ImageStatus::Saving).await? {
                    let id = &image.id;
                    return Err(Error::new(
                        ErrorKind::Gone,
                        format!(
                            "Image {id} could not be found after upload: it was deleted concurrently"
                        ),
                    ));
                }
                let url = url.as_str();
                let location = NewLocation { url, metadata };
                transaction.insert_location(&image.id, &location).await
            })
            .await
    }

    /// Reads data into a store, inspects and hashes it, and returns the image with the results.
    pub(super) async fn take(
        &self,
        mut image: Image,
        intake: Intake,
        storing: &mut Storing,
    ) -> Result<Image> {
        let secure = Algorithm::parse(self.settings.hashing_algorithm.get()?)?;
        let inspection =
            Inspection::begin(&image, self.settings.formats.get()?, intake.allow_mismatch);
        let inspection = Arc::new(Mutex::new(inspection));
        let looking = Arc::clone(&inspection);
        let mut count = intake.cap.counter();
        let look = Box::new(move |bytes: &[u8]| {
            count(bytes)?;
            looking
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .look(bytes)
        });
        let algorithms = vec![Algorithm::Md5, secure];
        let taken = storing
            .take(intake.source, algorithms, intake.watch, look)
            .await?;
        check_promise(intake.promised, taken.size)?;
        let virtual_size = inspection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finish()?;
        let [checksum, value] = <[String; 2]>::try_from(taken.digests)
            .map_err(|_| Error::internal("the data was not hashed"))?;
        image.size = Some(taken.size);
        image.virtual_size = virtual_size;
        image.checksum = Some(checksum);
        image.hash = Some(MultiHash {
            algorithm: secure.name().to_string(),
            value,
        });
        Ok(image)
    }

    /// Returns the metadata of a location in a store: the store's ID, if stores have names.
    pub(super) fn location_metadata(&self, store: &dyn Store) -> Map<String, Value> {
        if self.stores.named() {
            Map::from_iter([("store".to_string(), Value::from(store.info().id.as_str()))])
        } else {
            Map::new()
        }
    }

    /// Changes the status from `queued` to `saving`, which prevents other processes from storing data.
    async fn start_saving(&self, id: &str, limits: ProjectLimits) -> Result<Lease> {
        let lease = self.lease_upload(id).await?.ok_or_else(uploading)?;
        self.catalog
            .write(async |transaction| {
                if !transaction
                    .set_status(id, ImageStatus::Queued, ImageStatus::Saving)
                    .await?
                {
                    let now = transaction.load_image(id, &self.caller.project).await?;
                    return Err(now.map_or_else(
                        || visibility::not_found(id),
                        |now| not_allowed(now.image.status),
                    ));
                }
                self.check_uploading(&transaction, limits).await
            })
            .await?;
        Ok(lease)
    }
}

/// Incoming data for a store.
pub(super) struct Intake {
    /// The source.
    pub source: Source,
    /// The declared size in bytes, if any.
    pub promised: Option<u64>,
    /// Whether data that does not match `disk_format` is accepted.
    pub allow_mismatch: bool,
    /// The observer of the transfer.
    pub watch: Watch,
    /// The size limit.
    pub cap: Cap,
}

/// Checks the number of bytes against the declared size.
pub(super) fn check_promise(promised: Option<u64>, arrived: u64) -> Result<()> {
    match promised {
        Some(promised) if promised != arrived => Err(Error::invalid(format!(
            "received {arrived} bytes instead of the declared {promised}"
        ))),
        _ => Ok(()),
    }
}

fn not_allowed(status: ImageStatus) -> Error {
    Error::conflict(format!(
        "Image status transition from {status} to saving is not allowed"
    ))
}

/// Returns a source that fails after more than `size` bytes. Files, whose size is known, are returned unchanged.
pub(super) fn limited_to(size: Option<u64>, source: Source) -> Source {
    let Some(size) = size else { return source };
    let Source::Stream { mut stream, .. } = source else {
        return source;
    };
    let held = try_stream! {
        let mut received = 0;
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            received += bytes.len() as u64;
            if received > size {
                Err(Error::corrupt(format!("there is more data than the {size} bytes of the image")))?;
            }
            yield bytes;
        }
    };
    Source::stream(held)
}

/// Checks that the image's formats are set.
pub(super) fn check_formats(image: &Image) -> Result<()> {
    let missing: Vec<&str> = [
        ("disk_format", &image.disk_format),
        ("container_format", &image.container_format),
    ]
    .into_iter()
    .filter(|(_, format)| format.is_none())
    .map(|(name, _)| name)
    .collect();
    match missing[..] {
        [] => Ok(()),
        [one] => Err(Error::invalid(format!(
            "Property {one} must be set prior to saving data."
        ))),
        _ => Err(Error::invalid(format!(
            "Properties {} must be set prior to saving data.",
            missing.join(", ")
        ))),
    }
}
