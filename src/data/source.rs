//! Sources of image data.

use std::fs::File;
use std::io::{self, IoSliceMut, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;

use async_stream::try_stream;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::sync::mpsc;

use super::sparse::{Segment, segments};
use super::{BLOCK, Watch, blocking};
use crate::model::ByteRange;
use crate::{Error, ErrorKind, Result};

/// The number of buffers of a stream that are read ahead; for a connection, some hundred KiB each.
const AHEAD: usize = 4;

/// The size of the parts in which a file is streamed. Each of many slow clients has one in memory, and larger ones do not
/// make fast clients faster.
const PART: usize = 32 * 1024;

/// An asynchronous stream of buffers, such as the body of an HTTP request.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Image data to read once, from beginning to end.
pub enum Source {
    /// A regular file, or a range of it. It may be cloned, and its holes are known.
    File {
        /// The open file.
        file: File,
        /// The name for messages.
        path: PathBuf,
        /// The bytes to read; within the file unless it is all of it.
        range: ByteRange,
    },
    /// Data that arrives: over a network, through a pipe, or through a cache.
    Stream {
        /// The data, in buffers of any size.
        stream: ByteStream,
        /// The size in bytes, if it is known in advance.
        size: Option<u64>,
    },
}

/// The state of a regular file before it is read, to detect changes afterwards.
///
/// Its size and modification time are compared. Its status change time is not: a new link or other
/// permissions do not change data. File systems record times with a resolution of some milliseconds, so a
/// change in place goes undetected if it happens within the same tick as the previous write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    /// The modification time in seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    /// Reads the state of `file`, which is named `path` in messages.
    pub fn of(file: &File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(|e| Error::io("read", path, e))?;
        Ok(Self {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    /// Returns an error if the file has been written to since.
    ///
    /// # Errors
    /// `Failed` for a changed file, `Io`.
    pub fn check(self, file: &File, path: &Path) -> Result<()> {
        if Self::of(file, path)? == self {
            return Ok(());
        }
        Err(changed(path))
    }
}

/// Returns the error for a file that is written to while it is read.
pub(super) fn changed(path: &Path) -> Error {
    Error::failed(format!("{} changed while it was read", path.display()))
        .hint("Nothing of it was kept. Try again when no process writes to it.")
}

/// Returns the size of a regular file in bytes; None if the system does not know it. Files of procfs and
/// sysfs, and of some user-space file systems, contain more or fewer bytes than their size.
///
/// Such files use no blocks; a file that uses blocks has its size.
pub(super) fn known_size(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    let size = metadata.len();
    if metadata.blocks() > 0 {
        return Ok(Some(size));
    }
    // Errors are reported when the data is read.
    let has_byte = |at| matches!(file.read_at(&mut [0], at), Ok(1));
    let has_last = size.checked_sub(1).is_none_or(has_byte);
    let ends = matches!(file.read_at(&mut [0], size), Ok(0));
    Ok((has_last && ends).then_some(size))
}

/// Returns whether a file can be read by position.
fn is_positioned(file: &File) -> bool {
    !matches!(file.read_at(&mut [0], 0), Err(e) if e.kind() == io::ErrorKind::NotSeekable)
}

/// The rest of a regular file, from its current position on.
struct Rest {
    file: File,
    path: PathBuf,
    begun: Stamp,
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        if bytes == 0 && !buffer.is_empty() {
            let unchanged = self.begun.check(&self.file, &self.path);
            unchanged.map_err(io::Error::other)?;
        }
        Ok(bytes)
    }
}

impl Source {
    /// Returns the source of data of unknown size that arrives in buffers.
    pub fn stream(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self::Stream {
            stream: stream.boxed(),
            size: None,
        }
    }

    /// Returns the source of data that a reader such as a pipe returns; `name` is its name in messages.
    ///
    /// A thread reads ahead a little, from when the first data is asked for.
    pub fn reader(mut reader: impl Read + Send + 'static, name: &'static str) -> Self {
        let (blocks, mut inbox) = mpsc::channel(AHEAD);
        let mut fill = move |block: &mut [u8]| fill(block, |rest| read(&mut reader, rest, name));
        let stream = try_stream! {
            tokio::task::spawn_blocking(move || {
                loop {
                    let block = read_block(&mut fill).transpose();
                    let Some(block) = block else { break };
                    let is_last = block.is_err();
                    if blocks.blocking_send(block).is_err() || is_last {
                        break;
                    }
                }
            });
            while let Some(block) = inbox.recv().await {
                yield block?;
            }
        };
        Self::stream(stream)
    }

    /// Returns the source of no data.
    pub fn empty() -> Self {
        Self::Stream {
            stream: futures_util::stream::empty().boxed(),
            size: Some(0),
        }
    }

    /// Opens `path` for reading: a regular file as such, anything else (a pipe, a device) as a stream.
    ///
    /// # Errors
    /// `Io` if it cannot be opened, is a directory, or its status cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::open(&path).map_err(|e| Error::io("open", &path, e))?;
        let metadata = file.metadata().map_err(|e| Error::io("read", &path, e))?;
        if metadata.is_dir() {
            return Err(Error::io("read", &path, io::ErrorKind::IsADirectory.into()));
        }
        Ok(if metadata.is_file() && is_positioned(&file) {
            let range = ByteRange::ALL;
            Self::File { file, path, range }
        } else {
            Self::reader(file, "the input")
        })
    }

    /// Opens standard input: a file if it is redirected from one (from its beginning only if nothing of it
    /// has been read), otherwise a stream.
    pub fn standard_input() -> Result<Self> {
        use std::os::fd::AsFd;
        let path = PathBuf::from("standard input");
        let owned = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io("read", &path, e))?;
        let mut file = File::from(owned);
        let name = "standard input";
        if !file.metadata().is_ok_and(|m| m.is_file()) {
            return Ok(Self::reader(file, name));
        }
        if is_positioned(&file) && file.stream_position().is_ok_and(|at| at == 0) {
            let range = ByteRange::ALL;
            return Ok(Self::File { file, path, range });
        }
        let begun = Stamp::of(&file, &path)?;
        Ok(Self::reader(Rest { file, path, begun }, name))
    }

    /// Returns the size in bytes, if it is known in advance.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File { file, range, .. } => range.length(known_size(file).ok()??),
            Self::Stream { size, .. } => *size,
        }
    }

    /// Returns the maximum number of bytes that a transfer writes into a file, if that is known in advance: the size without the holes of a file.
    pub fn stored_size(&self) -> Option<u64> {
        let size = self.size()?;
        let Self::File { file, range, .. } = self else {
            return Some(size);
        };
        if !range.is_all() {
            return Some(size);
        }
        let blocks = file.metadata().ok()?.blocks();
        if blocks.saturating_mul(512) >= size {
            return Some(size);
        }
        let mut stored = 0;
        for segment in segments(file, size) {
            match segment {
                Ok(Segment::Data { length, .. }) => stored += length,
                Ok(Segment::Hole { .. }) => {}
                Err(_) => return Some(size),
            }
        }
        Some(stored)
    }

    /// Returns the same data again, if it can be read twice, as a file can.
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::File { file, path, range } => Some(Self::File {
                file: file.try_clone().ok()?,
                path: path.clone(),
                range: *range,
            }),
            Self::Stream { .. } => None,
        }
    }

    /// Returns a range of this data.
    ///
    /// # Errors
    /// `RangeNotSatisfiable` for a range that begins at or after the end of the data, if the size is known.
    /// Otherwise the data ends with that error.
    pub fn limited_to(self, range: ByteRange) -> Result<Self> {
        if range.is_all() {
            return Ok(self);
        }
        let size = self.size();
        if let Some(size) = size
            && range.length(size).is_none()
        {
            return Err(outside(range));
        }
        Ok(match self {
            Self::File {
                file,
                path,
                range: ByteRange::ALL,
            } => Self::File { file, path, range },
            other => Self::Stream {
                stream: clip(other.into_stream(), range),
                size: size.and_then(|size| range.length(size)),
            },
        })
    }

    /// Returns the same data as a stream. A part of a file is read when it is asked for: at once if the system has it in
    /// memory, otherwise by a thread that may block.
    pub fn into_stream(self) -> ByteStream {
        match self {
            Self::Stream { stream, .. } => stream,
            file @ Self::File { .. } => try_stream! {
                let mut reader = blocking(move || file.into_reader()).await?;
                let mut part = Part::new();
                loop {
                    let mut length = reader.fill_from_memory(part.free());
                    if length == 0 {
                        (length, part, reader) = blocking(move || {
                            let length = reader.fill(part.free())?;
                            Ok((length, part, reader))
                        })
                        .await?;
                    }
                    if length == 0 {
                        break;
                    }
                    yield part.share(length);
                }
            }
            .boxed(),
        }
    }

    /// Returns the same data, which ends with an error after `watch` is asked to stop, even while no data
    /// arrives.
    #[must_use]
    pub fn stopping_with(self, watch: &Watch) -> Self {
        let Self::Stream { mut stream, size } = self else {
            return self;
        };
        let watch = watch.clone();
        let stopping = try_stream! {
            let mut stopped = pin!(watch.stopped());
            while let Some(bytes) = tokio::select! {
                biased;
                () = &mut stopped => Some(watch.check().map(|()| Bytes::new())),
                next = stream.next() => next,
            } {
                yield bytes?;
            }
        };
        Self::Stream {
            stream: stopping.boxed(),
            size,
        }
    }

    /// Returns the data as a reader for blocking code. A file that changed while it was read ends with an
    /// error.
    ///
    /// MUST be read from a thread that may block, within a tokio runtime.
    pub fn into_reader(self) -> Result<Reader> {
        Ok(match self {
            Self::File { file, path, range } => {
                let begun = Stamp::of(&file, &path)?;
                Reader(Inner::File {
                    file,
                    path,
                    at: range.start,
                    end: range.end,
                    begun,
                })
            }
            Self::Stream { mut stream, .. } => {
                let (buffers, inbox) = mpsc::channel(AHEAD);
                // Data is received while the reader processes earlier data.
                tokio::runtime::Handle::current().spawn(async move {
                    while let Some(bytes) = stream.next().await {
                        if buffers.send(bytes).await.is_err() {
                            break;
                        }
                    }
                });
                Reader(Inner::Stream {
                    inbox,
                    rest: Bytes::new(),
                })
            }
        })
    }
}

