//! Access control: the reference implementation's policy rules with their defaults.
//!
//! *Source:* `glance/policies/`, `glance/api/v2/policy.py` of the reference implementation. `admin` implies
//! `member`, which implies `reader`.

pub(super) mod target;

pub use target::{ImageTarget, Target};

use super::visibility;
use crate::model::{Caller, Role};
use crate::{Error, Result};

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal;)*) => {
        /// An action of a caller: a policy rule of the reference implementation, or an additional one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            /// All actions.
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// Returns the name of the rule.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// Create an image for a project.
    AddImage = "add_image";
    /// Get or list an image.
    GetImage = "get_image";
    /// Change attributes, properties or tags.
    ModifyImage = "modify_image";
    /// Delete an image.
    DeleteImage = "delete_image";
    /// Make an image public.
    PublicizeImage = "publicize_image";
    /// Make an image a community one.
    CommunitizeImage = "communitize_image";
    /// Transfer an image to another project: an additional rule.
    ChangeOwner = "change_owner";
    /// Upload the data of an image.
    UploadImage = "upload_image";
    /// Stage data: an additional rule, which upstream decides as an upload.
    StageImage = "stage_image";
    /// Import data: an additional rule, which upstream decides as an upload.
    ImportImage = "import_image";
    /// Read the data of an image.
    DownloadImage = "download_image";
    /// Read the data of a deactivated image: an additional rule.
    DownloadDeactivated = "download_deactivated_image";
    /// Deactivate an image, so that only administrators can read its data.
    Deactivate = "deactivate";
    /// Reactivate an image.
    Reactivate = "reactivate";
    /// Copy the data into other stores.
    CopyImage = "copy_image";
    /// Add or replace locations.
    SetImageLocation = "set_image_location";
    /// Remove locations.
    DeleteImageLocation = "delete_image_location";
    /// Register data by its address.
    AddImageLocation = "add_image_location";
    /// Share an image.
    AddMember = "add_member";
    /// Stop sharing an image.
    DeleteMember = "delete_member";
    /// Get a member.
    GetMember = "get_member";
    /// Accept or reject a shared image.
    ModifyMember = "modify_member";
    /// Use tasks.
    TasksApi = "tasks_api_access";
    /// See the details of stores.
    StoresInfoDetail = "stores_info_detail";
    /// List the cache.
    CacheList = "cache_list";
    /// Queue an image for the cache.
    CacheImage = "cache_image";
    /// Remove images from the cache.
    CacheDelete = "cache_delete";
    /// Remove leftovers from the cache.
    CacheClean = "cache_clean";
    /// Remove images from a cache that is too large.
    CachePrune = "cache_prune";
    /// List the nodes that have an image in their cache.
    ListCachedNodes = "list_cached_nodes";
    /// Remove or restore images pending deletion: an additional rule. Upstream's program requires access to the
    /// configuration.
    Scrub = "scrub";
    /// Get a namespace and its contents.
    GetMetadefNamespace = "get_metadef_namespace";
    /// Create a namespace.
    AddMetadefNamespace = "add_metadef_namespace";
    /// Change a namespace.
    ModifyMetadefNamespace = "modify_metadef_namespace";
    /// Delete a namespace, or all its contents of one kind.
    DeleteMetadefNamespace = "delete_metadef_namespace";
    /// Create an object.
    AddMetadefObject = "add_metadef_object";
    /// Change an object.
    ModifyMetadefObject = "modify_metadef_object";
    /// Delete an object.
    DeleteMetadefObject = "delete_metadef_object";
    /// Create a property.
    AddMetadefProperty = "add_metadef_property";
    /// Change a property.
    ModifyMetadefProperty = "modify_metadef_property";
    /// Delete a property.
    RemoveMetadefProperty = "remove_metadef_property";
    /// Associate a resource type.
    AddMetadefResourceTypeAssociation = "add_metadef_resource_type_association";
    /// Remove the association of a resource type.
    RemoveMetadefResourceTypeAssociation = "remove_metadef_resource_type_association";
    /// Create a tag.
    AddMetadefTag = "add_metadef_tag";
    /// Create tags.
    AddMetadefTags = "add_metadef_tags";
    /// Change a tag.
    ModifyMetadefTag = "modify_metadef_tag";
    /// Delete a tag.
    DeleteMetadefTag = "delete_metadef_tag";
    /// Delete all tags.
    DeleteMetadefTags = "delete_metadef_tags";
}

