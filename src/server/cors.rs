//! Cross-origin requests of browsers.
//!
//! tower-http's layer is not used: it has one set of rules, while here each origin may have its own.
//!
//! *Source:* `oslo_middleware/cors.py`. A request OPTIONS is not passed on, because no resource has that method.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, VARY,
};

use super::answer;
use crate::config::CorsOrigin;

/// The headers that pages may always send.
const SIMPLE_HEADERS: [&str; 8] = [
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Cache-Control",
    "Content-Language",
    "Expires",
    "Last-Modified",
    "Pragma",
];

/// Returns the rules for the origin of a request, if it is allowed.
pub fn rules_for<'r>(origins: &'r [CorsOrigin], headers: &HeaderMap) -> Option<&'r CorsOrigin> {
    let origin = headers.get(ORIGIN)?.to_str().ok()?;
    let find = |wanted: &str| origins.iter().find(|rules| rules.origin == wanted);
    find(origin).or_else(|| find("*"))
}

/// Returns the response to a request OPTIONS with these headers.
pub fn preflight(rules: Option<&CorsOrigin>, headers: &HeaderMap) -> Response<Body> {
    let mut response = answer::empty(StatusCode::OK);
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    if let (Some(rules), Some(method)) = (rules, text(ACCESS_CONTROL_REQUEST_METHOD)) {
        let wanted = text(ACCESS_CONTROL_REQUEST_HEADERS)
            .unwrap_or_default()
            .split(',');
        let wanted: Vec<&str> = wanted
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let allows = |name: &&str| {
            let mut simple = SIMPLE_HEADERS.iter();
            let mut more = rules.headers.iter();
            simple.any(|known| known.eq_ignore_ascii_case(name))
                || more.any(|known| known.eq_ignore_ascii_case(name))
        };
        if rules.methods.iter().any(|known| known == method) && wanted.iter().all(allows) {
            let headers = response.headers_mut();
            allow_origin(headers, rules);
            if rules.max_age > 0 {
                add(headers, ACCESS_CONTROL_MAX_AGE, &rules.max_age.to_string());
            }
            add(headers, ACCESS_CONTROL_ALLOW_METHODS, method);
            if !wanted.is_empty() {
                add(headers, ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(","));
            }
        }
    }
    response
}

/// Adds the headers by which a page may read a response.
pub fn expose(headers: &mut HeaderMap, rules: &CorsOrigin) {
    allow_origin(headers, rules);
    if !rules.expose_headers.is_empty() {
        let names = rules.expose_headers.join(",");
        add(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &names);
    }
}

fn allow_origin(headers: &mut HeaderMap, rules: &CorsOrigin) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    add(headers, ACCESS_CONTROL_ALLOW_ORIGIN, &rules.origin);
    if rules.credentials {
        add(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origin: &str) -> CorsOrigin {
        CorsOrigin {
            origin: origin.to_string(),
            credentials: true,
            expose_headers: vec!["X-Auth-Token".to_string(), "X-Subject-Token".to_string()],
            max_age: 60,
            methods: vec!["GET".to_string(), "PATCH".to_string()],
            headers: vec!["X-Auth-Token".to_string()],
        }
    }

    fn asking(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        let list = list.iter();
        list.map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_preflight_lists_what_is_allowed() {
        let origins = [rules("http://a")];
        let respond = |origin, method, names| {
            let headers = asking(&[
                (ORIGIN, origin),
                (ACCESS_CONTROL_REQUEST_METHOD, method),
                (ACCESS_CONTROL_REQUEST_HEADERS, names),
            ]);
            let response = preflight(rules_for(&origins, &headers), &headers);
            assert_eq!(response.status(), StatusCode::OK);
            response.headers().clone()
        };
        let allowed = respond("http://a", "PATCH", "x-auth-token, Content-Type");
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_ORIGIN, "http://a"),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
            (ACCESS_CONTROL_MAX_AGE, "60"),
            (ACCESS_CONTROL_ALLOW_METHODS, "PATCH"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "x-auth-token,Content-Type"),
            (VARY, "Origin"),
        ] {
            assert_eq!(allowed[&name], value);
        }
        assert!(respond("http://b", "GET", "").is_empty());
        assert!(respond("http://a", "DELETE", "").is_empty());
        assert!(respond("http://a", "GET", "X-Other").is_empty());
    }

    #[test]
    fn a_response_is_exposed_to_its_origin_or_to_any() {
        let origins = [rules("http://a"), rules("*")];
        for (origin, expected) in [("http://a", "http://a"), ("http://b", "*")] {
            let found = rules_for(&origins, &asking(&[(ORIGIN, origin)])).unwrap();
            let mut headers = HeaderMap::new();
            expose(&mut headers, found);
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], expected);
            let exposed = &headers[ACCESS_CONTROL_EXPOSE_HEADERS];
            assert_eq!(exposed, "X-Auth-Token,X-Subject-Token");
        }
        assert!(rules_for(&origins, &HeaderMap::new()).is_none());
    }
}
