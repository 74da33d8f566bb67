//! Who may do what: the reference implementation's default policies, one rule a function.
//!
//! *Source:* `glance/policies/image.py`, `glance/policies/base.py`, `glance/api/v2/policy.py` and
//! `glance/db/utils.py` of the reference implementation. A reader is also what a member is, and a
//! member what an administrator is.

use crate::model::{Caller, Image, Role, Visibility};
use crate::{Error, Result};

/// What the rules look at in an image.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The image's id, for messages.
    pub id: &'a str,
    /// The project that owns it.
    pub owner: Option<&'a str>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether the caller's project is a member of it, whatever it answered.
    pub is_member: bool,
}

impl<'a> Target<'a> {
    /// The rules' view of `image`.
    pub fn new(image: &'a Image, is_member: bool) -> Self {
        Self {
            id: &image.id,
            owner: image.owner.as_deref(),
            visibility: image.visibility,
            is_member,
        }
    }
}

fn owns(caller: &Caller, target: Target<'_>) -> bool {
    target.owner == Some(caller.project.as_str())
}

/// `get_image`: administrators; everyone for images without an owner and for public and community
/// ones; the owner; members of a shared image.
pub fn may_see(caller: &Caller, target: Target<'_>) -> bool {
    caller.is_admin()
        || target.owner.is_none()
        || matches!(
            target.visibility,
            Visibility::Public | Visibility::Community
        )
        || owns(caller, target)
        || (target.visibility == Visibility::Shared && target.is_member)
}

/// Administrators alone; `why` is what anyone else is told.
fn administrators(caller: &Caller, why: impl FnOnce() -> String) -> Result<()> {
    if caller.is_admin() {
        return Ok(());
    }
    Err(Error::forbidden(why()))
}

/// Why a caller who is no administrator may not do what the members of the owning project may.
fn why_not(caller: &Caller, target: Target<'_>) -> String {
    if owns(caller, target) {
        format!("{caller} only has the role reader")
    } else {
        format!("it belongs to another project than {}", caller.project)
    }
}

/// What a caller is told of an image they may not see: the same as of one that is not there.
pub fn not_found(id: &str) -> Error {
    Error::not_found(format!("No image found with ID {id}"))
}

/// `modify_image`, `delete_image`, `upload_image`, `deactivate`, `reactivate`, tags: administrators,
/// and members of the project that owns the image. `verb` completes "you may not … image X".
pub fn check_change(caller: &Caller, target: Target<'_>, verb: &str) -> Result<()> {
    if caller.is_admin() || (caller.role >= Role::Member && owns(caller, target)) {
        return Ok(());
    }
    let why = why_not(caller, target);
    Err(Error::forbidden(format!(
        "you may not {verb} image {}: {why}",
        target.id
    )))
}

/// Only images of visibility `shared` have members, even for administrators. `verb` is what the caller
/// is about to do to them.
pub fn check_has_members(target: Target<'_>, verb: &str) -> Result<()> {
    if target.visibility == Visibility::Shared {
        return Ok(());
    }
    let id = target.id;
    Err(Error::forbidden(format!(
        "Not allowed to {verb} members for image {id}: Only shared images have members."
    ))
    .hint(format!(
        "Its owner can change that: glance image-update --visibility shared {id}"
    )))
}

/// `get_member`, `get_members`: administrators and the owner know every member, a project knows itself.
pub fn may_know_member(caller: &Caller, target: Target<'_>, member: &str) -> bool {
    caller.is_admin() || owns(caller, target) || caller.project == member
}

/// `modify_member`: administrators for any member, members (not readers) of a project for that project.
/// The owner is not the one who answers, though it be a member of its own image.
pub fn check_answer(caller: &Caller, target: Target<'_>) -> Result<()> {
    if caller.is_admin()
        || (caller.role >= Role::Member && target.is_member && !owns(caller, target))
    {
        return Ok(());
    }
    let why = if owns(caller, target) {
        "only the projects it is shared with answer".to_string()
    } else {
        format!("{caller} only has the role reader")
    };
    Err(Error::forbidden(format!(
        "you may not answer the offer of image {}: {why}",
        target.id
    )))
}

/// `tasks_api_access`: administrators.
pub fn check_tasks(caller: &Caller) -> Result<()> {
    administrators(caller, || {
        format!("tasks are for administrators, and {caller} is none")
    })
}

