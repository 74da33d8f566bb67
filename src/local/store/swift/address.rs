//! Addresses of data in Swift.
//!
//! *Source:* `StoreLocation` in `glance_store/_drivers/swift/store.py`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::config::{Secret, SwiftAccount, SwiftLogin};
use crate::model::address::redacted;
use crate::{Error, Result};

/// The characters of a user or key that are not encoded. Upstream does not encode a slash either, and then cannot read
/// the address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The address of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SwiftAddress {
    /// The account.
    pub holder: Holder,
    /// The container.
    pub container: String,
    /// The object.
    pub object: String,
}

/// The account in an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The name of an account in a file of references.
    Reference(String),
    /// The address of a login, and the credentials.
    Credentials {
        /// The address, with a scheme.
        auth_address: String,
        /// `project:user`.
        user: String,
        /// The key.
        key: Secret,
    },
    /// An address, with a scheme, without credentials: the storage of a project, or a login.
    Bare(String),
}

impl SwiftAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// `Invalid`, without the credentials.
    pub fn parse(url: &str) -> Result<Self> {
        Self::try_parse(url).ok_or_else(|| {
            Error::invalid(format!("'{}' is not an address in Swift", redacted(url)))
        })
    }

    fn try_parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if rest.contains("://") {
            return None;
        }
        let (before, object) = rest.rsplit_once('/')?;
        let (before, container) = before.rsplit_once('/')?;
        if [before, container, object]
            .iter()
            .any(|part| part.is_empty())
        {
            return None;
        }
        let web = match scheme {
            "swift+http" => "http",
            "swift" | "swift+https" => "https",
            "swift+config" => {
                return (!before.contains('/')).then(|| Self {
                    holder: Holder::Reference(before.to_owned()),
                    container: container.to_owned(),
                    object: object.to_owned(),
                });
            }
            _ => return None,
        };
        let holder = match before.rsplit_once('@') {
            Some((credentials, place)) => {
                let (user, key) = credentials.rsplit_once(':')?;
                let plain = |text| percent_decode_str(text).decode_utf8().ok();
                Holder::Credentials {
                    auth_address: format!("{web}://{}", place.trim_matches('/')),
                    user: plain(user)?.into_owned(),
                    key: Secret::new(plain(key)?),
                }
            }
            None => Holder::Bare(format!("{web}://{}", before.trim_matches('/'))),
        };
        Some(Self {
            holder,
            container: container.to_owned(),
            object: object.to_owned(),
        })
    }
}

/// Returns the address of an object in the account of a login.
pub(super) fn with_credentials(account: &SwiftAccount, container: &str, object: &str) -> String {
    let credentials = match &account.login {
        SwiftLogin::Key { user, key } => {
            let encode = |text| utf8_percent_encode(text, PLAIN).to_string();
            format!("{}:{}@", encode(user), encode(key.reveal()))
        }
        SwiftLogin::ApplicationCredential { .. } => String::new(),
    };
    let (scheme, place) = split_scheme(&account.auth_address);
    format!("{scheme}://{credentials}{place}/{container}/{object}")
}

/// Returns the address of an object in the account that a file of references names so.
pub(super) fn with_reference(reference: &str, container: &str, object: &str) -> String {
    format!("swift+config://{reference}/{container}/{object}")
}

/// Returns the address of an object in the storage of a project.
pub(super) fn in_storage(storage: &str, container: &str, object: &str) -> String {
    let (scheme, place) = split_scheme(storage);
    format!("{scheme}://{place}/{container}/{object}")
}

/// Returns the scheme of addresses of data, and the address of a web server without its scheme.
fn split_scheme(web: &str) -> (&'static str, &str) {
    let (scheme, place) = match web.strip_prefix("http://") {
        Some(place) => ("swift+http", place),
        None => ("swift+https", web.strip_prefix("https://").unwrap_or(web)),
    };
    (scheme, place.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Reference, SwiftAuth};

    fn parse(url: &str) -> SwiftAddress {
        SwiftAddress::parse(url).unwrap()
    }

    #[test]
    fn every_kind_of_address_is_read() {
        let id = "0f1e";
        for (url, holder) in [
            (
                "swift+config://ref1/glance/0f1e",
                Holder::Reference("ref1".into()),
            ),
            (
                "swift+http://service%3Aglance:s%40c%2Fr%3At@h:5000/v3/glance/0f1e",
                Holder::Credentials {
                    auth_address: "http://h:5000/v3".into(),
                    user: "service:glance".into(),
                    key: Secret::new("s@c/r:t"),
                },
            ),
            (
                "swift://service:glance:key@h/v3/glance/0f1e",
                Holder::Credentials {
                    auth_address: "https://h/v3".into(),
                    user: "service:glance".into(),
                    key: Secret::new("key"),
                },
            ),
            (
                "swift+https://h/v1/AUTH_p/glance/0f1e",
                Holder::Bare("https://h/v1/AUTH_p".into()),
            ),
        ] {
            let parsed = parse(url);
            assert_eq!(
                (parsed.container.as_str(), parsed.object.as_str()),
                ("glance", id)
            );
            assert!(parsed.holder == holder, "{url}");
        }
        for url in [
            "",
            "nonsense",
            "swift://",
            "swift://h/c",
            "swift+config://a/b/c/d",
            "swift://u:k@http://h/v3/c/o",
            "swift://user@h/v3/c/o",
            "s3://h/c/o",
            "swift://u:hunter2@h//",
        ] {
            let error = SwiftAddress::parse(url).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let domain = || Reference::Id("default".into());
        let key = Secret::new("s@c/r: t~ü");
        let account = SwiftAccount::new(
            "http://h:5000/v3/",
            SwiftAuth::V3,
            "service:glance",
            key.clone(),
            (domain(), domain()),
        )
        .unwrap();
        let url = with_credentials(&account, "glance", "0f1e");
        let written = "swift+http://service%3Aglance:s%40c%2Fr%3A%20t~%C3%BC@h:5000/v3/glance/0f1e";
        assert_eq!(url, written);
        let holder = Holder::Credentials {
            auth_address: "http://h:5000/v3".into(),
            user: "service:glance".into(),
            key,
        };
        assert!(parse(&url).holder == holder);
        assert_eq!(
            in_storage("https://h/v1/AUTH_p/", "glance_0f1e", "0f1e"),
            "swift+https://h/v1/AUTH_p/glance_0f1e/0f1e"
        );
    }
}