/// Fills `buffer` by calls of `read`; a result less than its length means the end of the data.
fn fill(buffer: &mut [u8], mut read: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read(rest)? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    Ok(filled)
}

/// Reads from a reader, again after an interruption.
fn read(reader: &mut impl Read, buffer: &mut [u8], name: &str) -> Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(|e| Error::io("read", name, e)),
        }
    }
}

/// Returns the next block that `fill` fills: [`BLOCK`] bytes, or fewer at the end; None after it.
fn read_block(fill: &mut impl FnMut(&mut [u8]) -> Result<usize>) -> Result<Option<Bytes>> {
    let mut block = BytesMut::zeroed(BLOCK);
    let length = fill(&mut block)?;
    block.truncate(length);
    Ok((length > 0).then(|| block.freeze()))
}

/// A buffer for parts of a file, which is filled again when its last part is not in use any more.
struct Part(Arc<Vec<u8>>);

impl Part {
    fn new() -> Self {
        Self(Arc::new(vec![0; PART]))
    }

    /// Returns the buffer, or a new one while the last part is in use.
    fn free(&mut self) -> &mut Vec<u8> {
        if Arc::get_mut(&mut self.0).is_none() {
            *self = Self::new();
        }
        Arc::make_mut(&mut self.0)
    }

    /// Returns the first bytes of the buffer.
    fn share(&self, length: usize) -> Bytes {
        Bytes::from_owner(Shared(Arc::clone(&self.0))).slice(..length)
    }
}