/// `copy_image`: administrators.
pub fn check_copy(caller: &Caller, target: Target<'_>) -> Result<()> {
    administrators(caller, || {
        format!(
            "you may not copy image {} into other stores: that is for administrators",
            target.id
        )
    })
}

/// `add_image`: administrators for any owner, members for their own project.
pub fn check_create(caller: &Caller, owner: &str) -> Result<()> {
    if caller.is_admin() || (caller.role >= Role::Member && owner == caller.project) {
        return Ok(());
    }
    if owner != caller.project {
        return Err(Error::forbidden(format!(
            "You are not permitted to create images owned by '{owner}'"
        )));
    }
    Err(Error::forbidden(format!(
        "{caller} may not create images: the role reader only looks"
    )))
}

/// `publicize_image` and `communitize_image`: only administrators make an image public; members of the
/// owning project make it anything else.
pub fn check_visibility(caller: &Caller, visibility: Visibility) -> Result<()> {
    if visibility == Visibility::Public && !caller.is_admin() {
        return Err(
            Error::forbidden("only an administrator may make an image public")
                .hint("Ask one, or share the image with the projects that need it."),
        );
    }
    Ok(())
}

/// Owners are changed by administrators.
pub fn check_owner_change(caller: &Caller) -> Result<()> {
    administrators(caller, || {
        "Owner can't be updated by non admin.".to_string()
    })
}

/// `download_image`: administrators; members (not readers) of the owner's project, of a project the
/// image is shared with, and of any project for public and community images. A deactivated image:
/// administrators alone.
pub fn check_download(caller: &Caller, target: Target<'_>, deactivated: bool) -> Result<()> {
    if caller.is_admin() {
        return Ok(());
    }
    if deactivated {
        return Err(Error::forbidden(
            "The requested image has been deactivated. Image data download is forbidden.",
        ));
    }
    if caller.role >= Role::Member && may_see(caller, target) {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "you may not download image {}: {caller} only has the role reader",
        target.id
    )))
}

/// `delete_image_location`: administrators alone, though the image be the caller's.
pub fn check_remove_location(caller: &Caller, target: Target<'_>) -> Result<()> {
    administrators(caller, || {
        format!(
            "you may not take locations off image {}: only an administrator may",
            target.id
        )
    })
}

/// `add_image_location`: members of the project that owns the image; not even administrators for another.
pub fn check_register(caller: &Caller, target: Target<'_>) -> Result<()> {
    if caller.role >= Role::Member && owns(caller, target) {
        return Ok(());
    }
    let why = why_not(caller, target);
    Err(Error::forbidden(format!(
        "you may not register data of image {}: {why}",
        target.id
    )))
}

/// `stores_info_detail`: administrators.
pub fn check_store_details(caller: &Caller) -> Result<()> {
    administrators(caller, || {
        "only an administrator may see the details of stores".to_string()
    })
}

/// `cache_list`, `cache_image`, `cache_delete`, `cache_clean`, `cache_prune`, `list_cached_nodes`:
/// administrators. `action` is one of these names.
pub fn check_cache(caller: &Caller, action: &str) -> Result<()> {
    administrators(caller, || {
        format!("You are not authorized to complete {action} action.")
    })
}

