//! Tags of namespaces.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{check_name, check_not_protected};
use crate::local::Local;
use crate::local::catalog::Content;
use crate::local::events::{Part, Step};
use crate::local::policy::Action;
use crate::model::metadef::Tag;
use crate::service::MetadefTags;
use crate::{Error, Result};

#[async_trait]
impl MetadefTags for Local {
    async fn create_tag(&self, namespace: &str, name: &str) -> Result<Tag> {
        check_name("tag", name)?;
        let created = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::AddMetadefTag)
                    .await?;
                let rows = transaction.metadefs();
                if rows.find(Content::Tags, stored.id, name).await?.is_some() {
                    return Err(taken(namespace, name));
                }
                let now = self.catalog.now();
                rows.insert_tag(stored.id, name, now).await?;
                Ok(Tag {
                    name: name.to_string(),
                    created_at: Some(now),
                    updated_at: Some(now),
                })
            })
            .await?;
        let part = Part::Tag(&created);
        self.emit_part(Step::Created, namespace, part);
        Ok(created)
    }

    async fn create_tags(
        &self,
        namespace: &str,
        names: &[String],
        append: bool,
    ) -> Result<Vec<Tag>> {
        let mut given = HashSet::new();
        for name in names {
            check_name("tag", name)?;
            if !given.insert(name) {
                return Err(taken(namespace, name));
            }
        }
        let created_at = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::AddMetadefTags)
                    .await?;
                let rows = transaction.metadefs();
                if !append && !names.is_empty() {
                    rows.delete(Content::Tags, stored.id, None).await?;
                }
                let now = self.catalog.now();
                for name in names {
                    if rows.find(Content::Tags, stored.id, name).await?.is_some() {
                        return Err(taken(namespace, name));
                    }
                    rows.insert_tag(stored.id, name, now).await?;
                }
                Ok(now)
            })
            .await?;
        for name in names {
            let created = Tag {
                name: name.clone(),
                created_at: Some(created_at),
                updated_at: Some(created_at),
            };
            let part = Part::Tag(&created);
            self.emit_part(Step::Created, namespace, part);
        }
        Ok(names.iter().map(Tag::named).collect())
    }

    async fn get_tag(&self, namespace: &str, name: &str) -> Result<Tag> {
        let stored = self
            .read_namespace(namespace, Action::GetMetadefTag)
            .await?;
        let found = self.catalog.metadefs().tag(stored.id, name).await?;
        found.ok_or_else(|| no_tag(name))
    }

    async fn list_tags(&self, namespace: &str) -> Result<Vec<Tag>> {
        let stored = self
            .read_namespace(namespace, Action::GetMetadefTags)
            .await?;
        let tags = self.catalog.metadefs().tags(stored.id).await?;
        Ok(tags.into_iter().map(|tag| Tag::named(tag.name)).collect())
    }

    async fn rename_tag(&self, namespace: &str, name: &str, new: &str) -> Result<Tag> {
        check_name("tag", new)?;
        let renamed = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::ModifyMetadefTag)
                    .await?;
                let rows = transaction.metadefs();
                let id = rows.find(Content::Tags, stored.id, name).await?;
                let id = id.ok_or_else(|| no_tag(name))?;
                let found = rows.tag(stored.id, name).await?;
                let there = rows.find(Content::Tags, stored.id, new).await?;
                if there.is_some_and(|there| there != id) {
                    return Err(taken(namespace, new));
                }
                let now = self.catalog.now();
                rows.rename_tag(id, new, now).await?;
                Ok(Tag {
                    name: new.to_string(),
                    created_at: found.and_then(|found| found.created_at),
                    updated_at: Some(now),
                })
            })
            .await?;
        let step = Step::Updated { old_name: name };
        self.emit_part(step, namespace, Part::Tag(&renamed));
        Ok(renamed)
    }

    async fn delete_tag(&self, namespace: &str, name: &str) -> Result<()> {
        let deleted = self
            .catalog
            .write(async |transaction| {
                let stored = self
                    .change_namespace(&transaction, namespace, Action::DeleteMetadefTag)
                    .await?;
                let rows = transaction.metadefs();
                let there = rows.find(Content::Tags, stored.id, name).await?;
                there.ok_or_else(|| no_tag(name))?;
                check_not_protected(&stored.namespace, &format!("tag {name}"))?;
                let found = if self.events.is_listening() {
                    rows.tag(stored.id, name).await?
                } else {
                    None
                };
                rows.delete(Content::Tags, stored.id, Some(name)).await?;
                Ok(found)
            })
            .await?;
        if let Some(deleted) = deleted {
            let part = Part::Tag(&deleted);
            self.emit_part(Step::Deleted, namespace, part);
        }
        Ok(())
    }

    async fn delete_tags(&self, namespace: &str) -> Result<()> {
        self.delete_contents(namespace, Content::Tags).await
    }
}

/// Returns the reference implementation's error for an existing tag. The database decides whether case matters.
pub(super) fn taken(namespace: &str, name: &str) -> Error {
    Error::conflict(format!(
        "A metadata tag with name={name} already exists in namespace={namespace}."
    ))
}

fn no_tag(name: &str) -> Error {
    Error::not_found(format!("Could not find metadata tag {name}"))
}
