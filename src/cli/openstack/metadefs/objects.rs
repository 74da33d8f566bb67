//! Objects of metadata definitions: `openstack image metadef object`.

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

/// Create an object in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectCreate {
    /// Name of the object.
    #[arg(value_name = "metadef-object-name")]
    pub name: String,
    /// Name of the namespace.
    #[arg(long, value_name = "namespace")]
    pub namespace: Option<String>,
}

impl Leaf<Session> for ObjectCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let Some(namespace) = self.namespace.filter(|name| !name.is_empty()) else {
            return Err(Error::failed("Request requires an ID but none was found")
                .hint("Pass the namespace with --namespace."));
        };
        let mut new = Definition::new();
        new.insert("name".to_string(), self.name.into());
        let object = session
            .service()
            .await?
            .create_object(&namespace, new)
            .await;
        let object = object.map_err(missing("MetadefNamespace", &namespace))?;
        Ok(Outcome::from(views::object(&namespace, &object)))
    }
}

/// Delete objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectDelete {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Names of the objects; default: all.
    #[arg(value_name = "object", num_args = 0..)]
    pub objects: Vec<String>,
}

impl Leaf<Session> for ObjectDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        if self.objects.is_empty() {
            service.delete_objects(&self.namespace).await?;
            return Ok(Outcome::nothing());
        }
        let mut failures = Failures::of(session.grammar);
        for name in &self.objects {
            let deleted = service.delete_object(&self.namespace, name).await;
            let deleted = deleted.map_err(missing("MetadefObject", name));
            failures.note(deleted, |why| {
                format!("Failed to delete object with name or ID '{name}': {why}")
            })?;
        }
        let total = self.objects.len();
        Ok(failures.outcome(|failed| format!("{failed} of {total} object failed to delete.")))
    }
}

/// List the objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectList {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
}

impl Leaf<Session> for ObjectList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let objects = service.list_objects(&self.namespace).await?;
        Ok(Outcome::from(View::Table(shared::objects(&objects))))
    }
}

/// Show one property of an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectPropertyShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace_name")]
    pub namespace: String,
    /// Name of the object.
    #[arg(value_name = "object_name")]
    pub object: String,
    /// Name of the property.
    #[arg(value_name = "property")]
    pub property: String,
}

impl Leaf<Session> for ObjectPropertyShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let object = service.get_object(&self.namespace, &self.object).await;
        let object = object.map_err(missing("MetadefObject", &self.object))?;
        let property = metadefs::property_of(&object, &self.property)?;
        Ok(Outcome::from(shared::object_property(property)))
    }
}

/// Show an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the object.
    #[arg(value_name = "object")]
    pub object: String,
}

impl Leaf<Session> for ObjectShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let object = service.get_object(&self.namespace, &self.object).await;
        let object = object.map_err(missing("MetadefObject", &self.object))?;
        Ok(Outcome::from(views::object(&self.namespace, &object)))
    }
}

/// Rename an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectUpdate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the object.
    #[arg(value_name = "object")]
    pub object: String,
    /// New name of the object.
    #[arg(long)]
    pub name: Option<String>,
}

impl Leaf<Session> for ObjectUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut changes = Definition::new();
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            changes.insert("name".to_string(), name.into());
        }
        let service = session.service().await?;
        let updated = metadefs::update_object(service, &self.namespace, &self.object, changes);
        updated
            .await
            .map_err(missing("MetadefObject", &self.object))?;
        Ok(Outcome::nothing())
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ObjectCreate>(
        "image metadef object create",
        "Create an object in a namespace",
        Output::Show,
    ),
    Row::of::<ObjectDelete>(
        "image metadef object delete",
        "Delete objects of a namespace",
        Output::Plain,
    ),
    Row::of::<ObjectList>(
        "image metadef object list",
        "List the objects of a namespace",
        Output::List,
    ),
    Row::of::<ObjectPropertyShow>(
        "image metadef object property show",
        "Show one property of an object",
        Output::Show,
    ),
    Row::of::<ObjectShow>("image metadef object show", "Show an object", Output::Show),
    Row::of::<ObjectUpdate>(
        "image metadef object update",
        "Rename an object",
        Output::Plain,
    ),
];
