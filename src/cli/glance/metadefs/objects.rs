//! Objects of metadata definitions: `glance md-object-*`.

use super::{ColumnWidth, schema, views};
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::{Definition, Kind};
use crate::ops::Outcome;
use crate::ops::metadefs;
use crate::output::View;

/// Delete all objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceObjectsDelete {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for NamespaceObjectsDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service.delete_objects(&self.namespace).await?;
        Ok(Outcome::nothing())
    }
}

/// Create an object in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    #[arg(long)]
    pub name: String,
    /// JSON schema of the object.
    #[arg(long)]
    pub schema: String,
}

impl Leaf<Session> for ObjectCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut new = Definition::new();
        new.insert("name".to_string(), self.name.into());
        new.extend(schema(&self.schema)?);
        metadefs::check(Kind::Object, &new)?;
        let service = session.service().await?;
        let object = service.create_object(&self.namespace, new).await?;
        Ok(Outcome::from(views::object(&self.namespace, &object)))
    }
}

/// Delete an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectDelete {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
}

impl Leaf<Session> for ObjectDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service.delete_object(&self.namespace, &self.object).await?;
        Ok(Outcome::nothing())
    }
}

/// List the objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectList {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for ObjectList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let objects = service.list_objects(&self.namespace).await?;
        let table = shared::objects(&objects).blank_falsy();
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Show one property of an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectPropertyShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    /// Name of the property.
    pub property: String,
    #[command(flatten)]
    width: ColumnWidth,
}

impl Leaf<Session> for ObjectPropertyShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let object = service.get_object(&self.namespace, &self.object).await?;
        let property = metadefs::property_of(&object, &self.property)?;
        self.width.check()?;
        Ok(Outcome::from(shared::object_property(property)))
    }
}

/// Show an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    #[command(flatten)]
    width: ColumnWidth,
}

impl Leaf<Session> for ObjectShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let object = service.get_object(&self.namespace, &self.object).await?;
        self.width.check()?;
        Ok(Outcome::from(views::object(&self.namespace, &object)))
    }
}

/// Update an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    /// New name of the object.
    #[arg(long)]
    pub name: Option<String>,
    /// JSON schema of the object.
    #[arg(long)]
    pub schema: Option<String>,
}

impl Leaf<Session> for ObjectUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut changes = Definition::new();
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            changes.insert("name".to_string(), name.into());
        }
        if let Some(text) = self.schema.filter(|text| !text.is_empty()) {
            changes.extend(schema(&text)?);
        }
        let service = session.service().await?;
        let name = metadefs::update_object(service, &self.namespace, &self.object, changes).await?;
        let object = service.get_object(&self.namespace, &name).await?;
        Ok(Outcome::from(views::object(&self.namespace, &object)))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<NamespaceObjectsDelete>(
        "md-namespace-objects-delete",
        "Delete all objects of a namespace",
        Output::Plain,
    ),
    Row::of::<ObjectCreate>(
        "md-object-create",
        "Create an object in a namespace",
        Output::Plain,
    ),
    Row::of::<ObjectDelete>("md-object-delete", "Delete an object", Output::Plain),
    Row::of::<ObjectList>(
        "md-object-list",
        "List the objects of a namespace",
        Output::Plain,
    ),
    Row::of::<ObjectPropertyShow>(
        "md-object-property-show",
        "Show one property of an object",
        Output::Plain,
    ),
    Row::of::<ObjectShow>("md-object-show", "Show an object", Output::Plain),
    Row::of::<ObjectUpdate>("md-object-update", "Update an object", Output::Plain),
];
