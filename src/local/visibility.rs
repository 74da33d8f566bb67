//! Visibility of images and namespaces. The equivalent SQL filter for lists is in `catalog/tables/query.rs`.
//!
//! *Source:* `glance/policies/base.py`, `glance/policies/metadef.py` of the reference implementation.

use super::policy::target::ImageTarget;
use crate::Error;
use crate::model::metadef::{Namespace, PUBLIC};
use crate::model::{Caller, Visibility};

/// Returns whether the caller may see an image: administrators see all; everyone sees public and community images,
/// and shared ones without an owner; the owner and the members of a shared image see it.
pub fn may_see(caller: &Caller, target: ImageTarget<'_>) -> bool {
    let ImageTarget { image, is_member } = target;
    caller.is_admin()
        || matches!(image.visibility, Visibility::Public | Visibility::Community)
        || target.is_owned_by(caller)
        || (image.visibility == Visibility::Shared && (is_member || image.owner.is_none()))
}

/// Returns whether the caller may see a namespace and its contents: administrators and its owner may, and everyone
/// if it is public.
pub fn may_see_namespace(caller: &Caller, namespace: &Namespace) -> bool {
    caller.is_admin()
        || namespace.visibility == PUBLIC
        || namespace.owner.as_ref() == Some(&caller.project)
}

/// Returns the error for an image that the caller may not see, which is the same as for an unknown one.
pub fn not_found(id: &str) -> Error {
    Error::not_found(format!("No image found with ID {id}"))
}

/// Returns the error for a namespace that the caller may not see, which is the same as for an unknown one.
pub fn no_namespace(name: &str) -> Error {
    Error::not_found(format!(
        "Metadata definition namespace={name} was not found."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Image, Timestamp};

    fn caller(text: &str) -> Caller {
        Caller::parse(text).unwrap()
    }

    #[test]
    fn images_are_seen_by_those_they_are_offered_to() {
        use Visibility::{Community, Private, Public, Shared};
        let other = caller("other:member");
        let image = |owner: Option<&str>, visibility| {
            let mut image = Image::queued("x".to_string(), Timestamp::EPOCH);
            image.owner = owner.map(str::to_string);
            image.visibility = visibility;
            image
        };
        for (visibility, is_member, seen) in [
            (Public, false, true),
            (Community, false, true),
            (Shared, false, false),
            (Shared, true, true),
            (Private, false, false),
            (Private, true, false),
        ] {
            let image = image(Some("demo"), visibility);
            let target = ImageTarget::new(&image, is_member);
            assert_eq!(may_see(&other, target), seen, "{visibility}");
            assert!(may_see(&caller("demo:reader"), target));
            assert!(may_see(&caller("root:admin"), target));
        }
        for (visibility, seen) in [(Shared, true), (Private, false)] {
            let image = image(None, visibility);
            assert_eq!(may_see(&other, ImageTarget::new(&image, false)), seen);
        }
    }

    #[test]
    fn namespaces_are_seen_by_those_they_are_for() {
        for (visibility, by_others) in [("public", true), ("private", false), ("odd", false)] {
            let namespace = Namespace {
                owner: Some("demo".to_string()),
                visibility: visibility.to_string(),
                ..Namespace::default()
            };
            assert!(may_see_namespace(&caller("demo:reader"), &namespace));
            assert!(may_see_namespace(&caller("root:admin"), &namespace));
            let seen = may_see_namespace(&caller("other:member"), &namespace);
            assert_eq!(seen, by_others, "{visibility}");
        }
    }
}
