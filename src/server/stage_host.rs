//! Requests for images whose data is staged on another host: they are sent on to its service, as the caller.
//!
//! *Source:* `ImagesController._proxy_request_to_host` and `_delete_image_on_remote` in `glance/api/v2/images.py` of the
//! reference implementation.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, VIA};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::Server;
use super::answer::{self, JSON};
use crate::Result;
use crate::http::{Client, Options, Request, retry};
use crate::service::ImageService;

/// The time limit for the response of the other host.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The header value of requests that were sent on.
const SENT_ON: HeaderValue = HeaderValue::from_static("1.1 images");

/// The headers that are sent on: who the caller is, and the ID of the request.
const HEADERS: [&str; 13] = [
    "x-auth-token",
    "x-service-token",
    "x-openstack-request-id",
    "x-identity-status",
    "x-user-id",
    "x-user-name",
    "x-user-domain-id",
    "x-project-id",
    "x-project-name",
    "x-project-domain-id",
    "x-tenant-id",
    "x-roles",
    "x-image-meta-store",
];

/// The reason why a request was not carried out by another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The host cannot be reached; the status of the response.
    Unavailable(StatusCode),
    /// The host refused, with this status.
    Refused(StatusCode),
}

impl Failure {
    /// Returns the response. `headers` are those of the request.
    pub fn response(self, headers: &HeaderMap) -> Response<Body> {
        match self {
            Self::Unavailable(status) => {
                answer::refused(status, "Stage host is unavailable", headers)
            }
            Self::Refused(status) => {
                let reason = status.canonical_reason().unwrap_or_default();
                answer::refused(status, reason, headers)
            }
        }
    }
}

/// Returns the URL of the service that has the staged data of an image; None if that is this one, or no data is staged.
///
/// # Errors
/// `NotFound` if there is no such image.
pub async fn of_image(
    server: &Server,
    service: &dyn ImageService,
    id: &str,
) -> Result<Option<String>> {
    let Some(own) = &server.features.self_url else {
        return Ok(None);
    };
    let host = service.stage_host(id).await?;
    Ok(host.filter(|host| host != own))
}

/// Returns the client for the services of other hosts.
pub fn client() -> Client {
    Client::new(Options {
        timeout: TIMEOUT,
        retries: retry::Policy::NEVER,
        ..Options::default()
    })
}

/// Sends the request on to a host, with a body in JSON, and returns when it has been carried out there.
///
/// # Errors
/// See [`Failure`].
pub async fn send_on(
    client: &Client,
    parts: &Parts,
    host: &str,
    body: Bytes,
) -> Result<(), Failure> {
    let headers = &parts.headers;
    let unavailable = |status: StatusCode, why: &str| {
        log::error!("cannot send the request on to {host}: {why}");
        Failure::Unavailable(status)
    };
    if headers.get(VIA) == Some(&SENT_ON) {
        let why = "it came from another host already: check worker_self_reference_url of both";
        return Err(unavailable(StatusCode::BAD_GATEWAY, why));
    }
    // The path is the one below the version.
    let address = format!("{}/v2{}", host.trim_end_matches('/'), parts.uri.path());
    let Ok(url) = Url::parse(&address) else {
        return Err(unavailable(StatusCode::BAD_GATEWAY, "it is not a URL"));
    };
    log::info!("sending {} on to {host}", parts.method);
    let mut request = Request::new(parts.method.clone(), url);
    request.headers = passed_on(headers, &parts.method);
    request.body = body;
    match client.call(&request).await {
        Ok(response) if response.status.is_success() => Ok(()),
        Ok(response) => Err(Failure::Refused(response.status)),
        Err(failure) => {
            let why = failure.reason().to_string();
            Err(unavailable(StatusCode::GATEWAY_TIMEOUT, &why))
        }
    }
}

fn passed_on(headers: &HeaderMap, method: &Method) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in HEADERS {
        if let Some(value) = headers.get(name) {
            let mut value = value.clone();
            value.set_sensitive(name.ends_with("-token"));
            passed.insert(HeaderName::from_static(name), value);
        }
    }
    passed.insert(VIA, SENT_ON);
    if method == Method::POST {
        passed.insert(CONTENT_TYPE, JSON);
    }
    passed
}
