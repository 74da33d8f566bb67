//! The state of the service for load balancers, `/healthcheck`.
//!
//! *Source:* `oslo_middleware/healthcheck/`, with the plugin `disable_by_file` and without details, as
//! `glance-api-paste.ini` of the reference implementation configures it.

use std::path::Path;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::answer::{self, Form};

/// Returns whether a path is that of the state of the service.
pub fn is_path(path: &str) -> bool {
    let rest = path.strip_prefix("/healthcheck");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the state. It is disabled while the file exists.
pub async fn answer(file: Option<&Path>, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let is_disabled = match file {
        Some(file) => {
            let file = file.to_path_buf();
            let found = tokio::task::spawn_blocking(move || file.exists()).await;
            found.unwrap_or(false)
        }
        None => false,
    };
    let (status, reason) = match (is_disabled, method) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "DISABLED BY FILE"),
        (false, &Method::HEAD) => (StatusCode::NO_CONTENT, "OK"),
        (false, _) => (StatusCode::OK, "OK"),
    };
    let form = Form::preferred(headers, &[Form::Text, Form::Html, Form::Json]);
    let (kind, text) = match form.unwrap_or(Form::Text) {
        _ if method == Method::HEAD => ("text/plain; charset=UTF-8", String::new()),
        Form::Text => ("text/plain; charset=UTF-8", reason.to_string()),
        Form::Html => ("text/html; charset=UTF-8", page(reason)),
        Form::Json => (
            "application/json",
            format!(
                "{{\n    \"detailed\": false,\n    \"reasons\": [\n        \"{reason}\"\n    ]\n}}"
            ),
        ),
    };
    let mut response = answer::empty(status);
    *response.body_mut() = Body::from(text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Returns the state as a page.
fn page(reason: &str) -> String {
    format!(
        "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n\n<H2>Result of 1 checks:</H2>\n\
         <TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n<TR>\n\n<TH>\nReason\n</TH>\n</TR>\n<TR>\n\n    \
         <TD>{reason}</TD>\n\n</TR>\n</TBODY>\n</TABLE>\n<HR></HR>\n\n</BODY>\n</HTML>"
    )
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use http::header::ACCEPT;

    use super::*;
    use crate::http::testing::block_on;

    fn asked(
        file: Option<&Path>,
        method: &Method,
        accept: Option<&'static str>,
    ) -> (u16, String, String) {
        let accept = accept.map(|text| (ACCEPT, HeaderValue::from_static(text)));
        block_on(async {
            let headers = accept.into_iter().collect();
            let response = answer(file, method, &headers).await;
            let kind = response.headers()[CONTENT_TYPE]
                .to_str()
                .unwrap()
                .to_string();
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), 10_000).await.unwrap();
            (status, kind, String::from_utf8(body.to_vec()).unwrap())
        })
    }

    #[test]
    fn the_state_has_the_form_that_is_accepted() {
        let of = |accept| asked(None, &Method::GET, accept);
        let (status, kind, body) = of(None);
        assert_eq!((status, body.as_str()), (200, "OK"));
        assert_eq!(kind, "text/plain; charset=UTF-8");
        assert_eq!(of(Some("*/*")).2, "OK");
        assert_eq!(of(Some("image/png")).2, "OK");
        let (_, kind, body) = of(Some("application/json"));
        assert_eq!(kind, "application/json");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"detailed": false, "reasons": ["OK"]})
        );
        assert!(of(Some("text/html")).2.contains("<TD>OK</TD>"));
        let (status, _, body) = asked(None, &Method::HEAD, None);
        assert_eq!((status, body.as_str()), (204, ""));
    }

    #[test]
    fn a_file_disables_the_service() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (status, _, body) = asked(Some(file.path()), &Method::GET, None);
        assert_eq!((status, body.as_str()), (503, "DISABLED BY FILE"));
        assert_eq!(asked(Some(file.path()), &Method::HEAD, None).0, 503);
        let missing = Path::new("/no/such/file");
        assert_eq!(asked(Some(missing), &Method::GET, None).0, 200);
    }

    #[test]
    fn its_path_is_a_part_of_its_own() {
        assert!(is_path("/healthcheck") && is_path("/healthcheck/"));
        assert!(!is_path("/healthchecks") && !is_path("/v2/healthcheck"));
    }
}
