//! Resource types of metadata definitions: `glance md-resource-type-*`.

use super::views;
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::{Definition, Kind};
use crate::ops::Outcome;
use crate::ops::metadefs;
use crate::output::View;

/// List the resource types associated with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceResourceTypeList {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for NamespaceResourceTypeList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let associations = service.list_associations(&self.namespace).await?;
        let table = views::associations(&associations).blank_falsy();
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Associate a resource type with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociate {
    /// Name of the namespace.
    pub namespace: String,
    /// Kind of properties to associate, if the resource type has several.
    #[arg(long)]
    pub properties_target: Option<String>,
    /// Prefix of property names for this resource type, including the separator.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Name of the resource type.
    #[arg(long)]
    pub name: Option<String>,
}

impl Leaf<Session> for ResourceTypeAssociate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut new = Definition::new();
        for (name, value) in [
            ("name", self.name),
            ("prefix", self.prefix),
            ("properties_target", self.properties_target),
        ] {
            if let Some(value) = value {
                new.insert(name.to_string(), value.into());
            }
        }
        metadefs::check(Kind::ResourceType, &new)?;
        let service = session.service().await?;
        let association = service.associate(&self.namespace, new).await?;
        Ok(Outcome::from(views::association(&association)))
    }
}

/// Remove the association of a resource type with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeDeassociate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the resource type.
    pub resource_type: String,
}

impl Leaf<Session> for ResourceTypeDeassociate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service
            .dissociate(&self.namespace, &self.resource_type)
            .await?;
        Ok(Outcome::nothing())
    }
}

/// List resource types.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeList {}

impl Leaf<Session> for ResourceTypeList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let types = session.service().await?.list_resource_types().await?;
        let table = shared::resource_types("name", &types).blank_falsy();
        Ok(Outcome::from(View::Table(table)))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<NamespaceResourceTypeList>(
        "md-namespace-resource-type-list",
        "List the resource types associated with a namespace",
        Output::Plain,
    ),
    Row::of::<ResourceTypeAssociate>(
        "md-resource-type-associate",
        "Associate a resource type with a namespace",
        Output::Plain,
    ),
    Row::of::<ResourceTypeDeassociate>(
        "md-resource-type-deassociate",
        "Remove the association of a resource type with a namespace",
        Output::Plain,
    ),
    Row::of::<ResourceTypeList>(
        "md-resource-type-list",
        "List resource types",
        Output::Plain,
    ),
];