/// Returns whether the caller may perform an action.
pub fn may<'a>(caller: &Caller, action: Action, target: impl Into<Target<'a>>) -> bool {
    let is_admin = caller.is_admin();
    let changes = caller.role >= Role::Member;
    match (action, target.into()) {
        // Administrators cannot register data for other projects either.
        (Action::AddImageLocation, Target::Image(image)) => changes && image.is_owned_by(caller),
        _ if is_admin => true,
        (Action::AddImage, Target::Project(owner)) => changes && owner == caller.project,
        (Action::GetImage, Target::Image(image)) => visibility::may_see(caller, image),
        (Action::DownloadImage, Target::Image(image)) => {
            changes && visibility::may_see(caller, image)
        }
        (
            Action::ModifyImage
            | Action::DeleteImage
            | Action::UploadImage
            | Action::StageImage
            | Action::ImportImage
            | Action::Deactivate
            | Action::Reactivate
            | Action::SetImageLocation
            | Action::AddMember
            | Action::DeleteMember,
            Target::Image(image),
        ) => changes && image.is_owned_by(caller),
        // Members of the owning project may set any visibility but public.
        (Action::CommunitizeImage, _) => true,
        (Action::GetMember, Target::Member(image, member)) => {
            image.is_owned_by(caller) || caller.project == member
        }
        // The owner does not accept its own offer, even if it is a member of the image.
        (Action::ModifyMember, Target::Image(image)) => {
            changes && image.is_member && !image.is_owned_by(caller)
        }
        (Action::GetMetadefNamespace, Target::Namespace(namespace)) => {
            visibility::may_see_namespace(caller, namespace)
        }
        _ => false,
    }
}

/// Checks that the caller may perform an action.
///
/// # Errors
/// `Forbidden` with the reason.
pub fn check<'a>(caller: &Caller, action: Action, target: impl Into<Target<'a>>) -> Result<()> {
    let target = target.into();
    if may(caller, action, target) {
        return Ok(());
    }
    Err(refusal(caller, action, target))
}

/// Returns the error for an action that the caller may not perform.
fn refusal(caller: &Caller, action: Action, target: Target<'_>) -> Error {
    let id = match target {
        Target::Image(image) | Target::Member(image, _) => image.id,
        _ => "",
    };
    let message = match (action, target) {
        (Action::AddImage, Target::Project(owner)) if owner != caller.project => {
            format!("You are not permitted to create images owned by '{owner}'")
        }
        (Action::AddImage, _) => {
            format!("{caller} may not create images: the role reader is read-only")
        }
        (Action::PublicizeImage, _) => {
            return Error::forbidden("only an administrator may make an image public")
                .hint("Ask an administrator, or share the image with the projects that need it.");
        }
        (Action::ChangeOwner, _) => "Owner can't be updated by non admin.".to_string(),
        (Action::CopyImage, _) => {
            format!("you may not copy image {id} to other stores: only administrators may")
        }
        (Action::DownloadDeactivated, _) => {
            "The requested image has been deactivated. Image data download is forbidden."
                .to_string()
        }
        (Action::DownloadImage, _) => {
            format!("you may not download image {id}: {caller} only has the role reader")
        }
        (Action::DeleteImageLocation, _) => {
            format!("you may not remove locations from image {id}: only administrators may")
        }
        (Action::ModifyMember, Target::Image(image)) => {
            let why = if image.is_owned_by(caller) {
                "only the projects it is shared with may".to_string()
            } else {
                format!("{caller} only has the role reader")
            };
            format!("you may not accept or reject image {id}: {why}")
        }
        (Action::TasksApi, _) => {
            format!("only administrators may use tasks; {caller} is not one")
        }
        (Action::Scrub, _) => format!("only administrators may scrub; {caller} is not one"),
        (Action::StoresInfoDetail, _) => {
            "only administrators may see the details of stores".to_string()
        }
        (action, Target::Image(image)) => {
            let why = if image.is_owned_by(caller) {
                format!("{caller} only has the role reader")
            } else {
                format!("it belongs to another project than {}", caller.project)
            };
            format!("you may not {} image {id}: {why}", verb(action))
        }
        (action, target) => {
            let refused = format!(
                "You are not authorized to complete {} action.",
                action.name()
            );
            let error = Error::forbidden(refused);
            return match target {
                Target::Namespace(_) => error.hint(format!(
                    "Only administrators may change metadata definitions. You are {caller}."
                )),
                _ => error,
            };
        }
    };
    Error::forbidden(message)
}

