//! Requests to the service, with its responses in types.

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::{
    CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, LAST_MODIFIED,
};
use http::{Method, StatusCode};

use super::address::{Endpoint, Object};
use super::digests::{Digests, Sent};
use super::failure::{Refusal, Trouble};
use super::sign::{Keys, Payload, sign};
use super::xml::{self, Uploads};
use crate::ErrorKind;
use crate::config::{S3Store, Tls, Trust};
use crate::http::{
    CONNECT_TIMEOUT, Client, Options, Proxies, Request, Response, StreamingResponse, redirect,
};
use crate::model::{ByteRange, Timestamp};

/// How many times longer than others the completion of an upload may take, for which a service may copy all parts.
const COMPLETION: u32 = 10;

/// The maximum number of pages of a list that are read.
const MAX_PAGES: usize = 1000;

/// The header with the token of the upload that an object is the result of.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-amz-meta-glance-upload");

/// The header that requests the checksum of an object.
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// The header that names the checksum of the parts of an upload.
const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");

/// The header with a CRC-32 in base64.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-crc32");

/// The header with an MD5 in base64.
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The header with the conditions of a service-side encryption.
const ENCRYPTION: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");

/// The header of an encryption with a key of the client.
const CUSTOMER_ENCRYPTION: HeaderName =
    HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");

type Result<T> = std::result::Result<T, Trouble>;

/// The service, as one user.
pub(super) struct Service {
    /// Keeps its connections.
    client: Client,
    /// Opens a connection for each request, for data that can be sent only once.
    single: Client,
    /// Waits long, for completions.
    patient: Client,
    endpoint: Endpoint,
    keys: Keys,
    /// Whether a checksum is requested with data.
    verifies_checksums: bool,
}

/// An object that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The size in bytes.
    pub(super) size: u64,
    /// The ETag without quotes.
    pub(super) etag: String,
    /// The moment of the last change; None if the service does not report it.
    pub(super) modified: Option<Timestamp>,
    /// The token of the upload that it is the result of.
    pub(super) token: Option<String>,
}

impl Service {
    /// Returns the service of a store. Nothing is set up before the first request.
    pub(super) fn new(settings: &S3Store) -> Self {
        let trust = settings.authorities.clone();
        let options = |keep_alive, timeout| Options {
            tls: Tls {
                trust: trust.clone().map_or_else(Trust::default, Trust::Only),
                ..Tls::default()
            },
            proxies: Proxies::Environment,
            connect_timeout: CONNECT_TIMEOUT.min(settings.timeout),
            timeout,
            // A request is signed for one host.
            redirects: redirect::Policy {
                limit: 0,
                statuses: &[],
                guard: None,
            },
            keep_alive,
            ..Options::default()
        };
        Self {
            client: Client::new(options(true, settings.timeout)),
            single: Client::new(options(false, settings.timeout)),
            patient: Client::new(options(false, settings.timeout * COMPLETION)),
            endpoint: Endpoint::of(settings),
            keys: Keys {
                access: settings.access_key.clone(),
                secret: settings.secret_key.clone(),
            },
            verifies_checksums: settings.verifies_checksums,
        }
    }

    /// Returns the address of a bucket for messages.
    pub(super) fn shown(&self, bucket: &str) -> String {
        self.endpoint.shown(bucket)
    }

