//! What `--debug` shows: requests as lines for curl, answers as they come; no secret in either.

use std::fmt::Write;

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use super::http::Call;
use crate::model::address::{without_credentials, without_parameters};

pub use crate::model::address::{HIDDEN, discreet, is_secret, place};

/// A request, as a line for curl that a shell may be given.
pub fn request(call: &Call) -> String {
    let mut line = format!("curl -g -i -X {}", call.method);
    for (name, value) in &call.headers {
        let header = format!("{name}: {}", shown(name, value));
        let _ = write!(line, " -H {}", quoted(&header));
    }
    if !call.body.is_empty() {
        let _ = write!(line, " -d {}", quoted(&body(&call.body)));
    }
    let _ = write!(line, " {}", quoted(&place(&call.url)));
    line
}

/// A text as one word of a shell, which expands nothing in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The head of an answer.
pub fn head(status: StatusCode, headers: &HeaderMap) -> String {
    let mut text = format!("HTTP/1.1 {status}");
    for (name, value) in headers {
        let _ = write!(text, "\n{name}: {}", shown(name, value));
    }
    text
}

/// A body: JSON with its secrets hidden, or any text that does not speak of secrets.
pub fn body(bytes: &[u8]) -> String {
    if let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(bytes) {
        hide(&mut value);
        return value.to_string();
    }
    let text = String::from_utf8_lossy(bytes);
    if is_secret(&text) {
        return format!("{HIDDEN} ({} bytes that speak of secrets)", bytes.len());
    }
    discreet(&text)
}

fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let secret = value.is_sensitive()
        || *name == SET_COOKIE
        || *name == AUTHORIZATION
        || is_secret(name.as_str());
    if secret {
        return HIDDEN.to_string();
    }
    discreet(&String::from_utf8_lossy(value.as_bytes()))
}

/// Hides members whose names say that they are secret, and the credentials in URLs.
fn hide(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name) {
                    hide_all(member);
                }
                // A token to log in with is called by its id.
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

/// Hides a value that is secret, or each of several.
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
    use reqwest::Method;
    use url::Url;

    #[test]
    fn requests_are_lines_for_curl_without_secrets() {
        let url = Url::parse("http://u:pw@host:9292/v2/images?a=b").unwrap();
        let mut call = Call::new(Method::POST, url);
        call.headers
            .insert("x-auth-token", HeaderValue::from_static("gAAAA"));
        call.headers
            .insert("accept", HeaderValue::from_static("*/*"));
        call.body =
            r#"{"name":"it's","password":"p","locations":[{"url":"s3://key:sec/ret@h/b"}]}"#.into();
        let line = request(&call);
        assert_eq!(
            line,
            r#"curl -g -i -X POST -H 'x-auth-token: ***' -H 'accept: */*' -d '{"name":"it'\''s","password":"***","locations":[{"url":"s3://***@h/b"}]}' 'http://host:9292/v2/images?a=b'"#
        );
    }

    #[test]
    fn nothing_in_a_line_for_curl_is_run_by_a_shell() {
        let url = Url::parse("http://host/v2/images/a/tags/';touch$IFS'x").unwrap();
        let mut call = Call::new(Method::PUT, url);
        call.headers
            .insert("x-note", HeaderValue::from_static("it's $(id)"));
        assert_eq!(
            request(&call),
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
