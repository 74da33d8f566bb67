//! The rules of the reference implementation, version 33.0.0: as check strings, and as code.
//!
//! The code decides where no file changes a rule. A test compares it with the check strings.
//!
//! *Source:* `glance/policies/` of the reference implementation.

use super::action::Action;
use super::target::{ImageTarget, Target};
use crate::local::visibility;
use crate::model::{Caller, Visibility};

/// A rule of the reference implementation.
#[derive(Debug)]
pub struct DefaultRule {
    /// The name.
    pub name: &'static str,
    /// The check string.
    pub check: &'static str,
    /// The check string of earlier releases, which is sufficient as well unless `enforce_new_defaults` is set.
    pub former: Option<&'static str>,
}

/// The rules without a scope, which other rules refer to.
const UNSCOPED: [&str; 5] = [
    "default",
    "context_is_admin",
    "service_api",
    "metadef_default",
    "metadef_admin",
];

impl DefaultRule {
    /// Returns whether the rule is false for callers who act on the system as a whole.
    pub fn is_for_projects(&self) -> bool {
        !UNSCOPED.contains(&self.name)
    }
}

macro_rules! rules {
    ($($name:literal = $check:expr $(, was $former:literal)?;)*) => {
        /// All rules, in the order of the reference implementation.
        pub const DEFAULT_RULES: &[DefaultRule] = &[$(DefaultRule {
            name: $name,
            check: $check,
            former: rules!(@former $($former)?),
        },)*];
    };
    (@former) => { None };
    (@former $former:literal) => { Some($former) };
}

macro_rules! own {
    ($role:literal) => {
        concat!("role:", $role, " and project_id:%(project_id)s")
    };
}

macro_rules! seen {
    ($role:literal) => {
        concat!(
            "rule:context_is_admin or (role:",
            $role,
            " and (project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or \
             'public':%(visibility)s or 'shared':%(visibility)s))"
        )
    };
}

const ADMIN: &str = "rule:context_is_admin";
const ADMIN_OR_OWN_MEMBER: &str = concat!("rule:context_is_admin or (", own!("member"), ")");
const ADMIN_OR_OWN_READER: &str = concat!("rule:context_is_admin or (", own!("reader"), ")");
const KNOWN_MEMBER: &str = "rule:context_is_admin or role:reader and (project_id:%(project_id)s or \
     project_id:%(member_id)s)";
const SEEN_NAMESPACE: &str = "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or \
     'public':%(visibility)s))";
const METADEF_ADMIN: &str = "rule:metadef_admin";

rules! {
    "default" = "", was "rule:context_is_admin";
    "context_is_admin" = "role:admin";
    "service_api" = "role:service or role:admin";

    "add_image" = concat!("rule:context_is_admin or (", own!("member"), " and project_id:%(owner)s)"),
        was "rule:default";
    "delete_image" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "get_image" = seen!("reader"), was "rule:default";
    "get_images" = ADMIN_OR_OWN_READER, was "rule:default";
    "modify_image" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "publicize_image" = ADMIN;
    "communitize_image" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "download_image" = seen!("member"), was "rule:default";
    "download_from_store" = seen!("member");
    "upload_image" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "delete_image_location" = ADMIN, was "rule:default";
    "get_image_location" = ADMIN_OR_OWN_READER, was "rule:default";
    "set_image_location" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "add_image_location" = concat!("rule:service_api or (", own!("member"), " and project_id:%(owner)s)");
    "fetch_image_location" = "rule:service_api";
    "add_member" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "delete_member" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "get_member" = KNOWN_MEMBER, was "rule:default";
    "get_members" = KNOWN_MEMBER, was "rule:default";
    "modify_member" = "rule:context_is_admin or (role:member and project_id:%(member_id)s)", was "rule:default";
    "manage_image_cache" = ADMIN;
    "deactivate" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "reactivate" = ADMIN_OR_OWN_MEMBER, was "rule:default";
    "copy_image" = ADMIN;
    "list_cached_nodes" = ADMIN;

    "get_task" = "rule:default";
    "get_tasks" = "rule:default";
    "add_task" = "rule:default";
    "modify_task" = "rule:default";
    "tasks_api_access" = ADMIN;

    "metadef_default" = "";
    "metadef_admin" = ADMIN;
    "get_metadef_namespace" = SEEN_NAMESPACE, was "rule:metadef_default";
    "get_metadef_namespaces" = ADMIN_OR_OWN_READER, was "rule:metadef_default";
    "modify_metadef_namespace" = METADEF_ADMIN;
    "add_metadef_namespace" = METADEF_ADMIN;
    "delete_metadef_namespace" = METADEF_ADMIN;
    "get_metadef_object" = SEEN_NAMESPACE, was "rule:metadef_default";
    "get_metadef_objects" = SEEN_NAMESPACE, was "rule:metadef_default";
    "modify_metadef_object" = METADEF_ADMIN;
    "add_metadef_object" = METADEF_ADMIN;
    "delete_metadef_object" = METADEF_ADMIN;
    "list_metadef_resource_types" = SEEN_NAMESPACE, was "rule:metadef_default";
    "get_metadef_resource_type" = SEEN_NAMESPACE, was "rule:metadef_default";
    "add_metadef_resource_type_association" = METADEF_ADMIN;
    "remove_metadef_resource_type_association" = METADEF_ADMIN;
    "get_metadef_property" = SEEN_NAMESPACE, was "rule:metadef_default";
    "get_metadef_properties" = SEEN_NAMESPACE, was "rule:metadef_default";
    "modify_metadef_property" = METADEF_ADMIN;
    "add_metadef_property" = METADEF_ADMIN;
    "remove_metadef_property" = METADEF_ADMIN;
    "get_metadef_tag" = SEEN_NAMESPACE, was "rule:metadef_default";
    "get_metadef_tags" = SEEN_NAMESPACE, was "rule:metadef_default";
    "modify_metadef_tag" = METADEF_ADMIN;
    "add_metadef_tag" = METADEF_ADMIN;
    "add_metadef_tags" = METADEF_ADMIN;
    "delete_metadef_tag" = METADEF_ADMIN;
    "delete_metadef_tags" = METADEF_ADMIN;

    "cache_image" = ADMIN, was "rule:manage_image_cache";
    "cache_list" = ADMIN, was "rule:manage_image_cache";
    "cache_delete" = ADMIN, was "rule:manage_image_cache";
    "cache_clean" = ADMIN;
    "cache_prune" = ADMIN;

    "stores_info_detail" = "rule:context_is_admin or rule:service_api", was "rule:context_is_admin";
}

