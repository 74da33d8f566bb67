//! Where data of an image is, and what is said of data that the service does not take in itself.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// Where data of an image is.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// Address of the data; may hold credentials, and is then never shown in a message.
    pub url: String,
    /// The store's id under `store`, and what else was registered.
    pub metadata: Map<String, Value>,
}

impl Location {
    /// Returns the location of data in the store of that ID; an empty one is not known.
    pub fn in_store(url: String, store: &str) -> Self {
        let store = Some(store).filter(|store| !store.is_empty());
        let metadata = store.map(|store| ("store".to_string(), Value::from(store)));
        Self {
            url,
            metadata: metadata.into_iter().collect(),
        }
    }

    /// The store that holds the data, when it is known.
    pub fn store(&self) -> Option<&str> {
        self.metadata.get("store").and_then(Value::as_str)
    }

    /// The API's representation.
    pub fn to_api(&self) -> Value {
        json!({"url": self.url, "metadata": self.metadata})
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

/// What a caller says of data that it registers by its address; none of it is computed then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidationData {
    /// md5 of the data, 32 hex digits.
    pub checksum: Option<String>,
    /// Algorithm of the secure hash, in hashlib's spelling.
    pub os_hash_algo: Option<String>,
    /// The secure hash, in hex.
    pub os_hash_value: Option<String>,
}

impl ValidationData {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.fields().all(|(_, value)| value.is_none())
    }

    /// Name and value of each, in the API's order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        [
            ("checksum", self.checksum.as_deref()),
            ("os_hash_algo", self.os_hash_algo.as_deref()),
            ("os_hash_value", self.os_hash_value.as_deref()),
        ]
        .into_iter()
    }

    /// The API's representation: what is said, and no more.
    pub fn to_api(&self) -> Map<String, Value> {
        self.fields()
            .filter_map(|(name, value)| Some((name.to_string(), Value::from(value?))))
            .collect()
    }
}
