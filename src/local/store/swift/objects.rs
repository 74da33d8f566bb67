//! Operations on containers and objects.
//!
//! *Source:* Object Storage API reference, "Containers" and "Objects"; Swift's documentation, "Large Object Support".

use http::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};
use http::{Method, StatusCode};
use serde::Deserialize;

use super::account::{Call, Storage};
use super::failure::{failed, refused};
use crate::http::Response;
use crate::model::{Space, Timestamp};
use crate::{Error, ErrorKind, Result};

/// The number of names in a page of a listing.
const PAGE: usize = 1000;

/// The number of digits of a segment's number; more are used if it is greater.
const DIGITS: usize = 5;

/// The attributes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Size of the data in bytes, including segments.
    pub size: u64,
    /// The MD5 of an object without segments; without quotes.
    pub etag: String,
    /// Whether the object is a list of segments (SLO).
    pub is_static_manifest: bool,
    /// `CONTAINER/PREFIX` of the segments (DLO).
    pub manifest: Option<String>,
    /// The time of the upload.
    pub written: Option<Timestamp>,
}

/// The quota of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// The number of bytes that fit; None without a quota.
    pub bytes: Option<u64>,
}

/// The limits of static large objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StaticLimits {
    /// The maximum number of segments.
    pub segments: usize,
    /// The minimum size of a segment in bytes.
    pub min_size: u64,
}

/// A stored segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The size in bytes.
    pub size: u64,
    /// The MD5.
    pub etag: String,
}

/// Returns the name of a segment, counted from 1.
pub(super) fn segment_name(object: &str, number: usize) -> String {
    format!("{object}-{number:0DIGITS$}")
}

/// Returns the number of a segment by its name.
pub(super) fn segment_number(object: &str, name: &str) -> Option<usize> {
    let digits = name.strip_prefix(object)?.strip_prefix('-')?;
    let number = digits.parse().ok()?;
    (segment_name(object, number) == name).then_some(number)
}

/// Returns a header as text.
pub(super) fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Returns the `ETag` without its quotes.
pub(super) fn etag_of(headers: &HeaderMap) -> Option<String> {
    text_of(headers, ETAG.as_str()).map(|etag| etag.trim_matches('"').to_owned())
}

fn number_of<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    text_of(headers, name)?.parse().ok()
}

/// Returns the quota of an account or container, by the headers of its description, and what is left of it.
fn quota(headers: &HeaderMap, of: &str) -> Option<Space> {
    let total: u64 = number_of(headers, &format!("x-{of}-meta-quota-bytes"))?;
    let used: u64 = number_of(headers, &format!("x-{of}-bytes-used")).unwrap_or(0);
    Some(Space {
        free: total.saturating_sub(used),
        total,
    })
}

