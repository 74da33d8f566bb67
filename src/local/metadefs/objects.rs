//! Objects of namespaces.

use async_trait::async_trait;
use serde_json::Value;

use super::{changed, check_definition, check_name, check_not_protected, properties_of, text};
use crate::local::Local;
use crate::local::catalog::Content;
use crate::local::events::{Part, Step};
use crate::local::policy::Action;
use crate::model::metadef::{Definition, Kind, Object};
use crate::service::MetadefObjects;
use crate::{Error, Result};

#[async_trait]
impl MetadefObjects for Local {
    async fn create_object(&self, namespace: &str, new: Definition) -> Result<Object> {
        check_definition(Kind::Object, &new)?;
        let new = object(&new)?;
        let created = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::AddMetadefObject)
                    .await?;
                let rows = transaction.metadefs();
                let there = rows.find(Content::Objects, stored.id, &new.name).await?;
                if there.is_some() {
                    return Err(taken(namespace, &new.name));
                }
                let now = self.catalog.now();
                rows.insert_object(stored.id, &new, now).await?;
                Ok(Object {
                    created_at: Some(now),
                    updated_at: Some(now),
                    ..new.clone()
                })
            })
            .await?;
        let part = Part::Object(&created);
        self.emit_part(Step::Created, namespace, part);
        Ok(created)
    }

    async fn get_object(&self, namespace: &str, name: &str) -> Result<Object> {
        let stored = self
            .read_namespace(namespace, Action::GetMetadefObject)
            .await?;
        let found = self.catalog.metadefs().object(stored.id, name).await?;
        found.ok_or_else(|| no_object(name))
    }

    async fn list_objects(&self, namespace: &str) -> Result<Vec<Object>> {
        let stored = self
            .read_namespace(namespace, Action::GetMetadefObjects)
            .await?;
        if !self.may(Action::GetMetadefObject, &stored)? {
            return Ok(Vec::new());
        }
        self.catalog.metadefs().objects(stored.id).await
    }

    async fn replace_object(
        &self,
        namespace: &str,
        name: &str,
        with: Definition,
    ) -> Result<Object> {
        self.change_object(namespace, name, None, with).await
    }

    async fn revise_object(
        &self,
        namespace: &str,
        name: &str,
        was: &Object,
        with: Definition,
    ) -> Result<()> {
        let changed = self.change_object(namespace, name, Some(was), with);
        changed.await.map(drop)
    }

    async fn delete_object(&self, namespace: &str, name: &str) -> Result<()> {
        let deleted = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::DeleteMetadefObject)
                    .await?;
                let rows = transaction.metadefs();
                let there = rows.find(Content::Objects, stored.id, name).await?;
                there.ok_or_else(|| no_object(name))?;
                check_not_protected(&stored.namespace, &format!("object {name}"))?;
                let found = if self.events.is_listening() {
                    rows.object(stored.id, name).await?
                } else {
                    None
                };
                rows.delete(Content::Objects, stored.id, Some(name)).await?;
                Ok(found)
            })
            .await?;
        if let Some(deleted) = deleted {
            let part = Part::Object(&deleted);
            self.emit_part(Step::Deleted, namespace, part);
        }
        Ok(())
    }

    async fn delete_objects(&self, namespace: &str) -> Result<()> {
        self.delete_contents(namespace, Content::Objects).await
    }
}

impl Local {
    /// Replaces an object, and returns the new one; if `was` is given, only if it is still the same.
    async fn change_object(
        &self,
        namespace: &str,
        name: &str,
        was: Option<&Object>,
        with: Definition,
    ) -> Result<Object> {
        check_definition(Kind::Object, &with)?;
        let with = object(&with)?;
        let updated = self.catalog.write(async |transaction| {
            let stored = self.change_namespace(&transaction, namespace, Action::ModifyMetadefObject).await?;
            let rows = transaction.metadefs();
            let id = rows.find(Content::Objects, stored.id, name).await?;
            let id = id.ok_or_else(|| no_object(name))?;
            let found = rows.object(stored.id, name).await?;
            if was.is_some() && found.as_ref() != was {
                return Err(changed(&format!("object {name}")));
            }
            let there = rows.find(Content::Objects, stored.id, &with.name).await?;
            if there.is_some_and(|there| there != id) {
                return Err(Error::conflict(format!(
                    "Invalid update. It would result in a duplicate metadata definition object with the same \
                 name={} in namespace={namespace}.",
                    with.name
                )));
            }
            let now = self.catalog.now();
            rows.update_object(id, &with, now).await?;
            Ok(Object {
                created_at: found.and_then(|found| found.created_at),
                updated_at: Some(now),
                ..with.clone()
            })
        }).await?;
        let step = Step::Updated { old_name: name };
        self.emit_part(step, namespace, Part::Object(&updated));
        Ok(updated)
    }
}

/// Returns the object of a valid definition.
pub(super) fn object(definition: &Definition) -> Result<Object> {
    let name = text(definition, "name").unwrap_or_default();
    check_name("object", &name)?;
    let required = definition.get("required").and_then(Value::as_array);
    let names = |listed: &Vec<Value>| {
        let names = listed.iter().filter_map(Value::as_str);
        names.map(str::to_string).collect()
    };
    let properties = properties_of(definition)?;
    Ok(Object {
        name,
        required: required.map(names),
        description: text(definition, "description"),
        properties: definition.contains_key("properties").then_some(properties),
        created_at: None,
        updated_at: None,
    })
}

pub(super) fn taken(namespace: &str, name: &str) -> Error {
    Error::conflict(format!(
        "A metadata definition object with name={name} already exists in namespace={namespace}."
    ))
}

fn no_object(name: &str) -> Error {
    Error::not_found(format!("Could not find metadata object {name}"))
}
