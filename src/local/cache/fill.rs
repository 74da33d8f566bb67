//! Writes of data into the cache: verified, then published atomically.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use super::ImageCache;
use super::directory::{Part, remove};
use crate::data::durable::{directory_of, give_to_owner};
use crate::data::pump::{self, BlockSink, Blocks, Sink, Taken, Target};
use crate::data::{Algorithm, Source, Watch, blocking};
use crate::local::directories::FILE_MODE;
use crate::local::journal::{Begun, Entry, Intent};
use crate::model::{ByteRange, Image, Removed};
use crate::{Error, ErrorKind, Result};

/// The number of blocks that the reader may lag behind the cache.
const AHEAD: usize = 2;

/// The expected properties of an image's data.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    size: Option<u64>,
    digest: Option<(Algorithm, String)>,
}

impl Expected {
    /// Returns the expectation from the record: the secure hash, else MD5. Only the size if there is neither.
    pub(super) fn of(image: &Image) -> Self {
        let secure = image.hash.as_ref().and_then(|hash| {
            let algorithm = Algorithm::parse(&hash.algorithm).ok()?;
            Some((algorithm, hash.value.clone()))
        });
        let checksum = image.checksum.clone().map(|sum| (Algorithm::Md5, sum));
        Self {
            size: image.size,
            digest: secure.or(checksum),
        }
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        self.digest
            .iter()
            .map(|(algorithm, _)| *algorithm)
            .collect()
    }

