//! Downloads: a stream that continues after an interruption, while the object is the same.

use std::sync::Arc;

use async_stream::try_stream;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use http::header::HeaderMap;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::address::Object;
use super::failure::{Refusal, Trouble};
use super::service::{Service, etag};
use crate::data::Source;
use crate::data::source::ByteStream;
use crate::http::StreamingResponse;
use crate::http::retry::Delay;
use crate::model::ByteRange;
use crate::{Error, ErrorKind, Result};

/// The number of bytes after which a download may be interrupted as often as in its beginning.
const PROGRESS: u64 = 16 << 20;

/// An object that is read.
pub(super) struct Download {
    /// The service.
    pub(super) service: Arc<Service>,
    /// The store's name for messages.
    pub(super) store: String,
    /// The object.
    pub(super) object: Object,
    /// The address of the bucket for messages.
    pub(super) place: String,
}

impl Download {
    fn error(&self, trouble: Trouble) -> Error {
        trouble.into_error(&self.store, &self.place)
    }

    /// Opens a range of the object; None if there is no object.
    pub(super) async fn open(self, range: ByteRange, verifies: bool) -> Result<Option<Source>> {
        let response = match self.service.get(&self.object, range, None).await {
            Ok(response) => response,
            Err(Trouble::Refused(refusal))
                if refusal.status == StatusCode::NOT_FOUND && !refusal.is_missing_bucket() =>
            {
                return Ok(None);
            }
            Err(trouble) => return Err(self.error(trouble)),
        };
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        if is_part && response.first_byte() != Some(range.start) {
            return Err(self.other_range());
        }
        let checksum = if verifies && !is_part {
            Checksum::of(response.headers())
        } else {
            None
        };
        let size = response.content_length();
        let sent = if is_part { range } else { ByteRange::ALL };
        let stream: ByteStream = Box::pin(self.stream(response, sent, size, checksum));
        let source = Source::Stream { stream, size };
        let source = if is_part || range.is_all() {
            source
        } else {
            source.limited_to(range)?
        };
        Ok(Some(source))
    }

    /// Returns the data of a response to the request for a range, which has `size` bytes.
    fn stream(
        self,
        mut response: StreamingResponse,
        range: ByteRange,
        size: Option<u64>,
        mut checksum: Option<Checksum>,
    ) -> impl futures_core::Stream<Item = Result<bytes::Bytes>> + Send + 'static {
        try_stream! {
            let etag = etag(response.headers());
            let (mut received, mut counted) = (0, 0);
            let service = Arc::clone(&self.service);
            let mut retries = service.retries();
            loop {
                let failure = match response.chunk().await {
                    Ok(Some(bytes)) => {
                        received += bytes.len() as u64;
                        if received - counted >= PROGRESS {
                            counted = received;
                            retries.reset();
                        }
                        if let Some(checksum) = &mut checksum {
                            checksum.update(&bytes);
                        }
                        yield bytes;
                        continue;
                    }
                    Ok(None) => break,
                    Err(failure) => failure,
                };
                if size == Some(received) {
                    break;
                }
                let may_continue = failure.is_transient() && !etag.is_empty();
                if !may_continue || !retries.wait(Delay::Backoff).await {
                    Err(self.error(failure.into()))?;
                    break;
                }
                let rest = ByteRange { start: range.start + received, end: range.end };
                let continued = self.service.get(&self.object, rest, Some(&etag)).await;
                response = continued.map_err(|trouble| self.continued_error(trouble))?;
                if response.status() != StatusCode::PARTIAL_CONTENT
                    || response.first_byte() != Some(rest.start)
                {
                    Err(self.other_range())?;
                }
            }
            if let Some(checksum) = checksum {
                checksum.verify()?;
            }
        }
    }

    fn other_range(&self) -> Error {
        let message = format!(
            "store '{}' at {} sent another range than requested",
            self.store, self.place
        );
        Error::new(ErrorKind::Unreachable, message)
    }

    /// Returns the error for data that cannot be read further.
    fn continued_error(&self, trouble: Trouble) -> Error {
        if trouble.refusal().is_some_and(Refusal::is_conflict) {
            let message = format!(
                "store '{}' at {}: the data changed while it was read",
                self.store, self.place
            );
            return Error::failed(message);
        }
        self.error(trouble)
    }
}

/// A checksum of a whole object that its service reported.
struct Checksum {
    expected: String,
    hasher: Hasher,
}

enum Hasher {
    Crc32(crc32fast::Hasher),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// Returns the first supported checksum. Those of parts, which have a number after a hyphen, are not supported.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kinds = [
            (
                "x-amz-checksum-crc32",
                Hasher::Crc32(crc32fast::Hasher::new()),
            ),
            ("x-amz-checksum-sha256", Hasher::Sha256(Sha256::new())),
            ("x-amz-checksum-sha1", Hasher::Sha1(Sha1::new())),
        ];
        kinds.into_iter().find_map(|(name, hasher)| {
            let expected = headers.get(name)?.to_str().ok()?;
            (!expected.contains('-')).then(|| Self {
                expected: expected.to_string(),
                hasher,
            })
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match &mut self.hasher {
            Hasher::Crc32(hasher) => hasher.update(bytes),
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn verify(self) -> Result<()> {
        let computed = match self.hasher {
            Hasher::Crc32(hasher) => BASE64_STANDARD.encode(hasher.finalize().to_be_bytes()),
            Hasher::Sha1(hasher) => BASE64_STANDARD.encode(hasher.finalize()),
            Hasher::Sha256(hasher) => BASE64_STANDARD.encode(hasher.finalize()),
        };
        if computed == self.expected {
            return Ok(());
        }
        let message = "the data does not match the checksum of the S3 service";
        Err(Error::new(ErrorKind::Corrupt, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_whole_objects_are_verified() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let mut checksum = Checksum::of(&headers)?;
            checksum.update(b"1234");
            checksum.update(b"56789");
            Some(checksum.verify())
        };
        for (name, value) in [
            ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                "x-amz-checksum-sha256",
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ] {
            assert!(of(name, value).unwrap().is_ok(), "{name}");
            let refused = of(name, "AAAAAA==").unwrap().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Corrupt, "{name}");
        }
        assert!(of("x-amz-checksum-crc32", "y/Q5Jg==-3").is_none());
        assert!(of("x-amz-checksum-crc64nvme", "AAAA").is_none());
    }
}
