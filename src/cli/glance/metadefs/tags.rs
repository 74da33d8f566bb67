//! Tags of metadata definitions: `glance md-tag-*`.

use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::ops::Outcome;
use crate::output::View;
use crate::{Error, Result};

/// Delete all tags of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceTagsDelete {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for NamespaceTagsDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service.delete_tags(&self.namespace).await?;
        Ok(Outcome::nothing())
    }
}

/// Create a tag in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct TagCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    #[arg(long)]
    pub name: String,
}

impl Leaf<Session> for TagCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let name = trimmed_name(&self.name)?;
        let service = session.service().await?;
        let tag = service.create_tag(&self.namespace, name).await?;
        Ok(Outcome::from(views::tag(&tag)))
    }
}

/// Create several tags in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct TagCreateMultiple {
    /// Name of the namespace.
    pub namespace: String,
    /// Names of the tags, as one string.
    #[arg(long)]
    pub names: String,
    /// Separator between the names; default: a comma.
    #[arg(long)]
    pub delim: Option<String>,
    /// Keep the existing tags.
    #[arg(long)]
    pub append: bool,
}

impl Leaf<Session> for TagCreateMultiple {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let separator = self.delim.as_deref().filter(|delim| !delim.is_empty());
        let names = self.names.split(separator.unwrap_or(",")).map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(str::to_string).collect();
        if names.is_empty() {
            return Err(Error::failed(
                "Please supply at least one tag name. For example: --names Tag1",
            ));
        }
        let service = session.service().await?;
        let tags = service.create_tags(&self.namespace, &names, self.append);
        let table = views::tags(&tags.await?).blank_falsy();
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Delete a tag.
#[derive(Debug, Clone, clap::Args)]
pub struct TagDelete {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    pub tag: String,
}

impl Leaf<Session> for TagDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service.delete_tag(&self.namespace, &self.tag).await?;
        Ok(Outcome::nothing())
    }
}

/// List the tags of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct TagList {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for TagList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let tags = service.list_tags(&self.namespace).await?;
        let table = views::tags(&tags).blank_falsy();
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Show a tag.
#[derive(Debug, Clone, clap::Args)]
pub struct TagShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    pub tag: String,
}

impl Leaf<Session> for TagShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let tag = service.get_tag(&self.namespace, &self.tag).await?;
        Ok(Outcome::from(views::tag(&tag)))
    }
}

/// Rename a tag.
#[derive(Debug, Clone, clap::Args)]
pub struct TagUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    pub tag: String,
    /// New name of the tag.
    #[arg(long)]
    pub name: String,
}

impl Leaf<Session> for TagUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let name = trimmed_name(&self.name)?;
        let service = session.service().await?;
        service.rename_tag(&self.namespace, &self.tag, name).await?;
        let tag = service.get_tag(&self.namespace, name).await?;
        Ok(Outcome::from(views::tag(&tag)))
    }
}

/// Returns a name without surrounding whitespace.
fn trimmed_name(name: &str) -> Result<&str> {
    match name.trim() {
        "" => Err(Error::failed(
            "Please supply at least one non-blank tag name.",
        )),
        name => Ok(name),
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<NamespaceTagsDelete>(
        "md-namespace-tags-delete",
        "Delete all tags of a namespace",
        Output::Plain,
    ),
    Row::of::<TagCreate>(
        "md-tag-create",
        "Create a tag in a namespace",
        Output::Plain,
    ),
    Row::of::<TagCreateMultiple>(
        "md-tag-create-multiple",
        "Create several tags in a namespace",
        Output::Plain,
    ),
    Row::of::<TagDelete>("md-tag-delete", "Delete a tag", Output::Plain),
    Row::of::<TagList>("md-tag-list", "List the tags of a namespace", Output::Plain),
    Row::of::<TagShow>("md-tag-show", "Show a tag", Output::Plain),
    Row::of::<TagUpdate>("md-tag-update", "Rename a tag", Output::Plain),
];
