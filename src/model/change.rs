//! Changes to an image: the Images API's JSON patch, parsed.

use serde_json::Value;

/// One operation of a patch on a first-level attribute or property.
///
/// *Source:* Images API v2 "Update image" (media type `openstack-images-v2.1-json-patch`).
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

    /// Removes `name`.
    pub fn remove(name: impl Into<String>) -> Self {
        Self::Remove { name: name.into() }
    }
}
