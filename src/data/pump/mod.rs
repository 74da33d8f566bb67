//! The pump: every byte is read once, hashed, inspected and written.
//!
//! A file is read and written by a thread (`file`), data that arrives by a task (`stream`). All transfers share the
//! hashing threads (`hashing`).

mod file;
mod hashing;
mod holes;
mod stream;
mod writeback;

pub use file::take_in;
pub use hashing::{Block, Blocks, hash_in_background};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::known_size;
use super::sparse::write_sparse;
use super::{Algorithm, Source, Watch, blocking};
use crate::model::ByteRange;
use crate::{Error, Result};

/// An observer of every byte of a transfer, in order; it refuses the data by an error.
pub type Look = Box<dyn FnMut(&[u8]) -> Result<()> + Send>;

/// A new, empty file to write the data to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file, open for reading and writing.
    pub file: Arc<File>,
    /// The name for messages.
    pub path: Arc<Path>,
    /// Whether runs of zeros become holes.
    pub sparse: bool,
}

impl Target {
    /// Returns the target for an open file at `path`.
    ///
    /// # Errors
    /// `Io` if the file cannot be duplicated.
    pub fn of(file: &File, path: &Path, sparse: bool) -> Result<Self> {
        let file = file.try_clone().map_err(|e| Error::io("open", path, e))?;
        Ok(Self {
            file: Arc::new(file),
            path: path.into(),
            sparse,
        })
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let written = if self.sparse {
            write_sparse(&self.file, bytes, offset)
        } else {
            self.file.write_all_at(bytes, offset)
        };
        written.map_err(|e| Error::io("write", &self.path, e))
    }

    /// Sets the length of the file; zeros at its end that were not written become a hole.
    fn set_length(&self, size: u64) -> Result<()> {
        let set = self.file.set_len(size);
        set.map_err(|e| Error::io("write", &self.path, e))
    }
}

/// The destination of the data.
pub enum Sink<'a> {
    /// No destination: the data is only hashed.
    Nowhere,
    /// A file. Another file is cloned into it if the file system supports that.
    File(Target),
    /// A receiver of blocks.
    Blocks(&'a mut dyn BlockSink),
}

/// A receiver of data, block by block and in order.
#[async_trait]
pub trait BlockSink: Send {
    /// Writes a block: [`BLOCK`](super::BLOCK) bytes, or fewer at the end of the data, or before a hole.
    async fn write(&mut self, block: Bytes) -> Result<()>;

    /// Returns whether holes of a file are passed to [`BlockSink::skip`]. Otherwise they are read as zeros.
    fn keeps_holes(&self) -> bool {
        false
    }

    /// Continues after `length` zeros, which need not be written.
    async fn skip(&mut self, length: u64) -> Result<()> {
        let _ = length;
        Err(Error::internal("the receiver does not keep holes"))
    }
}

/// The maximum number of concurrent transfers of files. Each keeps a thread busy, and short tasks need free
/// ones.
static TRANSFERS: Semaphore = Semaphore::const_new(8);

/// Transfers all data of `source` into `sink`: hashes it, and passes every byte in order to `look`, which
/// may refuse it.
///
/// Data that arrives costs one buffer and a task; a file is copied into another by a thread. Written data is neither
/// synced nor, after an error, removed.
///
/// # Errors
/// The errors of the source, of the sink and of `look`; `Interrupted` after `watch` was asked to stop.
pub async fn transfer(
    source: Source,
    sink: Sink<'_>,
    algorithms: Vec<Algorithm>,
    watch: Watch,
    mut look: Look,
) -> Result<Taken> {
    match (source.stopping_with(&watch), sink) {
        (source @ Source::File { .. }, Sink::File(target)) => {
            let _permit = TRANSFERS.acquire().await;
            blocking(move || take_in(source, &target, &algorithms, &watch, &mut look)).await
        }
        (
            Source::File {
                file,
                path,
                range: ByteRange::ALL,
            },
            Sink::Blocks(sink),
        ) if sink.keeps_holes() => {
            take_file_into(file, path, sink, &algorithms, &watch, look).await
        }
        (source, sink) => {
            watch.begin(source.size());
            let stream = source.into_stream();
            let taken = stream::take_stream(stream, sink, &algorithms, &watch, look).await;
            watch.end();
            taken
        }
    }
}

/// Transfers a file into a receiver that keeps holes. A file whose size the system does not know has none.
async fn take_file_into(
    file: File,
    path: PathBuf,
    sink: &mut dyn BlockSink,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: Look,
) -> Result<Taken> {
    let (file, path, size) = blocking(move || {
        let size = known_size(&file).map_err(|e| Error::io("read", &path, e))?;
        Ok((file, path, size))
    })
    .await?;
    watch.begin(size);
    let taken = if let Some(size) = size {
        holes::take_file(file, path, size, sink, algorithms, watch, look).await
    } else {
        let range = ByteRange::ALL;
        let stream = Source::File { file, path, range }.into_stream();
        stream::take_stream(stream, Sink::Blocks(sink), algorithms, watch, look).await
    };
    watch.end();
    taken
}

