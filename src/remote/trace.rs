//! What `--debug` shows: requests as lines for curl, answers as they come; no secret in either.

use std::fmt::Write;

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use url::Url;

use super::http::Call;

/// What stands in for a secret.
const HIDDEN: &str = "***";

/// Words in the names of headers, of query parameters and of JSON members that hold secrets.
const SECRETS: [&str; 7] = [
    "token",
    "password",
    "secret",
    "passcode",
    "cookie",
    "passwd",
    "credential",
];

/// A request, as a line for curl.
pub fn request(call: &Call) -> String {
    let mut line = format!("curl -g -i -X {}", call.method);
    for (name, value) in &call.headers {
        let _ = write!(line, " -H '{name}: {}'", shown(name, value));
    }
    if !call.body.is_empty() {
        let _ = write!(line, " -d '{}'", body(&call.body).replace('\'', r"'\''"));
    }
    let _ = write!(line, " '{}'", place(&call.url));
    line
}

/// The head of an answer.
pub fn head(status: StatusCode, headers: &HeaderMap) -> String {
    let mut text = format!("HTTP/1.1 {status}");
    for (name, value) in headers {
        let _ = write!(text, "\n{name}: {}", shown(name, value));
    }
    text
}

/// A body: JSON with its secrets hidden, or any text.
pub fn body(bytes: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(mut value) => {
            hide(&mut value);
            value.to_string()
        }
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// A URL without the user and password that may be in it.
pub fn place(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // It has a host, or it could not have a user.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url.into()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|word| name.contains(word))
}

fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let secret = value.is_sensitive()
        || *name == SET_COOKIE
        || *name == AUTHORIZATION
        || is_secret(name.as_str());
    if secret {
        return HIDDEN.to_string();
    }
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Hides members whose names say that they are secret, and the credentials in URLs.
fn hide(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name) && (member.is_string() || member.is_number()) {
                    *member = HIDDEN.into();
                } else {
                    hide(member);
                }
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(hide),
        serde_json::Value::String(text) => {
            if let Some(hidden) = without_credentials(text) {
                *text = hidden;
            }
        }
        _ => {}
    }
}

/// `scheme://user:key@host/…` without what stands before the `@`.
fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // A store's keys may hold slashes: what is before the last @ of the whole is taken for one then.
    let end = authority.rfind('@').or_else(|| rest.rfind('@'))?;
    Some(format!("{scheme}://{HIDDEN}@{}", &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Method;

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
}
