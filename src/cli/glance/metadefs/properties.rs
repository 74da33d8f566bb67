//! Properties of metadata definitions: `glance md-property-*`.

use super::{ColumnWidth, schema, views};
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::{Definition, Kind};
use crate::ops::Outcome;
use crate::ops::metadefs;
use crate::output::View;

/// Delete all properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespacePropertiesDelete {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for NamespacePropertiesDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service.delete_properties(&self.namespace).await?;
        Ok(Outcome::nothing())
    }
}

/// Create a property in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    #[arg(long)]
    pub name: String,
    /// Display name.
    #[arg(long)]
    pub title: String,
    /// JSON schema of the property.
    #[arg(long)]
    pub schema: String,
    /// Type of the property.
    #[arg(long = "type", value_name = "TYPE")]
    pub property_type: String,
}

impl Leaf<Session> for PropertyCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut new = Definition::new();
        for (name, value) in [
            ("name", self.name),
            ("title", self.title),
            ("type", self.property_type),
        ] {
            new.insert(name.to_string(), value.into());
        }
        new.extend(schema(&self.schema)?);
        // Like upstream, adds the schema's default for a missing `uniqueItems`.
        new.entry("uniqueItems").or_insert(false.into());
        metadefs::check(Kind::Property, &new)?;
        let service = session.service().await?;
        let property = service.create_property(&self.namespace, new).await?;
        Ok(Outcome::from(views::property(property)))
    }
}

/// Delete a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyDelete {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    pub property: String,
}

impl Leaf<Session> for PropertyDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service
            .delete_property(&self.namespace, &self.property)
            .await?;
        Ok(Outcome::nothing())
    }
}

/// List the properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyList {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for PropertyList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let properties = service.list_properties(&self.namespace).await?;
        let table = shared::properties(&properties).blank_falsy();
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Show a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    pub property: String,
    #[command(flatten)]
    width: ColumnWidth,
}

impl Leaf<Session> for PropertyShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let property = service
            .get_property(&self.namespace, &self.property)
            .await?;
        self.width.check()?;
        Ok(Outcome::from(views::property(property)))
    }
}

/// Update a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    pub property: String,
    /// New name of the property.
    #[arg(long)]
    pub name: Option<String>,
    /// Display name.
    #[arg(long)]
    pub title: Option<String>,
    /// JSON schema of the property.
    #[arg(long)]
    pub schema: Option<String>,
}

impl Leaf<Session> for PropertyUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut changes = Definition::new();
        for (name, value) in [("name", self.name), ("title", self.title)] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                changes.insert(name.to_string(), value.into());
            }
        }
        if let Some(text) = self.schema.filter(|text| !text.is_empty()) {
            changes.extend(schema(&text)?);
        }
        let service = session.service().await?;
        let property =
            metadefs::update_property(service, &self.namespace, &self.property, changes).await?;
        Ok(Outcome::from(views::property(property)))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<NamespacePropertiesDelete>(
        "md-namespace-properties-delete",
        "Delete all properties of a namespace",
        Output::Plain,
    ),
    Row::of::<PropertyCreate>(
        "md-property-create",
        "Create a property in a namespace",
        Output::Plain,
    ),
    Row::of::<PropertyDelete>("md-property-delete", "Delete a property", Output::Plain),
    Row::of::<PropertyList>(
        "md-property-list",
        "List the properties of a namespace",
        Output::Plain,
    ),
    Row::of::<PropertyShow>("md-property-show", "Show a property", Output::Plain),
    Row::of::<PropertyUpdate>("md-property-update", "Update a property", Output::Plain),
];
