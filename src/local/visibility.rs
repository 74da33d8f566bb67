//! Visibility of images and namespaces. The equivalent SQL filter for lists is in `catalog/tables/query.rs`.
//!
//! *Source:* `glance/policies/base.py`, `glance/policies/metadef.py` of the reference implementation.

use super::policy::target::ImageTarget;
use crate::Error;
use crate::model::metadef::{Namespace, PUBLIC};
use crate::model::{Caller, Visibility};

/// Returns whether the caller may see an image: administrators see all; everyone sees public and community images
/// and those without an owner; the owner and the members of a shared image see it.
pub fn may_see(caller: &Caller, image: ImageTarget<'_>) -> bool {
    caller.is_admin()
        || image.owner.is_none()
        || matches!(image.visibility, Visibility::Public | Visibility::Community)
        || image.is_owned_by(caller)
        || (image.visibility == Visibility::Shared && image.is_member)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(text: &str) -> Caller {
        Caller::parse(text).unwrap()
    }

    #[test]
    fn images_are_seen_by_those_they_are_offered_to() {
        use Visibility::{Community, Private, Public, Shared};
        let other = caller("other:member");
        let image = |owner, visibility, is_member| ImageTarget {
            id: "x",
            owner,
            visibility,
            is_member,
        };
        for (visibility, is_member, seen) in [
            (Public, false, true),
            (Community, false, true),
            (Shared, false, false),
            (Shared, true, true),
            (Private, false, false),
            (Private, true, false),
        ] {
            let target = image(Some("demo"), visibility, is_member);
            assert_eq!(may_see(&other, target), seen, "{visibility}");
            assert!(may_see(&caller("demo:reader"), target));
            assert!(may_see(&caller("root:admin"), target));
        }
        assert!(may_see(&other, image(None, Private, false)));
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
