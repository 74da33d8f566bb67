//! Locations of image data, and hashes that a caller provides for data that the service does not receive.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The location of an image's data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Location {
    /// The address of the data. It may contain credentials, and is then never shown in a message.
    pub url: String,
    /// The store's ID under `store`, and other metadata that was registered.
    pub metadata: Map<String, Value>,
}

impl Location {
    /// Returns the location of data in the store with that ID; an empty ID is unknown.
    pub fn in_store(url: String, store: &str) -> Self {
        let store = Some(store).filter(|store| !store.is_empty());
        let metadata = store.map(|store| ("store".to_string(), Value::from(store)));
        Self {
            url,
            metadata: metadata.into_iter().collect(),
        }
    }

    /// Returns the store of the data, if it is known.
    pub fn store(&self) -> Option<&str> {
        self.metadata.get("store").and_then(Value::as_str)
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Written {
            url: String,
            #[serde(default)]
            metadata: Map<String, Value>,
        }
        let Written { url, metadata } = Written::deserialize(deserializer)?;
        Ok(Self { url, metadata })
    }
}

/// The hashes that a caller provides for data that is registered by its address; they are not computed in
/// that case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ValidationData {
    /// MD5 of the data, 32 hex digits.
    pub checksum: Option<String>,
    /// The algorithm of the secure hash, in hashlib's spelling.
    pub os_hash_algo: Option<String>,
    /// The secure hash, in hex.
    pub os_hash_value: Option<String>,
}

impl ValidationData {
    /// Returns whether no hash is provided.
    pub fn is_empty(&self) -> bool {
        self.fields().all(|(_, value)| value.is_none())
    }

    /// Returns the names and values, in the API's order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        [
            ("checksum", self.checksum.as_deref()),
            ("os_hash_algo", self.os_hash_algo.as_deref()),
            ("os_hash_value", self.os_hash_value.as_deref()),
        ]
        .into_iter()
    }

    /// Returns the API's representation, with the provided hashes only.
    pub fn to_api(&self) -> Map<String, Value> {
        self.fields()
            .filter_map(|(name, value)| Some((name.to_string(), Value::from(value?))))
            .collect()
    }
}
