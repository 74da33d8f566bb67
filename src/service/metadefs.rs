//! Metadata definitions.
//!
//! All callers see public namespaces and those of their own project, with their content; administrators see
//! all. Only administrators may change them. Names have 1 to 80 characters.

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::Result;
use crate::model::metadef::{
    Association, Definition, Namespace, NamespaceQuery, Object, Properties, ResourceType, Tag,
};

/// Namespaces in chunks, in the requested order, each with its associations but without its other content.
pub type NamespaceStream<'a> = BoxStream<'a, Result<Vec<Namespace>>>;

/// Namespaces of metadata definitions.
#[async_trait]
pub trait Namespaces: Send + Sync {
    /// Creates a namespace with or without content. Its owner is the caller's project unless another is
    /// given.
    ///
    /// # Errors
    /// `Invalid` for a violation of the schema, `Forbidden` for attributes that only the service sets and
    /// unless the caller is an administrator, `Conflict` for a name in use, of the namespace or within it.
    async fn create_namespace(&self, new: Definition) -> Result<Namespace>;

    /// Returns a namespace with its content. The names of properties have the prefix for `resource_type`,
    /// if it is given and associated.
    ///
    /// # Errors
    /// `NotFound` if there is none that is visible to the caller.
    async fn get_namespace(&self, name: &str, resource_type: Option<&str>) -> Result<Namespace>;

    /// Returns the matching namespaces that are visible to the caller.
    ///
    /// # Errors
    /// In the stream: `Invalid` for an invalid visibility, `NotFound` for an unknown marker.
    fn list_namespaces(&self, query: NamespaceQuery) -> NamespaceStream<'_>;

    /// Replaces the attributes of a namespace with those of `with`, which may rename it, and returns it without its
    /// objects, properties and tags. Missing attributes are removed; the default visibility is private, and the default
    /// owner is the caller's project. The content does not change.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, `Forbidden` and `Conflict` as for creation.
    async fn replace_namespace(&self, name: &str, with: Definition) -> Result<Namespace>;

    /// Replaces a namespace as [`Namespaces::replace_namespace`] does, if its attributes still equal those
    /// of `was`. Servers have no request for that: over a network nothing is compared.
    ///
    /// # Errors
    /// The errors of [`Namespaces::replace_namespace`]; `Conflict` if another caller changed it.
    async fn revise_namespace(&self, name: &str, _was: &Namespace, with: Definition) -> Result<()> {
        self.replace_namespace(name, with).await.map(drop)
    }

    /// Deletes a namespace with its content.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a protected one.
    async fn delete_namespace(&self, name: &str) -> Result<()>;
}

/// Objects of namespaces: groups of properties.
#[async_trait]
pub trait MetadefObjects: Send + Sync {
    /// Creates an object.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for a violation of the schema, `Forbidden` unless the caller
    /// is an administrator, `Conflict` for a name in use.
    async fn create_object(&self, namespace: &str, new: Definition) -> Result<Object>;

    /// Returns an object.
    ///
    /// # Errors
    /// `NotFound` for the namespace and for the object.
    async fn get_object(&self, namespace: &str, name: &str) -> Result<Object>;

    /// Returns the objects of a namespace, sorted by name.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_objects(&self, namespace: &str) -> Result<Vec<Object>>;

    /// Replaces an object with `with`, which may rename it, and returns the new one.
    ///
    /// # Errors
    /// `NotFound` for both; the others as for creation.
    async fn replace_object(&self, namespace: &str, name: &str, with: Definition)
    -> Result<Object>;

    /// Replaces an object as [`MetadefObjects::replace_object`] does, if it still equals `was`. Servers
    /// have no request for that: over a network nothing is compared.
    ///
    /// # Errors
    /// The errors of [`MetadefObjects::replace_object`]; `Conflict` if another caller changed it.
    async fn revise_object(
        &self,
        namespace: &str,
        name: &str,
        _was: &Object,
        with: Definition,
    ) -> Result<()> {
        self.replace_object(namespace, name, with).await.map(drop)
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a protected namespace.
    async fn delete_object(&self, namespace: &str, name: &str) -> Result<()>;

    /// Deletes every object of a namespace.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a protected namespace.
    async fn delete_objects(&self, namespace: &str) -> Result<()>;
}

/// Properties of namespaces.
#[async_trait]
pub trait MetadefProperties: Send + Sync {
    /// Creates a property, and returns its stored definition.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for a violation of the schema, `Forbidden` unless the caller
    /// is an administrator, `Conflict` for a name in use.
    async fn create_property(&self, namespace: &str, new: Definition) -> Result<Definition>;

