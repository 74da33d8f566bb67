//! Responses, and the one place that makes them of errors.
//!
//! *Source:* `webob/exc.py` (`WSGIHTTPException`) for the body of a refusal.

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::{Error, Result};

/// The result of a handler.
pub type Answer = Result<Response<Body>>;

/// The value of the header for JSON.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Returns a response with a body in JSON.
///
/// # Errors
/// `Internal` for a value that JSON cannot represent.
pub fn json_of(status: StatusCode, body: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(body)
        .map_err(|error| Error::internal("a response cannot be written").because(error))?;
    Ok(json_bytes(status, bytes))
}

/// Returns a response with a body that is JSON already.
pub fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Returns a response without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A representation of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page.
    Html,
    /// A JSON object.
    Json,
    /// Plain text.
    Text,
}

impl Form {
    /// Returns the media type and its family.
    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Html => ("text/html", "text/*"),
            Self::Json => ("application/json", "application/*"),
            Self::Text => ("text/plain", "text/*"),
        }
    }

    /// Returns the form of a refusal; HTML if the client accepts everything, as upstream.
    fn accepted(headers: &HeaderMap) -> Self {
        Self::preferred(headers, &[Self::Html, Self::Json]).unwrap_or(Self::Text)
    }

    /// Returns the form that a client prefers, the first one of equal ones; None if it accepts none of them.
    pub fn preferred(headers: &HeaderMap, offers: &[Self]) -> Option<Self> {
        let mut texts = headers.get_all(ACCEPT).iter().peekable();
        if texts.peek().is_none() {
            return offers.first().copied();
        }
        let ranges = texts.filter_map(|text| text.to_str().ok());
        let ranges: Vec<(&str, f32)> = ranges
            .flat_map(|text| text.split(','))
            .map(|range| {
                let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
                let quality = parameters.split(';').find_map(|one| {
                    let (name, value) = one.split_once('=')?;
                    (name.trim().eq_ignore_ascii_case("q")).then(|| value.trim().parse().ok())?
                });
                (name.trim(), quality.unwrap_or(1.0))
            })
            .collect();
        // The most specific range that matches counts.
        let quality = |form: Self| {
            let (full, family) = form.media_type();
            [full, family, "*/*"].into_iter().find_map(|wanted| {
                let mut ranges = ranges.iter();
                let found = ranges.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                found.map(|(_, quality)| *quality)
            })
        };
        let offers = offers.iter().copied();
        let offers = offers.map(|form| (form, quality(form).unwrap_or(0.0)));
        let best = offers
            .filter(|(_, quality)| *quality > 0.0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(form, _)| form)
    }
}

/// Returns the response for a request that was refused or failed. `headers` are those of the request.
pub fn refusal(error: &Error, headers: &HeaderMap) -> Response<Body> {
    let status = status_of(error);
    if status.is_server_error() {
        log::error!("{}", error.message());
    }
    refused(status, error.public_message(), headers)
}

/// Returns the status of the response for an error.
pub fn status_of(error: &Error) -> StatusCode {
    let status = error.status();
    let status = status.and_then(|(status, _)| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the response for a request that was refused with a message.
pub fn refused(status: StatusCode, message: &str, headers: &HeaderMap) -> Response<Body> {
    let title = title(status);
    let line = format!("{} {title}", status.as_u16());
    // The empty lines are those that clients of upstream's service know.
    let (kind, text) = match Form::accepted(headers) {
        Form::Html => {
            let message = escaped(message);
            (
                "text/html; charset=UTF-8",
                format!(
                    "<html>\n <head>\n  <title>{line}</title>\n </head>\n <body>\n  <h1>{line}</h1>\n  \
                     {message}<br /><br />\n\n\n </body>\n</html>"
                ),
            )
        }
        Form::Json => (
            "application/json",
            json!({
                "message": format!("{message}<br /><br />\n\n\n"),
                "code": line,
                "title": title,
            })
            .to_string(),
        ),
        Form::Text => (
            "text/plain; charset=UTF-8",
            format!("{line}\n\n{message}\n\n\n"),
        ),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Returns the reason of a status, by upstream's names.
fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::RANGE_NOT_SATISFIABLE => "Requested Range Not Satisfiable",
        status => status.canonical_reason().unwrap_or("Unknown"),
    }
}

/// Escapes what is markup in HTML. Quotes are not, outside of tags: clients print the text as it is.
fn escaped(text: &str) -> String {
    html_escape::encode_text(text).into_owned()
}

/// Returns the response for a path that exists, and a method that it does not have.
pub fn method_not_allowed(
    method: &Method,
    allowed: &[Method],
    headers: &HeaderMap,
) -> Response<Body> {
    let message = format!("The method {method} is not allowed for this resource.");
    let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, &message, headers);
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if let Ok(value) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(http::header::ALLOW, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_form_that_the_client_prefers() {
        for (accept, form) in [
            (None, Form::Html),
            (Some("*/*"), Form::Html),
            (Some("application/json"), Form::Json),
            (Some("application/json, */*;q=0.5"), Form::Json),
            (Some("text/html, application/json"), Form::Html),
            (Some("text/html;q=0.2,application/json;q=0.9"), Form::Json),
            (Some("application/octet-stream"), Form::Text),
            (Some("text/*"), Form::Html),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(accept.map(|text| (ACCEPT, HeaderValue::from_static(text))));
            assert_eq!(Form::accepted(&headers), form, "{accept:?}");
        }
    }
}
