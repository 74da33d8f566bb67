//! Digests of image data.

use md5::Md5;
use ring::digest::{Context, SHA512};
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384};

use crate::{Error, Result};

/// A hash algorithm, in hashlib's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `md5`: the `checksum` of every image.
    Md5,
    /// `sha1`.
    Sha1,
    /// `sha224`.
    Sha224,
    /// `sha256`.
    Sha256,
    /// `sha384`.
    Sha384,
    /// `sha512`: Glance's default.
    Sha512,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 6] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// Returns hashlib's name of the algorithm.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the algorithm with that name.
    ///
    /// # Errors
    /// `Invalid` for an algorithm that is not supported.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| Error::invalid(format!("hash algorithm '{name}' is not available")))
    }
}

/// A hash computation in progress.
#[derive(Clone)]
pub enum Hasher {
    /// md5.
    Md5(Md5),
    /// sha1.
    Sha1(Sha1),
    /// sha224.
    Sha224(Sha224),
    /// sha256.
    Sha256(Sha256),
    /// sha384.
    Sha384(Sha384),
    /// sha512, computed by ring in 0.8 of the time of sha2.
    Sha512(Context),
}

impl Hasher {
    /// Creates the hash of no data.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha224 => Self::Sha224(Sha224::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Context::new(&SHA512)),
        }
    }

    /// Hashes `bytes` after the previous data.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha224(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// Returns the digest in lowercase hex.
    pub fn finish(self) -> String {
        match self {
            Self::Md5(hash) => hex(&hash.finalize()),
            Self::Sha1(hash) => hex(&hash.finalize()),
            Self::Sha224(hash) => hex(&hash.finalize()),
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::Sha384(hash) => hex(&hash.finalize()),
            Self::Sha512(hash) => hex(hash.finish().as_ref()),
        }
    }
}

/// Returns bytes as lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// The digests in an image's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// md5, lowercase hex.
    pub checksum: String,
    /// The configured secure hash, lowercase hex.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let of = |algorithm| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"ab");
            hasher.update(b"c");
            hasher.finish()
        };
        assert_eq!(of(Algorithm::Md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            of(Algorithm::Sha1),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert!(of(Algorithm::Sha256).starts_with("ba7816bf8f01cfea"));
        assert!(of(Algorithm::Sha384).starts_with("cb00753f45a35e8b"));
        assert!(of(Algorithm::Sha512).starts_with("ddaf35a193617aba"));
        assert!(Algorithm::parse("sha3").is_err());
    }

    #[test]
    fn sha512_does_not_depend_on_how_data_is_divided() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let expected = hex(&sha2::Sha512::digest(&bytes));
        for part in [1, 127, 128, 129, 1000] {
            let mut hasher = Hasher::new(Algorithm::Sha512);
            for bytes in bytes.chunks(part) {
                hasher.update(bytes);
            }
            assert_eq!(hasher.finish(), expected);
        }
    }
}