/// Returns whether the caller may perform an action where no file changes the rules.
pub(super) fn may(caller: &Caller, action: Action, target: Target<'_>) -> bool {
    let is_admin = caller.is_admin();
    if action.rule().is_none() {
        return is_admin;
    }
    if caller.has_system_scope {
        return false;
    }
    let has = |role: &str| caller.roles.iter().any(|one| one == role);
    let is_shared = |target: ImageTarget<'_>| target.image.visibility == Visibility::Shared;
    let is_own = |owner: Option<&String>| owner == Some(&caller.project);
    match (action, target) {
        (Action::StoresInfoDetail | Action::FetchImageLocation, _) => is_admin || has("service"),
        (Action::AddImageLocation, _) if has("service") => true,
        _ if is_admin => true,
        (Action::AddImage | Action::CommunitizeImage, Target::NewImage(image)) => {
            has("member") && is_own(image.owner.as_ref())
        }
        (Action::GetImage, Target::Image(image)) => {
            has("reader") && visibility::may_see(caller, image)
        }
        (Action::DownloadImage, Target::Image(image)) => {
            has("member") && visibility::may_see(caller, image)
        }
        (
            Action::ModifyImage
            | Action::DeleteImage
            | Action::CommunitizeImage
            | Action::UploadImage
            | Action::StageImage
            | Action::ImportImage
            | Action::Deactivate
            | Action::Reactivate
            | Action::SetImageLocation
            | Action::AddImageLocation
            | Action::AddMember
            | Action::DeleteMember,
            Target::Image(image),
        ) => has("member") && image.is_owned_by(caller),
        (Action::GetImageLocation, Target::Image(image)) => {
            has("reader") && image.is_owned_by(caller)
        }
        (Action::GetMembers | Action::GetMember, Target::Image(image)) => {
            has("reader") && (image.is_owned_by(caller) || is_shared(image))
        }
        (Action::GetMember, Target::Member(image, member)) => {
            has("reader") && (image.is_owned_by(caller) || caller.project == member)
        }
        // The owner does not accept its own offer, even if it is a member of the image.
        (Action::ModifyMember, Target::Image(image)) => {
            has("member") && is_shared(image) && !image.is_owned_by(caller)
        }
        (
            Action::GetImages
            | Action::GetMetadefNamespace
            | Action::GetMetadefNamespaces
            | Action::ListMetadefResourceTypes,
            Target::OwnProject,
        ) => has("reader"),
        (
            Action::GetMetadefNamespace
            | Action::GetMetadefObject
            | Action::GetMetadefObjects
            | Action::GetMetadefProperty
            | Action::GetMetadefProperties
            | Action::GetMetadefTag
            | Action::GetMetadefTags
            | Action::ListMetadefResourceTypes
            | Action::GetMetadefResourceType,
            Target::Namespace(namespace),
        ) => has("reader") && visibility::may_see_namespace(caller, namespace),
        _ => false,
    }
}
