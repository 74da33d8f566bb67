//! Writes of data into the cache: verified, then published atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use tokio::runtime::Handle;

use super::directory::{Part, remove};
use super::{FILE_MODE, ImageCache};
use crate::data::durable::{directory_of, give_to_owner};
use crate::data::pump::{self, Block, Blocks, Sink, Taken, Target};
use crate::data::source::Reader;
use crate::data::{Algorithm, Source, Watch, blocking};
use crate::local::journal::{Begun, Entry, Intent};
use crate::model::{ByteRange, Image, Removed};
use crate::{Error, Result};

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
    file: File,
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
                    file,
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

    /// Returns a source that reads `source` and writes the same data into the cache. MUST be called, and the data
    /// be read, within a tokio runtime.
    pub(in crate::local) fn through(self, source: Source) -> Result<Source> {
        let (size, path) = (source.size(), self.cache.directory.base().to_path_buf());
        let reader = Tee {
            blocks: Some(Blocks::new(&self.expected.algorithms())),
            reader: source.into_reader()?,
            block: None,
            taken: 0,
            written: 0,
            fill: Some(self),
            runtime: Handle::current(),
        };
        Ok(Source::Through {
            reader: Box::new(reader),
            path,
            size,
        })
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

/// A reader that writes the data into the cache as well. Failures of the cache do not fail the reader.
struct Tee {
    reader: Reader,
    /// The blocks; None after the end.
    blocks: Option<Blocks>,
    /// The last block, and the number of its bytes that were consumed.
    block: Option<Block>,
    taken: usize,
    /// The number of bytes in the cache's file.
    written: u64,
    /// The write; None after it failed or finished.
    fill: Option<Fill>,
    /// The runtime for writes to the index.
    runtime: Handle,
}

impl Tee {
    /// Reads the next block and writes it to the cache. Returns false at the end.
    fn advance(&mut self) -> Result<bool> {
        let Some(blocks) = &mut self.blocks else {
            return Ok(false);
        };
        let reader = &mut self.reader;
        let Some(block) = blocks.read(|buffer| reader.fill(buffer))? else {
            self.end();
            return Ok(false);
        };
        if let Some(fill) = &self.fill
            && fill.file.write_all_at(&block, self.written).is_err()
        {
            self.fill = None;
        }
        self.written += block.len() as u64;
        self.block = Some(block);
        self.taken = 0;
        Ok(true)
    }

    /// Finishes the write after all data was read.
    fn end(&mut self) {
        self.block = None;
        let (Some(blocks), Some(fill)) = (self.blocks.take(), self.fill.take()) else {
            return;
        };
        if let Ok(digests) = blocks.finish() {
            let size = self.written;
            let finished = fill.finish(Taken { size, digests });
            // The reader verifies the data too, and reports errors.
            let _ = self.runtime.block_on(finished);
        }
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(block) = &self.block {
                let rest = block.get(self.taken..).unwrap_or_default();
                if !rest.is_empty() {
                    let count = rest.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&rest[..count]);
                    self.taken += count;
                    return Ok(count);
                }
            }
            // The block is released before the next one is requested.
            self.block = None;
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(e) => return Err(io::Error::other(e)),
            }
        }
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
