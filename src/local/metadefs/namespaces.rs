//! Namespaces.

use std::collections::{HashMap, HashSet};

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::Value;

use super::{
    changed, check_definition, check_name, check_not_protected, objects, properties_of,
    resource_types, text,
};
use crate::local::Local;
use crate::local::catalog::{Content, StoredNamespace, Transaction};
use crate::local::events::{Event, Part, Step};
use crate::local::policy::{Action, Target};
use crate::local::visibility::no_namespace;
use crate::model::Caller;
use crate::model::metadef::{
    Association, Definition, Kind, Namespace, NamespaceQuery, Object, Tag, private,
};
use crate::service::{NamespaceStream, Namespaces};
use crate::{Error, Result};

/// The actions on a namespace that is read as a whole.
const WHOLE: [Action; 5] = [
    Action::GetMetadefNamespace,
    Action::ListMetadefResourceTypes,
    Action::GetMetadefObjects,
    Action::GetMetadefProperties,
    Action::GetMetadefTags,
];

#[async_trait]
impl Namespaces for Local {
    async fn create_namespace(&self, new: Definition) -> Result<Namespace> {
        check_definition(Kind::Namespace, &new)?;
        let parts = [
            (
                "resource_type_associations",
                Action::AddMetadefResourceTypeAssociation,
            ),
            ("objects", Action::AddMetadefObject),
            ("properties", Action::AddMetadefProperty),
            ("tags", Action::AddMetadefTag),
        ];
        let given = parts.iter().filter(|(name, _)| new.contains_key(*name));
        let actions = given.map(|(_, action)| *action);
        for action in [Action::AddMetadefNamespace].into_iter().chain(actions) {
            self.policy
                .check(&self.caller, action, Target::OwnProject)?;
        }
        let mut namespace = own_attributes(&self.caller, &new)?;
        namespace.properties = properties_of(&new)?;
        for given in items(&new, "resource_type_associations") {
            let association = resource_types::association(given)?;
            namespace.resource_type_associations.push(association);
        }
        for given in items(&new, "objects") {
            namespace.objects.push(objects::object(given)?);
        }
        for given in items(&new, "tags") {
            let name = text(given, "name").unwrap_or_default();
            check_name("tag", &name)?;
            namespace.tags.push(Tag::named(name));
        }
        let created = self
            .catalog
            .write(async |transaction| {
                transaction.lock_invariants().await?;
                if transaction
                    .metadefs()
                    .namespace(&namespace.name)
                    .await?
                    .is_some()
                {
                    return Err(Error::conflict(format!(
                        "The metadata definition namespace={} already exists.",
                        namespace.name
                    )));
                }
                let stored = insert(&transaction, namespace.clone()).await?;
                Ok(stored)
            })
            .await?;
        self.emit_created(&created);
        Ok(created)
    }

    async fn get_namespace(&self, name: &str, resource_type: Option<&str>) -> Result<Namespace> {
        let (local, asked) = (self.clone(), name.to_string());
        let whole = self.catalog.read(move |snapshot| {
            let (local, asked) = (local.clone(), asked.clone());
            async move { local.whole_namespace(&snapshot, &asked).await }
        });
        let namespace = whole.await?;
        Ok(match resource_type {
            Some(resource_type) => namespace.prefixed(resource_type),
            None => namespace,
        })
    }

    fn list_namespaces(&self, query: NamespaceQuery) -> NamespaceStream<'_> {
        let chunk = try_stream! {
            yield self.matching(query).await?;
        };
        chunk.boxed()
    }

    async fn replace_namespace(&self, name: &str, with: Definition) -> Result<Namespace> {
        self.change_attributes(name, None, with).await
    }

    async fn revise_namespace(&self, name: &str, was: &Namespace, with: Definition) -> Result<()> {
        let changed = self.change_attributes(name, Some(was), with);
        changed.await.map(drop)
    }

    async fn delete_namespace(&self, name: &str) -> Result<()> {
        let deleted = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, name, Action::DeleteMetadefNamespace)
                    .await?;
                check_not_protected(&stored.namespace, &format!("namespace {name}"))?;
                transaction.metadefs().delete_namespace(stored.id).await?;
                Ok(stored.namespace)
            })
            .await?;
        self.emit(&self.caller, &Event::Namespace(Step::Deleted, &deleted));
        Ok(())
    }
}

/// Returns whether the attributes of two namespaces, other than their contents, are the same.
fn has_attributes_of(one: &Namespace, other: &Namespace) -> bool {
    let attributes = |of: &Namespace| Namespace {
        resource_type_associations: Vec::new(),
        properties: Definition::new(),
        objects: Vec::new(),
        tags: Vec::new(),
        ..of.clone()
    };
    attributes(one) == attributes(other)
}

