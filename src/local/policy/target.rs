//! The targets of actions, and their attributes in rules.

use std::collections::BTreeMap;

use super::rules::Attributes;
use crate::model::metadef::Namespace;
use crate::model::{Caller, Image, Visibility};

/// The target of an action.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The deployment.
    Deployment,
    /// The project of the caller.
    OwnProject,
    /// An image that does not exist yet.
    NewImage(&'a Image),
    /// An image.
    Image(ImageTarget<'a>),
    /// A member of an image, by the ID of its project.
    Member(ImageTarget<'a>, &'a str),
    /// A namespace of metadata definitions.
    Namespace(&'a Namespace),
}

/// An image, and the relation of the caller to it.
#[derive(Clone, Copy, Debug)]
pub struct ImageTarget<'a> {
    /// The record of the image.
    pub image: &'a Image,
    /// Whether the caller's project is a member of the image, in any status.
    pub is_member: bool,
}

impl<'a> ImageTarget<'a> {
    /// Returns the target for `image`.
    pub fn new(image: &'a Image, is_member: bool) -> Self {
        Self { image, is_member }
    }

    /// Returns whether the image belongs to the caller's project.
    pub fn is_owned_by(&self, caller: &Caller) -> bool {
        self.image.owner.as_deref() == Some(caller.project.as_str())
    }
}

impl<'a> From<ImageTarget<'a>> for Target<'a> {
    fn from(image: ImageTarget<'a>) -> Self {
        Self::Image(image)
    }
}

/// The attributes of a target that rules may name.
///
/// *Source:* `ImageTarget` in `glance/api/policy.py`, the classes in `glance/api/v2/policy.py`, and
/// `_format_image_from_db` in `glance/db/__init__.py` of the reference implementation.
pub(super) struct TargetAttributes<'a> {
    pub(super) caller: &'a Caller,
    pub(super) target: Target<'a>,
}

impl Attributes for TargetAttributes<'_> {
    fn attribute(&self, name: &str) -> Option<String> {
        match (self.target, name) {
            (Target::OwnProject, "project_id") => Some(text(Some(&self.caller.project))),
            (Target::NewImage(image), "project_id" | "owner") => Some(text(image.owner.as_ref())),
            (Target::NewImage(image), "visibility") => Some(image.visibility.to_string()),
            (Target::Image(target) | Target::Member(target, _), name) => {
                of_image(target, self.caller, name)
            }
            (Target::Namespace(namespace), "project_id") => Some(text(namespace.owner.as_ref())),
            (Target::Namespace(namespace), "visibility") => Some(namespace.visibility.clone()),
            _ => None,
        }
    }
}

/// Returns an attribute of an image as Python writes it; None if the image has none of that name.
fn of_image(target: ImageTarget<'_>, caller: &Caller, name: &str) -> Option<String> {
    let image = target.image;
    let boolean = |value| if value { "True" } else { "False" }.to_string();
    let hash = image.hash.as_ref();
    Some(match name {
        "id" | "image_id" => image.id.clone(),
        "project_id" | "owner" => text(image.owner.as_ref()),
        // The reference implementation treats every caller that sees a shared image of another project as a member.
        "member_id" | "member" => {
            let is_shared = image.visibility == Visibility::Shared && !target.is_owned_by(caller);
            text(is_shared.then_some(&caller.project))
        }
        "name" => text(image.name.as_ref()),
        "status" => image.status.to_string(),
        "visibility" => image.visibility.to_string(),
        "protected" => boolean(image.protected),
        "os_hidden" => boolean(image.hidden),
        "min_disk" => image.min_disk.to_string(),
        "min_ram" => image.min_ram.to_string(),
        "size" => text(image.size.as_ref()),
        "virtual_size" => text(image.virtual_size.as_ref()),
        "disk_format" => text(image.disk_format.as_ref()),
        "container_format" => text(image.container_format.as_ref()),
        "checksum" => text(image.checksum.as_ref()),
        "os_hash_algo" => text(hash.map(|hash| &hash.algorithm)),
        "os_hash_value" => text(hash.map(|hash| &hash.value)),
        "created_at" => image.created_at.to_string(),
        "updated_at" => image.updated_at.to_string(),
        property => image.property(property)?.to_string(),
    })
}

/// Returns a value as Python writes it.
fn text(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "None".to_string(), ToString::to_string)
}

impl Attributes for BTreeMap<String, String> {
    fn attribute(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}
