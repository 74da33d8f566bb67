//! Hashing: blocks of data, and the threads that hash them for all transfers.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::sync::Notify;

use crate::data::{Algorithm, BLOCK, Hasher};
use crate::{Error, Result};

/// The number of blocks that a hash may lag behind its transfer: 4 MiB.
const LAG: usize = 16;

/// The number of pieces of one transfer that a thread hashes before it continues with another transfer.
const PIECES_AT_A_TIME: usize = 8;

/// Zeros to hash in place of holes. As a static array they would take up the same space in the program's file.
pub(super) static ZEROS: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; BLOCK].into_boxed_slice());

/// A block of data shared by all readers.
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

/// One hash of one transfer. Its pieces are hashed in order, by one thread at a time.
struct Lane {
    state: Mutex<LaneState>,
    /// Notified after a piece has been hashed: `hashed` for threads, `progress` for tasks.
    hashed: Condvar,
    progress: Notify,
}

struct LaneState {
    pieces: VecDeque<Arc<Piece>>,
    /// None while a thread hashes with it.
    hasher: Option<Hasher>,
    /// Whether the lane is queued, or a thread is hashing it.
    is_queued: bool,
}

impl LaneState {
    fn is_full(&self) -> bool {
        self.pieces.len() >= LAG
    }
}

impl Lane {
    fn new(hasher: Hasher) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(LaneState {
                pieces: VecDeque::new(),
                hasher: Some(hasher),
                is_queued: false,
            }),
            hashed: Condvar::new(),
            progress: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece to a lane that is not full.
    fn add(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, LaneState>,
        piece: &Arc<Piece>,
    ) -> Result<()> {
        state.pieces.push_back(Arc::clone(piece));
        if !state.is_queued {
            state.is_queued = true;
            drop(state);
            return WORKERS.queue(Arc::clone(self));
        }
        Ok(())
    }