/// The owner of shared bytes.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Returns a range of the bytes of a stream.
fn clip(mut stream: ByteStream, range: ByteRange) -> ByteStream {
    let clipped = try_stream! {
        let mut at = 0;
        let mut is_empty = true;
        while range.end.is_none_or(|end| at < end)
            && let Some(bytes) = stream.next().await
        {
            let mut bytes = bytes?;
            let begins = at;
            at += bytes.len() as u64;
            if let Some(after) = range.end.map(|end| end - begins)
                && let Ok(after) = usize::try_from(after)
            {
                bytes.truncate(after);
            }
            let before = range.start.saturating_sub(begins).min(bytes.len() as u64);
            let bytes = bytes.slice(usize::try_from(before).unwrap_or(bytes.len())..);
            if !bytes.is_empty() {
                is_empty = false;
                yield bytes;
            }
        }
        if is_empty {
            Err(outside(range))?;
        }
    };
    clipped.boxed()
}

/// Returns the error for a range outside of the data.
fn outside(range: ByteRange) -> Error {
    Error::new(
        ErrorKind::RangeNotSatisfiable,
        format!("the data ends before byte {}", range.start),
    )
}

/// Returns the number of bytes to read into a buffer: until `end`, or the end of the file.
fn wanted(at: u64, end: Option<u64>, room: usize) -> usize {
    let left = end.map_or(u64::MAX, |end| end.saturating_sub(at));
    usize::try_from(left).unwrap_or(usize::MAX).min(room)
}

