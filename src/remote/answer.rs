//! What servers answer when they do not do what was asked, and what it means that they do not answer.

use std::error::Error as _;
use std::io;

use http::header::CONTENT_TYPE;
use url::Url;

use super::http::Answer;
use super::trace::{discreet, place};
use crate::{Error, ErrorKind};

/// Characters of a server's message that are shown.
const LONGEST_MESSAGE: usize = 2000;

/// Bytes of a page that are looked through for a message.
const LONGEST_PAGE: usize = 16 * 1024;

/// An answer with a status other than success, as an error.
pub fn refusal(answer: &Answer) -> Error {
    let content_type = answer.headers.get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let text = &answer.body[..answer.body.len().min(LONGEST_PAGE)];
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
        format!("the server says no more than {status} {reason}")
    } else {
        message
    };
    Error::of_status(status, message)
}

/// What a server said, as a message: in one line, not too long, without secrets.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.collect::<Vec<&str>>().join(": ");
    discreet(&line).chars().take(LONGEST_MESSAGE).collect()
}

/// The `message` of every member, as Keystone and some proxies have it.
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

/// The text of a page, without the status that its title and heading repeat.
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

/// That a server answered with what is no answer to the question.
pub fn nonsense(url: &Url, what: &str) -> Error {
    Error::new(
        ErrorKind::Unreachable,
        format!("{} answers with {}", place(url), one_line(what)),
    )
    .hint("Is that the address of an image service? See --os-image-url and --os-endpoint-override.")
}

/// Whether the same request may go better the next time: the connection was made, and broke.
pub fn is_passing(error: &reqwest::Error) -> bool {
    if own(error).is_some() {
        return false;
    }
    let Some(kind) = io_kind(error) else {
        return root(error).contains("before message completed");
    };
    matches!(
        kind,
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
    )
}

/// Why no answer came, in words.
pub fn unreachable(url: &Url, error: reqwest::Error) -> Error {
    if let Some(own) = own(&error) {
        return own;
    }
    let (place, root) = (place(url), root(&error));
    let host = url.host_str().unwrap_or_default();
    let fail = |message: String| Error::new(ErrorKind::Unreachable, message);
    let failure = if let Some(failure) = tls_error(&error).and_then(|error| untrusted(url, error)) {
        failure
    } else if root.contains("certificate") {
        fail(format!("the certificate of {place} is not trusted: {root}")).hint(CACERT)
    } else if let Some(proxy) = proxy_of(url).filter(|_| error.is_connect()) {
        let why = if error.is_timeout() {
            "it took too long"
        } else {
            &root
        };
        fail(format!(
            "cannot connect to {place} through the proxy {proxy}: {why}"
        ))
        .hint(format!(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names that proxy; NO_PROXY={host} does without it."
        ))
    } else if root.contains("lookup address") || root.contains("dns error") {
        fail(format!("the name {host} of {place} cannot be resolved"))
            .hint("Check the address, and whether this machine is on the network.")
    } else if error.is_timeout() {
        fail(format!("connecting to {place} took too long"))
            .hint("Check the address, and whether a firewall is in between.")
    } else if error.is_connect() {
        fail(format!("cannot connect to {place}: {root}"))
            .hint("Check the address, and whether the service runs.")
    } else if is_passing(&error) {
        let hint = if url.scheme() == "http" && root.contains("before message completed") {
            "Try again; if the server speaks TLS, its address begins with https://."
        } else {
            "Try again."
        };
        fail(format!("the connection to {place} was cut: {root}")).hint(hint)
    } else {
        let failure = fail(format!(
            "{place} does not answer as a web server does: {root}"
        ));
        if url.scheme() == "http" && root.contains("HTTP version") {
            failure.hint("If it speaks TLS, its address begins with https://.")
        } else {
            failure
        }
    };
    failure.because(error.without_url())
}

const CACERT: &str =
    "Name the certificates to trust with --os-cacert FILE, OS_CACERT or cacert in clouds.yaml.";

