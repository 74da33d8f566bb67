//! Uploads.
//!
//! Nothing is at the address of the data before the commit, which is the end of the only request, or the completion of
//! the parts. An object has the token of its upload as metadata, by which the commit and the removal recognise it.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::address::Object;
use super::digests::{Hashing, Sent, etag_of_parts};
use super::failure::{Refusal, Trouble};
use super::plan::{MAX_HELD, MAX_PARTS, Plan};
use super::service::{Service, check_etag, sent_part};
use crate::data::blocking;
use crate::data::pump::{BlockSink, Sink};
use crate::http::Response;
use crate::http::retry::Delay;
use crate::local::store::Writer;
use crate::{Error, Result};

/// The number of blocks that are between the source and a request that sends data as it arrives.
const AHEAD: usize = 8;

/// The number of times that an upload is aborted while parts of it still arrive.
const ABORTS: usize = 5;

/// The result of requests of an upload.
type Done<T> = std::result::Result<T, Trouble>;

/// The fixed properties of an upload.
pub(super) struct Target {
    /// The service.
    pub(super) service: Arc<Service>,
    /// The store's name for messages.
    pub(super) store: String,
    /// The object.
    pub(super) object: Object,
    /// The token, which no other upload has.
    pub(super) token: String,
    /// The maximum number of parts that are sent concurrently.
    pub(super) pools: usize,
    /// Whether checksums are sent.
    pub(super) with_checksums: bool,
}

impl Target {
    fn error(&self, trouble: Trouble) -> Error {
        trouble.into_error(&self.store, &self.service.shown(&self.object.bucket))
    }
}

/// An upload in progress.
pub(super) struct S3Writer {
    target: Arc<Target>,
    address: String,
    plan: Plan,
    /// The size of the data, if it is known.
    expected: Option<u64>,
    /// Whether the bucket is created first.
    creates_bucket: bool,
    has_begun: bool,
    /// The number of bytes so far.
    taken: u64,
    state: State,
    parts: Opened,
    /// Whether the object may exist.
    may_exist: bool,
}

/// The data that is not sent, or being sent.
enum State {
    /// Data in memory, of an object or a part.
    Held(Held),
    /// An object that is sent as it arrives.
    Streaming(Box<Streaming>),
    /// A part that is sent as it arrives.
    StreamingPart(u32, Box<Streaming>),
    /// Nothing.
    Ended,
}

/// Data in memory.
#[derive(Default)]
struct Held {
    blocks: Vec<Bytes>,
    length: u64,
}

/// The upload in parts on the service.
#[derive(Default)]
struct Opened {
    /// Whether the service may have an upload whose ID is unknown.
    is_unknown: bool,
    /// The ID.
    id: Option<String>,
    /// The number of parts that were begun.
    begun: u32,
    /// The parts that are being sent, in order.
    in_flight: VecDeque<AbortOnDropHandle<Done<Sent>>>,
    /// The parts that the service has, in order.
    sent: Vec<Sent>,
}

/// A request that sends data as it arrives.
struct Streaming {
    /// The number of bytes that the request has.
    length: u64,
    /// The number of bytes so far.
    taken: u64,
    hashing: Hashing,
    /// The last block of an object, without which the service does not store it.
    last: Option<Bytes>,
    blocks: mpsc::Sender<Result<Bytes>>,
    request: AbortOnDropHandle<Done<Response>>,
}

impl S3Writer {
    /// Creates an upload to `address`. Nothing is sent.
    pub(super) fn new(
        target: Target,
        address: String,
        plan: Plan,
        expected: Option<u64>,
        creates_bucket: bool,
    ) -> Self {
        Self {
            target: Arc::new(target),
            address,
            plan,
            expected,
            creates_bucket,
            has_begun: false,
            taken: 0,
            state: State::Held(Held::default()),
            parts: Opened::default(),
            may_exist: false,
        }
    }