    /// Returns an error unless the data is as expected.
    fn check(&self, id: &str, taken: &Taken) -> Result<()> {
        let wrong = |what: &str| {
            Err(Error::corrupt(format!(
                "the data of image {id} is not cached: its {what} does not match its record"
            )))
        };
        if self.size.is_some_and(|size| size != taken.size) {
            return wrong("size");
        }
        match (&self.digest, &taken.digests[..]) {
            (Some((algorithm, value)), [digest]) if !digest.eq_ignore_ascii_case(value) => {
                wrong(algorithm.name())
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a file holds the expected data.
    pub(super) fn matches(&self, id: &str, file: File) -> Result<bool> {
        let mut blocks = Blocks::new(&self.algorithms());
        let path = PathBuf::from(id);
        let mut reader = Source::File {
            file,
            path,
            range: ByteRange::ALL,
        }
        .into_reader()?;
        let mut size = 0;
        while let Some(block) = blocks.read(|buffer| reader.fill(buffer))? {
            size += block.len() as u64;
        }
        let digests = blocks.finish()?;
        Ok(self.check(id, &Taken { size, digests }).is_ok())
    }
}

/// A write of image data into the cache. Unless it finishes, the partial data is moved to `invalid/`.
pub(in crate::local) struct Fill {
    cache: ImageCache,
    id: String,
    expected: Expected,
    /// The file being written, and its path.
    file: Arc<File>,
    path: PathBuf,
    /// The journal entry; None after the write has finished.
    entry: Option<Entry>,
}

impl ImageCache {
    /// Begins to write an image into the cache; None if it is there, or another process is writing it.
    pub(in crate::local) async fn begin_fill(&self, image: &Image) -> Result<Option<Fill>> {
        self.create_missing().await?;
        self.recover().await?;
        let (cache, image) = (self.clone(), image.clone());
        blocking(move || cache.start(&image)).await
    }

    fn start(&self, image: &Image) -> Result<Option<Fill>> {
        let id = &image.id;
        let path = self.directory.path_in(Part::Incomplete, id)?;
        let Begun::Started(entry) = self.directory.journal().begin(id, &Intent::Fill, None)? else {
            return Ok(None);
        };
        if self.directory.has(id)? {
            entry.finish()?;
            return Ok(None);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        match options.mode(FILE_MODE).open(&path) {
            Ok(file) => {
                give_to_owner(&file, directory_of(&path));
                Ok(Some(Fill {
                    cache: self.clone(),
                    id: id.clone(),
                    expected: Expected::of(image),
                    file: Arc::new(file),
                    path,
                    entry: Some(entry),
                }))
            }
            // A write by the reference implementation, which may have crashed.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                entry.finish()?;
                Ok(None)
            }
            Err(e) => {
                entry.finish()?;
                Err(Error::io("create", &path, e))
            }
        }
    }

    /// Writes an image into the cache. Returns false if it was there, or another process is writing it.
    ///
    /// # Errors
    /// `Corrupt` for data that is not the image's; errors of reading and writing.
    pub(super) async fn fetch(&self, image: &Image, source: Source, watch: Watch) -> Result<bool> {
        let Some(fill) = self.begin_fill(image).await? else {
            return Ok(false);
        };
        let sink = Sink::File(Target::of(&fill.file, &fill.path, false)?);
        let algorithms = fill.expected.algorithms();
        let look = Box::new(|_: &[u8]| Ok(()));
        let taken = pump::transfer(source, sink, algorithms, watch, look).await?;
        fill.finish(taken).await?;
        Ok(true)
    }

    /// Removes what processes left that crashed while they filled the cache, and returns the sums.
    pub(super) async fn recover(&self) -> Result<Removed> {
        let mut removed = Removed::default();
        let journal = self.directory.journal();
        for entry in blocking(move || journal.stale_entries()).await? {
            let id = entry.id.clone();
            if let Ok(path) = self.directory.path_in(Part::Incomplete, &id) {
                let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
                if remove(&path)? {
                    removed.push(format!("{}/{id}", Part::Incomplete.name()), size);
                }
                let path = self.directory.path(&id)?;
                // The file was verified and published; only its row in the index is missing.
                if let Ok(metadata) = fs::metadata(&path)
                    && self.index.hits(&id).await?.is_none()
                {
                    let nothing = Box::new(|| Ok(()));
                    self.index.record(&id, metadata.len(), nothing).await?;
                }
                self.drop_if_deleted(&id).await?;
            }
            blocking(move || entry.finish()).await?;
        }
        Ok(removed)
    }
}

impl Fill {
    /// Verifies the written data, publishes it with a row in the index, and removes it again if the image was
    /// deleted concurrently. The data is synced before it is published, so a file found after a power failure is
    /// complete. Whether it is found is not guaranteed.
    async fn finish(self, taken: Taken) -> Result<()> {
        self.expected.check(&self.id, &taken)?;
        let (mut fill, size) = blocking(move || {
            let synced = self.file.sync_data();
            synced.map_err(|e| Error::io("write", &self.path, e))?;
            Ok((self, taken.size))
        })
        .await?;
        let directory = fill.cache.directory.clone();
        let (from, to) = (fill.path.clone(), directory.path(&fill.id)?);
        let queued = directory.path_in(Part::Queue, &fill.id)?;
        let publish = move || {
            fs::rename(&from, &to).map_err(|e| Error::io("create", &to, e))?;
            remove(&queued).map(drop)
        };
        let index = fill.cache.index.clone();
        index.record(&fill.id, size, Box::new(publish)).await?;
        fill.cache.drop_if_deleted(&fill.id).await?;
        match fill.entry.take() {
            Some(entry) => blocking(move || entry.finish()).await,
            None => Ok(()),
        }
    }

    /// Returns `source`, all of which is written into the cache while it is read. A failure of the cache is not one of
    /// the reader; what is left then is removed as an incomplete download. MUST be called within a tokio runtime.
    pub(in crate::local) fn through(self, source: Source) -> Source {
        let size = source.size();
        let (blocks, inbox) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let algorithms = self.expected.algorithms();
            let mut tee = Tee {
                fill: Some(self),
                written: 0,
                blocks: blocks.clone(),
            };
            let (watch, look) = (Watch::default(), Box::new(|_: &[u8]| Ok(())));
            let sink = Sink::Blocks(&mut tee);
            let taken = pump::transfer(source, sink, algorithms, watch, look).await;
            match (taken, tee.fill) {
                (Ok(taken), Some(fill)) => {
                    // The reader compares the data as well, and reports what is wrong with it.
                    let _ = fill.finish(taken).await;
                }
                (Ok(_), None) => {}
                // The receiver is gone if the reader has stopped.
                (Err(error), _) => drop(blocks.send(Err(error)).await),
            }
            // The reader is at the end when `blocks` is dropped: after the image is in the cache.
        });
        let stream = unfold(inbox, async |mut inbox| {
            let block = inbox.recv().await?;
            Some((block, inbox))
        });
        Source::Stream {
            stream: stream.boxed(),
            size,
        }
    }
}

impl Drop for Fill {
    /// Moves partial data to `invalid/`. A failure cannot be reported from here; the next cleaning removes what
    /// stays.
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        let moved = self.cache.directory.quarantine(&self.path, &self.id);
        if matches!(moved, Ok(true)) {
            let _ = entry.finish();
        }
        // Otherwise the entry stays, as proof of the unfinished write.
    }
}

