//! Properties of metadata definitions: `openstack image metadef property`.

use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::openstack::failures::Failures;
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::Definition;
use crate::ops::Outcome;
use crate::ops::metadefs::{self, missing};
use crate::output::View;
use crate::{Error, Result};

/// Create a property in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyCreate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the property.
    #[arg(long)]
    pub name: String,
    /// Display name.
    #[arg(long)]
    pub title: String,
    /// Type of the property.
    #[arg(long = "type", value_name = "TYPE")]
    pub property_type: String,
    /// JSON schema of the property.
    #[arg(long)]
    pub schema: String,
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
        let service = session.service().await?;
        let property = service.create_property(&self.namespace, new).await?;
        Ok(Outcome::from(views::property(property)))
    }
}

/// Delete properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyDelete {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Names of the properties; default: all.
    #[arg(value_name = "property", num_args = 0..)]
    pub properties: Vec<String>,
}

impl Leaf<Session> for PropertyDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        if self.properties.is_empty() {
            service.delete_properties(&self.namespace).await?;
            return Ok(Outcome::nothing());
        }
        let mut failures = Failures::of(session.grammar);
        for name in &self.properties {
            let deleted = service.delete_property(&self.namespace, name).await;
            failures.note(deleted, |why| {
                format!(
                    "Failed to delete property with name or ID '{name}' from namespace '{}': {why}",
                    self.namespace
                )
            })?;
        }
        let total = self.properties.len();
        Ok(failures.outcome(|failed| format!("{failed} of {total} properties failed to delete.")))
    }
}

/// List the properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyList {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
}

impl Leaf<Session> for PropertyList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let properties = service.list_properties(&self.namespace).await?;
        Ok(Outcome::from(View::Table(shared::properties(&properties))))
    }
}

/// Update a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertySet {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the property.
    #[arg(value_name = "property")]
    pub property: String,
    /// New name of the property.
    #[arg(long)]
    pub name: Option<String>,
    /// Display name.
    #[arg(long)]
    pub title: Option<String>,
    /// Type of the property.
    #[arg(long = "type", value_name = "TYPE")]
    pub property_type: Option<String>,
    /// JSON schema of the property.
    #[arg(long)]
    pub schema: Option<String>,
}

impl Leaf<Session> for PropertySet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut changes = Definition::new();
        for (name, value) in [
            ("name", self.name),
            ("title", self.title),
            ("type", self.property_type),
        ] {
            if let Some(value) = value {
                changes.insert(name.to_string(), value.into());
            }
        }
        if let Some(text) = self.schema.filter(|text| !text.is_empty()) {
            changes.extend(schema(&text)?);
        }
        let service = session.service().await?;
        let updated = metadefs::update_property(service, &self.namespace, &self.property, changes);
        updated
            .await
            .map_err(missing("MetadefProperty", &self.property))?;
        Ok(Outcome::nothing())
    }
}

/// Show a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the property.
    #[arg(value_name = "property")]
    pub property: String,
}

impl Leaf<Session> for PropertyShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let property = service.get_property(&self.namespace, &self.property).await;
        let property = property.map_err(missing("MetadefProperty", &self.property))?;
        Ok(Outcome::from(views::property(property)))
    }
}

/// Parses the JSON object in an option's value.
fn schema(text: &str) -> Result<Definition> {
    metadefs::parse(text.as_bytes())
        .map_err(|why| Error::failed(format!("Failed to load JSON schema: {why}")))
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<PropertyCreate>(
        "image metadef property create",
        "Create a property in a namespace",
        Output::Show,
    ),
    Row::of::<PropertyDelete>(
        "image metadef property delete",
        "Delete properties of a namespace",
        Output::Plain,
    ),
    Row::of::<PropertyList>(
        "image metadef property list",
        "List the properties of a namespace",
        Output::List,
    ),
    Row::of::<PropertySet>(
        "image metadef property set",
        "Update a property",
        Output::Plain,
    ),
    Row::of::<PropertyShow>(
        "image metadef property show",
        "Show a property",
        Output::Show,
    ),
];
