//! Uploads: an object in one request, or segments and a manifest.
//!
//! The end of a request makes its object visible. The last block of the data is therefore sent by the commit, and a
//! request that is broken off leaves nothing. Segments are visible at once; they are not at the address of the data,
//! and the journal's entry has them removed after a crash.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::account::{Call, Storage};
use super::buffer::Buffer;
use super::failure::failed;
use super::objects::{
    Head, Room, Segment, StaticLimits, etag_of, only_new, segment_name, segment_number,
};
use crate::config;
use crate::data::pump::{BlockSink, Sink};
use crate::data::{Algorithm, Hasher, blocking};
use crate::http::retry::Delay;
use crate::http::{Failure, Response};
use crate::local::store::Writer;
use crate::{Error, ErrorKind, Result};

/// The number of blocks between the receiver of the data and the connection.
const AHEAD: usize = 2;

/// The time that a request may take to break off.
const BREAK_OFF: Duration = Duration::from_secs(5);

/// The number of segments that are deleted at a time.
const DELETIONS: usize = 8;

/// A writer of image data into Swift.
pub(super) struct SwiftWriter {
    pub storage: Storage,
    pub options: Arc<config::SwiftStore>,
    pub container: String,
    pub object: String,
    pub address: String,
    /// The size of the data, if it is known.
    pub size: Option<u64>,
    /// The free space of the container.
    pub room: Room,
    /// The headers of the container, if it has to be created.
    pub new_container: Option<HeaderMap>,
    /// The number of bytes so far.
    pub received: u64,
    /// The last block, which has not been sent.
    pub held: Option<Bytes>,
    /// The object or segment that is being sent.
    pub part: Option<Part>,
    /// The number of segments that were begun.
    pub begun: usize,
    /// The complete segments.
    pub segments: Vec<Segment>,
    /// The attributes of the object that a commit may have stored.
    pub committing: Option<Identity>,
}

/// The attribute that distinguishes our object from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The `ETag`.
    Etag(String),
    /// The value of `X-Object-Manifest`.
    Manifest(String),
}

impl Identity {
    fn is_of(&self, head: &Head) -> bool {
        match self {
            Self::Etag(etag) => head.etag == *etag,
            Self::Manifest(manifest) => head.manifest.as_ref() == Some(manifest),
        }
    }
}

/// An object or segment in progress.
pub(super) struct Part {
    /// The name.
    name: String,
    /// The size so far in bytes.
    size: u64,
    hasher: Hasher,
    target: Target,
}

enum Target {
    /// A request in progress.
    Request(Put),
    /// A file from which the segment is sent when it is complete.
    Buffer(Buffer),
}

/// A request whose body is sent block by block. Dropping it breaks the request off.
struct Put {
    /// None is the end of the body.
    blocks: mpsc::Sender<Option<Bytes>>,
    response: JoinHandle<Result<Response, Failure>>,
}

impl SwiftWriter {
    /// Returns whether data of this size is stored in segments.
    fn is_large(&self, size: u64) -> bool {
        size >= self.options.large_object_size
    }

    /// Sends a block that is not the last one.
    async fn send(&mut self, mut block: Bytes) -> Result<()> {
        if let Some(size) = self.size.filter(|size| !self.is_large(*size)) {
            if self.part.is_none() {
                let name = self.object.clone();
                self.part = Some(self.begin(name, Some(size), false).await?);
            }
            return self.push(block).await;
        }
        let chunk = self.options.chunk_size;
        while !block.is_empty() {
            let left = if let Some(part) = &self.part {
                chunk - part.size
            } else {
                self.begin_segment().await?;
                chunk
            };
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            self.push(block.split_to(length)).await?;
            if self.part.as_ref().is_some_and(|part| part.size == chunk) {
                self.finish_segment().await?;
            }
        }
        Ok(())
    }

