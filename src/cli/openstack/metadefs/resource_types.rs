//! Resource types of metadata definitions: `openstack image metadef resource type`.

use super::views;
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::openstack::failures::Failures;
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::Definition;
use crate::ops::Outcome;
use crate::ops::metadefs;
use crate::output::View;

/// Associate a resource type with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociationCreate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the resource type.
    #[arg(value_name = "name")]
    pub name: String,
    /// Kind of properties to associate, if the resource type has several.
    #[arg(long, value_name = "properties_target")]
    pub properties_target: Option<String>,
}

impl Leaf<Session> for ResourceTypeAssociationCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut new = Definition::new();
        new.insert("name".to_string(), self.name.into());
        if let Some(target) = self.properties_target.filter(|target| !target.is_empty()) {
            new.insert("properties_target".to_string(), target.into());
        }
        let service = session.service().await?;
        let association = service.associate(&self.namespace, new).await?;
        Ok(Outcome::from(views::association(&association)))
    }
}

/// Remove associations of resource types with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociationDelete {
    /// Name of the namespace.
    #[arg(value_name = "metadef_namespace")]
    pub namespace: String,
    /// Names of the resource types.
    #[arg(value_name = "name", required = true, num_args = 1..)]
    pub names: Vec<String>,
    /// Remove the association even if the namespace is protected.
    #[arg(long)]
    pub force: bool,
}

impl Leaf<Session> for ResourceTypeAssociationDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let mut failures = Failures::of(session.grammar);
        for name in &self.names {
            let deleted = metadefs::dissociate(service, &self.namespace, name, self.force).await;
            failures.note(deleted, |why| {
                format!("Failed to delete resource type with name or ID '{name}': {why}")
            })?;
        }
        let total = self.names.len();
        Ok(failures
            .outcome(|failed| format!("{failed} of {total} resource type failed to delete.")))
    }
}

/// List the resource types associated with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociationList {
    /// Name of the namespace.
    #[arg(value_name = "metadef_namespace")]
    pub namespace: String,
}

impl Leaf<Session> for ResourceTypeAssociationList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let associations = service.list_associations(&self.namespace).await?;
        let table = views::associations(&associations);
        Ok(Outcome::from(View::Table(table)))
    }
}

/// List resource types.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeList {}

impl Leaf<Session> for ResourceTypeList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let types = session.service().await?.list_resource_types().await?;
        let table = shared::resource_types("Name", &types);
        Ok(Outcome::from(View::Table(table)))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ResourceTypeAssociationCreate>(
        "image metadef resource type association create",
        "Associate a resource type with a namespace",
        Output::Show,
    ),
    Row::of::<ResourceTypeAssociationDelete>(
        "image metadef resource type association delete",
        "Remove associations of resource types with a namespace",
        Output::Plain,
    ),
    Row::of::<ResourceTypeAssociationList>(
        "image metadef resource type association list",
        "List the resource types associated with a namespace",
        Output::List,
    ),
    Row::of::<ResourceTypeList>(
        "image metadef resource type list",
        "List resource types",
        Output::List,
    ),
];
