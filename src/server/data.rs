//! Image data: uploads, downloads and staging.
//!
//! *Source:* `glance/api/v2/image_data.py`, `Request.get_range_from_request` in `glance/common/wsgi.py` of the reference
//! implementation.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};

use super::answer::{self, Answer};
use super::call::Call;
use super::routes::routes;
use crate::data::source::ByteStream;
use crate::data::{Source, Watch};
use crate::model::ByteRange;
use crate::service::{Reading, Receipt, Staging, Upload};
use crate::{Error, ErrorKind, Result};

routes! {
    "/images/{image}/file" => GET download, PUT upload;
    "/images/{image}/stage" => PUT stage;
}

/// The media type of image data.
const OCTETS: &str = "application/octet-stream";

/// The header of the MD5, in hex.
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

async fn upload(mut call: Call) -> Answer {
    check_type(&call)?;
    let size = size(&call)?;
    let store = call.header("x-image-meta-store").map(str::to_string);
    let upload = Upload {
        size,
        store,
        ..Upload::new(source(&mut call))
    };
    call.service
        .upload_image(call.parameter("image"), upload)
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn stage(mut call: Call) -> Answer {
    let methods = &call.server.features.import_methods;
    if !methods.iter().any(|name| name == "glance-direct") {
        return Err(Error::not_found(
            "'glance-direct' method is not available at this site.",
        ));
    }
    check_type(&call)?;
    let staging = Staging {
        size: size(&call)?,
        source: source(&mut call),
        watch: Watch::default(),
    };
    call.service
        .stage_image(call.parameter("image"), staging)
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Checks that the body is declared as image data.
fn check_type(call: &Call) -> Result<()> {
    match call.content_type() {
        OCTETS => Ok(()),
        "" => Err(Error::unsupported_media("Invalid content type None")),
        other => Err(Error::unsupported_media(format!(
            "Invalid content type {other}"
        ))),
    }
}

/// Returns the size of the data, as far as the request declares it.
fn size(call: &Call) -> Result<Option<u64>> {
    let Some(text) = call.header("x-openstack-image-size") else {
        return Ok(call.content_length());
    };
    let size = text
        .parse()
        .map_err(|_| Error::invalid("Invalid or missing image size in request headers."))?;
    Ok(Some(size))
}

/// Takes the body as a source of data.
fn source(call: &mut Call) -> Source {
    let size = call.content_length();
    let body = std::mem::take(&mut call.body);
    let stream = body.into_data_stream().map_err(|error| {
        Error::new(ErrorKind::ClosedPipe, "the client has ended the upload").because(error)
    });
    Source::Stream {
        stream: stream.boxed(),
        size,
    }
}

async fn download(call: Call) -> Answer {
    let prefer = call.query().into_iter().find(|(name, _)| name == "prefer");
    let prefer = prefer.map(|(_, stores)| {
        let stores = stores
            .split(',')
            .map(str::trim)
            .filter(|store| !store.is_empty());
        stores.map(str::to_string).collect()
    });
    let id = call.parameter("image");
    let asked = call.header(RANGE.as_str());
    let range = match asked {
        // The size of the image is needed to read a range that counts from the end.
        Some(text) => {
            let image = call.service.get_image(id).await?;
            image.size.map(|size| range(text, size)).transpose()?
        }
        None => None,
    };
    let reading = Reading {
        prefer: prefer.unwrap_or_default(),
        range: range.unwrap_or(ByteRange::ALL),
        ..Reading::default()
    };
    let bytes = call.service.open_image(id, reading).await?;
    let Some(source) = bytes.source else {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    };
    let total = bytes.image.size;
    let length = source
        .size()
        .or(total.and_then(|total| range.unwrap_or(ByteRange::ALL).length(total)));
    let sending = Sending {
        data: source.into_stream(),
        receipt: Some(bytes.receipt),
        sent: 0,
        length,
    };
    let mut response = Response::new(Body::from_stream(sending.map_err(std::io::Error::other)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(checksum) = &bytes.image.checksum {
        headers.extend(HeaderValue::try_from(checksum).map(|checksum| (CONTENT_MD5, checksum)));
    }
    if let (Some(range), Some(total), Some(length)) = (range, total, length) {
        let last = (range.start + length).saturating_sub(1);
        let value = format!("bytes {}-{last}/{total}", range.start);
        headers.extend(HeaderValue::try_from(value).map(|value| (CONTENT_RANGE, value)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Data that is being sent. Its receipt is signed when all of it was taken.
struct Sending {
    data: ByteStream,
    receipt: Option<Receipt>,
    /// The number of bytes that were taken.
    sent: u64,
    /// The number of bytes, if it is known.
    length: Option<u64>,
}

impl Sending {
    fn sign(&mut self) {
        if let Some(receipt) = self.receipt.take() {
            receipt.sign(self.sent);
        }
    }
}

impl Stream for Sending {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.data.poll_next_unpin(context));
        match &next {
            Some(Ok(bytes)) => self.sent += bytes.len() as u64,
            Some(Err(_)) => self.receipt = None,
            None => self.sign(),
        }
        Poll::Ready(next)
    }
}

impl Drop for Sending {
    /// Signs the receipt of data whose size is known, because its end is not awaited.
    fn drop(&mut self) {
        if self.length == Some(self.sent) {
            self.sign();
        }
    }
}

/// Reads the value of a `Range` header for data of `size` bytes.
///
/// # Errors
/// `Invalid` for several ranges; `RangeNotSatisfiable` for an invalid one, or one that begins after the end.
fn range(text: &str, size: u64) -> Result<ByteRange> {
    if text.contains(',') {
        return Err(Error::invalid(
            "Requests with multiple ranges are not supported in Glance. You may make multiple single-range requests \
             instead.",
        ));
    }
    let invalid = || Error::new(ErrorKind::RangeNotSatisfiable, "Invalid Range header.");
    let (unit, range) = text.split_once('=').ok_or_else(invalid)?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Err(invalid());
    }
    let (first, last) = range.trim().split_once('-').ok_or_else(invalid)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| invalid());
    if first.trim().is_empty() {
        let length = number(last)?;
        return Ok(ByteRange {
            start: size.saturating_sub(length),
            end: None,
        });
    }
    let start = number(first)?;
    if start >= size {
        return Err(Error::new(
            ErrorKind::RangeNotSatisfiable,
            format!(
                "Invalid start position in Range header. Start position MUST be in the inclusive range [0, {}].",
                i128::from(size) - 1
            ),
        ));
    }
    let end = match last.trim() {
        "" => None,
        last => Some(number(last)?.saturating_add(1)).filter(|end| *end < size),
    };
    if end.is_some_and(|end| end <= start) {
        return Err(invalid());
    }
    Ok(ByteRange { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read() {
        for (text, start, end) in [
            ("bytes=0-4", 0, Some(5)),
            ("bytes=3-", 3, None),
            ("bytes=3-100", 3, None),
            ("bytes=9-9", 9, None),
            ("bytes=-4", 6, None),
            ("bytes=-40", 0, None),
            ("Bytes = 1-2", 1, Some(3)),
        ] {
            assert_eq!(range(text, 10).unwrap(), ByteRange { start, end }, "{text}");
        }
        for (text, kind) in [
            ("bytes=0-1,3-4", ErrorKind::Invalid),
            ("bytes=10-", ErrorKind::RangeNotSatisfiable),
            ("bytes=4-2", ErrorKind::RangeNotSatisfiable),
            ("bytes", ErrorKind::RangeNotSatisfiable),
            ("lines=1-2", ErrorKind::RangeNotSatisfiable),
            ("bytes=a-b", ErrorKind::RangeNotSatisfiable),
        ] {
            assert_eq!(range(text, 10).unwrap_err().kind(), kind, "{text}");
        }
    }
}
