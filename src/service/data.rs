//! Image data.

use async_trait::async_trait;

use crate::Result;
use crate::data::{Source, Watch};
use crate::model::{ByteRange, Image};

/// The data of an upload and its parameters.
pub struct Upload {
    /// The source of the data.
    pub source: Source,
    /// The size in bytes that the caller declares; data of another size is refused.
    pub size: Option<u64>,
    /// The ID of the target store; None: the default store.
    pub store: Option<String>,
    /// Whether to accept data that does not match `disk_format`.
    pub allow_format_mismatch: bool,
    /// Whether to compare the hashes of the stored data with those of the sent data.
    pub verify: bool,
    /// Receives the progress, and may stop the transfer.
    pub watch: Watch,
}

impl Upload {
    /// Creates an upload of all of `source` to the default store.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            size: None,
            store: None,
            allow_format_mismatch: false,
            verify: true,
            watch: Watch::default(),
        }
    }
}

/// The parameters of a download.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The image's record, if it is available; then it is not requested again.
    pub known: Option<Image>,
    /// The IDs of the stores to try first.
    pub prefer: Vec<String>,
    /// The bytes to read.
    pub range: ByteRange,
    /// The number of ranges to request from a server concurrently, if it supports ranges; up to 1: all data
    /// in one request.
    pub parallel: usize,
}

/// The opened data of an image.
pub struct ImageBytes {
    /// The record of the data, with the digests to verify it.
    pub image: Image,
    /// The data; None if the image has none yet.
    pub source: Option<Source>,
    /// The receipt, to be signed when the caller has the data.
    pub receipt: Receipt,
}

/// A receipt of data. One that is not signed has no effect.
#[derive(Default)]
pub struct Receipt(Option<Box<dyn FnOnce(u64) + Send>>);

impl Receipt {
    /// Creates a receipt. `signed` is called with the number of bytes that were received.
    pub fn new(signed: impl FnOnce(u64) + Send + 'static) -> Self {
        Self(Some(Box::new(signed)))
    }

    /// Confirms that `bytes` were received, all that came.
    pub fn sign(self, bytes: u64) {
        if let Some(signed) = self.0 {
            signed(bytes);
        }
    }
}

/// Access to image data.
#[async_trait]
pub trait ImageData: Send + Sync {
    /// Stores data for a queued image, which becomes active, and returns its new record. After any error
    /// the image stays queued with nothing stored. MUST hold no more than 64 MiB of the source in memory,
    /// and MUST have compared the stored data with the data that was read.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` in any status but queued; `Invalid` without formats, for an
    /// unknown store or a size other than declared; `UnsupportedMedia` for data that does not match its
    /// declaration or is unsafe; `TooLarge` beyond a limit or if the store is full; `Gone` if the image was
    /// deleted during the upload; `Corrupt` if the stored data differs from the data that was read and
    /// could not be removed; the errors of reading the source.
    async fn upload_image(&self, id: &str, upload: Upload) -> Result<Image>;

    /// Opens the data of an image, from the first of the preferred stores that has it, otherwise from any.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for a deactivated image unless the caller is an administrator; `Internal` if
    /// the data is missing from its store; `RangeNotSatisfiable` for a range that begins at or after the
    /// end of the data.
    async fn open_image(&self, id: &str, reading: Reading) -> Result<ImageBytes>;
}
