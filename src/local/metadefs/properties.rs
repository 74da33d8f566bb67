//! Properties of namespaces.

use async_trait::async_trait;
use serde_json::Value;

use super::{changed, check_definition, check_name, check_not_protected, kept, text};
use crate::local::Local;
use crate::local::catalog::Content;
use crate::local::events::{Part, Step};
use crate::local::policy::Action;
use crate::model::metadef::{Definition, Kind, Properties};
use crate::service::MetadefProperties;
use crate::{Error, Result};

#[async_trait]
impl MetadefProperties for Local {
    async fn create_property(&self, namespace: &str, new: Definition) -> Result<Definition> {
        let (name, new) = property(new)?;
        self.catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::AddMetadefProperty)
                    .await?;
                let rows = transaction.metadefs();
                let there = rows.find(Content::Properties, stored.id, &name).await?;
                if there.is_some() {
                    return Err(Error::conflict(format!(
                        "A metadata definition property with name={name} already exists in \
                 namespace={namespace}."
                    )));
                }
                let value = Value::Object(new.clone());
                rows.insert_property(stored.id, &name, &value, self.catalog.now())
                    .await
            })
            .await?;
        let part = Part::Property(&name, &new);
        self.emit_part(Step::Created, namespace, part);
        Ok(new)
    }

    async fn get_property(&self, namespace: &str, name: &str) -> Result<Definition> {
        let stored = self
            .read_namespace(namespace, Action::GetMetadefProperty)
            .await?;
        let found = self.catalog.metadefs().property(stored.id, name).await?;
        let found = found.ok_or_else(|| no_property(name))?;
        Ok(with_name(name, found))
    }

    async fn list_properties(&self, namespace: &str) -> Result<Properties> {
        let stored = self
            .read_namespace(namespace, Action::GetMetadefProperties)
            .await?;
        self.catalog.metadefs().properties(stored.id).await
    }

    async fn replace_property(
        &self,
        namespace: &str,
        name: &str,
        with: Definition,
    ) -> Result<Definition> {
        self.change_property(namespace, name, None, with).await
    }

    async fn revise_property(
        &self,
        namespace: &str,
        name: &str,
        was: &Definition,
        with: Definition,
    ) -> Result<Definition> {
        self.change_property(namespace, name, Some(was), with).await
    }

    async fn delete_property(&self, namespace: &str, name: &str) -> Result<()> {
        let deleted = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::RemoveMetadefProperty)
                    .await?;
                let rows = transaction.metadefs();
                let there = rows.find(Content::Properties, stored.id, name).await?;
                there.ok_or_else(|| no_property(name))?;
                check_not_protected(&stored.namespace, &format!("property {name}"))?;
                let found = if self.events.is_listening() {
                    rows.property(stored.id, name).await?
                } else {
                    None
                };
                rows.delete(Content::Properties, stored.id, Some(name))
                    .await?;
                Ok(found)
            })
            .await?;
        if let Some(deleted) = deleted {
            let part = Part::Property(name, &deleted);
            self.emit_part(Step::Deleted, namespace, part);
        }
        Ok(())
    }

    async fn delete_properties(&self, namespace: &str) -> Result<()> {
        self.delete_contents(namespace, Content::Properties).await
    }
}

impl Local {
    /// Replaces a property; if `was` is given, only if it is still the same.
    async fn change_property(
        &self,
        namespace: &str,
        name: &str,
        was: Option<&Definition>,
        with: Definition,
    ) -> Result<Definition> {
        let (new_name, with) = property(with)?;
        self.catalog.write(async |transaction| {
            let stored = self.change_namespace(&transaction, namespace, Action::ModifyMetadefProperty).await?;
            let rows = transaction.metadefs();
            let id = rows.find(Content::Properties, stored.id, name).await?;
            let id = id.ok_or_else(|| no_property(name))?;
            if let Some(was) = was {
                let is = rows.property(stored.id, name).await?;
                if is.map(|found| with_name(name, found)).as_ref() != Some(was) {
                    return Err(changed(&format!("property {name}")));
                }
            }
            let there = rows.find(Content::Properties, stored.id, &new_name).await?;
            if there.is_some_and(|there| there != id) {
                return Err(Error::conflict(format!(
                    "Invalid update. It would result in a duplicate metadata definition property with the \
                 same name={new_name} in namespace={namespace}."
                )));
            }
            rows.update_property(id, &new_name, &with, self.catalog.now())
                .await
        }).await?;
        let step = Step::Updated { old_name: name };
        let part = Part::Property(&new_name, &with);
        self.emit_part(step, namespace, part);
        Ok(with)
    }
}

/// Adds the name to a definition. A property that was loaded, or created with its namespace, is stored without it.
fn with_name(name: &str, found: Definition) -> Definition {
    let mut definition = Definition::new();
    definition.insert("name".to_string(), name.into());
    definition.extend(found.into_iter().filter(|(key, _)| key != "name"));
    definition
}

/// Checks a definition, and returns the property's name and its stored form.
fn property(definition: Definition) -> Result<(String, Definition)> {
    check_definition(Kind::Property, &definition)?;
    let name = text(&definition, "name").unwrap_or_default();
    check_name("property", &name)?;
    let kept = kept(&name, &Value::Object(definition))?;
    Ok((name, kept))
}

fn no_property(name: &str) -> Error {
    Error::not_found(format!("Could not find property {name}"))
}
