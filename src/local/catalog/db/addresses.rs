//! The addresses of data in the database: plain, or encrypted with the operator's key.
//!
//! An encrypted address is an initialization vector and a text in AES-CBC, together in URL-safe base64. The text is
//! followed by a NUL and by random bytes that are not NUL, up to a whole block.
//!
//! *Source:* `glance/common/crypt.py` of the reference implementation.

use std::borrow::Cow;
use std::sync::Arc;

use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, InnerIvInit, consts::U16};
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::{Secret, Setting};
use crate::{Error, Result};

/// The length of a block, and of an initialization vector, in bytes.
const BLOCK: usize = 16;

type Block = Array<u8, U16>;

/// Reads and writes the addresses of data. Clones share the key.
#[derive(Clone, Debug)]
pub(in crate::local) struct AddressCipher {
    /// The key of 16, 24 or 32 bytes; None if addresses are stored as they are.
    key: Arc<Setting<Option<Secret>>>,
}

impl AddressCipher {
    /// Creates the cipher with the `metadata_encryption_key` of a deployment.
    pub(in crate::local) fn new(key: Setting<Option<Secret>>) -> Self {
        Self { key: Arc::new(key) }
    }

    /// Returns whether the database may hold encrypted addresses, which SQL cannot compare: the same address is
    /// stored differently each time.
    ///
    /// # Errors
    /// `Failed` if the key is refused.
    pub(in crate::local::catalog) fn encrypts(&self) -> Result<bool> {
        Ok(self.key.get()?.is_some())
    }

    /// Returns an address as it is stored.
    ///
    /// # Errors
    /// `Failed` if the key is refused; `Internal` if the system has no random numbers.
    pub(in crate::local::catalog) fn write<'a>(&self, address: &'a str) -> Result<Cow<'a, str>> {
        match self.key.get()? {
            Some(key) => encrypt(key.reveal().as_bytes(), address).map(Cow::Owned),
            None => Ok(Cow::Borrowed(address)),
        }
    }

    /// Returns the address of a location of an image from its stored form. An address with a scheme is not encrypted:
    /// it was stored before the deployment had a key, or by one of the reference implementation's functions that do
    /// not encrypt.
    ///
    /// # Errors
    /// `Failed` if the key is refused, or if it is not the one with which the address was encrypted.
    pub(in crate::local::catalog) fn read(&self, image: &str, stored: String) -> Result<String> {
        let key = self.key.get()?;
        if has_scheme(&stored) {
            return Ok(stored);
        }
        match key {
            Some(key) => decrypt(key.reveal().as_bytes(), &stored)
                .filter(|address| has_scheme(address))
                .ok_or_else(|| unreadable(image)),
            None if blocks(&stored).is_some() => Err(Error::failed(format!(
                "image {image}: the address of its data is encrypted, and metadata_encryption_key is not set"
            ))
            .hint("Set it to the key of the image service, in the section [DEFAULT].")),
            None => Ok(stored),
        }
    }
}

impl Default for AddressCipher {
    /// Creates the cipher of a deployment without a key.
    fn default() -> Self {
        Self::new(None.into())
    }
}

/// Returns the error for an address of an image that was encrypted with another key, or is damaged.
pub(in crate::local::catalog) fn unreadable(image: &str) -> Error {
    Error::failed(format!(
        "image {image}: the address of its data cannot be decrypted with metadata_encryption_key"
    ))
    .hint("Set metadata_encryption_key to the key with which the address was encrypted.")
}

/// Returns whether a text is a URL such as `file:///images/x`. Base64 has no colon.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Returns the initialization vector of an encrypted text, and its blocks; None if the text is not encrypted.
fn blocks(stored: &str) -> Option<(Block, Vec<Block>)> {
    let bytes = URL_SAFE.decode(stored).ok()?;
    let (blocks, rest) = Block::slice_as_chunks(&bytes);
    match blocks {
        [vector, blocks @ ..] if rest.is_empty() && !blocks.is_empty() => {
            Some((*vector, blocks.to_vec()))
        }
        _ => None,
    }
}