impl Local {
    /// Emits the events of a new namespace and what it holds.
    fn emit_created(&self, namespace: &Namespace) {
        if !self.events.is_listening() {
            return;
        }
        self.emit(&self.caller, &Event::Namespace(Step::Created, namespace));
        let (created_at, updated_at) = (namespace.created_at, namespace.updated_at);
        for association in &namespace.resource_type_associations {
            let association = Association {
                created_at,
                updated_at,
                ..association.clone()
            };
            let part = Part::ResourceType(&association);
            self.emit_part(Step::Created, &namespace.name, part);
        }
        for object in &namespace.objects {
            let object = Object {
                created_at,
                updated_at,
                ..object.clone()
            };
            self.emit_part(Step::Created, &namespace.name, Part::Object(&object));
        }
        for tag in &namespace.tags {
            let tag = Tag {
                created_at,
                updated_at,
                ..tag.clone()
            };
            self.emit_part(Step::Created, &namespace.name, Part::Tag(&tag));
        }
        for (name, definition) in &namespace.properties {
            if let Some(definition) = definition.as_object() {
                let part = Part::Property(name, definition);
                self.emit_part(Step::Created, &namespace.name, part);
            }
        }
    }

    /// Replaces the attributes of a namespace, and returns it with its associations; if `was` is given, only if the attributes are
    /// still the same.
    async fn change_attributes(
        &self,
        name: &str,
        was: Option<&Namespace>,
        with: Definition,
    ) -> Result<Namespace> {
        check_definition(Kind::Namespace, &with)?;
        let (updated, resource_type_associations) = self.catalog.write(async |transaction| {
            let stored = self.change_namespace(&transaction, name, Action::ModifyMetadefNamespace).await?;
            if was.is_some_and(|was| !has_attributes_of(&stored.namespace, was)) {
                return Err(changed(&format!("namespace {name}")));
            }
            let namespace = own_attributes(&self.caller, &with)?;
            let rows = transaction.metadefs();
            if namespace.name != name && rows.namespace(&namespace.name).await?.is_some() {
                return Err(Error::conflict(format!(
                    "Invalid update. It would result in a duplicate metadata definition namespace with the \
                 same name of {}",
                    namespace.name
                )));
            }
            let now = self.catalog.now();
            rows.update_namespace(stored.id, &namespace, now).await?;
            let updated = Namespace {
                created_at: stored.namespace.created_at,
                updated_at: Some(now),
                ..namespace
            };
            Ok((updated, rows.associations_of(stored.id).await?))
        }).await?;
        let step = Step::Updated { old_name: name };
        self.emit(&self.caller, &Event::Namespace(step, &updated));
        Ok(Namespace {
            resource_type_associations,
            ..updated
        })
    }

    /// Returns the matching namespaces that the caller may see, with their associations.
    async fn matching(&self, query: NamespaceQuery) -> Result<Vec<Namespace>> {
        for action in [
            Action::GetMetadefNamespaces,
            Action::ListMetadefResourceTypes,
        ] {
            self.policy
                .check(&self.caller, action, Target::OwnProject)?;
        }
        if let Some(visibility) = &query.visibility
            && !["public", "private"].contains(&visibility.as_str())
        {
            return Err(Error::invalid(format!(
                "Invalid visibility value: {visibility}"
            )));
        }
        let after = match &query.marker {
            Some(name) => Some(self.find_namespace(name).await?.id),
            None => None,
        };
        let local = self.clone();
        let read = self.catalog.read(move |snapshot| {
            let (local, query) = (local.clone(), query.clone());
            async move { local.seen_namespaces(&snapshot, &query, after).await }
        });
        let (found, mut associations) = read.await?;
        let with_associations = found.into_iter().map(|StoredNamespace { id, namespace }| {
            let resource_type_associations = associations.remove(&id).unwrap_or_default();
            Namespace {
                resource_type_associations,
                ..namespace
            }
        });
        Ok(with_associations.collect())
    }

    /// Reads a namespace with its contents from a snapshot.
    async fn whole_namespace(&self, snapshot: &Transaction, name: &str) -> Result<Namespace> {
        let rows = snapshot.metadefs();
        let found = self.known_namespace(rows.namespace(name).await?, name)?;
        for action in WHOLE {
            let target = Target::Namespace(&found.namespace);
            self.policy.check(&self.caller, action, target)?;
        }
        let StoredNamespace { id, mut namespace } = found;
        namespace.objects = rows.objects(id).await?;
        namespace.resource_type_associations = rows.associations_of(id).await?;
        namespace.properties = rows.properties(id).await?;
        let tags = rows.tags(id).await?.into_iter();
        namespace.tags = tags.map(|tag| Tag::named(tag.name)).collect();
        Ok(namespace)
    }