    /// Adds a piece; blocks the thread while the lane is full.
    fn push(self: &Arc<Self>, piece: &Arc<Piece>) -> Result<()> {
        let mut state = self.lock();
        while state.is_full() {
            let waited = self.hashed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        self.add(state, piece)
    }

    /// Adds a piece; waits asynchronously while the lane is full.
    async fn push_from_task(self: &Arc<Self>, piece: &Arc<Piece>) -> Result<()> {
        loop {
            {
                let state = self.lock();
                if !state.is_full() {
                    return self.add(state, piece);
                }
            }
            self.progress.notified().await;
        }
    }

    /// Waits until everything has been hashed; returns the digest.
    fn finish(&self) -> Result<String> {
        let mut state = self.lock();
        while state.is_queued {
            let waited = self.hashed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        digest_of(state.hasher.take())
    }

    /// Waits asynchronously until everything has been hashed; returns the digest.
    async fn finish_from_task(&self) -> Result<String> {
        loop {
            {
                let mut state = self.lock();
                if !state.is_queued {
                    return digest_of(state.hasher.take());
                }
            }
            self.progress.notified().await;
        }
    }

    /// Hashes queued pieces up to a limit. Returns whether there are more.
    fn work(&self) -> bool {
        for _ in 0..PIECES_AT_A_TIME {
            let mut state = self.lock();
            let Some(piece) = state.pieces.pop_front() else {
                // The transfer was cancelled.
                state.is_queued = false;
                return false;
            };
            let Some(mut hasher) = state.hasher.take() else {
                state.is_queued = false;
                return false;
            };
            drop(state);
            hash_piece(&mut hasher, &piece);
            drop(piece);
            let mut state = self.lock();
            state.hasher = Some(hasher);
            state.is_queued = !state.pieces.is_empty();
            let is_queued = state.is_queued;
            drop(state);
            self.hashed.notify_all();
            self.progress.notify_one();
            if !is_queued {
                return false;
            }
        }
        self.lock().is_queued
    }

    /// Drops the pieces that have not been hashed: the transfer has ended without its digests.
    fn cancel(&self) {
        self.lock().pieces.clear();
    }
}

fn digest_of(hasher: Option<Hasher>) -> Result<String> {
    let hasher = hasher.ok_or_else(|| Error::internal("a hash was finished twice"))?;
    Ok(hasher.finish())
}

/// The niceness of hashing threads in the background. Each level is worth about a quarter of a thread's share of the
/// processors: with this one, a thread that serves requests has nine times the share.
const BACKGROUND_NICENESS: i32 = 10;

/// Whether the hashing threads run in the background.
static IS_BACKGROUND: AtomicBool = AtomicBool::new(false);

/// Lets the hashing threads, which are started by the first transfer, give way to other threads: those of a service
/// answer requests while it receives data.
pub fn hash_in_background() {
    IS_BACKGROUND.store(true, Ordering::Relaxed);
}

/// The hashing threads, one for each core. The first piece starts them, and they run until the process
/// exits.
struct Workers(Mutex<Option<Sender<Arc<Lane>>>>);

static WORKERS: Workers = Workers(Mutex::new(None));

impl Workers {
    /// Queues a lane for the next free thread.
    fn queue(&self, lane: Arc<Lane>) -> Result<()> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = match &mut *lanes {
            Some(lanes) => lanes,
            none => none.insert(start_workers()?),
        };
        let given = lanes.send(lane);
        given.map_err(|_| Error::internal("the hashing threads have stopped"))
    }
}

fn start_workers() -> Result<Sender<Arc<Lane>>> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = channel::<Arc<Lane>>();
    let receiver = Arc::new(Mutex::new(receiver));
    let mut failure = None;
    for started in 0..count {
        let (receiver, again) = (Arc::clone(&receiver), sender.clone());
        let spawned = std::thread::Builder::new()
            .name("hash".to_string())
            .spawn(move || {
                if IS_BACKGROUND.load(Ordering::Relaxed) {
                    // Without it, requests are only slower.
                    let _ = setpriority_process(Some(gettid()), BACKGROUND_NICENESS);
                }
                work(&receiver, &again);
            });
        if let Err(error) = spawned {
            // One thread is enough if the system refuses more.
            if started == 0 {
                failure = Some(error);
            }
            break;
        }
    }
    match failure {
        Some(error) => Err(Error::internal("cannot start a hashing thread").because(error)),
        None => Ok(sender),
    }
}

fn work(lanes: &Mutex<Receiver<Arc<Lane>>>, again: &Sender<Arc<Lane>>) {
    loop {
        let next = lanes.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(lane) = next else { return };
        // Other transfers are served before the rest of this one.
        if lane.work() && again.send(lane).is_err() {
            return;
        }
    }
}

/// The blocks of a transfer, which are passed to its hashes.
///
/// Provides a buffer, lets the caller fill it, and shares it with every hash. Small data is hashed on the
/// caller's thread; from the first full block on, the hashing threads do all the work.
pub struct Blocks {
    idle: Vec<Hasher>,
    lanes: Vec<Arc<Lane>>,
    buffers: VecDeque<Arc<Vec<u8>>>,
}