fn encrypt(key: &[u8], text: &str) -> Result<String> {
    let mut random = [0; 2 * BLOCK];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::internal("the system has no random numbers"))?;
    let (vector, filler) = random.split_at(BLOCK);
    let vector = Block::try_from(vector).map_err(|_| invalid_key())?;
    let length = (text.len() / BLOCK + 1) * BLOCK;
    let mut bytes = Vec::with_capacity(BLOCK + length);
    bytes.extend_from_slice(&vector);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    let missing = BLOCK + length - bytes.len();
    bytes.extend(filler.iter().map(|byte| (*byte).max(1)).take(missing));
    let (blocks, _) = Block::slice_as_chunks_mut(&mut bytes[BLOCK..]);
    match key.len() {
        16 => encrypt_with::<Aes128>(key, &vector, blocks),
        24 => encrypt_with::<Aes192>(key, &vector, blocks),
        32 => encrypt_with::<Aes256>(key, &vector, blocks),
        _ => None,
    }
    .ok_or_else(invalid_key)?;
    Ok(URL_SAFE.encode(bytes))
}

/// Returns the error for a key whose length was not checked when it was read.
fn invalid_key() -> Error {
    Error::internal("the key of metadata_encryption_key has an invalid length")
}

/// Decrypts a text; None if it was not encrypted with this key.
fn decrypt(key: &[u8], stored: &str) -> Option<String> {
    let (vector, mut blocks) = blocks(stored)?;
    match key.len() {
        16 => decrypt_with::<Aes128>(key, &vector, &mut blocks),
        24 => decrypt_with::<Aes192>(key, &vector, &mut blocks),
        32 => decrypt_with::<Aes256>(key, &vector, &mut blocks),
        _ => None,
    }?;
    let mut bytes = Block::slice_as_flattened(&blocks).to_vec();
    bytes.truncate(bytes.iter().rposition(|byte| *byte == 0)?);
    String::from_utf8(bytes).ok()
}

/// Encrypts blocks; None if the length of the key is not the cipher's.
fn encrypt_with<C>(key: &[u8], vector: &Block, blocks: &mut [Block]) -> Option<()>
where
    C: BlockCipherEncrypt<BlockSize = U16> + KeyInit,
{
    let cipher = C::new_from_slice(key).ok()?;
    cbc::Encryptor::inner_iv_init(cipher, vector).encrypt_blocks(blocks);
    Some(())
}

