//! Metadata definitions.
//!
//! Everyone sees public namespaces and those of their own project, with what these hold;
//! administrators see all of them. Only administrators change anything. Names have 1 to 80 characters.

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::Result;
use crate::model::metadef::{
    Association, Definition, Namespace, NamespaceQuery, Object, Properties, ResourceType, Tag,
};

/// Namespaces in chunks, in the order asked for, each with its associations but nothing else it holds.
pub type NamespaceStream<'a> = BoxStream<'a, Result<Vec<Namespace>>>;

/// Namespaces of metadata definitions.
#[async_trait]
pub trait Namespaces: Send + Sync {
    /// Makes a namespace with all it holds, or nothing; its owner is the caller's project unless
    /// another is given.
    ///
    /// # Errors
    /// `Invalid` for what the schema refuses, `Forbidden` for what only the service sets and unless the
    /// caller is an administrator, `Conflict` for a name that is taken, of the namespace or within it.
    async fn create_namespace(&self, new: Definition) -> Result<Namespace>;

    /// A namespace with all it holds; the names of properties with the prefix that goes with
    /// `resource_type`, where one is given and associated.
    ///
    /// # Errors
    /// `NotFound` when there is none that the caller may see.
    async fn get_namespace(&self, name: &str, resource_type: Option<&str>) -> Result<Namespace>;

    /// The namespaces that match and that the caller may see.
    ///
    /// # Errors
    /// In the stream: `Invalid` for a visibility, `NotFound` for a marker that is not known.
    fn list_namespaces(&self, query: NamespaceQuery) -> NamespaceStream<'_>;

    /// Gives a namespace the attributes of `with`, which may rename it, and takes those away that are
    /// not in it; its visibility is private then, and its owner the caller's project. What it holds
    /// stays as it is.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, `Forbidden` and `Conflict` as for creation.
    async fn replace_namespace(&self, name: &str, with: Definition) -> Result<()>;

    /// Replaces a namespace as [`Namespaces::replace_namespace`] does, if its attributes still are those of
    /// `was`. A server has no request for that: over a network nothing is compared.
    ///
    /// # Errors
    /// As there; `Conflict` when another caller changed it.
    async fn revise_namespace(&self, name: &str, _was: &Namespace, with: Definition) -> Result<()> {
        self.replace_namespace(name, with).await
    }

    /// Deletes a namespace with all it holds.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for one that is protected.
    async fn delete_namespace(&self, name: &str) -> Result<()>;
}

/// Objects of namespaces: properties that belong together.
#[async_trait]
pub trait MetadefObjects: Send + Sync {
    /// Makes an object.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for what the schema refuses, `Forbidden` unless the
    /// caller is an administrator, `Conflict` for a name that is taken.
    async fn create_object(&self, namespace: &str, new: Definition) -> Result<Object>;

    /// One object.
    ///
    /// # Errors
    /// `NotFound` for the namespace and for the object.
    async fn get_object(&self, namespace: &str, name: &str) -> Result<Object>;

    /// The objects of a namespace, by their names.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_objects(&self, namespace: &str) -> Result<Vec<Object>>;

    /// Makes an object what `with` says, which may rename it.
    ///
    /// # Errors
    /// `NotFound` for both; the others as for creation.
    async fn replace_object(&self, namespace: &str, name: &str, with: Definition) -> Result<()>;

    /// Replaces an object as [`MetadefObjects::replace_object`] does, if it still is `was`. A server has no
    /// request for that: over a network nothing is compared.
    ///
    /// # Errors
    /// As there; `Conflict` when another caller changed it.
    async fn revise_object(
        &self,
        namespace: &str,
        name: &str,
        _was: &Object,
        with: Definition,
    ) -> Result<()> {
        self.replace_object(namespace, name, with).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a namespace that is protected.
    async fn delete_object(&self, namespace: &str, name: &str) -> Result<()>;

    /// Deletes every object of a namespace.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a namespace that is protected.
    async fn delete_objects(&self, namespace: &str) -> Result<()>;
}

/// Properties of namespaces.
#[async_trait]
pub trait MetadefProperties: Send + Sync {
    /// Makes a property, and gives its definition as it is kept.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for what the schema refuses, `Forbidden` unless the
    /// caller is an administrator, `Conflict` for a name that is taken.
    async fn create_property(&self, namespace: &str, new: Definition) -> Result<Definition>;

