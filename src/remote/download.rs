//! Downloads: resumed after an interruption, and limited to the size of the data.

use async_stream::try_stream;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::StatusCode;

use super::answer;
use super::failure::failed;
use crate::data::source::ByteStream;
use crate::http::retry::Delay;
use crate::http::{Client, Request, StreamingResponse};
use crate::model::{ByteRange, Image};
use crate::{Error, ErrorKind, Parameter, Result};

/// The number of bytes to request at a time for a parallel download.
pub const PART: u64 = 4 * 1024 * 1024;

/// The number of bytes after which a transfer has made progress, so that its retries are counted again.
const PROGRESS: u64 = 16 * 1024 * 1024;

/// A download in progress.
#[derive(Clone)]
pub struct Download {
    http: Client,
    call: Request,
    /// The ID of the image, for messages.
    id: String,
    /// The first byte to download.
    start: u64,
    /// The byte after the last one; None: the end of the data.
    end: Option<u64>,
    /// Whether the data continues after the end of the range.
    is_part: bool,
}

impl Download {
    /// Creates the download of all data of `image`, which `call` requests.
    pub fn new(http: Client, call: Request, image: &Image) -> Self {
        Self {
            http,
            call,
            id: image.id.clone(),
            start: 0,
            end: image.size,
            is_part: false,
        }
    }

    /// Returns the same download limited to a range, whose beginning the response contains.
    #[must_use]
    pub fn of(mut self, range: ByteRange) -> Self {
        self.start = range.start;
        if let Some(end) = range.end {
            self.end = Some(self.end.map_or(end, |size| size.min(end)));
            self.is_part = true;
        }
        self
    }

    /// Returns the data of `size` bytes, in parts with this number of concurrent requests; `first` is the
    /// response with the first part. The server must support ranges.
    pub fn in_parts(self, first: StreamingResponse, size: u64, parallel: usize) -> ByteStream {
        let mut first = Some(first);
        let parts = (0..size)
            .step_by(usize::try_from(PART).unwrap_or(usize::MAX))
            .map(move |start| {
                let mut part = self.clone();
                part.start = start;
                part.end = Some(size.min(start + PART));
                part.is_part = true;
                part.collect(first.take())
            });
        futures_util::stream::iter(parts).buffered(parallel).boxed()
    }

    /// Downloads a complete part.
    async fn collect(self, response: Option<StreamingResponse>) -> Result<Bytes> {
        let response = match response {
            Some(response) => response,
            None => match self.resume(0).await? {
                (response, 0) => response,
                _ => return Err(self.cut("the server sent all data instead of a part")),
            },
        };
        let mut bytes = BytesMut::new();
        let mut stream = self.stream(response);
        while let Some(more) = stream.next().await {
            bytes.extend_from_slice(&more?);
        }
        Ok(bytes.freeze())
    }

    /// Returns the number of bytes to download, if it is known.
    fn length(&self) -> Option<u64> {
        self.end.map(|end| end - self.start)
    }

    /// Returns the data, beginning with the content of `response`; requested again from the point of an
    /// interruption.
    pub fn stream(self, response: StreamingResponse) -> ByteStream {
        let length = self.length();
        let stream = try_stream! {
            let mut response = response;
            let mut retries = self.http.retries();
            let (mut received, mut skip, mut cut_at) = (0_u64, 0_u64, 0_u64);
            loop {
                let cut = match response.chunk().await.map_err(failed) {
                    Ok(Some(mut bytes)) => {
                        let skipped = bytes.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
                        skip -= skipped as u64;
                        drop(bytes.split_to(skipped));
                        received += bytes.len() as u64;
                        self.check_end(received)?;
                        if !bytes.is_empty() {
                            yield bytes;
                        }
                        continue;
                    }
                    Ok(None) if length.is_none_or(|length| received >= length) => break,
                    // An error after the last byte does not matter: the hash decides.
                    Err(_) if length == Some(received) => break,
                    Ok(None) => self.cut("it ended early"),
                    Err(error) => error,
                };
                if received - cut_at >= PROGRESS {
                    retries.reset();
                }
                cut_at = received;
                if length.is_none() || !retries.wait(Delay::Backoff).await {
                    Err(cut)?;
                    break;
                }
                (response, skip) = self.resume(received).await?;
            }
        };
        stream.boxed()
    }

    /// Requests the data after the first `received` bytes. Returns the response, and the number of its
    /// bytes that have already been received.
    async fn resume(&self, received: u64) -> Result<(StreamingResponse, u64)> {
        let mut call = self.call.clone();
        let from = self.start + received;
        let end = self.end.filter(|_| self.is_part);
        call.ask_for(ByteRange { start: from, end });
        let response = self.http.open(&call).await.map_err(failed)?;
        match (response.status(), response.first_byte()) {
            (StatusCode::OK, _) | (StatusCode::PARTIAL_CONTENT, Some(0)) => Ok((response, from)),
            (StatusCode::PARTIAL_CONTENT, Some(begins)) if begins == from => Ok((response, 0)),
            (StatusCode::PARTIAL_CONTENT, Some(_)) => {
                Err(self.cut("the server sent a different part than was requested"))
            }
            (status, _) if status.is_success() => {
                Err(self.cut("the server did not report which part it sent"))
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, _) => Err(self.wrong(&format!(
                "{received} bytes were received, and there are no more"
            ))),
            _ => {
                let response = self.http.read(&call, response).await;
                Err(answer::refusal(&response.map_err(failed)?))
            }
        }
    }

    /// Returns an error for more data than the image has.
    fn check_end(&self, received: u64) -> Result<()> {
        match self.length() {
            Some(length) if received > length => {
                Err(self.wrong(&format!("more than its {length} bytes were received")))
            }
            _ => Ok(()),
        }
    }

    fn wrong(&self, why: &str) -> Error {
        let message = format!("the data of image {} is corrupt: {why}", self.id);
        Error::corrupt(message)
            .hint("The download was discarded.")
            .hint(Parameter::SourceStore)
    }

    fn cut(&self, why: &str) -> Error {
        let message = format!("the download of image {} was interrupted: {why}", self.id);
        Error::new(ErrorKind::Unreachable, message).hint("Try again.")
    }
}