/// Image data for blocking code.
pub struct Reader(Inner);

enum Inner {
    /// A file that is read by position, so that others may read it concurrently.
    File {
        file: File,
        path: PathBuf,
        at: u64,
        /// The end of the range; None: the end of the file.
        end: Option<u64>,
        begun: Stamp,
    },
    Stream {
        inbox: mpsc::Receiver<Result<Bytes>>,
        rest: Bytes,
    },
}

impl Reader {
    /// Fills `buffer`; a result less than its length means the end of the data.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        fill(buffer, |rest| self.read(rest))
    }

    /// Reads the next bytes of a file that the system has in memory, without waiting for a disk. Returns 0 if
    /// there are none, at the end, and after an error.
    fn fill_from_memory(&mut self, buffer: &mut [u8]) -> usize {
        let Inner::File { file, at, end, .. } = &mut self.0 else {
            return 0;
        };
        let wanted = wanted(*at, *end, buffer.len());
        let buffer = &mut buffer[..wanted];
        let read = preadv2(
            file,
            &mut [IoSliceMut::new(buffer)],
            *at,
            ReadWriteFlags::NOWAIT,
        );
        let bytes = read.unwrap_or(0);
        *at += bytes as u64;
        bytes
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match &mut self.0 {
            Inner::File {
                file,
                path,
                at,
                end,
                begun,
            } => loop {
                let wanted = wanted(*at, *end, buffer.len());
                match file.read_at(&mut buffer[..wanted], *at) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(Error::io("read", path, e)),
                    Ok(0) if !buffer.is_empty() => {
                        begun.check(file, path)?;
                        return Ok(0);
                    }
                    Ok(bytes) => {
                        *at += bytes as u64;
                        return Ok(bytes);
                    }
                }
            },
            Inner::Stream { inbox, rest } => {
                while rest.is_empty() {
                    match inbox.blocking_recv() {
                        Some(bytes) => *rest = bytes?,
                        None => return Ok(0),
                    }
                }
                let bytes = rest.split_to(rest.len().min(buffer.len()));
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use futures_util::{TryStreamExt, stream};

    use super::*;

    /// Creates a file of this size that was last written long ago.
    fn old_file(directory: &tempfile::TempDir, size: usize) -> PathBuf {
        let path = directory.path().join("file");
        std::fs::write(&path, vec![b'x'; size]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        path
    }

    /// Reads all of a source, and calls `change` after its first bytes.
    fn read(source: Source, change: impl FnOnce()) -> Result<usize> {
        let mut reader = source.into_reader()?;
        let mut buffer = [0; 10];
        let mut size = reader.fill(&mut buffer)?;
        change();
        loop {
            match reader.fill(&mut buffer)? {
                0 => return Ok(size),
                bytes => size += bytes,
            }
        }
    }

    #[test]
    fn the_size_of_a_file_is_known_unless_it_holds_other_bytes() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 1, 100_000] {
            let path = old_file(&directory, size);
            assert_eq!(Source::open(path).unwrap().size(), Some(size as u64));
        }
        let hole = File::create(directory.path().join("hole")).unwrap();
        hole.set_len(1 << 20).unwrap();
        let source = Source::open(directory.path().join("hole")).unwrap();
        assert_eq!(
            (source.size(), source.stored_size()),
            (Some(1 << 20), Some(0))
        );
        // The size of the first is 0, that of the second a page.
        for path in ["/proc/version", "/sys/devices/system/cpu/possible"] {
            let Ok(content) = std::fs::read(path) else {
                continue;
            };
            let source = Source::open(path).unwrap();
            assert_eq!(
                (source.size(), source.stored_size()),
                (None, None),
                "{path}"
            );
            assert!(source.again().is_some());
            assert_eq!(read(source, || {}).unwrap(), content.len(), "{path}");
        }
    }

    #[test]
    fn a_copy_takes_no_room_for_holes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.write_all_at(&[1; 5000], 1 << 30).unwrap();
        file.set_len(3 << 30).unwrap();
        let source = Source::open(&path).unwrap();
        assert_eq!(source.size(), Some(3 << 30));
        let stored = source.stored_size().unwrap();
        assert!((5000..1 << 20).contains(&stored), "{stored}");
        let whole = Source::open(old_file(&directory, 100_000)).unwrap();
        assert_eq!(whole.stored_size(), Some(100_000));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for new_length in [50, 100, 200] {
            let path = old_file(&directory, 100);
            let source = Source::open(&path).unwrap();
            let refused = read(source, || {
                let file = File::options().write(true).open(&path).unwrap();
                file.set_len(new_length).unwrap();
                file.write_all_at(b"y", new_length - 1).unwrap();
            });
            let text = refused.unwrap_err().to_string();
            assert!(text.ends_with("file changed while it was read"), "{text}");
        }
        let path = old_file(&directory, 100);
        let link = directory.path().join("link");
        let source = Source::open(&path).unwrap();
        let linked = read(source, || std::fs::hard_link(&path, link).unwrap());
        assert_eq!(linked.unwrap(), 100, "another name changes no data");
    }

    #[tokio::test]
    async fn the_rest_of_a_file_that_changes_is_refused_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = old_file(&directory, 100);
        let rest = || {
            let mut file = File::open(&path).unwrap();
            let begun = Stamp::of(&file, &path).unwrap();
            file.seek(io::SeekFrom::Start(10)).unwrap();
            let path = path.clone();
            Source::reader(Rest { file, path, begun }, "standard input").into_stream()
        };
        let blocks: Vec<Bytes> = rest().try_collect().await.unwrap();
        assert_eq!(blocks.concat().len(), 90);
        let changing = rest();
        std::fs::write(&path, [1; 200]).unwrap();
        let refused = changing.try_collect::<Vec<Bytes>>().await.unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("changed while it was read"), "{text}");
    }

    #[tokio::test]
    async fn ranges_of_files_and_streams_are_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * BLOCK + 100).collect();
        std::fs::write(&path, &bytes).unwrap();
        let size = bytes.len() as u64;
        let arriving = |step| {
            let chunks: Vec<_> = bytes.chunks(step).map(Bytes::copy_from_slice).collect();
            Source::stream(stream::iter(chunks.into_iter().map(Ok)))
        };
        for (start, end) in [
            (0, None),
            (0, Some(1)),
            (7, Some(8)),
            (7, None),
            (1000, Some(2 * BLOCK as u64 + 3)),
            (size - 1, None),
            (5, Some(size + 10)),
        ] {
            let range = ByteRange { start, end };
            let last = usize::try_from(end.unwrap_or(size).min(size)).unwrap();
            let expected = &bytes[usize::try_from(start).unwrap()..last];
            for source in [
                Source::open(&path).unwrap(),
                arriving(1000),
                arriving(bytes.len()),
            ] {
                let source = source.limited_to(range).unwrap();
                if let Some(size) = source.size() {
                    assert_eq!(size, expected.len() as u64, "{range:?}");
                }
                let chunks: Vec<Bytes> = source.into_stream().try_collect().await.unwrap();
                assert!(chunks.concat() == expected, "{range:?}");
            }
        }
        let range = ByteRange {
            start: size,
            end: None,
        };
        let file = Source::open(&path).unwrap().limited_to(range);
        assert_eq!(file.err().unwrap().kind(), ErrorKind::RangeNotSatisfiable);
        let stream = arriving(1000).limited_to(range).unwrap().into_stream();
        let refused = stream.try_collect::<Vec<Bytes>>().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RangeNotSatisfiable);
    }
}
