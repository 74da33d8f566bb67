//! The data of images.

use async_trait::async_trait;

use crate::Result;
use crate::data::{Source, Watch};
use crate::model::{ByteRange, Image};

/// Data on its way to an image.
pub struct Upload {
    /// Where it comes from.
    pub source: Source,
    /// Bytes, when the caller promises a number; other than that is refused.
    pub size: Option<u64>,
    /// Id of the store to put it in; none: the default.
    pub store: Option<String>,
    /// Whether data that is not what `disk_format` says is taken all the same.
    pub allow_format_mismatch: bool,
    /// Whether what a server stored is compared with what was sent, hash by hash.
    pub verify: bool,
    /// Who watches, and may stop it.
    pub watch: Watch,
}

impl Upload {
    /// An upload of all of `source` to the default store.
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

/// How the data of an image shall be read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Its record, if it is at hand: then it need not be asked for again.
    pub known: Option<Image>,
    /// Ids of the stores to try first.
    pub prefer: Vec<String>,
    /// The bytes that are wanted.
    pub range: ByteRange,
    /// Parts to ask a server for at a time, where it keeps to them; up to 1: all of it at once.
    pub parallel: usize,
}

/// Data of an image, ready to be read.
pub struct ImageBytes {
    /// The record that the data belongs to, with the digests to verify it by.
    pub image: Image,
    /// The data; None where the image has none yet.
    pub source: Option<Source>,
}

/// The data of images.
#[async_trait]
pub trait ImageData: Send + Sync {
    /// Stores data for a queued image, which becomes active, and gives its record as it is then; or it
    /// stays queued with nothing stored when anything fails. MUST hold no more than 64 MiB of the source,
    /// and MUST have compared what is stored with what was read.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` in any state but queued; `Invalid` without formats, for an
    /// unknown store or another size than promised; `UnsupportedMedia` for data that is not what it is
    /// declared to be or is unsafe; `TooLarge` beyond a limit or when the store is full; `Gone` when the
    /// image was deleted meanwhile; `Corrupt` when other data than was read is stored and could not be
    /// taken back; those of reading the source.
    async fn upload_image(&self, id: &str, upload: Upload) -> Result<Image>;

    /// Opens the data of an image, from the first of the preferred stores that has it, else from any.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for a deactivated image unless the caller is an administrator; `Internal`
    /// when the data is not where it should be; `RangeNotSatisfiable` for a range that begins at the end of the data or
    /// after it.
    async fn open_image(&self, id: &str, reading: Reading) -> Result<ImageBytes>;
}