    /// Begins the upload in parts, unless it has begun.
    async fn open_parts(&mut self) -> Result<()> {
        if self.parts.id.is_some() {
            return Ok(());
        }
        let target = &self.target;
        self.parts.is_unknown = true;
        // Data that is sent as it arrives has no checksum in the head of its request.
        let with_checksums = target.with_checksums && self.plan.part_size(1) <= MAX_HELD;
        let begun = target
            .service
            .begin(&target.object, &target.token, with_checksums);
        match begun.await {
            Ok(id) => {
                self.parts.id = Some(id);
                self.parts.is_unknown = false;
                Ok(())
            }
            Err(trouble) => {
                self.parts.is_unknown = trouble.is_in_doubt();
                Err(target.error(trouble))
            }
        }
    }

    /// Returns the number of the next part.
    fn next_part(&self) -> Result<u32> {
        let number = self.parts.begun + 1;
        if number <= MAX_PARTS {
            return Ok(number);
        }
        let message = format!(
            "store '{}': {} bytes of unknown size are more than {MAX_PARTS} parts",
            self.target.store, self.taken
        );
        Err(Error::too_large(message).hint("Store the data in a file first, whose size is known."))
    }

    /// Begins an object or a part that is sent as it arrives.
    fn begin_stream(&mut self) -> Result<()> {
        self.state = if let Plan::Streamed(length) = self.plan {
            State::Streaming(Box::new(self.stream(length, |target, blocks| async move {
                let (object, token) = (&target.object, &target.token);
                let sent = target.service.put_stream(object, token, length, blocks);
                sent.await
            })))
        } else {
            let number = self.next_part()?;
            let length = self.plan.part_size(number);
            let id = self.parts.id.clone().unwrap_or_default();
            self.parts.begun = number;
            let streaming = self.stream(length, move |target, blocks| async move {
                let (service, object) = (&target.service, &target.object);
                let sent = service.put_part_stream(object, &id, number, length, blocks);
                sent.await
            });
            State::StreamingPart(number, Box::new(streaming))
        };
        Ok(())
    }

