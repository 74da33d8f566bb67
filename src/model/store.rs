//! Stores as callers see them.

/// The public properties of a store; the details are for administrators only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The identifier that `--store` takes.
    pub id: String,
    /// The operator's description, if there is one.
    pub description: Option<String>,
    /// Whether it is the default store for uploads.
    pub is_default: bool,
    /// Whether it cannot be written to.
    pub read_only: bool,
    /// The kind of store (`file`), its weight, and its other properties.
    pub detail: Option<StoreDetail>,
}

impl StoreInfo {
    /// Returns the description of a store of which only the identifier is known.
    pub fn of(id: &str) -> Self {
        Self {
            id: id.to_string(),
            description: None,
            is_default: false,
            read_only: false,
            detail: None,
        }
    }
}

/// The properties of a store for administrators only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDetail {
    /// The driver's name: `file`.
    pub kind: String,
    /// The preference among copies of an image; higher first.
    pub weight: i64,
    /// The driver's own properties, such as the directory.
    pub properties: serde_json::Map<String, serde_json::Value>,
    /// The space that the store reports; None if it does not know, and on a cloud, whose API does not have it.
    pub space: Option<Space>,
}

/// The space of a store, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// The part that images can use.
    pub free: u64,
    /// The size of the store.
    pub total: u64,
}