    async fn begin_segment(&mut self) -> Result<()> {
        let before: u64 = self.segments.iter().map(|segment| segment.size).sum();
        let left = self.size.map(|size| size.saturating_sub(before));
        let size = left.map(|left| left.min(self.options.chunk_size));
        self.begun += 1;
        let name = segment_name(&self.object, self.begun);
        self.part = Some(self.begin(name, size, true).await?);
        Ok(())
    }

    /// Begins an object or a segment of a known size, if it is known.
    async fn begin(&self, name: String, size: Option<u64>, is_segment: bool) -> Result<Part> {
        let buffer_dir = self.options.buffer_dir.as_deref().filter(|_| is_segment);
        let target = if let Some(directory) = buffer_dir {
            Target::Buffer(Buffer::create(directory).await?)
        } else {
            // A refused token would cost the data that was sent with it.
            if self.begun > 1 && self.storage.room(&self.container).await?.is_none() {
                return Err(self.storage.missing_container(&self.container).await);
            }
            Target::Request(self.begin_put(&name, size, is_segment).await?)
        };
        Ok(Part {
            name,
            size: 0,
            hasher: Hasher::new(Algorithm::Md5),
            target,
        })
    }

    async fn begin_put(&self, name: &str, size: Option<u64>, is_segment: bool) -> Result<Put> {
        let mut headers = HeaderMap::new();
        if let Some(size) = size {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        }
        // A segment of the same name is a remainder of a crash on another host.
        if !is_segment {
            only_new(&mut headers);
        }
        let call = Call {
            headers,
            ..Call::object(Method::PUT, &self.container, name)
        };
        let session = self.storage.account.session().await?;
        let request = self.storage.request(&session, &call)?;
        let client = self.storage.account.client.clone();
        let (blocks, inbox) = mpsc::channel(AHEAD);
        let body = stream::unfold(Some(inbox), |inbox| async {
            let mut inbox = inbox?;
            match inbox.recv().await {
                Some(Some(block)) => Some((Ok(block), Some(inbox))),
                Some(None) => None,
                // Without an error, what was sent would be taken for the whole.
                None => Some((Err(Error::failed("the upload was broken off")), None)),
            }
        });
        let response = tokio::spawn(async move { client.upload(&request, body).await });
        Ok(Put { blocks, response })
    }

    /// Adds data to the part in progress.
    async fn push(&mut self, block: Bytes) -> Result<()> {
        let Some(mut part) = self.part.take() else {
            return Err(Error::internal("no object is being sent"));
        };
        let (mut hasher, shared) = (part.hasher, block.clone());
        let hash = blocking(move || {
            hasher.update(&shared);
            Ok(hasher)
        });
        part.size += block.len() as u64;
        let taken = match &mut part.target {
            Target::Request(put) => {
                let (hash, taken) = tokio::join!(hash, put.blocks.send(Some(block)));
                part.hasher = hash?;
                taken.is_ok()
            }
            Target::Buffer(buffer) => {
                part.hasher = hash.await?;
                buffer.write(block).await?;
                true
            }
        };
        if taken {
            self.part = Some(part);
            return Ok(());
        }
        // The request has ended before its body.
        Err(match self.finish(part).await {
            Ok(_) => self
                .storage
                .error(format_args!("Swift ended a request before its data")),
            Err(error) => error,
        })
    }

    /// Completes a part. Returns its size and MD5 after comparing the latter with Swift's.
    async fn finish(&mut self, part: Part) -> Result<Segment> {
        let etag = part.hasher.finish();
        let response = match part.target {
            Target::Request(put) => {
                // A request that has failed does not receive it.
                let _ = put.blocks.send(None).await;
                let response = put.response.await;
                let response =
                    response.map_err(|e| Error::internal("an upload ended early").because(e))?;
                match response {
                    Ok(response) => response,
                    Err(failure) => return Err(self.explain(failure).await),
                }
            }
            Target::Buffer(buffer) => self.send_buffer(&part.name, part.size, buffer).await?,
        };
        if response.status == StatusCode::PRECONDITION_FAILED {
            return Err(self.storage.taken(&self.container, &part.name));
        }
        if !response.status.is_success() {
            return Err(self.storage.refused(&self.container, response.status).await);
        }
        self.check_etag(&part.name, &response, &etag)?;
        Ok(Segment {
            size: part.size,
            etag,
        })
    }