    /// Starts a request that sends `length` bytes as they arrive.
    fn stream<F>(
        &self,
        length: u64,
        send: impl FnOnce(Arc<Target>, stream::BoxStream<'static, Result<Bytes>>) -> F,
    ) -> Streaming
    where
        F: Future<Output = Done<Response>> + Send + 'static,
    {
        let (blocks, queue) = mpsc::channel(AHEAD);
        let body = stream::unfold(queue, |mut queue| async {
            Some((queue.recv().await?, queue))
        });
        let request = send(Arc::clone(&self.target), Box::pin(body));
        Streaming {
            length,
            taken: 0,
            hashing: Hashing::default(),
            last: None,
            blocks,
            request: AbortOnDropHandle::new(tokio::spawn(request)),
        }
    }

    /// Returns the number of bytes until the current request has all of its data.
    fn room(&self) -> u64 {
        match &self.state {
            State::Held(held) => {
                let size = self.plan.part_size(self.parts.begun + 1);
                size.saturating_sub(held.length)
            }
            State::Streaming(streaming) | State::StreamingPart(_, streaming) => {
                streaming.length - streaming.taken
            }
            State::Ended => 0,
        }
    }

    /// Takes data for which there is room.
    async fn take(&mut self, piece: Bytes) -> Result<()> {
        let is_full = self.room() == piece.len() as u64;
        match &mut self.state {
            State::Held(held) => {
                held.length += piece.len() as u64;
                held.blocks.push(piece);
                let is_part = !matches!(self.plan, Plan::Held);
                if is_full && is_part {
                    self.send_part().await?;
                }
                Ok(())
            }
            State::Streaming(streaming) => {
                let held = streaming.last.replace(piece.clone());
                streaming.count(&piece, false);
                let target = &self.target;
                let sent = streaming.send(held).await;
                sent.map_err(|trouble| target.error(trouble))
            }
            State::StreamingPart(_, streaming) => {
                streaming.count(&piece, false);
                let target = &self.target;
                let sent = streaming.send(Some(piece)).await;
                sent.map_err(|trouble| target.error(trouble))?;
                if is_full {
                    self.end_part().await?;
                }
                Ok(())
            }
            State::Ended => Err(Error::internal("an upload continues after its end")),
        }
    }

    /// Waits for the response to a part that was sent as it arrived, and begins the next one if there is more data.
    async fn end_part(&mut self) -> Result<()> {
        let State::StreamingPart(number, streaming) =
            std::mem::replace(&mut self.state, State::Ended)
        else {
            return Ok(());
        };
        let ended = async {
            let (response, hashing) = streaming.end().await?;
            sent_part(&response, number, hashing.finish(false))
        };
        let sent = ended.await.map_err(|trouble| self.target.error(trouble))?;
        self.parts.sent.push(sent);
        if Some(self.taken) != self.expected {
            self.begin_stream()?;
        }
        Ok(())
    }

    /// Sends the data in memory as a part, and waits until there is memory for another one.
    async fn send_part(&mut self) -> Result<()> {
        self.open_parts().await?;
        let number = self.next_part()?;
        let State::Held(held) = &mut self.state else {
            return Ok(());
        };
        let held = std::mem::take(held);
        let target = Arc::clone(&self.target);
        let upload = self.parts.id.clone().unwrap_or_default();
        let part = async move {
            let with_checksum = target.with_checksums;
            let blocks = held.blocks;
            let (digests, blocks) = blocking(move || {
                let digests = Hashing::of(&blocks, with_checksum);
                Ok((digests, blocks))
            })
            .await?;
            let (service, object) = (&target.service, &target.object);
            let sent = service.put_part(object, &upload, number, &blocks, digests);
            sent.await
        };
        self.parts.begun = number;
        let task = AbortOnDropHandle::new(tokio::spawn(part));
        self.parts.in_flight.push_back(task);
        let next = self.plan.part_size(number + 1);
        let limit = Plan::in_flight(held.length.max(next), self.target.pools);
        self.wait_for_parts(limit).await
    }

    /// Waits until at most `limit` parts are being sent. In their order, because the source reuses its buffers in this
    /// order: otherwise one slow part would hold all later ones in memory.
    async fn wait_for_parts(&mut self, limit: usize) -> Result<()> {
        while self.parts.in_flight.len() > limit {
            let Some(oldest) = self.parts.in_flight.front_mut() else {
                break;
            };
            let sent = oldest.await;
            self.parts.in_flight.pop_front();
            let sent = sent.map_err(|error| {
                Error::internal("the task of a part ended early").because(error)
            })?;
            let sent = sent.map_err(|trouble| self.target.error(trouble))?;
            self.parts.sent.push(sent);
        }
        Ok(())
    }

    /// Returns an error unless the address is free.
    async fn check_free(&self) -> Result<()> {
        let target = &self.target;
        match target.service.exists(&target.object).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(taken(&self.address)),
            Err(trouble) => Err(target.error(trouble)),
        }
    }

    /// Stores an object from memory.
    async fn commit_held(&mut self, held: Held) -> Result<()> {
        let with_checksum = self.target.with_checksums;
        let blocks = held.blocks;
        let (digests, blocks) = blocking(move || {
            let digests = Hashing::of(&blocks, with_checksum);
            Ok((digests, blocks))
        })
        .await?;
        self.check_free().await?;
        self.may_exist = true;
        let Target {
            service,
            object,
            token,
            ..
        } = &*self.target;
        let put = service.put(object, token, &blocks, &digests).await;
        self.settle(put.map(drop)).await
    }

    /// Sends the end of an object.
    async fn commit_stream(&mut self, mut streaming: Box<Streaming>) -> Result<()> {
        self.check_free().await?;
        self.may_exist = true;
        let ended = async {
            let last = streaming.last.take();
            streaming.send(last).await?;
            let (response, hashing) = streaming.end().await?;
            check_etag(&response, hashing.finish(false).md5).map(drop)
        };
        let ended = ended.await;
        self.settle(ended).await
    }

