//! The actions that callers may or may not perform.
//!
//! *Source:* `glance/policies/` of the reference implementation, for the names.

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
    /// Get an image, or have it in a list.
    GetImage = "get_image";
    /// List images.
    GetImages = "get_images";
    /// Change attributes, properties or tags.
    ModifyImage = "modify_image";
    /// Delete an image.
    DeleteImage = "delete_image";
    /// Make an image public.
    PublicizeImage = "publicize_image";
    /// Make an image a community one.
    CommunitizeImage = "communitize_image";
    /// Transfer an image to another project: for administrators.
    ChangeOwner = "change_owner";
    /// Upload the data of an image.
    UploadImage = "upload_image";
    /// Stage data: a change of the image.
    StageImage = "stage_image";
    /// Import data: a change of the image.
    ImportImage = "import_image";
    /// Read the data of an image.
    DownloadImage = "download_image";
    /// Read the data of a deactivated image: for administrators.
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
    /// Learn where the data of an image is, before a copy of it is deleted.
    GetImageLocation = "get_image_location";
    /// Get the locations of an image: for services.
    FetchImageLocation = "fetch_image_location";
    /// Register data by its address.
    AddImageLocation = "add_image_location";
    /// Share an image.
    AddMember = "add_member";
    /// Stop sharing an image.
    DeleteMember = "delete_member";
    /// Get members of an image, or one of them.
    GetMember = "get_member";
    /// List the members of an image, and have each of them in the list.
    GetMembers = "get_members";
    /// Accept or reject a shared image.
    ModifyMember = "modify_member";
    /// Use tasks.
    TasksApi = "tasks_api_access";
    /// See the details of stores.
    StoresInfoDetail = "stores_info_detail";
    /// Use the routes of the cache's middleware.
    ManageImageCache = "manage_image_cache";
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
    /// Remove or restore images pending deletion: for administrators. Upstream's program requires access to the
    /// configuration.
    Scrub = "scrub";
    /// Get a namespace and its contents.
    GetMetadefNamespace = "get_metadef_namespace";
    /// List namespaces.
    GetMetadefNamespaces = "get_metadef_namespaces";
    /// Create a namespace.
    AddMetadefNamespace = "add_metadef_namespace";
    /// Change a namespace.
    ModifyMetadefNamespace = "modify_metadef_namespace";
    /// Delete a namespace, or all its contents of one kind.
    DeleteMetadefNamespace = "delete_metadef_namespace";
    /// Get an object.
    GetMetadefObject = "get_metadef_object";
    /// List objects.
    GetMetadefObjects = "get_metadef_objects";
    /// Create an object.
    AddMetadefObject = "add_metadef_object";
    /// Change an object.
    ModifyMetadefObject = "modify_metadef_object";
    /// Delete an object.
    DeleteMetadefObject = "delete_metadef_object";
    /// Get a property.
    GetMetadefProperty = "get_metadef_property";
    /// List properties.
    GetMetadefProperties = "get_metadef_properties";
    /// Create a property.
    AddMetadefProperty = "add_metadef_property";
    /// Change a property.
    ModifyMetadefProperty = "modify_metadef_property";
    /// Delete a property.
    RemoveMetadefProperty = "remove_metadef_property";
    /// List resource types.
    ListMetadefResourceTypes = "list_metadef_resource_types";
    /// List the resource types that are associated with a namespace.
    GetMetadefResourceType = "get_metadef_resource_type";
    /// Associate a resource type.
    AddMetadefResourceTypeAssociation = "add_metadef_resource_type_association";
    /// Remove the association of a resource type.
    RemoveMetadefResourceTypeAssociation = "remove_metadef_resource_type_association";
    /// Get a tag.
    GetMetadefTag = "get_metadef_tag";
    /// List tags.
    GetMetadefTags = "get_metadef_tags";
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

impl Action {
    /// Returns the name of the rule that decides the action; None if administrators may perform it, and no one else.
    ///
    /// *Source:* `glance/api/v2/image_data.py` (`stage`, `download`) and `glance/api/v2/images.py` (`import_image`) of the
    /// reference implementation.
    pub const fn rule(self) -> Option<&'static str> {
        match self {
            Self::StageImage | Self::ImportImage => Some(Self::ModifyImage.name()),
            Self::ChangeOwner | Self::DownloadDeactivated | Self::Scrub => None,
            own => Some(own.name()),
        }
    }

    /// Returns whether the action is one on metadata definitions.
    pub fn is_metadef(self) -> bool {
        self.name().contains("_metadef_")
    }
}
