//! Requests and responses as text for users, without secrets: requests as curl commands, responses as
//! received.

use std::fmt::Write;

use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use super::message::Request;
use crate::model::address::{
    HIDDEN, is_secret, place, redacted, without_credentials, without_parameters,
};

/// Returns a request as a curl command that is safe to paste into a shell.
pub(super) fn request(request: &Request) -> String {
    let mut line = format!("curl -g -i -X {}", request.method);
    for (name, value) in &request.headers {
        let header = format!("{name}: {}", shown(name, value));
        let _ = write!(line, " -H {}", quoted(&header));
    }
    if !request.body.is_empty() && !request.is_body_secret {
        let _ = write!(line, " -d {}", quoted(&body(&request.body)));
    }
    let _ = write!(line, " {}", quoted(&place(&request.url)));
    line
}

/// Returns a text as one word of a shell, without expansions.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns the head of a response.
pub(super) fn head(status: StatusCode, headers: &HeaderMap) -> String {
    let mut text = format!("HTTP/1.1 {status}");
    for (name, value) in headers {
        let _ = write!(text, "\n{name}: {}", shown(name, value));
    }
    text
}

/// Returns a body: JSON with its secrets hidden, or any text that does not mention secrets.
pub(super) fn body(bytes: &[u8]) -> String {
    if let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(bytes) {
        hide(&mut value);
        return value.to_string();
    }
    let text = String::from_utf8_lossy(bytes);
    if is_secret(&text) {
        return format!("{HIDDEN} ({} bytes that mention secrets)", bytes.len());
    }
    redacted(&text)
}

/// Returns whether a header is secret.
pub(super) fn is_secret_header(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive()
        || [AUTHORIZATION, COOKIE, SET_COOKIE].contains(name)
        || is_secret(name.as_str())
}

fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    if is_secret_header(name, value) {
        return HIDDEN.to_string();
    }
    redacted(&String::from_utf8_lossy(value.as_bytes()))
}

/// Hides the secrets of a request in the body of its response.
pub(super) fn hide_secrets(request: &Request, body: Bytes) -> Bytes {
    let headers = request.headers.iter();
    let of_headers = headers.filter(|(name, value)| is_secret_header(name, value));
    let of_headers = of_headers.map(|(_, value)| value.as_bytes());
    let of_body = request.secrets.iter();
    let of_body = of_body.map(|secret| secret.reveal().as_bytes());
    of_headers.chain(of_body).fold(body, |body, secret| {
        if !contains(&body, secret) {
            return body;
        }
        let text = String::from_utf8_lossy(&body);
        text.replace(&*String::from_utf8_lossy(secret), HIDDEN)
            .into()
    })
}

/// Returns whether `part` is not empty and occurs in `text`.
fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return false;
    };
    text.windows(part.len())
        .any(|window| window[0] == *first && window == part)
}

/// Hides members with names of secrets, and the credentials in URLs.
fn hide(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name) {
                    hide_all(member);
                }
                // The ID of a token is the token itself.
                if let Some(id) = member.get_mut("id").filter(|_| name == "token") {
                    *id = HIDDEN.into();
                }
                hide(member);
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(hide),
        serde_json::Value::String(text) => {
            if let Some(hidden) = without_credentials(text) {
                *text = hidden;
            }
            if text.contains("://") {
                *text = without_parameters(text);
            }
        }
        _ => {}
    }
}

/// Hides a secret value, or each value of a list.
fn hide_all(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(_) | serde_json::Value::Number(_) => *value = HIDDEN.into(),
        serde_json::Value::Array(values) => values.iter_mut().for_each(hide_all),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use url::Url;

    #[test]
    fn requests_are_lines_for_curl_without_secrets() {
        let url = Url::parse("http://u:pw@host:9292/v2/images?a=b").unwrap();
        let mut sent = Request::new(Method::POST, url);
        sent.headers
            .insert("x-auth-token", HeaderValue::from_static("gAAAA"));
        sent.headers
            .insert("accept", HeaderValue::from_static("*/*"));
        sent.body =
            r#"{"name":"it's","password":"p","locations":[{"url":"s3://key:sec/ret@h/b"}]}"#.into();
        let line = request(&sent);
        assert_eq!(
            line,
            r#"curl -g -i -X POST -H 'x-auth-token: ***' -H 'accept: */*' -d '{"name":"it'\''s","password":"***","locations":[{"url":"s3://***@h/b"}]}' 'http://host:9292/v2/images?a=b'"#
        );
    }

    #[test]
    fn nothing_in_a_line_for_curl_is_run_by_a_shell() {
        let url = Url::parse("http://host/v2/images/a/tags/';touch$IFS'x").unwrap();
        let mut sent = Request::new(Method::PUT, url);
        sent.headers
            .insert("x-note", HeaderValue::from_static("it's $(id)"));
        assert_eq!(
            request(&sent),
            r"curl -g -i -X PUT -H 'x-note: it'\''s $(id)' 'http://host/v2/images/a/tags/'\'';touch$IFS'\''x'"
        );
    }

    #[test]
    fn cookies_and_tokens_of_answers_are_hidden() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", HeaderValue::from_static("id=1"));
        headers.insert("x-subject-token", HeaderValue::from_static("gAAAA"));
        headers.insert("x-openstack-request-id", HeaderValue::from_static("req-1"));
        assert_eq!(
            head(StatusCode::OK, &headers),
            "HTTP/1.1 200 OK\nset-cookie: ***\nx-subject-token: ***\nx-openstack-request-id: req-1"
        );
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are_in_a_body() {
        let text = r#"{"auth":{"token":{"id":"gAAAA"}},"secrets":["a",1],"user":{"id":"u"}}"#;
        let hidden = r#"{"auth":{"token":{"id":"***"}},"secrets":["***","***"],"user":{"id":"u"}}"#;
        assert_eq!(body(text.as_bytes()), hidden);
        assert_eq!(body(b"<p>hello</p>"), "<p>hello</p>");
        assert!(!body(br#"{"password": "x""#).contains('x'));
    }
}