    /// Decides whether an object was stored by a request with this outcome.
    async fn settle(&self, outcome: Done<()>) -> Result<()> {
        let Err(trouble) = outcome else {
            return Ok(());
        };
        let is_conflict = trouble.refusal().is_some_and(Refusal::is_conflict);
        if is_conflict || trouble.is_in_doubt() {
            // The first attempt may have succeeded although its response was lost.
            if self.is_stored().await.unwrap_or(false) {
                return Ok(());
            }
        }
        if is_conflict {
            return Err(taken(&self.address));
        }
        Err(self.target.error(trouble))
    }

    /// Returns whether the object exists and is that of this upload.
    async fn is_stored(&self) -> Done<bool> {
        let target = &self.target;
        match target.service.find(&target.object).await {
            Ok(found) => {
                Ok(found.is_some_and(|found| found.token.as_deref() == Some(&*target.token)))
            }
            Err(trouble) if trouble.is_missing_bucket() => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Completes the upload in parts.
    async fn commit_parts(&mut self) -> Result<()> {
        let is_partial = matches!(&self.state, State::Held(held) if held.length > 0);
        if is_partial {
            self.send_part().await?;
        }
        self.wait_for_parts(0).await?;
        let id = self.parts.id.clone().unwrap_or_default();
        self.check_free().await?;
        self.may_exist = true;
        let target = &self.target;
        let (service, object) = (&target.service, &target.object);
        let mut retries = service.retries();
        let etag = loop {
            let trouble = match service.complete(object, &id, &self.parts.sent).await {
                Ok(etag) => break etag,
                Err(trouble) => trouble,
            };
            let is_gone = trouble
                .refusal()
                .is_some_and(|refusal| refusal.code == "NoSuchUpload");
            let may_be_stored = is_gone || trouble.is_in_doubt();
            if may_be_stored && self.is_stored().await.unwrap_or(false) {
                break String::new();
            }
            let retry = trouble.retry().or_else(|| {
                let is_again = trouble.is_in_doubt() && trouble.refusal().is_some();
                is_again.then_some(Delay::Backoff)
            });
            match retry {
                Some(delay) if !is_gone && retries.wait(delay).await => {}
                _ => return self.settle(Err(trouble)).await,
            }
        };
        self.check_parts(&etag).await
    }

    /// Compares the object with the parts: its ETag, which some services report only later, or its size.
    async fn check_parts(&self, etag: &str) -> Result<()> {
        let target = &self.target;
        let expected = etag_of_parts(&self.parts.sent);
        if etag.eq_ignore_ascii_case(&expected) {
            return Ok(());
        }
        let found = target.service.find(&target.object).await;
        let found = found.map_err(|trouble| target.error(trouble))?;
        let is_whole = found.is_some_and(|found| found.size == self.taken);
        if is_whole {
            return Ok(());
        }
        let message = format!("store '{}' did not store all data", target.store);
        Err(Error::new(crate::ErrorKind::Corrupt, message))
    }
}

impl Streaming {
    /// Adds data to the digests.
    fn count(&mut self, piece: &Bytes, with_checksum: bool) {
        self.taken += piece.len() as u64;
        self.hashing.update(piece, with_checksum);
    }

    /// Sends a block. If the request has ended, returns why.
    async fn send(&mut self, block: Option<Bytes>) -> Done<()> {
        let Some(block) = block else {
            return Ok(());
        };
        if self.blocks.send(Ok(block)).await.is_ok() {
            return Ok(());
        }
        match (&mut self.request).await {
            Ok(Err(trouble)) => Err(trouble),
            Ok(Ok(_)) => Err(Error::new(
                crate::ErrorKind::Unreachable,
                "the S3 service responded before it had received all data",
            )
            .into()),
            Err(error) => Err(Error::internal("the task of a request ended early")
                .because(error)
                .into()),
        }
    }

    /// Ends the data, and returns the response and the digests.
    async fn end(self) -> Done<(Response, Hashing)> {
        drop(self.blocks);
        let response = self.request.await;
        let response = response
            .map_err(|error| Error::internal("the task of a request ended early").because(error))?;
        Ok((response?, self.hashing))
    }
}

/// Returns the error for an address that has other data.
pub(super) fn taken(address: &str) -> Error {
    Error::conflict(format!("{address} already exists"))
        .hint("It is not the data of an image. Check it, then move it to another place.")
}

/// Removes the unfinished uploads of an object, as far as the service lists them.
pub(super) async fn clear_uploads(service: &Service, object: &Object) -> Done<()> {
    let uploads = match service.uploads(object).await {
        Err(trouble) if trouble.is_missing_bucket() => None,
        uploads => uploads?,
    };
    for upload in uploads.unwrap_or_default() {
        abort_upload(service, object, &upload).await?;
    }
    Ok(())
}

/// Removes an upload, and parts that arrive while it is removed.
async fn abort_upload(service: &Service, object: &Object, upload: &str) -> Done<()> {
    for _ in 0..ABORTS {
        if !service.abort(object, upload).await? {
            break;
        }
    }
    Ok(())
}

#[async_trait]
impl BlockSink for S3Writer {
    async fn write(&mut self, mut block: Bytes) -> Result<()> {
        let total = self.taken + block.len() as u64;
        if let Some(expected) = self.expected.filter(|expected| total > *expected) {
            let message = format!("Size exceeds: expected {expected} bytes, got {total} bytes");
            return Err(Error::invalid(message));
        }
        while !block.is_empty() {
            let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
            if room == 0 {
                return Err(Error::internal("an upload has no room for its data"));
            }
            let piece = block.split_to(room.min(block.len()));
            self.taken += piece.len() as u64;
            self.take(piece).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Writer for S3Writer {
    fn address(&self) -> &str {
        &self.address
    }

    async fn sink(&mut self) -> Result<Sink<'_>> {
        self.has_begun = true;
        let target = &self.target;
        if self.creates_bucket {
            let created = target.service.create_bucket(&target.object.bucket).await;
            created.map_err(|trouble| target.error(trouble))?;
        }
        match self.plan {
            Plan::Held | Plan::Unknown { .. } => {}
            Plan::Streamed(_) => self.begin_stream()?,
            // The rights and the quota are checked before the data is read.
            Plan::Parts { size, .. } => {
                self.open_parts().await?;
                if size > MAX_HELD {
                    self.begin_stream()?;
                }
            }
        }
        Ok(Sink::Blocks(self))
    }

    async fn commit(&mut self) -> Result<()> {
        if !self.has_begun {
            return Err(Error::internal("nothing was stored"));
        }
        if let Some(expected) = self.expected.filter(|expected| *expected != self.taken) {
            let taken = self.taken;
            let message = format!("Size mismatch: expected {expected} bytes, got {taken} bytes");
            return Err(Error::invalid(message));
        }
        let always_parts = matches!(
            self.plan,
            Plan::Unknown {
                always_parts: true,
                ..
            }
        ) && self.taken > 0;
        if self.parts.id.is_some() || always_parts {
            return self.commit_parts().await;
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Held(held) => self.commit_held(held).await,
            State::Streaming(streaming) => self.commit_stream(streaming).await,
            State::StreamingPart(..) | State::Ended => {
                Err(Error::internal("an upload was committed twice"))
            }
        }
    }

    async fn abort(&mut self) -> Result<()> {
        // Ends the requests in progress, so that no more data arrives.
        self.state = State::Ended;
        self.parts.in_flight.clear();
        let target = Arc::clone(&self.target);
        let (service, object) = (&target.service, &target.object);
        let aborted = async {
            if let Some(id) = &self.parts.id {
                abort_upload(service, object, id).await?;
                self.parts.id = None;
            }
            if self.parts.is_unknown {
                clear_uploads(service, object).await?;
                self.parts.is_unknown = false;
            }
            if self.may_exist && self.is_stored().await? {
                service.delete(object).await?;
            }
            self.may_exist = false;
            Ok::<(), Trouble>(())
        };
        aborted.await.map_err(|trouble| target.error(trouble))
    }
}