    /// Checks that Swift has stored the data that was sent. If not, an abort removes what it has stored.
    fn check_etag(&mut self, name: &str, response: &Response, etag: &str) -> Result<()> {
        let stored = etag_of(&response.headers);
        if stored.as_deref() == Some(etag) {
            return Ok(());
        }
        if let Some(stored) = stored.clone().filter(|_| name == self.object) {
            self.committing = Some(Identity::Etag(stored));
        }
        let message = format!(
            "store '{}': {}/{name} was stored with the MD5 {} instead of {etag}",
            self.storage.account.store,
            self.container,
            stored.as_deref().unwrap_or("unknown"),
        );
        Err(Error::corrupt(message).hint("It was changed in transit. Try again."))
    }

    /// Returns the error of a request that failed while its data was sent. A server that refuses the data may close the
    /// connection before its response is read; a quota is the common reason.
    async fn explain(&self, failure: Failure) -> Error {
        let error = failed(&self.storage.account.store, failure);
        match self.storage.room(&self.container).await {
            Ok(Some(Room { bytes: Some(bytes) })) if bytes < self.received => {
                self.storage
                    .refused(&self.container, StatusCode::PAYLOAD_TOO_LARGE)
                    .await
            }
            Ok(None) => self.storage.missing_container(&self.container).await,
            _ => error,
        }
    }

    /// Sends a buffered segment, again if the connection or Swift fails.
    async fn send_buffer(&self, name: &str, size: u64, buffer: Buffer) -> Result<Response> {
        let client = &self.storage.account.client;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        let call = Call {
            headers,
            ..Call::object(Method::PUT, &self.container, name)
        };
        let mut retries = client.retries();
        let mut is_renewed = false;
        loop {
            let session = self.storage.account.session().await?;
            let request = self.storage.request(&session, &call)?;
            let sent = client.upload(&request, buffer.read()?).await;
            let may_retry = match &sent {
                Ok(response) if response.status == StatusCode::UNAUTHORIZED && !is_renewed => {
                    self.storage.account.renew(&session).await?;
                    is_renewed = true;
                    continue;
                }
                Ok(response) => response.status.is_server_error(),
                Err(failure) => failure.is_transient() || failure.is_connect(),
            };
            if may_retry && retries.wait(Delay::Backoff).await {
                continue;
            }
            return match sent {
                Ok(response) => Ok(response),
                Err(failure) => Err(self.explain(failure).await),
            };
        }
    }

    async fn finish_segment(&mut self) -> Result<()> {
        if let Some(part) = self.part.take() {
            let segment = self.finish(part).await?;
            self.segments.push(segment);
        }
        Ok(())
    }

    /// Returns an error if the number of bytes differs from the known size.
    fn check_size(&self) -> Result<()> {
        match self.size {
            Some(size) if size != self.received => Err(Error::invalid(format!(
                "received {} bytes instead of the declared {size}",
                self.received
            ))),
            _ => Ok(()),
        }
    }

