//! The pump: every byte is read once; hashing runs on threads of its own over shared blocks,
//! while the thread that reads also writes.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::source::{Stamp, changed, known_size};
use super::sparse::{Segment, segments, write_sparse};
use super::{Algorithm, BLOCK, Hasher, Source, Watch};
use crate::{Error, Result};

/// How many blocks a hashing thread may lag behind the reader: 4 MiB.
const LAG: usize = 16;

/// Zeros to hash in place of holes.
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A block of data shared by all who look at it.
#[derive(Clone)]
pub struct Block {
    buffer: Arc<Vec<u8>>,
    length: usize,
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

enum Piece {
    Data(Block),
    Zeros(u64),
}

fn hash_piece(hasher: &mut Hasher, piece: &Piece) {
    match piece {
        Piece::Data(block) => hasher.update(block),
        Piece::Zeros(length) => {
            let mut length = *length;
            while length > 0 {
                let zeros = ZEROS
                    .len()
                    .min(usize::try_from(length).unwrap_or(ZEROS.len()));
                hasher.update(&ZEROS[..zeros]);
                length -= zeros as u64;
            }
        }
    }
}

/// One thread that computes one hash.
struct Lane {
    pieces: SyncSender<Arc<Piece>>,
    thread: JoinHandle<Hasher>,
}

impl Lane {
    fn start(mut hasher: Hasher) -> Result<Self> {
        let (pieces, inbox): (_, Receiver<Arc<Piece>>) = sync_channel(LAG);
        let thread = std::thread::Builder::new()
            .name("hash".to_string())
            .spawn(move || {
                for piece in inbox {
                    hash_piece(&mut hasher, &piece);
                }
                hasher
            })
            .map_err(|e| Error::internal("cannot start a hashing thread").because(e))?;
        Ok(Self { pieces, thread })
    }
}

/// Blocks of data on their way through the hashes.
///
/// Takes a buffer, lets the caller fill it, and shares it with every hash. Small data is hashed on
/// the spot; threads start with the first full block.
pub struct Blocks {
    idle: Vec<Hasher>,
    lanes: Vec<Lane>,
    buffers: VecDeque<Arc<Vec<u8>>>,
}

impl Blocks {
    /// Blocks that are hashed by each of `algorithms`.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        Self {
            idle: algorithms.iter().copied().map(Hasher::new).collect(),
            lanes: Vec::new(),
            buffers: VecDeque::new(),
        }
    }

    /// Fills a buffer with `fill` (which gives the number of bytes; 0 ends the data) and shares what
    /// was filled.
    pub fn read(&mut self, fill: impl FnOnce(&mut [u8]) -> Result<usize>) -> Result<Option<Block>> {
        let mut buffer = self.take_buffer();
        let Some(bytes) = Arc::get_mut(&mut buffer) else {
            return Err(Error::internal("a block is still in use"));
        };
        let length = fill(bytes)?;
        self.buffers.push_back(Arc::clone(&buffer));
        if length == 0 {
            return Ok(None);
        }
        let block = Block { buffer, length };
        self.share(Piece::Data(block.clone()), length == BLOCK)?;
        Ok(Some(block))
    }

    /// Hashes `length` zeros.
    pub fn zeros(&mut self, length: u64) -> Result<()> {
        self.share(Piece::Zeros(length), length >= BLOCK as u64)
    }

    /// The digests, in the order of the algorithms.
    pub fn finish(self) -> Result<Vec<String>> {
        let mut digests: Vec<String> = self.idle.into_iter().map(Hasher::finish).collect();
        for lane in self.lanes {
            drop(lane.pieces);
            let hasher = lane
                .thread
                .join()
                .map_err(|_| Error::internal("a hashing thread failed"))?;
            digests.push(hasher.finish());
        }
        Ok(digests)
    }

    fn share(&mut self, piece: Piece, large: bool) -> Result<()> {
        if self.lanes.is_empty() && !large {
            for hasher in &mut self.idle {
                hash_piece(hasher, &piece);
            }
            return Ok(());
        }
        for hasher in std::mem::take(&mut self.idle) {
            self.lanes.push(Lane::start(hasher)?);
        }
        let piece = Arc::new(piece);
        for lane in &self.lanes {
            lane.pieces
                .send(Arc::clone(&piece))
                .map_err(|_| Error::internal("a hashing thread stopped"))?;
        }
        Ok(())
    }

    /// A buffer that nobody looks at any more; a new one while all are in use, which the lag of the
    /// lanes bounds.
    fn take_buffer(&mut self) -> Arc<Vec<u8>> {
        let free = self
            .buffers
            .front_mut()
            .is_some_and(|oldest| Arc::get_mut(oldest).is_some());
        let reused = if free { self.buffers.pop_front() } else { None };
        reused.unwrap_or_else(|| Arc::new(vec![0; BLOCK]))
    }
}

