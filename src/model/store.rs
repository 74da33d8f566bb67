//! Stores, as callers see them.

/// What a caller may know of a store; the details only for administrators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The identifier that `--store` takes.
    pub id: String,
    /// The operator's words about it, when there are any.
    pub description: Option<String>,
    /// Whether uploads go there when no store is named.
    pub is_default: bool,
    /// Whether nothing can be written to it.
    pub read_only: bool,
    /// Kind of store (`file`), preference among stores and properties of that kind.
    pub detail: Option<StoreDetail>,
}

/// What only administrators may know of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreDetail {
    /// The driver's name: `file`.
    pub kind: String,
    /// Preference when an image has copies in several stores; higher first.
    pub weight: i64,
    /// The driver's own properties, such as the directory.
    pub properties: serde_json::Map<String, serde_json::Value>,
}
