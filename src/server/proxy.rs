//! The address that a client uses, from the headers of the request and of the proxies in between.
//!
//! *Source:* `oslo_middleware/http_proxy_to_wsgi.py`; RFC 7239.

use http::header::{FORWARDED, HOST, HeaderMap};
use http::uri::Authority;

/// The scheme, the host and the first part of the path that a client uses.
struct Origin<'h> {
    scheme: &'h str,
    host: &'h str,
    prefix: &'h str,
}

/// Returns the address that a client used. `is_tls` is whether the connection is encrypted; `proxied` is whether headers of
/// proxies count. An invalid value is ignored.
pub fn address(headers: &HeaderMap, is_tls: bool, proxied: bool) -> String {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let mut origin = Origin {
        scheme: if is_tls { "https" } else { "http" },
        host: text(HOST.as_str()).unwrap_or("localhost"),
        prefix: "",
    };
    if proxied {
        let (scheme, host) = match text(FORWARDED.as_str()).filter(|text| !text.is_empty()) {
            Some(forwarded) => (parameter(forwarded, "proto"), parameter(forwarded, "host")),
            None => (text("x-forwarded-proto"), text("x-forwarded-host")),
        };
        origin.scheme = match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => "http",
            _ => origin.scheme,
        };
        let is_host = |host: &&str| {
            host.parse::<Authority>()
                .is_ok_and(|host| !host.as_str().contains('@'))
        };
        origin.host = host.filter(is_host).unwrap_or(origin.host);
        let prefix = text("x-forwarded-prefix").filter(|prefix| prefix.starts_with('/'));
        origin.prefix = prefix.unwrap_or_default();
    }
    format!("{}://{}{}", origin.scheme, origin.host, origin.prefix)
}

/// Returns a parameter of the first proxy in a `Forwarded` header.
fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let first = header.split(',').next()?;
    first.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn of(list: &[(&'static str, &'static str)], proxied: bool) -> String {
        let header = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        address(&list.iter().map(header).collect(), false, proxied)
    }

    #[test]
    fn headers_of_proxies_count_if_they_are_enabled() {
        let own = ("host", "own:9292");
        let all = [
            own,
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "images.example"),
            ("x-forwarded-prefix", "/image"),
        ];
        assert_eq!(of(&all, true), "https://images.example/image");
        assert_eq!(of(&all, false), "http://own:9292");
        assert_eq!(of(&[own], true), "http://own:9292");
        assert_eq!(of(&[], true), "http://localhost");
        let forwarded = "for=192.0.2.1;Proto=HTTPS;host=\"h:8443\", for=192.0.2.2;proto=http";
        let mut both = all.to_vec();
        both.push(("forwarded", forwarded));
        assert_eq!(of(&both, true), "https://h:8443/image");
    }

    #[test]
    fn invalid_values_of_proxies_are_ignored() {
        for header in [
            ("x-forwarded-proto", "javascript"),
            ("x-forwarded-host", "a/b"),
            ("x-forwarded-host", "u@h"),
            ("x-forwarded-prefix", "image"),
            ("forwarded", "proto"),
        ] {
            assert_eq!(of(&[("host", "h"), header], true), "http://h", "{header:?}");
        }
    }
}