/// The cache and the reader, which both get each block.
struct Tee {
    /// None after the cache has failed.
    fill: Option<Fill>,
    /// The number of bytes so far.
    written: u64,
    /// The way to the reader.
    blocks: mpsc::Sender<Result<Bytes>>,
}

#[async_trait]
impl BlockSink for Tee {
    /// Writes a block to the cache, and passes it on to the reader.
    ///
    /// # Errors
    /// `Interrupted` if the reader has stopped.
    async fn write(&mut self, block: Bytes) -> Result<()> {
        if let Some(fill) = &self.fill {
            let (file, offset, bytes) = (fill.file.clone(), self.written, block.clone());
            let written = blocking(move || Ok(file.write_all_at(&bytes, offset).is_ok())).await;
            if !matches!(written, Ok(true)) {
                self.fill = None;
            }
        }
        self.written += block.len() as u64;
        let sent = self.blocks.send(Ok(block)).await;
        sent.map_err(|_| Error::new(ErrorKind::Interrupted, "the download was stopped"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MultiHash, Timestamp};

    fn image(hash: Option<(&str, &str)>, checksum: Option<&str>) -> Image {
        let mut image = Image::queued("x".to_string(), Timestamp::EPOCH);
        image.size = Some(3);
        image.checksum = checksum.map(str::to_string);
        image.hash = hash.map(|(algorithm, value)| MultiHash {
            algorithm: algorithm.to_string(),
            value: value.to_string(),
        });
        image
    }

    fn check(expected: &Expected, size: u64, digest: &str) -> bool {
        let digests = vec![digest.to_string()];
        expected.check("x", &Taken { size, digests }).is_ok()
    }

    #[test]
    fn the_secure_hash_counts_and_md5_where_there_is_none_that_is_known() {
        let secure = Expected::of(&image(Some(("sha256", "AB")), Some("cd")));
        assert_eq!(secure.algorithms(), [Algorithm::Sha256]);
        assert!(check(&secure, 3, "ab"));
        assert!(!check(&secure, 3, "cd"));
        assert!(!check(&secure, 4, "ab"), "and the size");
        let unknown = Expected::of(&image(Some(("blake9", "ab")), Some("cd")));
        assert_eq!(unknown.algorithms(), [Algorithm::Md5]);
        assert!(check(&unknown, 3, "cd") && !check(&unknown, 3, "ab"));
        let none = Expected::of(&image(None, None));
        assert!(none.algorithms().is_empty());
        let taken = |size| Taken {
            size,
            digests: Vec::new(),
        };
        assert!(none.check("x", &taken(3)).is_ok());
        assert!(none.check("x", &taken(2)).is_err());
    }
}
