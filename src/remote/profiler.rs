//! Trace headers of osprofiler, which let a server record its work for a request.
//!
//! *Source:* `osprofiler/web.py` and `osprofiler/_utils.py`.

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use crate::model::json;
use crate::{Error, Result};

/// The block size of SHA-1 in bytes.
const BLOCK: usize = 64;

/// A trace of a command, the same for all its requests.
#[derive(Clone)]
pub struct Profiler {
    id: Uuid,
    headers: HeaderMap,
}

impl Profiler {
    /// Begins a new trace, signed with the key that the servers are configured with.
    pub fn begin(key: &str) -> Result<Self> {
        Self::of(Uuid::new_v4(), key)
    }

    fn of(id: Uuid, key: &str) -> Result<Self> {
        let member = |name: &str| (name.to_string(), Value::from(id.to_string()));
        let names = Map::from_iter([member("base_id"), member("parent_id")]);
        let info = base64(json::python(&names).as_bytes());
        let signature = hmac(key.as_bytes(), info.as_bytes());
        let mut headers = HeaderMap::new();
        for (name, text) in [("x-trace-info", info), ("x-trace-hmac", signature)] {
            let value = HeaderValue::try_from(text);
            let mut value = value.map_err(|e| Error::internal("invalid header").because(e))?;
            // The two headers together allow tracing of the server.
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(Self { id, headers })
    }

    /// Returns the ID of the trace.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the headers to send with each request.
    pub fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }
}

/// Returns an HMAC with SHA-1, in hexadecimal.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pass = |with: u8, text: &[u8]| {
        let mut hash = Sha1::new();
        hash.update(block.map(|byte| byte ^ with));
        hash.update(text);
        hash.finalize()
    };
    let digest = pass(0x5c, &pass(0x36, text));
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns bytes in base 64 with the alphabet for URLs, padded.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(match ALPHABET.get(index as usize) {
                Some(letter) if place <= three.len() => char::from(*letter),
                _ => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_osprofiler() {
        // Created with osprofiler._utils.signed_pack.
        let id = Uuid::from_u128(0x7087_47c3_2fd6_4f28_ada4_75c1_ef6c_98b7);
        for (key, signature) in [
            ("KEY", "ae917f0f8673b4bcd1aa880005c1c14e3f21f511"),
            (
                "a key that is longer than a block of the hash, which is sixty-four bytes",
                "5c3bcc3f2880961fc99216d0458480a926393d64",
            ),
        ] {
            let headers = Profiler::of(id, key).unwrap().headers();
            assert_eq!(
                headers["x-trace-info"],
                "eyJiYXNlX2lkIjogIjcwODc0N2MzLTJmZDYtNGYyOC1hZGE0LTc1YzFlZjZjOThiNyIsICJwYXJlbnRfaWQiOiAiNzA4NzQ3YzMtMmZkNi00ZjI4LWFkYTQtNzVjMWVmNmM5OGI3In0="
            );
            assert_eq!(headers["x-trace-hmac"], signature);
        }
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("??>", "Pz8-"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
