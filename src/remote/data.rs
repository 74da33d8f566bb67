//! Uploads, with a comparison of the stored data. For downloads see [`super::download`].

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};
use http::{Method, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::download::{self, Download};
use super::failure::failed;
use super::{Outdated, Remote};
use crate::data::pump::Blocks;
use crate::data::verification::find_difference;
use crate::data::{Algorithm, Source, Watch};
use crate::http::Request;
use crate::http::retry::{self, Delay};
use crate::model::{ByteRange, Image, ImageStatus};
use crate::service::{ImageBytes, ImageData, Images, Reading, Receipt, Upload};
use crate::{Error, Result};

/// The number of blocks to read ahead of the connection.
const AHEAD: usize = 4;

const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// The header for the target store.
pub(super) const STORE: HeaderName = HeaderName::from_static("x-image-meta-store");
const SIZE: HeaderName = HeaderName::from_static("x-openstack-image-size");

/// The default hash of services.
const DEFAULT_HASH: Algorithm = Algorithm::Sha512;

#[async_trait]
impl ImageData for Remote {
    async fn upload_image(&self, id: &str, upload: Upload) -> Result<Image> {
        let Upload {
            source,
            size,
            store,
            verify,
            watch,
            ..
        } = upload;
        let verify = verify || self.verifies_stored;
        let stopping = watch.silent();
        let mut call = Request::new(Method::PUT, self.url(&["images", id, "file"]).await?);
        if let Some(store) = &store {
            call.headers.insert(STORE, store_header(store)?);
        }
        let sending = Sending {
            id,
            call,
            size,
            verify,
            watch,
        };
        let image = match self.deliver(sending, source).await? {
            Delivered::Taken(Ok(sent), again) => {
                let image = self.get_image(id).await?;
                self.compare(image, sent, again, verify).await?
            }
            Delivered::Taken(Err(error), _) => {
                return Err(self.deactivate_corrupt(id, error.message()).await);
            }
            Delivered::Became(image, _, again) if image.status == ImageStatus::Active => {
                let spare = again.again();
                let sent = hash_again(again, DEFAULT_HASH).await?;
                self.compare(*image, sent, spare, true).await?
            }
            Delivered::Became(_, error, _) => return Err(error),
        };
        if self.verifies_stored {
            self.verify_stored(&image, &stopping).await?;
        }
        Ok(image)
    }

    async fn open_image(&self, id: &str, reading: Reading) -> Result<ImageBytes> {
        let image = match reading.known {
            Some(image) => image,
            None => self.get_image(id).await?,
        };
        let mut url = self.url(&["images", id, "file"]).await?;
        if !reading.prefer.is_empty() {
            url.query_pairs_mut()
                .append_pair("prefer", &reading.prefer.join(","));
        }
        let mut own = Request::new(Method::GET, url);
        let in_parts = image
            .size
            .filter(|size| reading.parallel > 1 && *size > download::PART);
        let range = reading.range;
        let in_parts = in_parts.filter(|_| range.is_all());
        if in_parts.is_some() {
            let end = Some(download::PART);
            own.ask_for(ByteRange { start: 0, end });
        } else if !range.is_all() {
            own.ask_for(range);
        }
        for renewed in [false, true] {
            let sent = self.access.read().await.clone();
            let mut call = own.clone();
            call.headers.extend(sent.headers.clone());
            let response = match self.http.open(&call).await {
                Ok(response) => response,
                Err(failure) => {
                    let again = failure.is_connect() && !renewed;
                    if again && self.refreshed(&sent, &mut own, Outdated::Address).await? {
                        continue;
                    }
                    return Err(failed(failure));
                }
            };
            let source = match response.status() {
                StatusCode::NO_CONTENT => None,
                status if status.is_success() => {
                    call.headers.remove(RANGE);
                    let download = Download::new(self.http.clone(), call, &image);
                    Some(match (status, in_parts) {
                        (StatusCode::PARTIAL_CONTENT, Some(size)) => {
                            Source::stream(download.in_parts(response, size, reading.parallel))
                        }
                        (StatusCode::PARTIAL_CONTENT, None)
                            if response.first_byte() == Some(range.start) =>
                        {
                            Source::stream(download.of(range).stream(response))
                        }
                        (StatusCode::PARTIAL_CONTENT, None) => {
                            return Err(Error::corrupt(format!(
                                "the server sent a different part of image {id} than was requested"
                            )));
                        }
                        _ => Source::stream(download.stream(response)).limited_to(range)?,
                    })
                }
                status => {
                    let outdated = Outdated::of_answer(&call, status, response.headers());
                    let here = response.stripped().is_none();
                    if let Some(outdated) = outdated.filter(|_| here && !renewed)
                        && self.refreshed(&sent, &mut own, outdated).await?
                    {
                        continue;
                    }
                    let answer = self.http.read(&call, response).await.map_err(failed)?;
                    return Err(self.refused(&answer).await);
                }
            };
            return Ok(ImageBytes {
                image,
                source,
                receipt: Receipt::default(),
            });
        }
        Err(Error::internal(
            "the request was never sent (internal error)",
        ))
    }
}

/// Returns the value of the header for a store.
pub(super) fn store_header(store: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(store).map_err(|_| Error::failed(format!("store '{store}' not found")))
}

/// The parameters of an upload.
pub(super) struct Sending<'a> {
    /// The ID of the image.
    pub id: &'a str,
    /// The request to send.
    pub call: Request,
    /// The size in bytes, if the caller declares it.
    pub size: Option<u64>,
    /// Whether to compare the data by its hash.
    pub verify: bool,
    /// Receives the progress, and may stop the transfer.
    pub watch: Watch,
}