impl Storage {
    /// Returns the attributes of an object; None if it does not exist.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn head(&self, container: &str, object: &str) -> Result<Option<Head>> {
        let response = self
            .open(&Call::object(Method::HEAD, container, object))
            .await?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(self.refused(container, status).await);
        }
        let headers = response.headers();
        let written = text_of(headers, "x-timestamp")
            .and_then(|text| Timestamp::from_seconds(text.parse().ok()?))
            .or_else(|| Timestamp::parse_http(text_of(headers, LAST_MODIFIED.as_str())?));
        Ok(Some(Head {
            size: response.content_length().ok_or_else(|| {
                self.error(format_args!("the size of {container}/{object} is unknown"))
            })?,
            etag: etag_of(headers).unwrap_or_default(),
            is_static_manifest: text_of(headers, "x-static-large-object")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            manifest: text_of(headers, "x-object-manifest").map(|text| {
                let text = percent_encoding::percent_decode_str(text);
                text.decode_utf8_lossy().into_owned()
            }),
            written,
        }))
    }

    /// Returns what still fits into a container; None if it does not exist.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn room(&self, container: &str) -> Result<Option<Room>> {
        let response = self.open(&Call::container(Method::HEAD, container)).await?;
        let (status, headers) = (response.status(), response.headers());
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(self.refused(container, status).await);
        }
        Ok(Some(Room {
            bytes: quota(headers, "container").map(|space| space.free),
        }))
    }

    /// Returns the space of the account and, if one is named, of a container, whichever has less left; None without
    /// quotas.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn space(&self, container: Option<&str>) -> Result<Option<Space>> {
        let account = self.open(&Call::account(Method::HEAD)).await?;
        let mut spaces = vec![quota(account.headers(), "account")];
        if let Some(container) = container {
            let container = self.open(&Call::container(Method::HEAD, container)).await?;
            spaces.push(quota(container.headers(), "container"));
        }
        Ok(spaces.into_iter().flatten().min_by_key(|space| space.free))
    }

    /// Creates a container, unless it exists.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn create_container(&self, container: &str, mut headers: HeaderMap) -> Result<()> {
        with_length(&mut headers, 0);
        let call = Call {
            headers,
            ..Call::container(Method::PUT, container)
        };
        let response = self.call(&call).await?;
        if response.status.is_success() {
            return Ok(());
        }
        Err(self.refused(container, response.status).await)
    }

    /// Deletes a container if it is empty. Returns whether it is gone.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn delete_container(&self, container: &str) -> Result<bool> {
        let response = self
            .call(&Call::container(Method::DELETE, container))
            .await?;
        match response.status {
            StatusCode::CONFLICT => Ok(false),
            StatusCode::NOT_FOUND => Ok(true),
            status if status.is_success() => Ok(true),
            status => Err(self.refused(container, status).await),
        }
    }

    /// Stores an object whose data is in memory, unless the name is in use.
    ///
    /// # Errors
    /// `Conflict` if it is in use; errors of the login and of Swift.
    pub async fn put(
        &self,
        container: &str,
        object: &str,
        query: &[(&str, &str)],
        mut headers: HeaderMap,
        body: bytes::Bytes,
    ) -> Result<Response> {
        only_new(&mut headers);
        with_length(&mut headers, body.len());
        let call = Call {
            query,
            headers,
            body,
            ..Call::object(Method::PUT, container, object)
        };
        let response = self.call(&call).await?;
        match response.status {
            status if status.is_success() => Ok(response),
            StatusCode::PRECONDITION_FAILED => Err(self.taken(container, object)),
            status => Err(self.refused(container, status).await),
        }
    }

    /// Deletes an object, but not its segments. Returns whether it existed.
    ///
    /// Swift records the deletion of a missing object, too. An upload that began before, and that a crashed process left
    /// in transit, does not outlive it.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn delete(&self, container: &str, object: &str) -> Result<bool> {
        let response = self
            .call(&Call::object(Method::DELETE, container, object))
            .await?;
        match response.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(self.refused(container, status).await),
        }
    }

    /// Deletes a static large object and its segments.
    ///
    /// # Errors
    /// `Failed` if not all segments were deleted; errors of the login and of Swift.
    pub async fn delete_static(&self, container: &str, object: &str) -> Result<bool> {
        #[derive(Deserialize)]
        struct Report {
            #[serde(rename = "Response Status")]
            status: String,
            #[serde(rename = "Errors", default)]
            errors: Vec<serde_json::Value>,
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::ACCEPT,
            HeaderValue::from_static("application/json"),
        );
        let call = Call {
            query: &[("multipart-manifest", "delete")],
            headers,
            ..Call::object(Method::DELETE, container, object)
        };
        let response = self.call(&call).await?;
        match response.status {
            StatusCode::NOT_FOUND => return Ok(false),
            status if status.is_success() => {}
            status => return Err(self.refused(container, status).await),
        }
        // The status of the deletion is in the body, because the response begins before it.
        match serde_json::from_slice::<Report>(&response.body) {
            Ok(report) if report.status.starts_with("404") => Ok(false),
            Ok(report) if report.status.starts_with('2') && report.errors.is_empty() => Ok(true),
            Ok(report) => Err(self.error(format_args!(
                "segments of {container}/{object} were not deleted: {}, {} errors",
                report.status,
                report.errors.len()
            ))),
            // RGW responds without a report.
            Err(_) if response.body.is_empty() => Ok(true),
            Err(error) => {
                let error = error.to_string();
                Err(self.error(format_args!(
                    "the report on the deletion of {container}/{object} is invalid: {error}"
                )))
            }
        }
    }

    /// Returns the names of the objects in a container that begin with a prefix, in order; none if there is no such
    /// container.
    ///
    /// # Errors
    /// Errors of the login and of Swift.
    pub async fn list(&self, container: &str, prefix: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Entry {
            name: Option<String>,
        }
        let limit = PAGE.to_string();
        let mut names: Vec<String> = Vec::new();
        loop {
            let marker = names.last().cloned().unwrap_or_default();
            let query = [
                ("format", "json"),
                ("prefix", prefix),
                ("limit", &limit),
                ("marker", &marker),
            ];
            let call = Call {
                query: &query,
                ..Call::container(Method::GET, container)
            };
            let response = self.call(&call).await?;
            match response.status {
                StatusCode::NOT_FOUND | StatusCode::NO_CONTENT => return Ok(names),
                status if status.is_success() => {}
                status => return Err(self.refused(container, status).await),
            }
            let page: Vec<Entry> = serde_json::from_slice(&response.body).map_err(|error| {
                self.error(format_args!("the listing of {container} is invalid"))
                    .because(error)
            })?;
            let before = names.len();
            let page = page.into_iter().filter_map(|entry| entry.name);
            names.extend(page.filter(|name| *name > marker || marker.is_empty()));
            if names.len() == before {
                return Ok(names);
            }
        }
    }

    /// Returns the limits of static large objects; None if Swift does not offer them.
    ///
    /// # Errors
    /// Errors of the login; `Unreachable`.
    pub async fn static_limits(&self) -> Result<Option<StaticLimits>> {
        let session = self.account.session().await?;
        let mut url = self.url.clone().unwrap_or_else(|| session.storage.clone());
        // `/v1/AUTH_p` of Swift, `/swift/v1` of Ceph's gateway.
        let root = url.path().split("/v1").next().unwrap_or_default();
        let root = format!("{root}/info");
        url.set_path(&root);
        let request = crate::http::Request::new(Method::GET, url);
        let response = self.account.client.call(&request).await;
        let response = response.map_err(|failure| failed(&self.account.store, failure))?;
        if !response.status.is_success() {
            return Ok(None);
        }
        let info: Option<serde_json::Value> = serde_json::from_slice(&response.body).ok();
        let offered = info.as_ref().and_then(|info| info.get("slo"));
        let number = |name: &str| offered?.get(name)?.as_u64();
        let segments = number("max_manifest_segments").unwrap_or(1000);
        Ok(offered.map(|_| StaticLimits {
            segments: usize::try_from(segments).unwrap_or(usize::MAX),
            min_size: number("min_segment_size").unwrap_or(1),
        }))
    }

    /// Returns the error for a container that does not exist.
    pub async fn missing_container(&self, container: &str) -> Error {
        let what = self.shown(container).await;
        self.error(format_args!("{what} does not exist"))
    }

    /// Returns the error for a name that is in use.
    pub fn taken(&self, container: &str, object: &str) -> Error {
        let message = format!(
            "store '{}': object {container}/{object} already exists",
            self.account.store
        );
        Error::conflict(message).hint("It is not the data of an image. Check it, then remove it.")
    }

    /// Returns the error for missing data.
    pub fn missing(&self, container: &str, object: &str) -> Error {
        Error::not_found(format!(
            "store '{}': image data {container}/{object} is missing",
            self.account.store
        ))
    }

    /// Returns the error for an unexpected status.
    pub async fn refused(&self, container: &str, status: StatusCode) -> Error {
        refused(&self.account.store, &self.shown(container).await, status)
    }

    /// Returns an error of the store.
    pub fn error(&self, what: std::fmt::Arguments<'_>) -> Error {
        Error::new(
            ErrorKind::Failed,
            format!("store '{}': {what}", self.account.store),
        )
    }
}

/// Makes a request fail if its object exists.
pub(super) fn only_new(headers: &mut HeaderMap) {
    headers.insert(http::header::IF_NONE_MATCH, HeaderValue::from_static("*"));
}

/// Adds the length of a body. That of an empty one is not sent otherwise, and Swift requires it.
fn with_length(headers: &mut HeaderMap, length: usize) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_those_of_one_image() {
        for (name, number) in [
            ("id-00001", Some(1)),
            ("id-99999", Some(99_999)),
            ("id-100000", Some(100_000)),
            ("id-1", None),
            ("id-000001", None),
            ("id-0000x", None),
            ("id-00001-x", None),
            ("id-+0001", None),
            ("id2-00001", None),
            ("id", None),
        ] {
            assert_eq!(segment_number("id", name), number, "{name}");
        }
    }
}