    /// Returns the definition of a property, with its name.
    ///
    /// # Errors
    /// `NotFound` for the namespace and for the property.
    async fn get_property(&self, namespace: &str, name: &str) -> Result<Definition>;

    /// Returns the properties of a namespace, sorted by name.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_properties(&self, namespace: &str) -> Result<Properties>;

    /// Replaces a property with `with`, which may rename it, and returns its stored definition.
    ///
    /// # Errors
    /// `NotFound` for both; the others as for creation.
    async fn replace_property(
        &self,
        namespace: &str,
        name: &str,
        with: Definition,
    ) -> Result<Definition>;

    /// Replaces a property as [`MetadefProperties::replace_property`] does, if its definition still equals
    /// `was`. Servers have no request for that: over a network nothing is compared.
    ///
    /// # Errors
    /// The errors of [`MetadefProperties::replace_property`]; `Conflict` if another caller changed it.
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
    /// `NotFound` for both; `Forbidden`, also in a protected namespace.
    async fn delete_property(&self, namespace: &str, name: &str) -> Result<()>;

    /// Deletes every property of a namespace, but not those of its objects.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a protected namespace.
    async fn delete_properties(&self, namespace: &str) -> Result<()>;
}

/// Tags of namespaces.
#[async_trait]
pub trait MetadefTags: Send + Sync {
    /// Creates a tag.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for a name that is too long, `Forbidden` unless the caller
    /// is an administrator, `Conflict` for an existing one.
    async fn create_tag(&self, namespace: &str, name: &str) -> Result<Tag>;

    /// Creates tags, all or none of them, and returns their names in the given order. Other tags are kept
    /// if `append` is set, and deleted otherwise. An empty list changes nothing.
    ///
    /// # Errors
    /// The errors of [`MetadefTags::create_tag`]; `Conflict` also for a duplicate name.
    async fn create_tags(
        &self,
        namespace: &str,
        names: &[String],
        append: bool,
    ) -> Result<Vec<Tag>>;

    /// Returns a tag.
    ///
    /// # Errors
    /// `NotFound` for the namespace and for the tag.
    async fn get_tag(&self, namespace: &str, name: &str) -> Result<Tag>;

    /// Returns the tags of a namespace, the newest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_tags(&self, namespace: &str) -> Result<Vec<Tag>>;

    /// Renames a tag, and returns it.
    ///
    /// # Errors
    /// `NotFound` for both; the others as for creation.
    async fn rename_tag(&self, namespace: &str, name: &str, new: &str) -> Result<Tag>;

    /// Deletes a tag.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a protected namespace.
    async fn delete_tag(&self, namespace: &str, name: &str) -> Result<()>;

    /// Deletes every tag of a namespace.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also for a protected namespace.
    async fn delete_tags(&self, namespace: &str) -> Result<()>;
}

/// Resource types and their associations with namespaces.
#[async_trait]
pub trait ResourceTypes: Send + Sync {
    /// Returns the types that any namespace was ever associated with, the oldest first.
    async fn list_resource_types(&self) -> Result<Vec<ResourceType>>;

    /// Returns the types that a namespace is associated with, the oldest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_associations(&self, namespace: &str) -> Result<Vec<Association>>;

    /// Associates a namespace with a type, which may be new.
    ///
    /// # Errors
    /// `NotFound` for the namespace; `Invalid` for a violation of the schema, `Forbidden` unless the caller
    /// is an administrator, `Conflict` if it is associated already.
    async fn associate(&self, namespace: &str, new: Definition) -> Result<Association>;

    /// Removes the association of a namespace with a type; the type is kept.
    ///
    /// # Errors
    /// `NotFound` for both; `Forbidden`, also in a protected namespace.
    async fn dissociate(&self, namespace: &str, resource_type: &str) -> Result<()>;
}

/// All operations on metadata definitions.
pub trait Metadefs:
    Namespaces + MetadefObjects + MetadefProperties + MetadefTags + ResourceTypes
{
}

impl<T: Namespaces + MetadefObjects + MetadefProperties + MetadefTags + ResourceTypes> Metadefs
    for T
{
}
