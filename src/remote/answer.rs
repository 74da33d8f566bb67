//! Errors from unexpected responses of servers.

use http::header::CONTENT_TYPE;
use url::Url;

use crate::http::Response;
use crate::model::address::{place, redacted};
use crate::{Error, ErrorKind, Parameter};

/// The maximum number of characters of a server's message to show.
const MAX_MESSAGE: usize = 2000;

/// The maximum number of bytes of a page to search for a message.
const MAX_PAGE: usize = 16 * 1024;

/// Returns the error for a response with a status other than success.
pub fn refusal(answer: &Response) -> Error {
    let content_type = answer.headers.get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let text = &answer.body[..answer.body.len().min(MAX_PAGE)];
    let text = String::from_utf8_lossy(text);
    let message = if content_type.contains("json") {
        from_json(&answer.body).unwrap_or_else(|| text.into_owned())
    } else if content_type.contains("html") {
        from_html(&text)
    } else {
        text.into_owned()
    };
    let message = one_line(&message);
    let status = answer.status.as_u16();
    let reason = answer.status.canonical_reason().unwrap_or("no reason");
    let message = if message.is_empty() {
        format!("{status} {reason} (no message from the server)")
    } else {
        message
    };
    Error::of_status(status, message)
}

/// Converts a server's text to a message: one line, limited in length, without secrets.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.collect::<Vec<&str>>().join(": ");
    redacted(&line).chars().take(MAX_MESSAGE).collect()
}

/// Returns the `message` of every member, in the format of Keystone and some proxies.
fn from_json(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let members = value.as_object()?.values();
    let messages: Vec<&str> = members
        .filter_map(|member| member.get("message")?.as_str())
        .collect();
    if messages.is_empty() {
        return Some(value.get("message")?.as_str()?.to_string());
    }
    Some(messages.join("\n"))
}

/// Returns the text of a page, without the status that its title and heading repeat.
fn from_html(page: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in page.lines() {
        let line = html_escape::decode_html_entities(&without_tags(line))
            .trim()
            .to_string();
        let is_status = line.get(..3).is_some_and(|start| {
            start.bytes().all(|byte| byte.is_ascii_digit()) && line.as_bytes().get(3) == Some(&b' ')
        });
        if !line.is_empty() && !is_status && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join(": ")
}

fn without_tags(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text + rest
}

/// Returns the error for an unexpected response.
pub fn unexpected(url: &Url, what: &str) -> Error {
    let (place, what) = (place(url), one_line(what));
    let message = format!("unexpected response from {place}: {what}");
    Error::new(ErrorKind::Unreachable, message)
}

/// Returns the error for an unexpected response of an image service.
pub fn unexpected_response(url: &Url, what: &str) -> Error {
    unexpected(url, what)
        .hint("The address may not be that of an image service.")
        .hint(Parameter::ImageServiceAddress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn said(content_type: &'static str, body: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let answer = Response {
            status: StatusCode::NOT_FOUND,
            headers,
            body: body.into(),
            stripped: None,
        };
        refusal(&answer).message().to_string()
    }

    #[test]
    fn pages_and_objects_are_read_for_their_message() {
        let page = "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  No image found with ID &#x27;x&#x27;<br /><br />\n\n\n </body>\n</html>";
        assert_eq!(
            said("text/html; charset=UTF-8", page),
            "No image found with ID 'x'"
        );
        let object = r#"{"error": {"code": 404, "message": "gone"}}"#;
        assert_eq!(said("application/json", object), "gone");
        assert_eq!(said("text/plain", " plain \n"), "plain");
        assert_eq!(said("text/plain", "one\n\n two\r\n"), "one: two");
        assert_eq!(
            said("text/plain", "see http://u:p@h/x"),
            "see http://***@h/x"
        );
        assert_eq!(
            said("text/html", ""),
            "404 Not Found (no message from the server)"
        );
    }
}
