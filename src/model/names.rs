//! Names of existing things, for completion at a shell or prompt.

use super::ImageStatus;

/// A thing that can be named on a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The word that names it: an ID, or a name if that is unique.
    pub value: String,
    /// The name of a thing with an ID, or another short description; empty if there is none.
    pub about: String,
}

impl Named {
    /// Returns a thing without a description.
    pub fn plain(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            about: String::new(),
        }
    }
}

/// The images to list: a status of `statuses` (any if that is empty), and not protected if `unprotected` is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageNames {
    /// The accepted statuses.
    pub statuses: &'static [ImageStatus],
    /// Whether protected images are omitted.
    pub unprotected: bool,
}

/// The things to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameQuery {
    /// Images: ID and name.
    Images(ImageNames),
    /// The same, for a command that takes IDs only: a name that was begun is not searched.
    ImageIds(ImageNames),
    /// Deleted images whose data was not removed yet: ID and name.
    Restorable,
    /// The members of an image, which is given by its ID or name.
    Members(String),
    /// The tags of an image.
    Tags(String),
    /// The custom properties of an image.
    ImageProperties(String),
    /// The stores.
    Stores,
    /// The namespaces of metadata definitions.
    Namespaces,
    /// The objects of a namespace.
    Objects(String),
    /// The properties of a namespace.
    Properties(String),
    /// The tags of a namespace.
    NamespaceTags(String),
    /// The resource types that a namespace is associated with.
    AssociatedTypes(String),
    /// All resource types.
    ResourceTypes,
    /// Tasks: ID, and type with status.
    Tasks,
}

impl NameQuery {
    /// Returns the query whose answer includes that of this one.
    #[must_use]
    pub fn whole(self) -> Self {
        match self {
            Self::ImageIds(which) => Self::Images(which),
            other => other,
        }
    }
}