/// The result of an upload with retries.
pub(super) enum Delivered {
    /// The server accepted the data. Contains the part that was read, or why it is incomplete, and the data
    /// again if it can be read twice.
    Taken(Result<Sent>, Option<Source>),
    /// The connection failed for this reason, and the image's status does not allow a retry.
    Became(Box<Image>, Error, Source),
}

/// The result of one attempt.
enum Attempt {
    /// The server accepted the data. Contains the part that was read, or why it is incomplete.
    Done(Result<Sent>),
    /// The upload was refused, or not sent, possibly because of an outdated login.
    Outdated(Error, Outdated),
    /// A transient failure, with the delay before a retry.
    Transient(Error, Delay),
    /// A permanent failure.
    Failed(Error),
}

/// The data that was read during an upload.
pub(super) struct Sent {
    /// The size in bytes.
    pub size: u64,
    /// The digests by algorithm.
    digests: Vec<(Algorithm, String)>,
}

impl Remote {
    /// Uploads data. Retries after a transient failure if the image is still queued.
    pub(super) async fn deliver(
        &self,
        sending: Sending<'_>,
        mut source: Source,
    ) -> Result<Delivered> {
        let Sending {
            id,
            mut call,
            size,
            verify,
            watch,
        } = sending;
        let size = size.or_else(|| source.size());
        call.headers.insert(CONTENT_TYPE, BINARY);
        if let Some(size) = size {
            call.headers.insert(CONTENT_LENGTH, size.into());
            call.headers.insert(SIZE, size.into());
        }
        let mut retries = self.http.retries();
        let mut renewed = false;
        loop {
            let again = source.again();
            let algorithms: &[Algorithm] = match (verify, &again) {
                (false, _) => &[],
                (true, Some(_)) => &[DEFAULT_HASH],
                // Data that cannot be read again may have to be compared by the hash of every service.
                (true, None) => &[DEFAULT_HASH, Algorithm::Md5],
            };
            let sent = self.access.read().await.clone();
            let mut once = call.clone();
            once.headers.extend(sent.headers.clone());
            let outcome = self
                .send_once(&once, source, size, algorithms, &watch)
                .await;
            let failed = match outcome {
                Attempt::Done(sent) => return Ok(Delivered::Taken(sent, again)),
                Attempt::Outdated(error, outdated) if again.is_some() && !renewed => {
                    renewed = true;
                    if self.refreshed(&sent, &mut call, outdated).await? {
                        source = again.ok_or(error)?;
                        continue;
                    }
                    error
                }
                Attempt::Transient(error, delay) => {
                    let Some(again) = again else {
                        return Err(error);
                    };
                    if !retries.wait(delay).await {
                        return Err(error);
                    }
                    watch.check()?;
                    // The result on the server: accepted, or to be sent again.
                    let image = self.settled(id).await?;
                    if image.status != ImageStatus::Queued {
                        return Ok(Delivered::Became(Box::new(image), error, again));
                    }
                    source = again;
                    continue;
                }
                Attempt::Outdated(error, _) | Attempt::Failed(error) => error,
            };
            return Err(failed);
        }
    }

