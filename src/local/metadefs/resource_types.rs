//! Resource types, and the namespaces that describe them.

use async_trait::async_trait;

use super::{MAX_LENGTH, check_definition, check_name, check_not_protected, text};
use crate::local::Local;
use crate::local::events::{Part, Step};
use crate::local::policy::{Action, Target};
use crate::model::metadef::{Association, Definition, Kind, ResourceType};
use crate::service::ResourceTypes;
use crate::{Error, Result};

#[async_trait]
impl ResourceTypes for Local {
    async fn list_resource_types(&self) -> Result<Vec<ResourceType>> {
        let action = Action::ListMetadefResourceTypes;
        self.policy
            .check(&self.caller, action, Target::OwnProject)?;
        self.catalog.metadefs().resource_types().await
    }

    async fn list_associations(&self, namespace: &str) -> Result<Vec<Association>> {
        let stored = self
            .read_namespace(namespace, Action::ListMetadefResourceTypes)
            .await?;
        if !self.may(Action::GetMetadefResourceType, &stored)? {
            return Ok(Vec::new());
        }
        self.catalog.metadefs().associations_of(stored.id).await
    }

    async fn associate(&self, namespace: &str, new: Definition) -> Result<Association> {
        check_definition(Kind::ResourceType, &new)?;
        let new = association(&new)?;
        let created = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(
                        &transaction,
                        namespace,
                        Action::AddMetadefResourceTypeAssociation,
                    )
                    .await?;
                let rows = transaction.metadefs();
                let known = rows.associations_of(stored.id).await?;
                if known.iter().any(|known| known.name == new.name) {
                    return Err(associated_already(namespace, &new.name));
                }
                let now = self.catalog.now();
                rows.insert_association(stored.id, &new, now).await?;
                Ok(Association {
                    created_at: Some(now),
                    updated_at: Some(now),
                    ..new.clone()
                })
            })
            .await?;
        let part = Part::ResourceType(&created);
        self.emit_part(Step::Created, namespace, part);
        Ok(created)
    }

    async fn dissociate(&self, namespace: &str, resource_type: &str) -> Result<()> {
        let deleted = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(
                        &transaction,
                        namespace,
                        Action::RemoveMetadefResourceTypeAssociation,
                    )
                    .await?;
                let rows = transaction.metadefs();
                let known = rows.associations_of(stored.id).await?;
                let found = known.into_iter().find(|known| known.name == resource_type);
                let found = found.ok_or_else(|| {
                    Error::not_found(format!(
                        "Failed to find resource type {resource_type} to delete"
                    ))
                })?;
                let what = format!("resource-type-association {resource_type}");
                check_not_protected(&stored.namespace, &what)?;
                rows.delete_association(stored.id, resource_type).await?;
                Ok(found)
            })
            .await?;
        let part = Part::ResourceType(&deleted);
        self.emit_part(Step::Deleted, namespace, part);
        Ok(())
    }
}

/// Returns the association of a valid definition.
pub(super) fn association(definition: &Definition) -> Result<Association> {
    let association = Association {
        name: text(definition, "name").unwrap_or_default(),
        prefix: text(definition, "prefix"),
        properties_target: text(definition, "properties_target"),
        created_at: None,
        updated_at: None,
    };
    check_name("resource type", &association.name)?;
    for (what, given) in [
        ("prefix", &association.prefix),
        ("properties_target", &association.properties_target),
    ] {
        if given
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_LENGTH)
        {
            return Err(Error::invalid(format!(
                "the {what} of a resource type must not exceed {MAX_LENGTH} characters"
            )));
        }
    }
    Ok(association)
}

pub(super) fn associated_already(namespace: &str, name: &str) -> Error {
    Error::conflict(format!(
        "The metadata definition resource-type association of resource-type={name} to \
         namespace={namespace} already exists."
    ))
}