/// Returns the error of TLS underneath.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(error);
        }
        // An I/O error does not show what it holds as its source.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        source = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Returns why there is no TLS connection, and what can be done about that; None where the cause is unknown.
fn untrusted(url: &Url, error: &rustls::Error) -> Option<Error> {
    use rustls::{AlertDescription, CertificateError as Certificate, Error as Tls};
    let place = place(url);
    let fail = |message: String| Error::new(ErrorKind::Unreachable, message);
    let date = |time: rustls::pki_types::UnixTime| {
        let time = i64::try_from(time.as_secs()).ok();
        let time = time.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        time.map_or_else(|| "a date far away".to_string(), |time| time.to_string())
    };
    Some(match error {
        Tls::AlertReceived(AlertDescription::CertificateRequired) => {
            fail(format!("{place} wants to be shown a certificate"))
                .hint("Name it with --os-cert FILE, and its key with --os-key FILE.")
        }
        Tls::AlertReceived(AlertDescription::ProtocolVersion) => {
            fail(format!("{place} speaks no version of TLS that is allowed"))
                .hint("Allow an older one with --tls-min-version 1.2.")
        }
        Tls::InvalidMessage(_) => fail(format!("{place} does not speak TLS"))
            .hint("If it speaks plain HTTP, its address begins with http://."),
        Tls::InvalidCertificate(certificate) => match certificate {
            Certificate::NotValidForNameContext { presented, .. } => {
                let host = url.host_str().unwrap_or_default();
                let names: Vec<String> = presented.iter().map(|name| shown_name(name)).collect();
                let names = if names.is_empty() {
                    "no name".to_string()
                } else {
                    names.join(", ")
                };
                fail(format!("the certificate of {place} is for {names}, not for {host}"))
                    .hint("Use a name of the certificate in the address, or have the certificate made for it.")
            }
            Certificate::ExpiredContext { not_after, .. } => fail(format!(
                "the certificate of {place} is not trusted: it expired at {}",
                date(*not_after)
            ))
            .hint("Check the clock of this machine; otherwise the certificate has to be renewed."),
            Certificate::NotValidYetContext { not_before, .. } => fail(format!(
                "the certificate of {place} is not trusted: it is not valid before {}",
                date(*not_before)
            ))
            .hint("Check the clock of this machine."),
            Certificate::UnknownIssuer => fail(format!(
                "the certificate of {place} is not trusted: its issuer is unknown"
            ))
            .hint(CACERT),
            Certificate::Other(_) => fail(format!(
                "the certificate of {place} is not trusted: it is an authority's own ({certificate})"
            ))
            .hint(CACERT),
            _ => fail(format!("the certificate of {place} is not trusted: {certificate}")).hint(CACERT),
        },
        _ => return None,
    })
}

/// Returns a name of a certificate as people write it: `DnsName("h")` → `h`.
fn shown_name(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner
        .unwrap_or(name)
        .trim_matches('"')
        .escape_debug()
        .to_string()
}

/// Returns the proxy that requests to `url` go through, without its credentials.
fn proxy_of(url: &Url) -> Option<String> {
    let matcher = hyper_util::client::proxy::matcher::Matcher::from_system();
    let proxy = matcher.intercept(&url.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    let authority = uri.authority()?.as_str();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    Some(format!("{}://{host}", uri.scheme_str().unwrap_or("http")))
}

/// What of our own made a request break off: the data that was to be sent.
fn own(error: &reqwest::Error) -> Option<Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Some(Error::new(error.kind(), error.message()));
        }
        source = error.source();
    }
    None
}

/// The kind of the I/O error underneath.
fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

/// The innermost reason, without Rust's "(os error N)".
fn root(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn said(content_type: &'static str, body: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let answer = Answer {
            status: StatusCode::NOT_FOUND,
            headers,
            body: body.into(),
            redirected: None,
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
            "the server says no more than 404 Not Found"
        );
    }
}
