//! Changes to an image: the Images API's JSON patch, parsed.

use serde_json::Value;

/// One operation of a patch on a first-level attribute or property, or on one tag.
///
/// *Source:* Images API v2 "Update image" (media type `openstack-images-v2.1-json-patch`), "Add image tag".
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets an attribute or property, whether it is there or not.
    Add {
        /// Attribute or property name.
        name: String,
        /// Its new value.
        value: Value,
    },
    /// Sets an attribute or property that MUST be there.
    Replace {
        /// Attribute or property name.
        name: String,
        /// Its new value.
        value: Value,
    },
    /// Attaches a tag; one that is attached stays so. Tags that others attach or remove at the same time are
    /// not touched.
    AddTag {
        /// The tag.
        tag: String,
    },
    /// Removes a property that MUST be there.
    Remove {
        /// Property name.
        name: String,
    },
}

impl Change {
    /// The attribute or property that changes.
    pub fn name(&self) -> &str {
        match self {
            Self::Add { name, .. } | Self::Replace { name, .. } | Self::Remove { name } => name,
            Self::AddTag { .. } => "tags",
        }
    }

    /// Sets `name` to `value`, whether it is there or not.
    pub fn add(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Add {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Sets `name`, which is there, to `value`.
    pub fn replace(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Replace {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Attaches `tag`, whether it is attached or not.
    pub fn add_tag(tag: impl Into<String>) -> Self {
        Self::AddTag { tag: tag.into() }
    }

    /// Removes `name`.
    pub fn remove(name: impl Into<String>) -> Self {
        Self::Remove { name: name.into() }
    }
}
