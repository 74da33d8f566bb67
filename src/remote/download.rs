//! Image data on its way from a server: taken up again where it was cut, and no more of it than there is.

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

/// Bytes that are asked for at a time, where several parts are.
pub const PART: u64 = 4 * 1024 * 1024;

/// Bytes after which a transfer counts as going on, and may be cut as often again.
const PROGRESS: u64 = 16 * 1024 * 1024;

/// Data on its way from a server.
#[derive(Clone)]
pub struct Download {
    http: Client,
    call: Request,
    /// Id of the image, for messages.
    id: String,
    /// The first byte that is wanted.
    start: u64,
    /// The byte behind the last one; None: wherever the data ends.
    end: Option<u64>,
    /// Whether there is more behind the end.
    is_part: bool,
}

impl Download {
    /// All of the data of `image`, which `call` asks for.
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

    /// Returns the same download of a range, of which the response brings the beginning.
    #[must_use]
    pub fn of(mut self, range: ByteRange) -> Self {
        self.start = range.start;
        if let Some(end) = range.end {
            self.end = Some(self.end.map_or(end, |size| size.min(end)));
            self.is_part = true;
        }
        self
    }

    /// The data, `size` bytes, in parts of which so many are asked for at a time; `first` brings the
    /// first of them. The server has to keep to the parts.
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

    /// A part, whole.
    async fn collect(self, response: Option<StreamingResponse>) -> Result<Bytes> {
        let response = match response {
            Some(response) => response,
            None => match self.resume(0).await? {
                (response, 0) => response,
                _ => return Err(self.cut("the server sends all of it for a part")),
            },
        };
        let mut bytes = BytesMut::new();
        let mut stream = self.stream(response);
        while let Some(more) = stream.next().await {
            bytes.extend_from_slice(&more?);
        }
        Ok(bytes.freeze())
    }

    /// Bytes that are wanted, where that is known.
    fn length(&self) -> Option<u64> {
        self.end.map(|end| end - self.start)
    }

    /// The data, beginning with what `response` brings; asked for again from where it was cut.
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
                    // What is wrong behind the last byte does not matter: the hash decides.
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

    /// Asks for what is behind the first `received` bytes; the answer, and how many of its bytes are
    /// known already.
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
                Err(self.cut("the server sends another part than it was asked for"))
            }
            (status, _) if status.is_success() => {
                Err(self.cut("the server does not say which part of it it sends"))
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, _) => {
                Err(self.wrong(&format!("{received} bytes came, and there are no more")))
            }
            _ => {
                let response = self.http.read(&call, response).await;
                Err(answer::refusal(&response.map_err(failed)?))
            }
        }
    }

    /// Refuses more data than the image has.
    fn check_end(&self, received: u64) -> Result<()> {
        match self.length() {
            Some(length) if received > length => {
                Err(self.wrong(&format!("more than its {length} bytes came")))
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
        let message = format!("the data of image {} was cut: {why}", self.id);
        Error::new(ErrorKind::Unreachable, message).hint("Try again.")
    }
}