    /// Returns the retries of an operation of several requests.
    pub(super) fn retries(&self) -> crate::http::retry::Retries<'_> {
        self.client.retries()
    }

    /// Returns the object; None if the bucket certainly does not have it.
    pub(super) async fn find(&self, object: &Object) -> Result<Option<Found>> {
        // Between both requests the object may appear.
        for _ in 0..2 {
            let mut request = self.request(Method::HEAD, object, &[])?;
            let response = self.call(&mut request).await?;
            if response.status.is_success() {
                return Ok(Some(found(&response.headers)));
            }
            let refusal = Refusal::of(response.status, &response.headers, &response.body);
            match self.reason(object).await? {
                Some(reason)
                    if reason.status == StatusCode::NOT_FOUND && !reason.is_missing_bucket() =>
                {
                    return Ok(None);
                }
                Some(reason) => return Err(reason.into()),
                None if refusal.status == StatusCode::NOT_FOUND => {}
                None => return Err(refusal.into()),
            }
        }
        let changing = "an object appears and disappears while it is looked up";
        Err(crate::Error::conflict(changing).into())
    }

    /// Returns whether the bucket is missing. Some services do not report that for objects.
    pub(super) async fn is_missing(&self, bucket: &str) -> Result<bool> {
        let mut request = self.bucket_request(Method::HEAD, bucket, &[])?;
        Ok(self.call(&mut request).await?.status == StatusCode::NOT_FOUND)
    }

    /// Returns whether an object exists, in a bucket that does.
    pub(super) async fn exists(&self, object: &Object) -> Result<bool> {
        let mut request = self.request(Method::HEAD, object, &[])?;
        match self.call(&mut request).await?.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Ok(self.find(object).await?.is_some()),
        }
    }

    /// Returns why an object cannot be read, which responses to HEAD do not contain; None if it can.
    async fn reason(&self, object: &Object) -> Result<Option<Refusal>> {
        let first = ByteRange {
            start: 0,
            end: Some(1),
        };
        match self.get(object, first, None).await {
            Ok(_) => Ok(None),
            Err(Trouble::Refused(refusal))
                if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE =>
            {
                Ok(None)
            }
            Err(Trouble::Refused(refusal)) => Ok(Some(*refusal)),
            Err(trouble) => Err(trouble),
        }
    }

    /// Opens a range of an object, if its ETag is still `etag`.
    pub(super) async fn get(
        &self,
        object: &Object,
        range: ByteRange,
        etag: Option<&str>,
    ) -> Result<StreamingResponse> {
        let mut request = self.request(Method::GET, object, &[])?;
        if !range.is_all() {
            request.ask_for(range);
        } else if self.verifies_checksums {
            let mode = HeaderValue::from_static("ENABLED");
            request.headers.insert(CHECKSUM_MODE, mode);
        }
        if let Some(etag) = etag.and_then(|etag| HeaderValue::try_from(format!("\"{etag}\"")).ok())
        {
            request.headers.insert(IF_MATCH, etag);
        }
        self.sign(&mut request, Payload::Body)?;
        let response = self.client.open(&request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let response = self.client.read(&request, response).await?;
        Err(Refusal::of(response.status, &response.headers, &response.body).into())
    }

    /// Stores an object of blocks in memory, if there is none, and returns its ETag. Repeated after transient failures.
    pub(super) async fn put(
        &self,
        object: &Object,
        token: &str,
        blocks: &[Bytes],
        digests: &Digests,
    ) -> Result<String> {
        let headers = |request: &mut Request| {
            set_condition(&mut request.headers, Some(token));
            set_digests(&mut request.headers, digests);
        };
        let sent = self.send_blocks(object, &[], blocks, headers).await;
        let response = match sent {
            Err(trouble) if trouble.refusal().is_some_and(Refusal::is_unsupported) => {
                let headers = |request: &mut Request| {
                    set_token(&mut request.headers, token);
                    set_digests(&mut request.headers, digests);
                };
                self.send_blocks(object, &[], blocks, headers).await?
            }
            sent => sent?,
        };
        check_etag(&response, digests.md5)
    }

    /// Stores an object of `length` bytes as they arrive, and returns the response. There is no condition: a service that
    /// does not have conditions would refuse data that cannot be sent again.
    pub(super) async fn put_stream(
        &self,
        object: &Object,
        token: &str,
        length: u64,
        blocks: impl Stream<Item = crate::Result<Bytes>> + Send + 'static,
    ) -> Result<Response> {
        let mut request = self.request(Method::PUT, object, &[])?;
        set_token(&mut request.headers, token);
        self.send_stream(request, length, blocks).await
    }

    /// Begins an upload in parts, and returns its ID.
    pub(super) async fn begin(
        &self,
        object: &Object,
        token: &str,
        with_checksums: bool,
    ) -> Result<String> {
        let mut request = self.request(Method::POST, object, &[("uploads", "")])?;
        set_token(&mut request.headers, token);
        if with_checksums {
            let algorithm = HeaderValue::from_static("CRC32");
            request.headers.insert(CHECKSUM_ALGORITHM, algorithm);
        }
        let response = accept(self.call(&mut request).await?)?;
        xml::first(&response.body, "UploadId")
            .filter(|id| !id.is_empty())
            .ok_or_else(|| invalid("the ID of an upload"))
    }

    /// Sends a part of blocks in memory. Repeated after transient failures.
    pub(super) async fn put_part(
        &self,
        object: &Object,
        upload: &str,
        number: u32,
        blocks: &[Bytes],
        digests: Digests,
    ) -> Result<Sent> {
        let text = number.to_string();
        let query = [("partNumber", text.as_str()), ("uploadId", upload)];
        let headers = |request: &mut Request| set_digests(&mut request.headers, &digests);
        let response = self.send_blocks(object, &query, blocks, headers).await?;
        sent_part(&response, number, digests)
    }

    /// Sends a part of `length` bytes as they arrive.
    pub(super) async fn put_part_stream(
        &self,
        object: &Object,
        upload: &str,
        number: u32,
        length: u64,
        blocks: impl Stream<Item = crate::Result<Bytes>> + Send + 'static,
    ) -> Result<Response> {
        let text = number.to_string();
        let query = [("partNumber", text.as_str()), ("uploadId", upload)];
        let request = self.request(Method::PUT, object, &query)?;
        self.send_stream(request, length, blocks).await
    }

    /// Completes an upload, and returns the ETag of the object; empty if the service does not report it.
    pub(super) async fn complete(
        &self,
        object: &Object,
        upload: &str,
        parts: &[Sent],
    ) -> Result<String> {
        let mut request = self.request(Method::POST, object, &[("uploadId", upload)])?;
        set_condition(&mut request.headers, None);
        request.body = xml::completion(parts).into();
        self.sign(&mut request, Payload::Body)?;
        let response = self.patient.call(&request).await?;
        let response = if is_unsupported(&response) {
            request.headers.remove(http::header::IF_NONE_MATCH);
            self.sign(&mut request, Payload::Body)?;
            self.patient.call(&request).await?
        } else {
            response
        };
        let response = accept(response)?;
        // The status may be sent before the result is known.
        if xml::is_error(&response.body) {
            return Err(Refusal::of(response.status, &response.headers, &response.body).into());
        }
        let etag = xml::first(&response.body, "ETag").unwrap_or_default();
        Ok(etag.trim_matches('"').to_string())
    }

    /// Removes an upload and its parts. Returns whether there was one.
    pub(super) async fn abort(&self, object: &Object, upload: &str) -> Result<bool> {
        let mut request = self.request(Method::DELETE, object, &[("uploadId", upload)])?;
        request.is_idempotent = true;
        let response = self.call(&mut request).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        accept(response)?;
        Ok(true)
    }

    /// Returns the IDs of the unfinished uploads of an object; None if the service does not list them.
    pub(super) async fn uploads(&self, object: &Object) -> Result<Option<Vec<String>>> {
        let mut found = Vec::new();
        let mut next: Option<(String, String)> = None;
        for _ in 0..MAX_PAGES {
            let (key, upload) = next.unwrap_or_default();
            let mut query = Vec::new();
            if !key.is_empty() {
                query.push(("key-marker", key.as_str()));
            }
            query.push(("prefix", object.key.as_str()));
            if !upload.is_empty() {
                query.push(("upload-id-marker", upload.as_str()));
            }
            query.push(("uploads", ""));
            let mut request = self.bucket_request(Method::GET, &object.bucket, &query)?;
            let response = self.call(&mut request).await?;
            if is_unsupported(&response) {
                return Ok(None);
            }
            let response = accept(response)?;
            let page =
                Uploads::parse(&response.body).ok_or_else(|| invalid("a list of uploads"))?;
            let of_object = page
                .uploads
                .into_iter()
                .filter(|(key, _)| *key == object.key);
            found.extend(of_object.map(|(_, upload)| upload));
            next = page.next;
            if next.is_none() {
                return Ok(Some(found));
            }
        }
        Err(invalid("a list of uploads"))
    }

    /// Removes an object. Succeeds if there is none.
    pub(super) async fn delete(&self, object: &Object) -> Result<()> {
        let mut request = self.request(Method::DELETE, object, &[])?;
        request.is_idempotent = true;
        let response = self.call(&mut request).await?;
        match accept(response) {
            Err(Trouble::Refused(refusal))
                if refusal.status == StatusCode::NOT_FOUND && !refusal.is_missing_bucket() =>
            {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Creates a bucket. Succeeds if the user has it.
    pub(super) async fn create_bucket(&self, bucket: &str) -> Result<()> {
        let mut request = self.bucket_request(Method::PUT, bucket, &[])?;
        if let Some(region) = &self.endpoint.constraint {
            request.body = xml::bucket_in(region).into();
        }
        match accept(self.call(&mut request).await?) {
            Err(Trouble::Refused(refusal)) if refusal.code == "BucketAlreadyOwnedByYou" => Ok(()),
            other => other.map(drop),
        }
    }

    fn request(&self, method: Method, object: &Object, query: &[(&str, &str)]) -> Result<Request> {
        let url = self
            .endpoint
            .url(&object.bucket, Some(&object.key), query)?;
        Ok(Request::new(method, url))
    }

    fn bucket_request(
        &self,
        method: Method,
        bucket: &str,
        query: &[(&str, &str)],
    ) -> Result<Request> {
        Ok(Request::new(
            method,
            self.endpoint.url(bucket, None, query)?,
        ))
    }

    fn sign(&self, request: &mut Request, payload: Payload) -> Result<()> {
        let now = jiff::Timestamp::now();
        let region = &self.endpoint.region;
        Ok(sign(request, payload, &self.keys, region, now)?)
    }

    /// Sends a request without data, and returns its response, regardless of the status.
    async fn call(&self, request: &mut Request) -> Result<Response> {
        self.sign(request, Payload::Body)?;
        Ok(self.client.call(request).await?)
    }

    /// Sends data in memory, and repeats that after transient failures.
    async fn send_blocks(
        &self,
        object: &Object,
        query: &[(&str, &str)],
        blocks: &[Bytes],
        set_headers: impl Fn(&mut Request),
    ) -> Result<Response> {
        let length: usize = blocks.iter().map(Bytes::len).sum();
        let mut retries = self.client.retries();
        loop {
            let mut request = self.request(Method::PUT, object, query)?;
            set_headers(&mut request);
            request.headers.insert(CONTENT_LENGTH, length.into());
            self.sign(&mut request, Payload::Unsigned)?;
            let blocks: Vec<crate::Result<Bytes>> = blocks.iter().cloned().map(Ok).collect();
            let outcome = self.client.upload(&request, stream::iter(blocks)).await;
            let outcome = outcome.map_err(Trouble::from).and_then(accept);
            let trouble = match outcome {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            match trouble.retry() {
                Some(delay) if retries.wait(delay).await => {}
                _ => return Err(trouble),
            }
        }
    }

    /// Sends data as it arrives, once.
    async fn send_stream(
        &self,
        mut request: Request,
        length: u64,
        blocks: impl Stream<Item = crate::Result<Bytes>> + Send + 'static,
    ) -> Result<Response> {
        request.headers.insert(CONTENT_LENGTH, length.into());
        self.sign(&mut request, Payload::Unsigned)?;
        accept(self.single.upload(&request, blocks).await?)
    }
}

/// Returns a successful response.
fn accept(response: Response) -> Result<Response> {
    if response.status.is_success() {
        return Ok(response);
    }
    Err(Refusal::of(response.status, &response.headers, &response.body).into())
}

fn is_unsupported(response: &Response) -> bool {
    !response.status.is_success()
        && Refusal::of(response.status, &response.headers, &response.body).is_unsupported()
}

/// Returns the failure for a response without an expected part.
fn invalid(what: &str) -> Trouble {
    Trouble::Wrong(
        ErrorKind::Unreachable,
        format!("sent {what} that is invalid"),
    )
}

/// Sets the condition that there is no object, and the token.
fn set_condition(headers: &mut HeaderMap, token: Option<&str>) {
    headers.insert(http::header::IF_NONE_MATCH, HeaderValue::from_static("*"));
    if let Some(token) = token {
        set_token(headers, token);
    }
}

fn set_token(headers: &mut HeaderMap, token: &str) {
    if let Ok(value) = HeaderValue::try_from(token) {
        headers.insert(TOKEN, value);
    }
}

fn set_digests(headers: &mut HeaderMap, digests: &Digests) {
    if let Ok(value) = HeaderValue::try_from(digests.content_md5()) {
        headers.insert(CONTENT_MD5, value);
    }
    let checksum = digests.checksum.as_deref().map(HeaderValue::try_from);
    if let Some(Ok(value)) = checksum {
        headers.insert(CHECKSUM, value);
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn found(headers: &HeaderMap) -> Found {
    Found {
        size: text(headers, &CONTENT_LENGTH)
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0),
        etag: etag(headers),
        modified: text(headers, &LAST_MODIFIED).and_then(Timestamp::parse_http),
        token: text(headers, &TOKEN).map(str::to_string),
    }
}

/// Returns the ETag in headers, without quotes; empty if there is none.
pub(super) fn etag(headers: &HeaderMap) -> String {
    let etag = text(headers, &ETAG).unwrap_or_default();
    etag.trim_matches('"').to_string()
}

/// Returns the ETag of an object or a part, which is the MD5 of its data unless it is encrypted with a key.
///
/// # Errors
/// `Corrupt` if it is another one.
pub(super) fn check_etag(response: &Response, md5: [u8; 16]) -> Result<String> {
    let headers = &response.headers;
    let etag = etag(headers);
    let is_encrypted = headers.contains_key(&CUSTOMER_ENCRYPTION)
        || text(headers, &ENCRYPTION).is_some_and(|kind| kind != "AES256");
    let is_digest = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest && !is_encrypted && !etag.eq_ignore_ascii_case(&super::digests::etag_of(md5)) {
        let what = "received other data than was sent: its digest differs";
        return Err(Trouble::Wrong(ErrorKind::Corrupt, what.to_string()));
    }
    Ok(etag)
}

/// Returns the part that a response confirms.
///
/// # Errors
/// `Corrupt` if it is other data.
pub(super) fn sent_part(response: &Response, number: u32, digests: Digests) -> Result<Sent> {
    check_etag(response, digests.md5)?;
    let etag = text(&response.headers, &ETAG).unwrap_or_default();
    if etag.is_empty() {
        return Err(invalid("an ETag"));
    }
    Ok(Sent {
        number,
        etag: etag.to_string(),
        md5: digests.md5,
        checksum: digests.checksum,
    })
}