    /// Reads the matching namespaces that the caller may see, after the one with the ID `after`, and their associations by
    /// their IDs.
    async fn seen_namespaces(
        &self,
        snapshot: &Transaction,
        query: &NamespaceQuery,
        after: Option<i64>,
    ) -> Result<(Vec<StoredNamespace>, HashMap<i64, Vec<Association>>)> {
        let project = (!self.caller.is_admin()).then_some(self.caller.project.as_str());
        let rows = snapshot.metadefs();
        let mut found = rows.namespaces(query, project, after).await?;
        if self.policy.has_rules()? {
            let mut seen = Vec::new();
            for one in found {
                if self.may(Action::GetMetadefNamespace, &one)? {
                    seen.push(one);
                }
            }
            found = seen;
        }
        let ids: Vec<i64> = found.iter().map(|stored| stored.id).collect();
        let associations = rows.associations(&ids).await?;
        Ok((found, associations))
    }

    /// Deletes all contents of one kind from a namespace, which is as much as to delete the namespace.
    pub(super) async fn delete_contents(&self, name: &str, content: Content) -> Result<()> {
        let action = Action::DeleteMetadefNamespace;
        let namespace = self
            .catalog
            .write(async |transaction| {
                let stored = self.change_namespace(&transaction, name, action).await?;
                if content == Content::Tags {
                    let target = Target::Namespace(&stored.namespace);
                    self.policy
                        .check(&self.caller, Action::DeleteMetadefTags, target)?;
                }
                check_not_protected(&stored.namespace, &format!("namespace {name}"))?;
                transaction
                    .metadefs()
                    .delete(content, stored.id, None)
                    .await?;
                Ok(stored.namespace)
            })
            .await?;
        let event = match content {
            Content::Objects => Event::ObjectsDeleted(&namespace),
            Content::Properties => Event::PropertiesDeleted(&namespace),
            Content::Tags => Event::TagsDeleted(&namespace),
        };
        self.emit(&self.caller, &event);
        Ok(())
    }
}

/// Inserts a namespace with its contents, and returns it as stored. Checks the names of the contents.
async fn insert(transaction: &Transaction, namespace: Namespace) -> Result<Namespace> {
    let rows = transaction.metadefs();
    let now = transaction.now();
    let id = rows.insert_namespace(&namespace, now).await?;
    let name = &namespace.name;
    let mut associated = HashSet::new();
    for association in &namespace.resource_type_associations {
        if !associated.insert(&association.name) {
            return Err(resource_types::associated_already(name, &association.name));
        }
        rows.insert_association(id, association, now).await?;
    }
    let mut called = HashSet::new();
    for object in &namespace.objects {
        if !called.insert(&object.name) {
            return Err(objects::taken(name, &object.name));
        }
        rows.insert_object(id, object, now).await?;
    }
    let mut tagged = HashSet::new();
    for tag in &namespace.tags {
        if !tagged.insert(&tag.name) {
            return Err(super::tags::taken(name, &tag.name));
        }
        rows.insert_tag(id, &tag.name, now).await?;
    }
    for (name, definition) in &namespace.properties {
        rows.insert_property(id, name, definition, now).await?;
    }
    let stored = rows.namespace(name).await?;
    let stored = stored.ok_or_else(|| no_namespace(name))?.namespace;
    Ok(Namespace {
        resource_type_associations: namespace.resource_type_associations,
        properties: namespace.properties,
        objects: namespace.objects,
        tags: namespace.tags,
        ..stored
    })
}

/// Returns the namespace of a valid definition, without contents.
fn own_attributes(caller: &Caller, definition: &Definition) -> Result<Namespace> {
    let name = text(definition, "namespace").unwrap_or_default();
    check_name("namespace", &name)?;
    Ok(Namespace {
        name,
        display_name: text(definition, "display_name"),
        description: text(definition, "description"),
        visibility: text(definition, "visibility").unwrap_or_else(private),
        protected: definition.get("protected").and_then(Value::as_bool) == Some(true),
        owner: text(definition, "owner")
            .filter(|owner| !owner.is_empty())
            .or_else(|| Some(caller.project.clone())),
        ..Namespace::default()
    })
}

/// Returns the objects in a list of a valid definition.
fn items<'d>(definition: &'d Definition, name: &str) -> impl Iterator<Item = &'d Definition> {
    let listed = definition.get(name).and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_object)
}
