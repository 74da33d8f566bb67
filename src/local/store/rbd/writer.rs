//! The upload of an image.
//!
//! The image is created under its final name and written to; the snapshot, which is part of the address, is created
//! and protected by the commit. The exclusive lock is held until then, so that a later process finds out which client
//! wrote it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use librbd::{Image, Operation, Pool, errno, features};

use super::removal::discard;
use super::session::Connector;
use super::{Closing, SNAPSHOT, taken};
use crate::data::blocking;
use crate::data::pump::{BlockSink, Sink};
use crate::local::store::Writer;
use crate::{Error, Result};

/// The number of bytes that are written at once, if an object is not smaller.
const PART: u64 = 4 << 20;

/// The number of bytes that are being written at a time.
const IN_FLIGHT: u64 = 3 * PART;

/// The number of writes at a time, of which sparse data has many small ones.
const WRITES: usize = 32;

/// The granularity in bytes of zeros that are not written.
const PAGE: usize = 64 * 1024;

/// By how much an image of unknown size grows at first, and at most, in bytes.
///
/// *Source:* `_resize_on_write` in `glance_store/_drivers/rbd.py`.
const GROWTH: (u64, u64) = (16 << 20, 8 << 30);

/// An upload.
pub(super) struct RbdWriter {
    connector: Arc<Connector>,
    name: String,
    address: String,
    /// The number of bytes to be written, if known. Holes may not be included.
    size: u64,
    state: Arc<Mutex<State>>,
    intake: Option<Intake>,
}

/// How far an upload is.
#[derive(Default)]
struct State {
    /// The pool with the image, once the image may exist.
    pool: Option<Pool>,
    /// The internal ID of the image.
    id: Option<String>,
    /// The open image.
    image: Option<Closing>,
}