/// Removing what waits to be deleted, and taking it back: administrators. The reference implementation
/// leaves it to whoever can read the configuration.
pub fn check_scrub(caller: &Caller) -> Result<()> {
    administrators(caller, || {
        format!("scrubbing is for administrators, and {caller} is none")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(text: &str) -> Caller {
        Caller::parse(text).unwrap()
    }

    fn target(
        owner: Option<&'static str>,
        visibility: Visibility,
        is_member: bool,
    ) -> Target<'static> {
        Target {
            id: "x",
            owner,
            visibility,
            is_member,
        }
    }

    #[test]
    fn images_are_seen_by_those_they_are_offered_to() {
        use Visibility::{Community, Private, Public, Shared};
        let other = caller("other:member");
        for (visibility, is_member, seen) in [
            (Public, false, true),
            (Community, false, true),
            (Shared, false, false),
            (Shared, true, true),
            (Private, false, false),
            (Private, true, false),
        ] {
            assert_eq!(
                may_see(&other, target(Some("demo"), visibility, is_member)),
                seen,
                "{visibility}"
            );
            assert!(may_see(
                &caller("demo:reader"),
                target(Some("demo"), visibility, is_member)
            ));
            assert!(may_see(
                &caller("root:admin"),
                target(Some("demo"), visibility, is_member)
            ));
        }
        assert!(may_see(&other, target(None, Private, false)));
    }

    #[test]
    fn images_are_changed_by_members_of_their_project_and_administrators() {
        let image = target(Some("demo"), Visibility::Public, false);
        assert!(check_change(&caller("demo:member"), image, "change").is_ok());
        assert!(check_change(&caller("root:admin"), image, "change").is_ok());
        assert!(check_change(&caller("demo:reader"), image, "change").is_err());
        assert!(check_change(&caller("other:member"), image, "change").is_err());
        assert!(
            check_change(
                &caller("demo:member"),
                target(None, Visibility::Public, false),
                "change"
            )
            .is_err()
        );
    }

    #[test]
    fn offers_are_answered_by_those_they_are_made_to() {
        let image = target(Some("demo"), Visibility::Shared, true);
        assert!(check_answer(&caller("other:member"), image).is_ok());
        assert!(check_answer(&caller("root:admin"), image).is_ok());
        assert!(check_answer(&caller("other:reader"), image).is_err());
        assert!(check_answer(&caller("demo:member"), image).is_err());
        let not_offered = target(Some("demo"), Visibility::Shared, false);
        assert!(check_answer(&caller("other:member"), not_offered).is_err());
    }

    #[test]
    fn members_are_known_to_the_owner_and_to_themselves() {
        let image = target(Some("demo"), Visibility::Shared, true);
        for (who, known) in [
            ("demo:reader", true),
            ("root:admin", true),
            ("other:reader", true),
            ("third:member", false),
        ] {
            assert_eq!(
                may_know_member(&caller(who), image, "other"),
                known,
                "{who}"
            );
        }
        assert!(check_has_members(image, "list").is_ok());
        let public = target(Some("demo"), Visibility::Public, false);
        assert!(check_has_members(public, "list").is_err());
    }

    #[test]
    fn members_create_for_their_own_project_only() {
        assert!(check_create(&caller("demo"), "demo").is_ok());
        assert!(check_create(&caller("demo"), "other").is_err());
        assert!(check_create(&caller("demo:reader"), "demo").is_err());
        assert!(check_create(&caller("root:admin"), "demo").is_ok());
    }

    #[test]
    fn only_administrators_publish_and_change_owners() {
        assert!(check_visibility(&caller("demo"), Visibility::Public).is_err());
        assert!(check_visibility(&caller("demo"), Visibility::Community).is_ok());
        assert!(check_visibility(&Caller::default(), Visibility::Public).is_ok());
        assert!(check_owner_change(&caller("demo")).is_err());
        assert!(check_owner_change(&Caller::default()).is_ok());
    }

    #[test]
    fn readers_do_not_download_and_only_administrators_download_deactivated_images() {
        let image = target(Some("demo"), Visibility::Public, false);
        assert!(check_download(&caller("other:member"), image, false).is_ok());
        assert!(check_download(&caller("demo:reader"), image, false).is_err());
        assert!(check_download(&caller("demo:member"), image, true).is_err());
        assert!(check_download(&Caller::default(), image, true).is_ok());
    }

    #[test]
    fn caches_are_for_administrators() {
        assert!(check_cache(&caller("demo"), "cache_list").is_err());
        assert!(check_cache(&Caller::default(), "cache_list").is_ok());
    }

    #[test]
    fn locations_are_registered_by_the_owner_and_removed_by_administrators() {
        let image = target(Some("demo"), Visibility::Public, false);
        assert!(check_register(&caller("demo:member"), image).is_ok());
        assert!(check_register(&caller("demo:admin"), image).is_ok());
        assert!(check_register(&caller("demo:reader"), image).is_err());
        assert!(check_register(&caller("root:admin"), image).is_err());
        assert!(check_remove_location(&caller("root:admin"), image).is_ok());
        assert!(check_remove_location(&caller("demo:member"), image).is_err());
    }

    #[test]
    fn store_details_are_for_administrators() {
        assert!(check_store_details(&caller("demo")).is_err());
        assert!(check_store_details(&Caller::default()).is_ok());
    }
}