    /// Stores the object with its last block, or the manifest after the last segment.
    async fn complete(&mut self) -> Result<()> {
        self.check_size()?;
        let last = self.held.take().unwrap_or_default();
        if self.begun > 0 || self.is_large(self.received) {
            self.send(last).await?;
            self.finish_segment().await?;
            self.check_absent().await?;
            return self.store_manifest().await;
        }
        let Some(part) = &self.part else {
            return self.store_small(last).await;
        };
        let (mut hasher, shared) = (part.hasher.clone(), last.clone());
        // The object is complete, and may be visible, as soon as its last byte is sent.
        self.check_absent().await?;
        let etag = blocking(move || {
            hasher.update(&shared);
            Ok(hasher.finish())
        });
        self.committing = Some(Identity::Etag(etag.await?));
        self.push(last).await?;
        match self.part.take() {
            Some(part) => self.finish(part).await.map(drop),
            None => Err(Error::internal("no object is being sent")),
        }
    }

    /// Returns an error if other data has arrived at the address.
    async fn check_absent(&self) -> Result<()> {
        match self.storage.head(&self.container, &self.object).await? {
            Some(_) => Err(self.storage.taken(&self.container, &self.object)),
            None => Ok(()),
        }
    }

    /// Stores data of at most one block.
    async fn store_small(&mut self, data: Bytes) -> Result<()> {
        let mut hasher = Hasher::new(Algorithm::Md5);
        hasher.update(&data);
        let etag = hasher.finish();
        let headers = HeaderMap::new();
        if let Some(response) = self
            .put(&[], headers, data, Identity::Etag(etag.clone()))
            .await?
        {
            let object = self.object.clone();
            self.check_etag(&object, &response, &etag)?;
        }
        Ok(())
    }

    /// Stores the manifest of the segments: a list of them where Swift offers that, else their prefix.
    async fn store_manifest(&mut self) -> Result<()> {
        let limits = self.storage.static_limits().await?;
        if limits.is_some_and(|limits| self.fits(limits)) {
            return self.store_static_manifest().await;
        }
        self.settle_listing().await?;
        let manifest = format!("{}/{}-", self.container, self.object);
        let value = percent_encoding::utf8_percent_encode(&manifest, HEADER).to_string();
        let value = HeaderValue::try_from(value)
            .map_err(|e| Error::internal("the name of a container cannot be sent").because(e))?;
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-object-manifest"), value);
        self.put(&[], headers, Bytes::new(), Identity::Manifest(manifest))
            .await
            .map(drop)
    }

    fn fits(&self, limits: StaticLimits) -> bool {
        self.segments.len() <= limits.segments
            && self
                .segments
                .iter()
                .all(|segment| segment.size >= limits.min_size)
    }

    async fn store_static_manifest(&mut self) -> Result<()> {
        let segments = self.segments.iter().enumerate().map(|(index, segment)| {
            let name = segment_name(&self.object, index + 1);
            json!({
                "path": format!("/{}/{name}", self.container),
                "etag": segment.etag,
                "size_bytes": segment.size,
            })
        });
        let list: Vec<_> = segments.collect();
        let body = serde_json::to_vec(&list)
            .map_err(|e| Error::internal("a manifest is not JSON").because(e))?;
        let mut hasher = Hasher::new(Algorithm::Md5);
        for segment in &self.segments {
            hasher.update(segment.etag.as_bytes());
        }
        let identity = Identity::Etag(hasher.finish());
        let query = [("multipart-manifest", "put")];
        self.put(&query, HeaderMap::new(), body.into(), identity)
            .await
            .map(drop)
    }

