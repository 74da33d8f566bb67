//! The settings of stores of kind `s3`.
//!
//! *Source:* `glance_store/_drivers/s3.py` (`configure_add`, `_create_s3_client`, `get_s3_location`), and botocore for
//! the addresses of buckets.

use std::path::PathBuf;
use std::time::Duration;

use super::{Layout, seconds};
use crate::config::oslo::options::{
    OptionSpec, S3_ACCESS_KEY, S3_BUCKET, S3_BUCKET_URL_FORMAT, S3_CACERT, S3_CREATE_BUCKET,
    S3_DATA_INTEGRITY, S3_HOST, S3_LARGE_OBJECT_CHUNK_SIZE, S3_LARGE_OBJECT_SIZE, S3_REGION,
    S3_REQUEST_CHECKSUMS, S3_RESPONSE_CHECKSUMS, S3_SECRET_KEY, S3_THREAD_POOLS, S3_TIMEOUT,
};
use crate::config::oslo::reader::{Located, Reader};
use crate::config::secret::Secret;
use crate::error::Result;

/// MiB in bytes.
const MIB: u64 = 1 << 20;

/// The settings of a store of kind `s3`: objects in a bucket of Amazon S3 or a compatible service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct S3Store {
    /// The host, and the port if there is one, without a scheme, as in the addresses of data.
    pub host: String,
    /// Whether the service is reached over TLS.
    pub is_secure: bool,
    /// The region; None: that of the host's name, else `us-east-1`.
    pub region: Option<String>,
    /// The identifier of the key.
    pub access_key: Secret,
    /// The key.
    pub secret_key: Secret,
    /// The name of the bucket.
    pub bucket: String,
    /// Whether a missing bucket is created by an upload.
    pub creates_bucket: bool,
    /// The form of the addresses of buckets.
    pub addressing: Addressing,
    /// Bytes from which data of known size is uploaded in parts; 0: always.
    pub large_object_size: u64,
    /// Bytes of a part.
    pub chunk_size: u64,
    /// The maximum number of parts that are sent concurrently.
    pub thread_pools: usize,
    /// The time limit for a response, for each further piece of its body, and for a service that accepts no data.
    pub timeout: Duration,
    /// Trusted certificates, in PEM; None trusts the system's.
    pub authorities: Option<PathBuf>,
    /// Whether checksums are sent in addition to the digests that are always sent.
    pub sends_checksums: bool,
    /// Whether checksums are requested with data, and verified.
    pub verifies_checksums: bool,
}

/// The form of the addresses of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Virtual for Amazon's hosts that are named after a region, if the name of the bucket permits it, else path.
    Auto,
    /// The bucket is in the name of the host: `bucket.host/key`.
    Virtual,
    /// The bucket is in the path: `host/bucket/key`.
    Path,
}

/// Returns whether the name of a bucket may be a part of a host's name. A name with dots may not, because no
/// certificate would match.
pub fn is_host_label(bucket: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=63).contains(&bucket.len())
        && bucket.bytes().all(is_inner)
        && !bucket.starts_with('-')
        && !bucket.ends_with('-')
}

/// Reads the settings of a store from its section.
pub(super) fn read_s3_store(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
) -> Result<S3Store> {
    let required = |option: &'static OptionSpec| -> Result<Located<'_, String>> {
        let text = reader.text_or_default(option.of(section))?;
        if text.value.is_empty() {
            return Err(text.refuse("an s3 store needs it"));
        }
        Ok(text)
    };
    let host = required(&S3_HOST)?;
    let (is_secure, name) = host_of(&host)?;
    let bucket = required(&S3_BUCKET)?;
    if bucket.value.contains('/') || [".", ".."].contains(&bucket.value.as_str()) {
        return Err(bucket.refuse("not the name of a bucket"));
    }
    let addressing = match &*reader
        .text_or_default(S3_BUCKET_URL_FORMAT.of(section))?
        .value
    {
        "virtual" => Addressing::Virtual,
        "path" => Addressing::Path,
        _ => Addressing::Auto,
    };
    if addressing == Addressing::Virtual && !is_host_label(&bucket.value) {
        return Err(bucket.refuse("it cannot be a part of a host's name, which s3_store_bucket_url_format = virtual requires"));
    }
    let mebibytes = |option: &'static OptionSpec| -> Result<u64> {
        let size = reader.integer(option.of(section))?;
        let bytes = u64::try_from(size.value).ok();
        let bytes = bytes.and_then(|size| size.checked_mul(MIB));
        bytes.ok_or_else(|| size.refuse("too large"))
    };
    let pools = reader.integer(S3_THREAD_POOLS.of(section))?;
    // The options of each direction count only if both are permitted.
    let with_checksums = reader.boolean(S3_DATA_INTEGRITY.of(section))?;
    let is_supported = |option: &'static OptionSpec| -> Result<bool> {
        let text = reader.text_or_default(option.of(section))?;
        Ok(with_checksums && text.value == "when_supported")
    };
    let region = reader.text_if_any(S3_REGION.of(section))?;
    let authorities = reader.text_if_any(S3_CACERT.of(section))?;
    Ok(S3Store {
        host: name,
        is_secure,
        region: region.map(|region| region.value),
        access_key: Secret::new(required(&S3_ACCESS_KEY)?.value),
        secret_key: Secret::new(required(&S3_SECRET_KEY)?.value),
        bucket: bucket.value,
        creates_bucket: reader.boolean(S3_CREATE_BUCKET.of(section))?,
        addressing,
        large_object_size: mebibytes(&S3_LARGE_OBJECT_SIZE)?,
        chunk_size: mebibytes(&S3_LARGE_OBJECT_CHUNK_SIZE)?,
        thread_pools: usize::try_from(pools.value).map_err(|_| pools.refuse("too large"))?,
        timeout: seconds(&reader.integer(S3_TIMEOUT.of(section))?)?,
        authorities: authorities.map(|path| layout.base.join(path.value)),
        sends_checksums: is_supported(&S3_REQUEST_CHECKSUMS)?,
        verifies_checksums: is_supported(&S3_RESPONSE_CHECKSUMS)?,
    })
}

/// Returns whether a host is reached over TLS, and the host without its scheme.
fn host_of(host: &Located<'_, String>) -> Result<(bool, String)> {
    let text = host.value.trim();
    let (is_secure, name) = match text.split_once("://") {
        None => (false, text),
        Some(("https", name)) => (true, name),
        Some(("http", name)) => (false, name),
        Some(_) => return Err(host.refuse("its scheme is neither http nor https")),
    };
    let name = name.trim_matches('/');
    if name.contains('@') {
        return Err(host.refuse("it must not contain a key"));
    }
    let url = url::Url::parse(&format!("http://{name}/"));
    if name.contains(['/', '?', '#']) || !url.is_ok_and(|url| url.has_host()) {
        return Err(host.refuse("it must be a host, with a port if there is one"));
    }
    Ok((is_secure, name.to_owned()))
}