    /// The definition of one property, with its name.
    ///
    /// # Errors
    /// `NotFound` for the namespace and for the property.
    async fn get_property(&self, namespace: &str, name: &str) -> Result<Definition>;

    /// The properties of a namespace, by their names.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_properties(&self, namespace: &str) -> Result<Properties>;

    /// Makes a property what `with` says, which may rename it, and gives its definition as it is kept.
    ///
    /// # Errors
    /// `NotFound` for both; the others as for creation.
    async fn replace_property(
        &self,
        namespace: &str,
        name: &str,
        with: Definition,
    ) -> Result<Definition>;

    /// Replaces a property as [`MetadefProperties::replace_property`] does, if its definition still is `was`.
    /// A server has no request for that: over a network nothing is compared.
    ///
    /// # Errors
    /// As there; `Conflict` when another caller changed it.
    async fn revise_property(
        &self,
        namespace: &str,
        name: &str,
        _was: &Definition,
        with: Definition,
    ) -> Result<Definition> {
        self.replace_property(namespace, name, with).await
    }

    /// Deletes a property.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a namespace that is protected.
    async fn delete_property(&self, namespace: &str, name: &str) -> Result<()>;

    /// Deletes every property of a namespace; those of its objects stay.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a namespace that is protected.
    async fn delete_properties(&self, namespace: &str) -> Result<()>;
}

/// Tags of namespaces.
#[async_trait]
pub trait MetadefTags: Send + Sync {
    /// Makes a tag.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for a name that is too long, `Forbidden` unless the
    /// caller is an administrator, `Conflict` for one that is there.
    async fn create_tag(&self, namespace: &str, name: &str) -> Result<Tag>;

    /// Makes tags, all or none of them, and gives their names in the order given; the others stay when
    /// `append` is set, else they go. Without a name nothing changes.
    ///
    /// # Errors
    /// As for one; `Conflict` also for a name given twice.
    async fn create_tags(
        &self,
        namespace: &str,
        names: &[String],
        append: bool,
    ) -> Result<Vec<Tag>>;

    /// One tag.
    ///
    /// # Errors
    /// `NotFound` for the namespace and for the tag.
    async fn get_tag(&self, namespace: &str, name: &str) -> Result<Tag>;

    /// The tags of a namespace, the newest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_tags(&self, namespace: &str) -> Result<Vec<Tag>>;

    /// Gives a tag another name.
    ///
    /// # Errors
    /// `NotFound` for both; the others as for creation.
    async fn rename_tag(&self, namespace: &str, name: &str, new: &str) -> Result<()>;

    /// Deletes a tag.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a namespace that is protected.
    async fn delete_tag(&self, namespace: &str, name: &str) -> Result<()>;

    /// Deletes every tag of a namespace.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a namespace that is protected.
    async fn delete_tags(&self, namespace: &str) -> Result<()>;
}

/// Types of resources, and which namespaces describe them.
#[async_trait]
pub trait ResourceTypes: Send + Sync {
    /// The types that any namespace was ever associated with, the oldest first.
    async fn list_resource_types(&self) -> Result<Vec<ResourceType>>;

    /// The types that a namespace is associated with, the oldest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_associations(&self, namespace: &str) -> Result<Vec<Association>>;

    /// Associates a namespace with a type, which need not be known yet.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for what the schema refuses, `Forbidden` unless the
    /// caller is an administrator, `Conflict` when it is associated already.
    async fn associate(&self, namespace: &str, new: Definition) -> Result<Association>;

    /// Takes a type away from a namespace; it stays known.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a namespace that is protected.
    async fn dissociate(&self, namespace: &str, resource_type: &str) -> Result<()>;
}

/// Metadata definitions, all of them.
pub trait Metadefs:
    Namespaces + MetadefObjects + MetadefProperties + MetadefTags + ResourceTypes
{
}

impl<T: Namespaces + MetadefObjects + MetadefProperties + MetadefTags + ResourceTypes> Metadefs
    for T
{
}