    /// Stores the object of the image. None if an attempt stored it whose response was lost.
    async fn put(
        &mut self,
        query: &[(&str, &str)],
        headers: HeaderMap,
        body: Bytes,
        identity: Identity,
    ) -> Result<Option<Response>> {
        self.committing = Some(identity.clone());
        let (container, object) = (&self.container, &self.object);
        match self
            .storage
            .put(container, object, query, headers, body)
            .await
        {
            Ok(response) => Ok(Some(response)),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let found = self.storage.head(container, object).await?;
                if found.is_some_and(|found| identity.is_of(&found)) {
                    return Ok(None);
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until the listing of the container has exactly our segments, of which a manifest with a prefix consists.
    /// Removes those of a crashed upload.
    async fn settle_listing(&self) -> Result<()> {
        let prefix = format!("{}-", self.object);
        let mut retries = self.storage.account.client.retries();
        loop {
            let listed = self.storage.list(&self.container, &prefix).await?;
            let mut missing = self.segments.len();
            for name in &listed {
                match segment_number(&self.object, name) {
                    Some(number) if (1..=self.segments.len()).contains(&number) => missing -= 1,
                    Some(_) => drop(self.storage.delete(&self.container, name).await?),
                    None => return Err(self.storage.taken(&self.container, name)),
                }
            }
            if missing == 0 && listed.len() == self.segments.len() {
                return Ok(());
            }
            if !retries.wait(Delay::Backoff).await {
                return Err(self.storage.error(format_args!(
                    "the listing of {} lacks {missing} segments of {}",
                    self.container, self.object
                )));
            }
        }
    }
}

/// The characters of a name that are encoded in `X-Object-Manifest`.
const HEADER: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'?')
    .add(b'#')
    .add(b'"');

/// Deletes the segments of an image by their numbers.
pub(super) async fn delete_segments(
    storage: &Storage,
    container: &str,
    object: &str,
    numbers: impl IntoIterator<Item = usize>,
) -> Result<()> {
    let names = numbers
        .into_iter()
        .map(|number| segment_name(object, number));
    delete_objects(storage, container, names).await
}

/// Deletes objects, some at a time.
pub(super) async fn delete_objects(
    storage: &Storage,
    container: &str,
    names: impl IntoIterator<Item = String>,
) -> Result<()> {
    let deletions = names
        .into_iter()
        .map(|name| async move { storage.delete(container, &name).await.map(drop) });
    let deletions: Vec<_> = deletions.collect();
    stream::iter(deletions)
        .buffer_unordered(DELETIONS)
        .try_collect::<Vec<()>>()
        .await
        .map(drop)
}

#[async_trait]
impl BlockSink for SwiftWriter {
    async fn write(&mut self, block: Bytes) -> Result<()> {
        self.received += block.len() as u64;
        if let Some(size) = self.size.filter(|size| self.received > *size) {
            return Err(Error::invalid(format!(
                "received more than the declared {size} bytes"
            )));
        }
        if self.room.bytes.is_some_and(|bytes| self.received > bytes) {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(self.storage.refused(&self.container, status).await);
        }
        match self.held.replace(block) {
            Some(previous) => self.send(previous).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Writer for SwiftWriter {
    fn address(&self) -> &str {
        &self.address
    }

    async fn sink(&mut self) -> Result<Sink<'_>> {
        if let Some(headers) = &self.new_container {
            let headers = headers.clone();
            self.storage
                .create_container(&self.container, headers)
                .await?;
        }
        Ok(Sink::Blocks(self))
    }

    async fn commit(&mut self) -> Result<()> {
        let done = self.complete().await;
        if done
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Conflict)
        {
            // What is there is not ours.
            self.committing = None;
        }
        done
    }

    async fn abort(&mut self) -> Result<()> {
        self.held = None;
        if let Some(part) = self.part.take()
            && let Target::Request(put) = part.target
        {
            drop(put.blocks);
            // A server that reads nothing does not notice; its deletion below is recorded nevertheless.
            let _ = tokio::time::timeout(BREAK_OFF, put.response).await;
        }
        if let Some(identity) = &self.committing {
            let found = self.storage.head(&self.container, &self.object).await?;
            if found.is_some_and(|found| identity.is_of(&found)) {
                self.storage.delete(&self.container, &self.object).await?;
            }
            self.committing = None;
        }
        delete_segments(&self.storage, &self.container, &self.object, 1..=self.begun).await?;
        self.begun = 0;
        self.segments.clear();
        if self.options.is_multi_tenant && self.new_container.is_some() {
            self.storage.delete_container(&self.container).await?;
        }
        Ok(())
    }
}
