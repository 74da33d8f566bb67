//! The targets of actions.

use crate::model::metadef::Namespace;
use crate::model::{Caller, Image, Visibility};

/// The target of an action.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The deployment.
    Deployment,
    /// The project that will own a new image.
    Project(&'a str),
    /// An image.
    Image(ImageTarget<'a>),
    /// A member of an image, by the ID of its project.
    Member(ImageTarget<'a>, &'a str),
    /// A namespace of metadata definitions.
    Namespace(&'a Namespace),
}

/// The properties of an image that the rules depend on.
#[derive(Clone, Copy, Debug)]
pub struct ImageTarget<'a> {
    /// The image's ID, for messages.
    pub id: &'a str,
    /// The project that owns it.
    pub owner: Option<&'a str>,
    /// The visibility.
    pub visibility: Visibility,
    /// Whether the caller's project is a member of the image, in any status.
    pub is_member: bool,
}

impl<'a> ImageTarget<'a> {
    /// Returns the target for `image`.
    pub fn new(image: &'a Image, is_member: bool) -> Self {
        Self {
            id: &image.id,
            owner: image.owner.as_deref(),
            visibility: image.visibility,
            is_member,
        }
    }

    /// Returns whether the image belongs to the caller's project.
    pub fn is_owned_by(&self, caller: &Caller) -> bool {
        self.owner == Some(caller.project.as_str())
    }
}

impl<'a> From<ImageTarget<'a>> for Target<'a> {
    fn from(image: ImageTarget<'a>) -> Self {
        Self::Image(image)
    }
}