impl Blocks {
    /// Creates blocks that are hashed by each of `algorithms`.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        Self {
            idle: algorithms.iter().copied().map(Hasher::new).collect(),
            lanes: Vec::new(),
            buffers: VecDeque::new(),
        }
    }

    /// Fills a buffer with `fill`, which returns the number of bytes, 0 at the end of the data; then shares
    /// the data.
    pub fn read(&mut self, fill: impl FnOnce(&mut [u8]) -> Result<usize>) -> Result<Option<Block>> {
        let mut buffer = self.take_buffer();
        let Some(bytes) = Arc::get_mut(&mut buffer) else {
            return Err(Error::internal("a block is still in use"));
        };
        bytes.resize(BLOCK, 0);
        let length = fill(bytes)?;
        self.buffers.push_back(Arc::clone(&buffer));
        if length == 0 {
            return Ok(None);
        }
        let block = Block { buffer, length };
        self.share(Piece::Data(block.clone()), length == BLOCK)?;
        Ok(Some(block))
    }

    /// Returns a buffer of [`BLOCK`] bytes to fill, for [`Blocks::share_filled`].
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = Arc::try_unwrap(self.take_buffer()).unwrap_or_default();
        buffer.resize(BLOCK, 0);
        buffer
    }

    /// Returns a buffer without bytes, for [`Blocks::share_filled`]. It takes up what it receives.
    pub(super) fn empty_buffer(&mut self) -> Vec<u8> {
        let mut buffer = Arc::try_unwrap(self.take_buffer()).unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Shares the first `length` bytes of a buffer with the hashes; waits asynchronously.
    pub(super) async fn share_filled(&mut self, buffer: Vec<u8>, length: usize) -> Result<Block> {
        let buffer = Arc::new(buffer);
        self.buffers.push_back(Arc::clone(&buffer));
        let block = Block { buffer, length };
        let piece = Piece::Data(block.clone());
        if self.is_small(length == BLOCK) {
            self.hash_here(&piece);
            return Ok(block);
        }
        self.start_lanes();
        let piece = Arc::new(piece);
        for lane in &self.lanes {
            lane.push_from_task(&piece).await?;
        }
        Ok(block)
    }

    /// Hashes `length` zeros.
    pub fn zeros(&mut self, length: u64) -> Result<()> {
        self.share(Piece::Zeros(length), length >= BLOCK as u64)
    }

    /// Hashes `length` zeros; waits asynchronously.
    pub(super) async fn zeros_from_task(&mut self, length: u64) -> Result<()> {
        let piece = Piece::Zeros(length);
        if self.is_small(length >= BLOCK as u64) {
            self.hash_here(&piece);
            return Ok(());
        }
        self.start_lanes();
        let piece = Arc::new(piece);
        for lane in &self.lanes {
            lane.push_from_task(&piece).await?;
        }
        Ok(())
    }

    /// Returns the digests, in the order of the algorithms.
    pub fn finish(mut self) -> Result<Vec<String>> {
        let mut digests = self.finish_idle();
        for lane in &self.lanes {
            digests.push(lane.finish()?);
        }
        Ok(digests)
    }

    /// Returns the digests, in the order of the algorithms; waits asynchronously.
    pub(super) async fn finish_from_task(mut self) -> Result<Vec<String>> {
        let mut digests = self.finish_idle();
        for lane in &self.lanes {
            digests.push(lane.finish_from_task().await?);
        }
        Ok(digests)
    }

    fn finish_idle(&mut self) -> Vec<String> {
        let idle = std::mem::take(&mut self.idle);
        idle.into_iter().map(Hasher::finish).collect()
    }

    fn share(&mut self, piece: Piece, is_large: bool) -> Result<()> {
        if self.is_small(is_large) {
            self.hash_here(&piece);
            return Ok(());
        }
        self.start_lanes();
        let piece = Arc::new(piece);
        self.lanes.iter().try_for_each(|lane| lane.push(&piece))
    }

    /// Returns whether all data so far is small.
    fn is_small(&self, is_large: bool) -> bool {
        self.lanes.is_empty() && !is_large
    }

    fn hash_here(&mut self, piece: &Piece) {
        for hasher in &mut self.idle {
            hash_piece(hasher, piece);
        }
    }

    fn start_lanes(&mut self) {
        let idle = std::mem::take(&mut self.idle);
        self.lanes.extend(idle.into_iter().map(Lane::new));
    }

    /// Returns a buffer that is no longer read, or an empty one while all are in use. The limit on the lanes'
    /// lag also limits the number of buffers.
    fn take_buffer(&mut self) -> Arc<Vec<u8>> {
        let free = self
            .buffers
            .front_mut()
            .is_some_and(|oldest| Arc::get_mut(oldest).is_some());
        let reused = if free { self.buffers.pop_front() } else { None };
        reused.unwrap_or_default()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.cancel();
        }
    }
}