impl RbdWriter {
    pub(super) fn new(
        connector: Arc<Connector>,
        name: &str,
        address: String,
        size: Option<u64>,
    ) -> Self {
        Self {
            connector,
            name: name.to_string(),
            address,
            size: size.unwrap_or(0),
            state: Arc::default(),
            intake: None,
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Writer for RbdWriter {
    fn address(&self) -> &str {
        &self.address
    }

    async fn sink(&mut self) -> Result<Sink<'_>> {
        let (name, size, state) = (self.name.clone(), self.size, Arc::clone(&self.state));
        let begun =
            move |connector: &Arc<Connector>| begin(connector, &name, size, &mut lock(&state));
        let image = self.connector.run(begun).await?;
        let settings = &self.connector.settings;
        let intake = self.intake.insert(Intake {
            connector: Arc::clone(&self.connector),
            image,
            sparse: settings.thin_provisioning,
            part: PART.min(1 << settings.order()),
            size: self.size,
            growth: GROWTH.0,
            at: 0,
            extent: Vec::new(),
            begins: 0,
            writes: VecDeque::new(),
            in_flight: 0,
        });
        Ok(Sink::Blocks(intake))
    }

    async fn commit(&mut self) -> Result<()> {
        let intake = self.intake.take();
        let mut intake = intake.ok_or_else(|| Error::internal("nothing was stored"))?;
        intake.finish().await?;
        let (written, size) = (intake.at, intake.size);
        drop(intake);
        let state = Arc::clone(&self.state);
        let (name, address) = (self.name.clone(), self.address.clone());
        let publish = move |connector: &Arc<Connector>| {
            let mut state = lock(&state);
            let (Some(pool), Some(id), Some(image)) = (&state.pool, &state.id, &state.image) else {
                return Err(Error::internal("nothing was stored"));
            };
            let failed = |error: librbd::Error| match error.errno() {
                Some(errno::EEXIST) => taken(connector, &address),
                _ => connector.failed(&format!("write image {name}"), &error),
            };
            if written != size {
                image.resize(written).map_err(failed)?;
            }
            image.flush().map_err(failed)?;
            // Another client may have replaced the image by one of the same name.
            let named = match pool.open_read_only(&name, None) {
                Ok(named) => named.id().map_err(failed)?,
                Err(error) => return Err(failed(error)),
            };
            if named != *id {
                return Err(taken(connector, &address));
            }
            image.create_snapshot(SNAPSHOT).map_err(failed)?;
            image.protect_snapshot(SNAPSHOT).map_err(failed)?;
            // While it is open, it cannot be deleted.
            if let Some(image) = state.image.take() {
                image.close();
            }
            Ok(())
        };
        self.connector.run(publish).await
    }

    async fn abort(&mut self) -> Result<()> {
        // Its buffers and its reference to the image.
        self.intake = None;
        // Closing an image waits for the cluster without a time limit.
        if self
            .state
            .try_lock()
            .is_ok_and(|state| state.pool.is_some())
        {
            self.connector.check_soon(None, self.name.clone()).await?;
        }
        let (connector, state) = (Arc::clone(&self.connector), Arc::clone(&self.state));
        let name = self.name.clone();
        blocking(move || {
            // An operation that was given up may still have it.
            let Ok(mut state) = state.try_lock() else {
                return Err(connector.error("a request of the upload has not ended"));
            };
            if let Some(image) = state.image.take() {
                image.close();
            }
            let Some(pool) = &state.pool else {
                return Ok(());
            };
            let failed =
                |error: librbd::Error| connector.failed(&format!("remove image {name}"), &error);
            // The image may have been renamed, and another one have its name.
            let name = match state.id.as_ref().map(|id| pool.open_by_id(id)) {
                None => Some(name.clone()),
                Some(Ok(image)) => Some(image.name().map_err(failed)?),
                Some(Err(error)) if error.is(errno::ENOENT) => None,
                Some(Err(error)) => return Err(failed(error)),
            };
            if let Some(name) = name {
                discard(&connector, pool, &name)?;
            }
            *state = State::default();
            Ok(())
        })
        .await
    }
}

/// Creates and opens an image. Blocks.
fn begin(connector: &Connector, name: &str, size: u64, state: &mut State) -> Result<Arc<Image>> {
    let pool = connector.pool(None)?;
    let cluster = &connector.session()?.cluster;
    let failed = |error: librbd::Error| connector.failed(&format!("create image {name}"), &error);
    let default = cluster.option("rbd_default_features").map_err(failed)?;
    let features = match default.trim().parse().unwrap_or(0) {
        0 => features::LAYERING,
        features => features,
    };
    let order = connector.settings.order();
    pool.create(name, size, order, features)
        .map_err(|error| match error.errno() {
            Some(errno::EEXIST) => taken(connector, name),
            _ => failed(error),
        })?;
    state.pool = Some(pool.clone());
    let image = Arc::new(pool.open(name).map_err(failed)?);
    state.image = Some(Closing::new(Arc::clone(&image)));
    state.id = Some(image.id().map_err(failed)?);
    if features & features::EXCLUSIVE_LOCK != 0 {
        image.lock().map_err(failed)?;
    }
    Ok(image)
}

/// The receiver of the data of an image.
struct Intake {
    connector: Arc<Connector>,
    image: Arc<Image>,
    /// Whether zeros are not written.
    sparse: bool,
    /// The number of bytes that are written at once.
    part: u64,
    /// The size of the image.
    size: u64,
    /// By how much it grows next.
    growth: u64,
    /// The number of bytes so far.
    at: u64,
    /// Consecutive bytes that are not being written yet, and where they begin.
    extent: Vec<Bytes>,
    begins: u64,
    /// The writes in progress, and the number of bytes of each.
    writes: VecDeque<(Operation<()>, u64)>,
    in_flight: u64,
}

impl Intake {
    /// Adds consecutive bytes; writes them up to the last multiple of a part.
    async fn add(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let left = self.part - self.at % self.part;
            let length = usize::try_from(left).unwrap_or(bytes.len());
            let piece = bytes.split_to(length.min(bytes.len()));
            if self.extent.is_empty() {
                self.begins = self.at;
            }
            self.at += piece.len() as u64;
            self.extent.push(piece);
            if self.at.is_multiple_of(self.part) {
                self.write_extent().await?;
            }
        }
        Ok(())
    }

    /// Begins to write the bytes that were added.
    async fn write_extent(&mut self) -> Result<()> {
        if self.extent.is_empty() {
            return Ok(());
        }
        let extent = std::mem::take(&mut self.extent);
        let (begins, length) = (self.begins, self.at - self.begins);
        while !self.writes.is_empty()
            && (self.in_flight + length > IN_FLIGHT || self.writes.len() >= WRITES)
        {
            self.wait_for_one().await?;
        }
        let new_size = self.grown(begins + length);
        let image = Arc::clone(&self.image);
        let begun = move |connector: &Arc<Connector>| {
            let failed = |error: librbd::Error| connector.failed("write an image", &error);
            if let Some(size) = new_size {
                image.resize(size).map_err(failed)?;
            }
            image.write(extent, begins).map_err(failed)
        };
        let write = self.connector.run(begun).await?;
        self.writes.push_back((write, length));
        self.in_flight += length;
        Ok(())
    }

    /// Returns the new size of the image if it is too small for `needed` bytes.
    fn grown(&mut self, needed: u64) -> Option<u64> {
        if needed <= self.size {
            return None;
        }
        self.size = needed.max(self.size + self.growth);
        self.growth = (self.growth * 2).min(GROWTH.1);
        Some(self.size)
    }

    async fn wait_for_one(&mut self) -> Result<()> {
        let Some((write, length)) = self.writes.pop_front() else {
            return Ok(());
        };
        self.in_flight -= length;
        let written = self.connector.reporting(write).await?;
        written.map_err(|error| self.connector.failed("write an image", &error))?;
        Ok(())
    }

    /// Writes what is left, and waits until all is written.
    async fn finish(&mut self) -> Result<()> {
        self.write_extent().await?;
        while !self.writes.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl BlockSink for Intake {
    async fn write(&mut self, block: Bytes) -> Result<()> {
        if !self.sparse {
            return self.add(block).await;
        }
        for (is_zero, range) in runs(&block) {
            if is_zero {
                self.skip(range.len() as u64).await?;
            } else {
                self.add(block.slice(range)).await?;
            }
        }
        Ok(())
    }

    fn keeps_holes(&self) -> bool {
        true
    }

    async fn skip(&mut self, length: u64) -> Result<()> {
        self.write_extent().await?;
        self.at += length;
        Ok(())
    }
}

/// Returns the runs of pages that are all zeros, and of those that are not, in order.
fn runs(bytes: &[u8]) -> Vec<(bool, std::ops::Range<usize>)> {
    static ZEROS: [u8; PAGE] = [0; PAGE];
    let mut runs: Vec<(bool, std::ops::Range<usize>)> = Vec::new();
    for (number, page) in bytes.chunks(PAGE).enumerate() {
        let is_zero = *page == ZEROS[..page.len()];
        let (start, end) = (number * PAGE, number * PAGE + page.len());
        match runs.last_mut() {
            Some((same, run)) if *same == is_zero => run.end = end,
            _ => runs.push((is_zero, start..end)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_all_bytes_and_alternate() {
        let mut bytes = vec![0; 4 * PAGE + 100];
        assert_eq!(runs(&bytes), [(true, 0..4 * PAGE + 100)]);
        bytes[PAGE] = 1;
        bytes[2 * PAGE + 5] = 1;
        let expected = [
            (true, 0..PAGE),
            (false, PAGE..3 * PAGE),
            (true, 3 * PAGE..4 * PAGE + 100),
        ];
        assert_eq!(runs(&bytes), expected);
        assert!(runs(&[]).is_empty());
    }
}