    /// Sends the data once.
    async fn send_once(
        &self,
        call: &Request,
        source: Source,
        size: Option<u64>,
        algorithms: &[Algorithm],
        watch: &Watch,
    ) -> Attempt {
        watch.begin(size);
        let (blocks, reading) = blocks(source, size, algorithms, watch.clone());
        let outcome = match self.http.upload(call, blocks).await {
            Ok(answer) if answer.status.is_success() => Attempt::Done(join_reader(reading).await),
            Ok(answer) => {
                let error = self.refused(&answer).await;
                match retry::delay(answer.status, &answer.headers) {
                    Some(delay) => Attempt::Transient(error, delay),
                    None => match Outdated::of_answer(call, answer.status, &answer.headers) {
                        Some(outdated) => Attempt::Outdated(error, outdated),
                        None => Attempt::Failed(error),
                    },
                }
            }
            Err(failure) if failure.is_transient() => {
                Attempt::Transient(failed(failure), Delay::Backoff)
            }
            Err(failure) if failure.is_connect() => {
                Attempt::Outdated(failed(failure), Outdated::Address)
            }
            Err(failure) => Attempt::Failed(failed(failure)),
        };
        watch.end();
        outcome
    }

    /// Waits until the service has noticed that an upload failed, with a limit; returns the record of the
    /// image.
    async fn settled(&self, id: &str) -> Result<Image> {
        let mut retries = self.http.retries();
        loop {
            let image = self.get_image(id).await?;
            if image.status != ImageStatus::Saving || !retries.wait(Delay::Backoff).await {
                return Ok(image);
            }
        }
    }

    /// Compares the stored data with the data that was sent. Deactivates the image if they differ.
    async fn compare(
        &self,
        image: Image,
        sent: Sent,
        source: Option<Source>,
        verify: bool,
    ) -> Result<Image> {
        let wrong = match image.size {
            Some(size) if size != sent.size => {
                Some(format!("{size} bytes instead of {}", sent.size))
            }
            None => Some("nothing".to_string()),
            _ if verify => difference(&image, sent, source).await?,
            _ => None,
        };
        let Some(wrong) = wrong else {
            return Ok(image);
        };
        let message = format!(
            "the server stored different data for image {}: {wrong}",
            image.id
        );
        Err(self.deactivate_corrupt(&image.id, &message).await)
    }

    /// Downloads an image, and compares its data with its record. Deactivates the image if they differ.
    async fn verify_stored(&self, image: &Image, watch: &Watch) -> Result<()> {
        let reading = Reading {
            known: Some(image.clone()),
            ..Reading::default()
        };
        let source = self.open_image(&image.id, reading).await?.source;
        let source = source.unwrap_or_else(Source::empty);
        let Some(difference) = find_difference(source, image, watch).await? else {
            return Ok(());
        };
        let message = format!(
            "the server returned other data of image {} than it stored: {difference}",
            image.id
        );
        Err(self.deactivate_corrupt(&image.id, &message).await)
    }

    /// Deactivates an image with wrong data, and returns the error.
    async fn deactivate_corrupt(&self, id: &str, why: &str) -> Error {
        let error = Error::corrupt(why);
        match self.deactivate_image(id).await {
            Ok(()) => error
                .hint("The image was deactivated. Delete it, and upload the data to a new one."),
            Err(_) => error
                .hint("It could not be deactivated: delete it, and upload the data to a new one."),
        }
    }
}

