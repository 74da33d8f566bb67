//! Namespaces of metadata definitions: `openstack image metadef namespace`.

use clap::ArgGroup;

use super::views;
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::openstack::attributes::either_flag;
use crate::cli::openstack::failures::Failures;
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::{Definition, NamespaceQuery, PUBLIC, private};
use crate::ops::Outcome;
use crate::ops::metadefs::missing;
use crate::output::View;

/// Options that set attributes of a namespace.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one field for each option of the grammar"
)]
struct Attributes {
    /// Display name.
    #[arg(long, value_name = "display_name")]
    pub display_name: Option<String>,
    /// Description of the namespace.
    #[arg(long, value_name = "description")]
    pub description: Option<String>,
    /// Make the namespace visible to every project.
    #[arg(long, conflicts_with = "private")]
    pub public: bool,
    /// Make the namespace visible to its own project only.
    #[arg(long, conflicts_with = "public")]
    pub private: bool,
    /// Prevent the namespace from being deleted.
    #[arg(long, conflicts_with = "unprotected")]
    pub protected: bool,
    /// Allow the namespace to be deleted.
    #[arg(long, conflicts_with = "protected")]
    pub unprotected: bool,
}

impl Attributes {
    /// Builds a namespace of that name from the options.
    fn of(self, namespace: String) -> Definition {
        let mut given = Definition::new();
        given.insert("namespace".to_string(), namespace.into());
        let texts = [
            ("display_name", self.display_name),
            ("description", self.description),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                given.insert(name.to_string(), text.into());
            }
        }
        if let Some(public) = either_flag(self.public, self.private) {
            let visibility = if public {
                PUBLIC.to_string()
            } else {
                private()
            };
            given.insert("visibility".to_string(), visibility.into());
        }
        if let Some(protected) = either_flag(self.protected, self.unprotected) {
            given.insert("protected".to_string(), protected.into());
        }
        given
    }
}

/// Create a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceCreate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    #[command(flatten)]
    attributes: Attributes,
}

impl Leaf<Session> for NamespaceCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let new = self.attributes.of(self.namespace);
        let namespace = session.service().await?.create_namespace(new).await?;
        Ok(Outcome::from(views::namespace(&namespace)))
    }
}

/// Delete namespaces and their contents.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceDelete {
    /// Names of the namespaces.
    #[arg(value_name = "namespace", required = true, num_args = 1..)]
    pub namespaces: Vec<String>,
}

impl Leaf<Session> for NamespaceDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let mut failures = Failures::of(session.grammar);
        for name in &self.namespaces {
            let deleted = service.delete_namespace(name).await;
            let deleted = deleted.map_err(missing("MetadefNamespace", name));
            failures.note(deleted, |why| {
                format!("Failed to delete namespace with name or ID '{name}': {why}")
            })?;
        }
        Ok(failures.outcome(|failed| {
            let total = self.namespaces.len();
            format!("{failed} of {total} namespace failed to delete.")
        }))
    }
}

/// List namespaces.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceList {
    /// List only namespaces associated with these resource types.
    #[arg(long, value_name = "resource_types")]
    pub resource_types: Option<String>,
    /// List only namespaces with this visibility: public or private.
    #[arg(long, value_name = "visibility")]
    pub visibility: Option<String>,
}

impl Leaf<Session> for NamespaceList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let types = self
            .resource_types
            .map(|words| words.split(',').map(str::to_string).collect());
        let query = NamespaceQuery {
            resource_types: types,
            visibility: self.visibility,
            ..NamespaceQuery::default()
        };
        let table = shared::namespaces(session.service().await?, query);
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Update a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceSet {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    #[command(flatten)]
    attributes: Attributes,
    /// Tag to add; may be repeated.
    #[arg(long = "tag", value_name = "tag")]
    pub tags: Vec<String>,
}

impl Leaf<Session> for NamespaceSet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let with = self.attributes.of(self.namespace.clone());
        let service = session.service().await?;
        service.replace_namespace(&self.namespace, with).await?;
        let mut failures = Failures::of(session.grammar);
        for tag in &self.tags {
            let created = service.create_tag(&self.namespace, tag).await;
            failures.note_plainly(created, |why| {
                format!("Tag set failed for tag {tag}: {why}")
            })?;
        }
        let total = self.tags.len();
        Ok(failures.outcome(|failed| format!("Failed to set {failed} of {total} tags.")))
    }
}

/// Show a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
}

impl Leaf<Session> for NamespaceShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let namespace = service.get_namespace(&self.namespace, None).await;
        let namespace = namespace.map_err(missing("MetadefNamespace", &self.namespace))?;
        Ok(Outcome::from(views::namespace(&namespace)))
    }
}

/// Remove tags from a namespace.
#[derive(Debug, Clone, clap::Args)]
#[command(group = ArgGroup::new("which").required(true).args(["tags", "all_tags"]))]
pub struct NamespaceUnset {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Tag to remove; may be repeated.
    #[arg(long = "tag", value_name = "tag")]
    pub tags: Vec<String>,
    /// Remove all tags.
    #[arg(long)]
    pub all_tags: bool,
}

impl Leaf<Session> for NamespaceUnset {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        if self.all_tags {
            let deleted = service.delete_tags(&self.namespace).await;
            deleted.map_err(missing("MetadefNamespace", &self.namespace))?;
            return Ok(Outcome::nothing());
        }
        let mut failures = Failures::of(session.grammar);
        for tag in &self.tags {
            let deleted = service.delete_tag(&self.namespace, tag).await;
            failures.note_plainly(deleted, |why| {
                format!("tag unset failed for tag {tag}: {why}")
            })?;
        }
        let total = self.tags.len();
        Ok(failures.outcome(|failed| format!("Failed to unset {failed} of {total} tags.")))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<NamespaceCreate>(
        "image metadef namespace create",
        "Create a namespace",
        Output::Show,
    )
    .creating(),
    Row::of::<NamespaceDelete>(
        "image metadef namespace delete",
        "Delete namespaces and their contents",
        Output::Plain,
    ),
    Row::of::<NamespaceList>(
        "image metadef namespace list",
        "List namespaces",
        Output::List,
    ),
    Row::of::<NamespaceSet>(
        "image metadef namespace set",
        "Update a namespace",
        Output::Plain,
    ),
    Row::of::<NamespaceShow>(
        "image metadef namespace show",
        "Show a namespace",
        Output::Show,
    ),
    Row::of::<NamespaceUnset>(
        "image metadef namespace unset",
        "Remove tags from a namespace",
        Output::Plain,
    ),
];
