//! Digests of the data of a request.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};

use crate::data::digest::hex;

/// The digests of a part, or of a whole object, while its data arrives.
#[derive(Clone, Default)]
pub(super) struct Hashing {
    md5: Md5,
    crc: crc32fast::Hasher,
}

impl Hashing {
    /// Adds data.
    pub(super) fn update(&mut self, bytes: &[u8], with_checksum: bool) {
        self.md5.update(bytes);
        if with_checksum {
            self.crc.update(bytes);
        }
    }

    /// Returns the digests of all blocks.
    pub(super) fn of(blocks: &[Bytes], with_checksum: bool) -> Digests {
        let mut hashing = Self::default();
        for block in blocks {
            hashing.update(block, with_checksum);
        }
        hashing.finish(with_checksum)
    }

    /// Returns the digests.
    pub(super) fn finish(self, with_checksum: bool) -> Digests {
        let crc = self.crc.finalize().to_be_bytes();
        Digests {
            md5: self.md5.finalize().into(),
            checksum: with_checksum.then(|| BASE64_STANDARD.encode(crc)),
        }
    }
}

/// The digests of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    /// The MD5.
    pub(super) md5: [u8; 16],
    /// The CRC-32 in base64, if it is sent.
    pub(super) checksum: Option<String>,
}

impl Digests {
    /// Returns the MD5 in base64.
    pub(super) fn content_md5(&self) -> String {
        BASE64_STANDARD.encode(self.md5)
    }
}

/// A part that the service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// The number, from 1.
    pub(super) number: u32,
    /// The ETag as the service reported it.
    pub(super) etag: String,
    /// The MD5 of its data.
    pub(super) md5: [u8; 16],
    /// The CRC-32 in base64, if it was sent.
    pub(super) checksum: Option<String>,
}

/// Returns the usual ETag, without quotes, of an object of one request.
pub(super) fn etag_of(md5: [u8; 16]) -> String {
    hex(&md5)
}

/// Returns the usual ETag, without quotes, of an object of several parts.
pub(super) fn etag_of_parts(parts: &[Sent]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part.md5);
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_known_data() {
        let blocks = [Bytes::from_static(b"1234"), Bytes::from_static(b"56789")];
        let digests = Hashing::of(&blocks, true);
        assert_eq!(etag_of(digests.md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(digests.content_md5(), "JfnnlDI7RTiF9RgfG2JNCw==");
        // The check value of CRC-32: cbf43926.
        assert_eq!(digests.checksum.as_deref(), Some("y/Q5Jg=="));
        assert_eq!(Hashing::of(&blocks, false).checksum, None);
    }

    #[test]
    fn the_etag_of_parts_is_the_digest_of_their_digests() {
        let part = |number, data: &'static [u8]| Sent {
            number,
            etag: String::new(),
            md5: Hashing::of(&[Bytes::from_static(data)], false).md5,
            checksum: None,
        };
        // printf a | md5sum and printf b | md5sum, each as 16 bytes, through md5sum.
        assert_eq!(
            etag_of_parts(&[part(1, b"a"), part(2, b"b")]),
            "96e024ba2074fe77e8e965ba43a704be-2"
        );
    }
}