/// Returns the verb of an action for "you may not … image X".
const fn verb(action: Action) -> &'static str {
    match action {
        Action::DeleteImage => "delete",
        Action::UploadImage => "upload data to",
        Action::StageImage => "stage data for",
        Action::ImportImage => "import data to",
        Action::Deactivate => "deactivate",
        Action::Reactivate => "reactivate",
        Action::SetImageLocation => "change the locations of",
        Action::AddImageLocation => "register data of",
        Action::AddMember => "share",
        Action::DeleteMember => "stop sharing",
        _ => "change",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Visibility;
    use crate::model::metadef::Namespace;

    fn caller(text: &str) -> Caller {
        Caller::parse(text).unwrap()
    }

    fn image(
        owner: Option<&'static str>,
        visibility: Visibility,
        is_member: bool,
    ) -> ImageTarget<'static> {
        ImageTarget {
            id: "x",
            owner,
            visibility,
            is_member,
        }
    }

    /// Which of these callers may do something to an image.
    fn those_who_may(action: Action, target: ImageTarget<'_>) -> Vec<&'static str> {
        let callers = [
            "root:admin",
            "demo:member",
            "demo:reader",
            "other:member",
            "other:reader",
        ];
        let may = |text: &&str| may(&caller(text), action, target);
        callers.into_iter().filter(may).collect()
    }

    #[test]
    fn each_rule_of_images_has_its_callers() {
        use Visibility::{Private, Public, Shared};
        let own = image(Some("demo"), Private, false);
        for action in [
            Action::ModifyImage,
            Action::DeleteImage,
            Action::UploadImage,
            Action::StageImage,
            Action::ImportImage,
            Action::Deactivate,
            Action::Reactivate,
            Action::SetImageLocation,
            Action::AddMember,
            Action::DeleteMember,
        ] {
            let may = those_who_may(action, own);
            assert_eq!(may, ["root:admin", "demo:member"], "{action:?}");
        }
        for action in [
            Action::CopyImage,
            Action::DeleteImageLocation,
            Action::DownloadDeactivated,
            Action::ChangeOwner,
            Action::PublicizeImage,
        ] {
            assert_eq!(those_who_may(action, own), ["root:admin"], "{action:?}");
        }
        assert_eq!(
            those_who_may(Action::AddImageLocation, own),
            ["demo:member"]
        );
        let public = image(Some("demo"), Public, false);
        assert_eq!(
            those_who_may(Action::DownloadImage, public),
            ["root:admin", "demo:member", "other:member"]
        );
        let shared = image(Some("demo"), Shared, true);
        assert_eq!(
            those_who_may(Action::ModifyMember, shared),
            ["root:admin", "other:member"]
        );
        assert_eq!(those_who_may(Action::GetImage, shared).len(), 5);
        let unowned = image(None, Public, false);
        assert_eq!(those_who_may(Action::ModifyImage, unowned), ["root:admin"]);
    }

    #[test]
    fn members_are_known_to_the_owner_and_to_themselves() {
        let shared = image(Some("demo"), Visibility::Shared, true);
        for (who, known) in [
            ("demo:reader", true),
            ("root:admin", true),
            ("other:reader", true),
            ("third:member", false),
        ] {
            let target = Target::Member(shared, "other");
            let may = may(&caller(who), Action::GetMember, target);
            assert_eq!(may, known, "{who}");
        }
    }

    #[test]
    fn members_create_for_their_own_project_only() {
        let creates =
            |who: &str, owner| may(&caller(who), Action::AddImage, Target::Project(owner));
        assert!(creates("demo", "demo"));
        assert!(!creates("demo", "other"));
        assert!(!creates("demo:reader", "demo"));
        assert!(creates("root:admin", "demo"));
    }

    #[test]
    fn what_is_not_allowed_to_others_is_for_administrators() {
        let namespace = Namespace::default();
        for action in Action::ALL {
            for target in [Target::Deployment, Target::Namespace(&namespace)] {
                let by_member = may(&caller("demo"), *action, target);
                assert_eq!(by_member, *action == Action::CommunitizeImage, "{action:?}");
                let by_admin = may(&Caller::default(), *action, target);
                assert!(by_admin, "{action:?}");
            }
        }
    }

    #[test]
    fn refusals_name_the_rule_or_the_image() {
        let own = image(Some("demo"), Visibility::Private, false);
        for action in Action::ALL {
            let refused = refusal(&caller("demo:reader"), *action, own.into());
            assert_eq!(refused.kind(), crate::ErrorKind::Forbidden);
            let named = refused.message();
            assert!(
                !named.contains("  ") && !named.contains("image :"),
                "{named}"
            );
        }
    }
}
