//! The web sites whose pages may use the image service.
//!
//! *Source:* `oslo_middleware/cors.py`; `glance/common/config.py` (`set_cors_middleware_defaults`) of the reference
//! implementation. Sections `cors.NAME` are those of oslo.middleware before its release 5.

use crate::Result;
use crate::config::oslo::options::{
    ALLOW_CREDENTIALS, ALLOW_HEADERS, ALLOW_METHODS, ALLOWED_ORIGIN, EXPOSE_HEADERS, MAX_AGE,
    OptionSpec,
};
use crate::config::oslo::reader::Reader;

/// An origin whose pages may use the service, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsOrigin {
    /// The scheme, the host and the port as browsers send them, or `*` for any.
    pub origin: String,
    /// Whether a request may have credentials.
    pub credentials: bool,
    /// The headers of a response that pages may read.
    pub expose_headers: Vec<String>,
    /// The time in seconds for which a browser may remember these rules; 0: its own default.
    pub max_age: i128,
    /// The methods of requests.
    pub methods: Vec<String>,
    /// The headers of requests, in addition to those that are always allowed.
    pub headers: Vec<String>,
}

/// Reads the origins of the section `cors`, and of each section `cors.NAME`. Values that such a section lacks are those
/// of `cors`. The first section with an origin counts.
///
/// # Errors
/// `Failed` for an invalid value.
pub(super) fn read_cors(reader: &Reader<'_>) -> Result<Vec<CorsOrigin>> {
    let mut origins: Vec<CorsOrigin> = Vec::new();
    let sections = ["cors"].into_iter().chain(reader.sections("cors."));
    for section in sections {
        let of = |option: &'static OptionSpec| {
            if reader.is_set(option.of(section)) {
                option.of(section)
            } else {
                option.into()
            }
        };
        let rules = CorsOrigin {
            origin: String::new(),
            credentials: reader.boolean(of(&ALLOW_CREDENTIALS))?,
            expose_headers: reader.list(of(&EXPOSE_HEADERS))?.value,
            max_age: reader.integer(of(&MAX_AGE))?.value,
            methods: reader.list(of(&ALLOW_METHODS))?.value,
            headers: reader.list(of(&ALLOW_HEADERS))?.value,
        };
        for origin in reader.list(ALLOWED_ORIGIN.of(section))?.value {
            if origins.iter().all(|known| known.origin != origin) {
                origins.push(CorsOrigin {
                    origin,
                    ..rules.clone()
                });
            }
        }
    }
    Ok(origins)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::oslo::ini::Ini;

    #[test]
    fn each_section_has_its_origins_and_the_values_of_the_first_one() {
        let text = "[cors]\nallowed_origin = http://a, http://b\nmax_age = 7\nallow_methods = GET\n\
                    [cors.other]\nallowed_origin = http://c,http://a\nallow_credentials = false\n";
        let files = [Ini::parse(Path::new("x.conf"), text).unwrap()];
        let reader = Reader {
            files: &files,
            environment: None,
            defaults: Vec::new(),
        };
        let origins = read_cors(&reader).unwrap();
        let shown: Vec<(&str, bool, i128)> = origins
            .iter()
            .map(|one| (one.origin.as_str(), one.credentials, one.max_age))
            .collect();
        assert_eq!(
            shown,
            [
                ("http://a", true, 7),
                ("http://b", true, 7),
                ("http://c", false, 7)
            ]
        );
        assert_eq!(origins[2].methods, ["GET"]);
        assert!(
            origins[2]
                .expose_headers
                .contains(&"X-Subject-Token".to_string())
        );
    }
}