/// Returns the hash in which the data of an image differs from the data that was sent.
async fn difference(image: &Image, sent: Sent, source: Option<Source>) -> Result<Option<String>> {
    let mut digests = sent.digests;
    let by_hash = image.hash.as_ref().and_then(|hash| {
        let algorithm = Algorithm::parse(&hash.algorithm).ok()?;
        Some((algorithm, hash.value.as_str()))
    });
    let by_md5 = || Some((Algorithm::Md5, image.checksum.as_deref()?));
    let Some((algorithm, stored)) = by_hash.or_else(by_md5) else {
        return Ok(None);
    };
    let known = |digests: &[(Algorithm, String)], algorithm| {
        let found = digests.iter().find(|(known, _)| *known == algorithm);
        found.map(|(_, digest)| digest.clone())
    };
    let (algorithm, stored, digest) = match (known(&digests, algorithm), source) {
        (Some(digest), _) => (algorithm, stored, Some(digest)),
        (None, Some(source)) => {
            digests = hash_again(source, algorithm).await?.digests;
            (algorithm, stored, known(&digests, algorithm))
        }
        (None, None) => {
            let md5 = known(&digests, Algorithm::Md5);
            let stored = image.checksum.as_deref().unwrap_or_default();
            (Algorithm::Md5, stored, md5.filter(|_| !stored.is_empty()))
        }
    };
    Ok(digest
        .filter(|digest| !digest.eq_ignore_ascii_case(stored))
        .map(|digest| {
            let name = algorithm.name();
            format!("its {name} is {stored}, but that of the sent data is {digest}")
        }))
}

/// Hashes a file again.
async fn hash_again(source: Source, algorithm: Algorithm) -> Result<Sent> {
    join_reader(tokio::task::spawn_blocking(move || {
        read_blocks(source, None, &[algorithm], &Watch::default(), |_| true)
    }))
    .await
}

/// Returns the result of a reading thread.
async fn join_reader(reading: JoinHandle<Result<Sent>>) -> Result<Sent> {
    reading
        .await
        .map_err(|e| Error::internal("the reading thread failed").because(e))?
}

/// Returns the blocks of `source`, which are read and hashed on a separate thread.
fn blocks(
    source: Source,
    size: Option<u64>,
    algorithms: &[Algorithm],
    watch: Watch,
) -> (
    impl Stream<Item = Result<Bytes>> + Send + 'static,
    JoinHandle<Result<Sent>>,
) {
    let (blocks, inbox) = mpsc::channel::<Result<Bytes>>(AHEAD);
    let algorithms = algorithms.to_vec();
    let reading = tokio::task::spawn_blocking(move || {
        let read = read_blocks(source, size, &algorithms, &watch, |block| {
            blocks.blocking_send(Ok(block)).is_ok()
        });
        read.inspect_err(|error| {
            // The request is broken off, and fails with this.
            let broken = Error::new(error.kind(), error.message()).hints_of(error);
            let _ = blocks.blocking_send(Err(broken));
        })
    });
    let blocks = futures_util::stream::unfold(inbox, |mut inbox| async {
        let block = inbox.recv().await?;
        Some((block, inbox))
    });
    (blocks, reading)
}

/// Reads a source to its end, or until `pass_on` accepts no more; exactly as many bytes as were declared.
/// The last block is passed on only after the end was read, so that a source that has changed aborts the
/// request before the server has all of it.
fn read_blocks(
    source: Source,
    size: Option<u64>,
    algorithms: &[Algorithm],
    watch: &Watch,
    mut pass_on: impl FnMut(Bytes) -> bool,
) -> Result<Sent> {
    let mut reader = source.into_reader()?;
    let mut blocks = Blocks::new(algorithms);
    let mut read = 0;
    let mut last = None;
    while let Some(block) = blocks.read(|buffer| reader.fill(buffer))? {
        read += block.len() as u64;
        if let Some(size) = size.filter(|size| read > *size) {
            return Err(Error::invalid(format!(
                "there is more data than the declared {size} bytes"
            )));
        }
        watch.advance(block.len() as u64)?;
        if let Some(before) = last.replace(block)
            && !pass_on(Bytes::from_owner(before))
        {
            return Err(partly_taken(read));
        }
    }
    if let Some(size) = size.filter(|size| read != *size) {
        return Err(Error::invalid(format!(
            "there is less data than declared: {read} bytes instead of {size}"
        )));
    }
    if let Some(block) = last
        && !pass_on(Bytes::from_owner(block))
    {
        return Err(partly_taken(read));
    }
    let digests = blocks.finish()?;
    Ok(Sent {
        size: read,
        digests: algorithms.iter().copied().zip(digests).collect(),
    })
}

fn partly_taken(read: u64) -> Error {
    Error::failed(format!(
        "the server accepted only a part of the data, {read} bytes at most"
    ))
}