/// A new, empty file that data is taken into.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The file, open for reading and writing.
    pub file: &'a File,
    /// Its name, for messages.
    pub path: &'a Path,
    /// Whether runs of zeros become holes.
    pub sparse: bool,
}

impl Target<'_> {
    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let written = if self.sparse {
            write_sparse(self.file, bytes, offset)
        } else {
            self.file.write_all_at(bytes, offset)
        };
        written.map_err(|e| Error::io("write", self.path, e))
    }
}

/// What became of data that was taken in.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// Bytes.
    pub size: u64,
    /// Digests, in the order of the algorithms.
    pub digests: Vec<String>,
}

/// Copies a source into a new file, hashing it on the way.
///
/// What is hashed is what was written: of a cloned file the clone is read. Holes stay holes. `look`
/// sees every byte in order, and may refuse. A file is read to its end, whatever its size is said to be.
///
/// # Errors
/// Those of reading, writing and `look`; `Failed` for a file that changed while it was read; `Interrupted` once `watch` was asked to stop. Nothing is
/// removed or synchronised here.
pub fn take_in(
    source: Source,
    target: Target<'_>,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Taken> {
    watch.begin(source.size());
    let blocks = Blocks::new(algorithms);
    let mut intake = Intake {
        blocks,
        target,
        writeback: Writeback::new(target.file)?,
        watch,
        look,
    };
    let size = match source {
        Source::File { file, path } => intake.take_file(file, path),
        other => intake.take_stream(other),
    };
    watch.end();
    Ok(Taken {
        size: size?,
        digests: intake.blocks.finish()?,
    })
}

