//! The versions of the API, and the one that a request names in its path.
//!
//! *Source:* `glance/api/versions.py`, `glance/api/middleware/version_negotiation.py` of the reference implementation.

use serde_json::{Value, json};

use super::Features;

/// The target of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'p> {
    /// A resource, by the rest of the path, which begins with a slash or is empty.
    Resource(&'p str),
    /// The list of versions, which was asked for.
    Versions,
    /// Neither: the list of versions, as choices.
    Unknown,
}

/// The media type that names a version instead of the path.
const MEDIA_TYPE: &str = "application/vnd.openstack.images-";

impl Features {
    /// Returns the minor versions, the current one first.
    fn minor_versions(&self) -> Vec<u8> {
        let (cache, stores) = (self.has_cache, !self.stores.is_empty());
        let mut minor = vec![15];
        if cache {
            minor = vec![18, 17, 16, 15, 14];
        }
        if stores {
            minor.extend([13, 12, 11, 10, 9, 8]);
        } else {
            minor.push(9);
        }
        if !cache {
            minor.push(17);
        }
        minor.extend((0..=7).rev());
        minor
    }

    /// Returns the number of the current version.
    fn current(&self) -> u8 {
        if self.has_cache { 18 } else { 17 }
    }

    /// Returns what a path names.
    pub fn target<'p>(&self, path: &'p str, accept: Option<&str>) -> Target<'p> {
        let inner = path.trim_start_matches('/');
        let (first, rest) = match inner.find('/') {
            Some(at) => inner.split_at(at),
            None => (inner, ""),
        };
        if first == "versions" {
            return Target::Versions;
        }
        if let Some(version) = accept.and_then(|accept| accept.strip_prefix(MEDIA_TYPE)) {
            return if self.is_version(version) {
                Target::Resource(path)
            } else {
                Target::Unknown
            };
        }
        if self.is_version(first) {
            Target::Resource(rest)
        } else {
            Target::Unknown
        }
    }

    fn is_version(&self, name: &str) -> bool {
        let Some(number) = name.strip_prefix('v') else {
            return false;
        };
        if number == "2" {
            return true;
        }
        let Some(minor) = number.strip_prefix("2.") else {
            return false;
        };
        let known = self.minor_versions();
        known.iter().any(|known| known.to_string() == minor)
    }

    /// Returns the list of versions. `url` is the address that the client uses.
    pub fn versions(&self, url: &str) -> Value {
        let href = format!("{}/v2/", url.trim_end_matches('/'));
        let versions = self.minor_versions().into_iter().map(|minor| {
            let status = if minor == self.current() {
                "CURRENT"
            } else {
                "SUPPORTED"
            };
            json!({
                "id": format!("v2.{minor}"),
                "status": status,
                "links": [{"rel": "self", "href": href}],
            })
        });
        json!({"versions": versions.collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(has_cache: bool, stores: bool) -> Features {
        Features {
            has_cache,
            stores: stores.then(|| "a".to_string()).into_iter().collect(),
            ..Features::default()
        }
    }

    #[test]
    fn the_list_depends_on_the_cache_and_the_stores() {
        let list = |cache, stores| {
            let minor = features(cache, stores).minor_versions();
            minor
                .iter()
                .map(u8::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(list(false, false), "15 9 17 7 6 5 4 3 2 1 0");
        assert_eq!(list(false, true), "15 13 12 11 10 9 8 17 7 6 5 4 3 2 1 0");
        assert_eq!(
            list(true, true),
            "18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0"
        );
        let versions = features(true, true).versions("http://h:9292/");
        let first = &versions["versions"][0];
        assert_eq!(first["status"], "CURRENT");
        assert_eq!(first["links"][0]["href"], "http://h:9292/v2/");
    }

    #[test]
    fn a_path_names_a_version() {
        let features = features(false, false);
        for (path, target) in [
            ("/v2/images", Target::Resource("/images")),
            ("/v2.0/images/1", Target::Resource("/images/1")),
            ("/v2.17/images", Target::Resource("/images")),
            ("//v2/images", Target::Resource("/images")),
            ("/v2", Target::Resource("")),
            ("/v2/", Target::Resource("/")),
            ("/v2.18/images", Target::Unknown),
            ("/v1/images", Target::Unknown),
            ("/versions", Target::Versions),
            ("/versions/x", Target::Versions),
            ("/", Target::Unknown),
        ] {
            assert_eq!(features.target(path, None), target, "{path}");
        }
        let accept = Some("application/vnd.openstack.images-v2");
        assert_eq!(
            features.target("/images", accept),
            Target::Resource("/images")
        );
    }
}
