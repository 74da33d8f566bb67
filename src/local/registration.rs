//! Validation of data that callers register by its address: address, metadata and hashes.

mod location_import;

use serde_json::Value;

use crate::data::{Algorithm, Hasher};
use crate::model::{Image, ImageStatus, MultiHash, ValidationData};
use crate::{Error, ErrorKind, Result};

/// The known hashes of the data of an image that becomes active.
#[derive(Clone)]
pub struct Hashes {
    /// The MD5 checksum in hex, lowercase unless the caller provided it otherwise.
    pub checksum: Option<String>,
    /// The secure hash.
    pub hash: Option<MultiHash>,
}

/// Checks the caller's hashes of registered data against the image's, and returns them if they are new. `algorithm`
/// is that of the deployment.
///
/// # Errors
/// `Invalid` if one of two required attributes is missing; `Conflict` for invalid hashes, or other hashes than the
/// image's.
///
/// *Source:* `_validate_validation_data` in `glance/api/v2/images.py`.
pub fn check(image: &Image, said: &ValidationData, algorithm: &str) -> Result<Option<Hashes>> {
    if said.is_empty() {
        return Ok(None);
    }
    for (name, value) in [
        ("os_hash_algo", &said.os_hash_algo),
        ("os_hash_value", &said.os_hash_value),
    ] {
        if value.is_none() {
            return Err(Error::invalid(format!(
                "Provided object does not match schema 'image': '{name}' is a required property"
            )));
        }
    }
    let hash = image.hash.as_ref();
    let mut new = Vec::new();
    for (name, value) in said.fields() {
        let current = match name {
            "checksum" => image.checksum.as_deref(),
            "os_hash_algo" => hash.map(|hash| hash.algorithm.as_str()),
            _ => hash.map(|hash| hash.value.as_str()),
        };
        match (value, current) {
            (None, _) => {}
            (said, current) if said == current => {}
            (Some(_), Some(_)) => {
                return Err(Error::conflict(format!(
                    "{name} is already set with a different value"
                )));
            }
            (Some(_), None) => new.push(name),
        }
    }
    if new.is_empty() {
        return Ok(None);
    }
    if image.status != ImageStatus::Queued {
        return Err(Error::conflict(format!(
            "New value(s) for {} may only be provided when image status is 'queued'",
            new.join(", ")
        )));
    }
    new_hashes(said, algorithm).map(Some)
}

/// Checks the hashes for a queued image.
fn new_hashes(said: &ValidationData, wanted: &str) -> Result<Hashes> {
    if let Some(checksum) = &said.checksum {
        check_hex("checksum", checksum, "md5", 16)?;
    }
    let given = said.os_hash_algo.as_deref().unwrap_or_default();
    if given != wanted {
        return Err(Error::conflict(format!(
            "os_hash_algo must be {wanted}, not {given}"
        )));
    }
    let value = said.os_hash_value.as_deref().unwrap_or_default();
    check_hex("os_hash_value", value, wanted, length(wanted)?)?;
    Ok(Hashes {
        checksum: said.checksum.clone(),
        hash: Some(MultiHash {
            algorithm: wanted.to_string(),
            value: value.to_string(),
        }),
    })
}

/// Checks that metadata consists of strings, and lists and objects of strings.
pub fn check_metadata(key: &str, value: &Value) -> Result<()> {
    match value {
        Value::String(_) => Ok(()),
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| check_metadata(key, value)),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(key, value)| check_metadata(key, value)),
        other => Err(Error::invalid(format!(
            "The image metadata key {key} has the value {other}. Only objects, lists, and text are supported."
        ))),
    }
}

/// Checks the declared hash of registered data.
///
/// *Source:* `_validate_hashing_data` in `glance/api/v2/images.py`.
pub fn check_hash(hash: &MultiHash) -> Result<()> {
    const ALLOWED: [&str; 4] = ["sha1", "sha256", "sha512", "md5"];
    let algorithm = hash.algorithm.as_str();
    if !ALLOWED.contains(&algorithm) {
        return Err(Error::invalid(format!(
            "Provided object does not match schema 'location': '{algorithm}' is not one of {ALLOWED:?}"
        )));
    }
    check_hex("os_hash_value", &hash.value, algorithm, length(algorithm)?)
        .map_err(|error| Error::new(ErrorKind::Invalid, error.message()))
}

/// Returns the size of a hash in bytes.
fn length(algorithm: &str) -> Result<usize> {
    let hasher = Hasher::new(Algorithm::parse(algorithm)?);
    Ok(hasher.finish().len() / 2)
}

fn check_hex(name: &str, value: &str, algorithm: &str, bytes: usize) -> Result<()> {
    if value.len() % 2 == 1 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::conflict(format!(
            "{name} ({value}) is not a valid hexadecimal value"
        )));
    }
    if value.len() != bytes * 2 {
        return Err(Error::conflict(format!(
            "{name} ({value}) is not the correct size for {algorithm} (should be {bytes} bytes)"
        )));
    }
    Ok(())
}
