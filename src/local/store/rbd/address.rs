//! Addresses of data in RBD.
//!
//! *Source:* `StoreLocation` in `glance_store/_drivers/rbd.py`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{Error, Result};

/// The prefix of all addresses.
const PREFIX: &str = "rbd://";

/// The characters that are not encoded.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// An address: `rbd://FSID/POOL/IMAGE/SNAPSHOT`, or the older `rbd://IMAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The ID of the cluster; None in an older address.
    pub(super) fsid: Option<String>,
    /// The name of the pool; None in an older address: that of the store.
    pub(super) pool: Option<String>,
    /// The name of the image.
    pub(super) image: String,
    /// The name of the snapshot with the data; None in an older address: the image itself.
    pub(super) snapshot: Option<String>,
}

impl Address {
    /// Returns whether a URL has the scheme of such addresses.
    pub(super) fn is_one(url: &str) -> bool {
        url.starts_with(PREFIX)
    }

    /// Parses an address.
    ///
    /// # Errors
    /// `Invalid` unless it has one or four parts, none of them empty.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let invalid = |why: &str| Error::invalid(format!("'{url}' is not an RBD address: {why}"));
        let path = url
            .strip_prefix(PREFIX)
            .ok_or_else(|| invalid("it does not begin with rbd://"))?;
        let parts: Vec<&str> = path.split('/').collect();
        if parts.contains(&"") {
            return Err(invalid("a part is empty"));
        }
        let decode = |part: &str| {
            let text = percent_decode_str(part).decode_utf8();
            let text = text.map_err(|_| invalid("it is not UTF-8"))?;
            if text.contains('\0') {
                return Err(invalid("it contains a NUL"));
            }
            Ok(text.into_owned())
        };
        match parts[..] {
            // An older address is not encoded.
            [image] => Ok(Self {
                fsid: None,
                pool: None,
                image: image.to_string(),
                snapshot: None,
            }),
            [fsid, pool, image, snapshot] => Ok(Self {
                fsid: Some(decode(fsid)?),
                pool: Some(decode(pool)?),
                image: decode(image)?,
                snapshot: Some(decode(snapshot)?),
            }),
            _ => Err(invalid("it has neither one nor four parts")),
        }
    }
}

/// Returns the address of a snapshot.
pub(super) fn address_of(fsid: &str, pool: &str, image: &str, snapshot: &str) -> String {
    let parts = [fsid, pool, image, snapshot];
    let parts = parts.map(|part| utf8_percent_encode(part, PLAIN).to_string());
    format!("{PREFIX}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn addresses_are_those_of_the_driver() {
        let url = address_of("f-1", "im/ages ü", "id", "snap");
        assert_eq!(url, "rbd://f-1/im%2Fages%20%C3%BC/id/snap");
        let parsed = Address::parse(&url).unwrap();
        let expected = Address {
            fsid: Some("f-1".to_string()),
            pool: Some("im/ages ü".to_string()),
            image: "id".to_string(),
            snapshot: Some("snap".to_string()),
        };
        assert_eq!(parsed, expected);
    }

    #[test]
    fn an_older_address_is_the_name_of_an_image() {
        let parsed = Address::parse("rbd://some%20id").unwrap();
        assert_eq!(parsed.image, "some%20id");
        assert_eq!(
            (parsed.fsid, parsed.pool, parsed.snapshot),
            (None, None, None)
        );
    }

    #[test]
    fn other_urls_are_invalid() {
        for url in [
            "",
            "nonsense",
            "rbd://",
            "rbd://a/b",
            "rbd://a/b/c",
            "rbd://a//c/d",
            "rbd://a/b/c/",
            "rbd://a/b/c/d/e",
            "rbd://a/b/c/%ff",
            "rbd://a/b/c%00/d",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        }
    }
}