/// Decrypts blocks; None if the length of the key is not the cipher's.
fn decrypt_with<C>(key: &[u8], vector: &Block, blocks: &mut [Block]) -> Option<()>
where
    C: BlockCipherDecrypt<BlockSize = U16> + KeyInit,
{
    let cipher = C::new_from_slice(key).ok()?;
    cbc::Decryptor::inner_iv_init(cipher, vector).decrypt_blocks(blocks);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "0a1b2c3d-0000-4000-8000-000000000001";
    const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

    /// Addresses that `urlsafe_encrypt` of the reference implementation encrypted: the length of the key in bytes,
    /// the address, and the result.
    const ENCRYPTED: [(usize, &str, &str); 5] = [
        (
            16,
            "file:///srv/images/x",
            "bTZt8TOuRIpPa94oOU1AExdJLkjJGEw3PPmnfJkV1qct8e5qPoIqEaYWa6XW14YY",
        ),
        (
            16,
            "http://12345678/",
            "7F7zdBf8TVtt24pi_j8ox6drDLXKrbsFiFoTNvzMUO9QdmNdykZlUjkU2zxW8LOw",
        ),
        (
            16,
            "swift+https://user:pässword@host/v1/container/0a1b",
            "j-4E5C16D0l4wDSlYkJDAz5-q68dvJxXtEhBdKRzOdFq8spa6EGABlnJ2GD31KCyOF0rakj8zxFFcjlsFNw2YxRLmLsijO-uScQygAYiPcs=",
        ),
        (
            24,
            "rbd://a/b/c/snap",
            "NUJv2pLiYgr4gAL9Xi0ye_zcJfRjUGWScZo36rSptPKGIXLjKzxAhHwxauZEGmrj",
        ),
        (
            32,
            "swift+https://user:pässword@host/v1/container/0a1b",
            "32yBBD6CcTv4MSRqy5z-UjEamje915LR35ZDmhmq_GRmUrdwPzc9vb0b70LfSmUrVlnB1Cl8RJ79Yv2GOzvdd8z4cEp1wz1ypd6B4yDJLLQ=",
        ),
    ];

    fn with_key(key: &str) -> AddressCipher {
        AddressCipher::new(Some(Secret::new(key)).into())
    }

    #[test]
    fn addresses_of_the_reference_implementation_are_decrypted() {
        for (length, address, stored) in ENCRYPTED {
            let cipher = with_key(&KEY[..length]);
            assert_eq!(cipher.read(IMAGE, stored.to_string()).unwrap(), address);
        }
    }

    #[test]
    fn addresses_of_all_lengths_are_encrypted_differently_each_time() {
        for length in [16, 24, 32] {
            let cipher = with_key(&KEY[..length]);
            for count in 0..50 {
                let address = format!("file:///{}", "é".repeat(count));
                let stored = cipher.write(&address).unwrap().into_owned();
                assert_ne!(stored, cipher.write(&address).unwrap());
                assert_eq!(cipher.read(IMAGE, stored).unwrap(), address);
            }
        }
    }

    #[test]
    fn plain_addresses_are_read_with_a_key_and_stored_without_one() {
        for address in [
            "file:///a",
            "s3+https://host/bucket/x",
            "cinder://x",
            "RBD://x",
        ] {
            for cipher in [with_key(&KEY[..16]), AddressCipher::default()] {
                assert_eq!(cipher.read(IMAGE, address.to_string()).unwrap(), address);
            }
        }
        assert_eq!(
            AddressCipher::default().write("file:///a").unwrap(),
            "file:///a"
        );
    }

    #[test]
    fn other_values_are_refused_and_the_key_is_not_shown() {
        let cipher = with_key(&KEY[..16]);
        assert!(!format!("{cipher:?}").contains(KEY));
        let (_, _, stored) = ENCRYPTED[0];
        let other_key = with_key("fedcba9876543210");
        let damaged = format!("A{}", &stored[1..64 - 4]);
        let without_scheme = encrypt(&KEY.as_bytes()[..16], "no address").unwrap();
        for (cipher, stored) in [
            (&other_key, stored),
            (&with_key(KEY), stored),
            (&cipher, ""),
            (&cipher, "no base64"),
            (&cipher, damaged.as_str()),
            (&cipher, "AAAAAAAAAAAAAAAAAAAAAA=="),
            (&cipher, without_scheme.as_str()),
        ] {
            let error = cipher.read(IMAGE, stored.to_string()).unwrap_err();
            assert_eq!(
                error.message(),
                format!(
                    "image {IMAGE}: the address of its data cannot be decrypted with metadata_encryption_key"
                )
            );
            assert!(!format!("{error:?}").contains(KEY), "{error:?}");
        }
    }

    #[test]
    fn an_encrypted_address_without_a_key_is_an_error() {
        let (_, _, stored) = ENCRYPTED[0];
        let cipher = AddressCipher::default();
        let error = cipher.read(IMAGE, stored.to_string()).unwrap_err();
        assert!(
            error
                .message()
                .ends_with("metadata_encryption_key is not set"),
            "{error}"
        );
        // A row that was written by hand.
        assert_eq!(cipher.read(IMAGE, "x".to_string()).unwrap(), "x");
    }
}