/// The result of a transfer.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// The size in bytes.
    pub size: u64,
    /// The digests, in the order of the algorithms.
    pub digests: Vec<String>,
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::data::{BLOCK, Hasher};

    fn of(file: File, path: &Path) -> Target {
        Target {
            file: Arc::new(file),
            path: path.into(),
            sparse: false,
        }
    }

    /// Creates a file `part` in a new directory.
    pub(super) fn target(sparse: bool) -> (tempfile::TempDir, Target) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(&path);
        let target = Target {
            sparse,
            ..of(file.unwrap(), &path)
        };
        (directory, target)
    }

    async fn take(source: Source) -> (Taken, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let target = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        let (pieces, seen) = std::sync::mpsc::channel();
        let taken = transfer(
            source,
            Sink::File(of(target, &path)),
            vec![Algorithm::Md5, Algorithm::Sha512],
            Watch::default(),
            Box::new(move |bytes| {
                pieces.send(bytes.to_vec()).unwrap();
                Ok(())
            }),
        )
        .await
        .unwrap();
        let stored = std::fs::read(&path).unwrap();
        let seen: Vec<Vec<u8>> = seen.into_iter().collect();
        assert!(
            stored == seen.concat(),
            "what is looked at is what is stored"
        );
        (taken, stored)
    }

    fn pipe(bytes: Vec<u8>) -> Source {
        Source::reader(std::io::Cursor::new(bytes), "test")
    }

    pub(super) fn digest(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[tokio::test]
    async fn pipes_of_any_length_arrive_whole_and_hashed() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 40 * BLOCK + 17] {
            let bytes: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
            let (taken, stored) = take(pipe(bytes.clone())).await;
            assert!(stored == bytes);
            assert_eq!(taken.size, length as u64);
            assert_eq!(taken.digests[0], digest(Algorithm::Md5, &bytes));
            assert_eq!(taken.digests[1], digest(Algorithm::Sha512, &bytes));
        }
    }

    #[test]
    fn files_with_holes_arrive_whole_and_keep_them() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.write_all_at(b"begin", 0).unwrap();
        file.write_all_at(b"middle", 20 * BLOCK as u64 + 5).unwrap();
        file.set_len(50 * BLOCK as u64 + 3).unwrap();
        let expected = std::fs::read(&path).unwrap();
        let target_path = directory.path().join("part");
        let target = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&target_path)
            .unwrap();
        let source = Source::open(&path).unwrap();
        let taken = take_in(
            source,
            &of(target.try_clone().unwrap(), &target_path),
            &[Algorithm::Sha256],
            &Watch::default(),
            &mut |_| Ok(()),
        )
        .unwrap();
        assert_eq!(taken.digests[0], digest(Algorithm::Sha256, &expected));
        assert!(std::fs::read(&target_path).unwrap() == expected);
        assert!(
            target.metadata().unwrap().blocks() * 512 < 2 * BLOCK as u64,
            "holes stay holes"
        );
    }

    /// Transfers the file at `path`, and calls a function when its first byte is seen.
    fn take_changing(path: &Path, change: impl FnOnce()) -> Result<Taken> {
        let target = tempfile::tempfile_in(path.parent().unwrap()).unwrap();
        let mut change = Some(change);
        take_in(
            Source::open(path).unwrap(),
            &of(target, Path::new("part")),
            &[Algorithm::Md5],
            &Watch::default(),
            &mut |_| {
                if let Some(change) = change.take() {
                    change();
                }
                Ok(())
            },
        )
    }

    #[test]
    fn a_file_that_changes_while_it_is_taken_in_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let size = 3 * BLOCK as u64;
        let open = || File::options().write(true).open(&path).unwrap();
        let old = |size: u64| {
            std::fs::write(&path, vec![1; usize::try_from(size).unwrap()]).unwrap();
            open()
                .set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
        };
        old(size);
        assert_eq!(take_changing(&path, || {}).unwrap().size, size);
        let clone = tempfile::tempfile_in(&directory).unwrap();
        if rustix::fs::ioctl_ficlone(&clone, open()).is_ok() {
            // The clone is a snapshot.
            return;
        }
        let changes: [&dyn Fn(); 3] = [
            &|| open().write_all_at(b"more", size).unwrap(),
            &|| open().write_all_at(b"other", 0).unwrap(),
            &|| open().set_len(size - 1).unwrap(),
        ];
        for change in changes {
            old(size);
            let refused = take_changing(&path, change).unwrap_err();
            let text = refused.message();
            assert!(text.ends_with("file changed while it was read"), "{text}");
        }
    }

    #[tokio::test]
    async fn files_whose_size_the_system_does_not_know_arrive_whole() {
        for path in ["/proc/version", "/sys/devices/system/cpu/possible"] {
            let Ok(content) = std::fs::read(path) else {
                continue;
            };
            let (taken, stored) = take(Source::open(path).unwrap()).await;
            assert!(stored == content, "{path}");
            assert_eq!(taken.size, content.len() as u64);
            assert_eq!(taken.digests[0], digest(Algorithm::Md5, &content));
        }
    }

    /// Transfers ten blocks of a pipe and of a file, and returns the errors.
    async fn refusals(watch: &Watch, look: fn(&[u8]) -> Result<()>) -> [Error; 2] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let bytes = vec![1; 10 * BLOCK];
        std::fs::write(&path, &bytes).unwrap();
        let refused = async |source| {
            let (_directory, target) = target(false);
            let sink = Sink::File(target);
            let algorithms = vec![Algorithm::Md5];
            let taken = transfer(source, sink, algorithms, watch.clone(), Box::new(look)).await;
            taken.unwrap_err()
        };
        [
            refused(pipe(bytes)).await,
            refused(Source::open(path).unwrap()).await,
        ]
    }

    #[tokio::test]
    async fn a_refusal_ends_the_transfer() {
        let look = |_: &[u8]| Err(Error::unsupported_media("no"));
        for error in refusals(&Watch::default(), look).await {
            assert_eq!(error.message(), "no");
        }
    }

    #[tokio::test]
    async fn a_watch_that_was_stopped_interrupts() {
        let watch = Watch::default();
        watch.stop();
        for error in refusals(&watch, |_| Ok(())).await {
            assert_eq!(error.kind(), crate::ErrorKind::Interrupted);
        }
    }
}