/// Data on its way into a file.
struct Intake<'a> {
    blocks: Blocks,
    target: Target<'a>,
    writeback: Writeback,
    watch: &'a Watch,
    look: &'a mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Intake<'_> {
    fn take_stream(&mut self, source: Source) -> Result<u64> {
        let mut reader = source.into_reader()?;
        let mut size = 0;
        while let Some(block) = self.blocks.read(|buffer| reader.fill(buffer))? {
            (self.look)(&block)?;
            self.target.write(&block, size)?;
            self.writeback.wrote(block.len());
            size += block.len() as u64;
            self.watch.advance(block.len() as u64)?;
        }
        self.set_length(size)
    }

    fn take_file(&mut self, file: File, from: PathBuf) -> Result<u64> {
        let begun = Stamp::of(&file, &from)?;
        if rustix::fs::ioctl_ficlone(self.target.file, &file).is_ok() {
            // The clone is the file at one moment; a writer may have been halfway through then.
            begun.check(&file, &from)?;
            let (clone, name) = (self.target.file, self.target.path);
            let size = clone
                .metadata()
                .map_err(|e| Error::io("read", name, e))?
                .len();
            self.take_segments(clone, name, size, true)?;
            return self.set_length(size);
        }
        let size = known_size(&file).map_err(|e| Error::io("read", &from, e))?;
        let Some(size) = size else {
            return self.take_stream(Source::File { file, path: from });
        };
        self.take_segments(&file, &from, size, false)?;
        begun.check(&file, &from)?;
        // A file may be longer than the system knows yet.
        let beyond = read_full(&file, &mut [0], size);
        if beyond.map_err(|e| Error::io("read", &from, e))? > 0 {
            return Err(changed(&from));
        }
        self.set_length(size)
    }

    /// Takes the first `size` bytes of `data`, which is the target itself where that is a clone.
    fn take_segments(&mut self, data: &File, name: &Path, size: u64, cloned: bool) -> Result<()> {
        for segment in segments(data, size) {
            match segment.map_err(|e| Error::io("read", name, e))? {
                Segment::Hole { length, .. } => self.take_hole(length)?,
                Segment::Data { start, length } => {
                    let mut at = start;
                    while at < start + length {
                        at += self.take_block(data, name, at, start + length - at, cloned)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn take_hole(&mut self, mut length: u64) -> Result<()> {
        while length > 0 {
            let step = length.min(64 * BLOCK as u64);
            self.blocks.zeros(step)?;
            for _ in 0..step / BLOCK as u64 {
                (self.look)(&ZEROS)?;
            }
            (self.look)(&ZEROS[..usize::try_from(step % BLOCK as u64).unwrap_or(0)])?;
            self.watch.advance(step)?;
            length -= step;
        }
        Ok(())
    }

    /// Takes one block of a file, at most `left` bytes from `at` on; how many it took.
    fn take_block(
        &mut self,
        data: &File,
        name: &Path,
        at: u64,
        left: u64,
        cloned: bool,
    ) -> Result<u64> {
        let want = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let block = self.blocks.read(|buffer| {
            read_full(data, &mut buffer[..want], at).map_err(|e| Error::io("read", name, e))
        })?;
        let Some(block) = block.filter(|block| block.len() == want) else {
            return Err(changed(name));
        };
        (self.look)(&block)?;
        if !cloned {
            self.target.write(&block, at)?;
            self.writeback.wrote(block.len());
        }
        self.watch.advance(block.len() as u64)?;
        Ok(block.len() as u64)
    }

    /// What was not written at the end is a hole.
    fn set_length(&self, size: u64) -> Result<u64> {
        self.target
            .file
            .set_len(size)
            .map_err(|e| Error::io("write", self.target.path, e))?;
        Ok(size)
    }
}

fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// Starts writing dirty pages to the disk while data still arrives, so that the `fsync` at the end
/// has little left to wait for.
struct Writeback {
    pending: usize,
    file: Option<File>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Writeback {
    /// Bytes after which the disk is set to work.
    const STEP: usize = 64 * 1024 * 1024;

    fn new(target: &File) -> Result<Self> {
        let file = target
            .try_clone()
            .map_err(|e| Error::internal("cannot duplicate a file").because(e))?;
        Ok(Self {
            pending: 0,
            file: Some(file),
            thread: None,
        })
    }

    fn wrote(&mut self, bytes: usize) {
        self.pending += bytes;
        if self.pending < Self::STEP {
            return;
        }
        self.pending = 0;
        if let Some(file) = self.file.take() {
            let (nudge, nudges) = sync_channel::<()>(1);
            let spawned = std::thread::Builder::new()
                .name("writeback".to_string())
                .spawn(move || {
                    for () in nudges {
                        // A failure shows again, and is reported, at the fsync that ends the transfer.
                        let _ = file.sync_data();
                    }
                });
            self.thread = spawned.ok().map(|thread| (nudge, thread));
        }
        if let Some((nudge, _)) = &self.thread {
            // Busy with the last step: it will see these pages too.
            let _ = nudge.try_send(());
        }
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        if let Some((nudge, thread)) = self.thread.take() {
            drop(nudge);
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(source: Source) -> (Taken, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let target = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        let mut seen = Vec::new();
        let taken = take_in(
            source,
            Target {
                file: &target,
                path: &path,
                sparse: false,
            },
            &[Algorithm::Md5, Algorithm::Sha512],
            &Watch::default(),
            &mut |bytes| {
                seen.extend_from_slice(bytes);
                Ok(())
            },
        )
        .unwrap();
        let stored = std::fs::read(&path).unwrap();
        assert_eq!(stored, seen, "what is looked at is what is stored");
        (taken, stored)
    }

    fn pipe(bytes: Vec<u8>) -> Source {
        Source::Pipe {
            reader: Box::new(std::io::Cursor::new(bytes)),
            name: "test",
        }
    }

    fn digest(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn pipes_of_any_length_arrive_whole_and_hashed() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 40 * BLOCK + 17] {
            let bytes: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
            let (taken, stored) = take(pipe(bytes.clone()));
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
            Target {
                file: &target,
                path: &target_path,
                sparse: false,
            },
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

    /// Takes the file at `path` in, and does something when its first byte is looked at.
    fn take_changing(path: &Path, meanwhile: impl FnOnce()) -> Result<Taken> {
        let target = tempfile::tempfile_in(path.parent().unwrap()).unwrap();
        let mut meanwhile = Some(meanwhile);
        take_in(
            Source::open(path).unwrap(),
            Target {
                file: &target,
                path: Path::new("part"),
                sparse: false,
            },
            &[Algorithm::Md5],
            &Watch::default(),
            &mut |_| {
                if let Some(meanwhile) = meanwhile.take() {
                    meanwhile();
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
            // What is taken in then is the file at one moment.
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

    #[test]
    fn files_whose_size_the_system_does_not_know_arrive_whole() {
        for path in ["/proc/version", "/sys/devices/system/cpu/possible"] {
            let Ok(content) = std::fs::read(path) else {
                continue;
            };
            let (taken, stored) = take(Source::open(path).unwrap());
            assert!(stored == content, "{path}");
            assert_eq!(taken.size, content.len() as u64);
            assert_eq!(taken.digests[0], digest(Algorithm::Md5, &content));
        }
    }

    #[test]
    fn a_refusal_ends_the_transfer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let target = File::create_new(&path).unwrap();
        let source = pipe(vec![1; 10 * BLOCK]);
        let refused = take_in(
            source,
            Target {
                file: &target,
                path: &path,
                sparse: false,
            },
            &[Algorithm::Md5],
            &Watch::default(),
            &mut |_| Err(Error::unsupported_media("no")),
        );
        assert_eq!(refused.unwrap_err().message(), "no");
    }

    #[test]
    fn a_watch_that_was_stopped_interrupts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("part");
        let target = File::create_new(&path).unwrap();
        let watch = Watch::default();
        watch.stop();
        let source = pipe(vec![1; 10 * BLOCK]);
        let stopped = take_in(
            source,
            Target {
                file: &target,
                path: &path,
                sparse: false,
            },
            &[Algorithm::Md5],
            &watch,
            &mut |_| Ok(()),
        );
        assert_eq!(stopped.unwrap_err().kind(), crate::ErrorKind::Interrupted);
    }
}
