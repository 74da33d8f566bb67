//! The ID of a request, by which its log lines and those of other services are found.
//!
//! *Source:* `glance/api/middleware/context.py` of the reference implementation; `oslo_context/context.py`.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use crate::{Error, Result};

/// The header of the ID.
pub const HEADER: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// Returns the ID of a request: the one that it has already, or a new one.
///
/// # Errors
/// HTTP 431 for one of more than `limit` characters, unless that is 0.
pub fn of(headers: &HeaderMap, limit: usize) -> Result<String> {
    let given = headers.get(&HEADER).and_then(|value| value.to_str().ok());
    match given {
        None | Some("") => Ok(format!("req-{}", Uuid::new_v4())),
        Some(id) if limit > 0 && id.len() > limit => Err(Error::of_status(
            431,
            format!("x-openstack-request-id is too long, max size {limit}"),
        )),
        Some(id) if id.starts_with("req-") => Ok(id.to_string()),
        Some(id) => Ok(format!("req-{id}")),
    }
}

/// Returns the header of the response.
pub fn value(id: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_if_it_is_short() {
        let of = |id: &'static str, limit| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_static(id));
            of(&headers, limit)
        };
        assert_eq!(of("req-1", 64).unwrap(), "req-1");
        assert_eq!(of("1", 64).unwrap(), "req-1");
        assert!(of("", 64).unwrap().len() > 10);
        assert_eq!(of("req-12345", 0).unwrap(), "req-12345");
        assert_eq!(of("req-12345", 5).unwrap_err().status().unwrap().0, 431);
    }
}
