//! Changes to an image: the Images API's JSON patch, parsed.

use serde_json::Value;

/// One operation of a patch on a first-level attribute or property, or on one tag.
///
/// *Source:* Images API v2 "Update image" (media type `openstack-images-v2.1-json-patch`), "Add image tag".
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets an attribute or property, whether it exists or not.
    Add {
        /// The name of the attribute or property.
        name: String,
        /// The new value.
        value: Value,
    },
    /// Sets an attribute or property that MUST exist.
    Replace {
        /// The name of the attribute or property.
        name: String,
        /// The new value.
        value: Value,
    },
    /// Adds a tag; no effect if the image has it. Concurrent changes of other tags are preserved.
    AddTag {
        /// The tag.
        tag: String,
    },
    /// Removes a property that MUST exist.
    Remove {
        /// The name of the property.
        name: String,
    },
}

impl Change {
    /// Returns the attribute or property to change.
    pub fn name(&self) -> &str {
        match self {
            Self::Add { name, .. } | Self::Replace { name, .. } | Self::Remove { name } => name,
            Self::AddTag { .. } => "tags",
        }
    }

    /// Creates the change that sets `name` to `value`, whether it exists or not.
    pub fn add(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Add {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Creates the change that sets an existing `name` to `value`.
    pub fn replace(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Replace {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Creates the change that adds `tag`.
    pub fn add_tag(tag: impl Into<String>) -> Self {
        Self::AddTag { tag: tag.into() }
    }

    /// Creates the change that removes `name`.
    pub fn remove(name: impl Into<String>) -> Self {
        Self::Remove { name: name.into() }
    }
}
