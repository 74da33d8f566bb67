//! Namespaces of metadata definitions: `glance md-namespace-*`.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::ArgAction;
use serde_json::json;

use super::{ColumnWidth, invalid_json, views};
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values;
use crate::cli::run::session::Session;
use crate::cli::views::metadefs as shared;
use crate::model::metadef::{Definition, Kind, NamespaceQuery};
use crate::ops::Outcome;
use crate::ops::metadefs;
use crate::output::View;
use crate::{Error, Result};

/// Maximum size of a document, in bytes.
const MAX_DOCUMENT: u64 = 64 << 20;

/// Options that set attributes of a namespace.
#[derive(Debug, Clone, clap::Args)]
struct Attributes {
    /// Project that owns the namespace.
    #[arg(long)]
    pub owner: Option<String>,
    /// Prevent the namespace from being deleted.
    #[arg(long, value_name = "True|False", value_parser = values::strict_bool)]
    pub protected: Option<bool>,
    /// Visibility of the namespace: public or private.
    #[arg(long)]
    pub visibility: Option<String>,
    /// Description of the namespace.
    #[arg(long)]
    pub description: Option<String>,
    /// Display name.
    #[arg(long)]
    pub display_name: Option<String>,
}

impl Attributes {
    /// Returns the given values by their API names.
    fn given(self) -> Definition {
        let mut given = Definition::new();
        let texts = [
            ("display_name", self.display_name),
            ("description", self.description),
            ("visibility", self.visibility),
            ("owner", self.owner),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                given.insert(name.to_string(), text.into());
            }
        }
        if let Some(protected) = self.protected {
            given.insert("protected".to_string(), protected.into());
        }
        given
    }
}

/// Create a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Resource types to associate, each a JSON object.
    #[arg(long, num_args = 1.., action = ArgAction::Set)]
    pub resource_type_associations: Vec<String>,
    #[command(flatten)]
    attributes: Attributes,
}

impl Leaf<Session> for NamespaceCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut new = self.attributes.given();
        new.insert("namespace".to_string(), self.namespace.into());
        if !self.resource_type_associations.is_empty() {
            let given = self.resource_type_associations.iter();
            // Invalid JSON is kept as a string, which the schema rejects.
            let given = given.map(|text| serde_json::from_str(text).unwrap_or(json!(text)));
            new.insert("resource_type_associations".to_string(), given.collect());
        }
        metadefs::check(Kind::Namespace, &new)?;
        let namespace = session.service().await?.create_namespace(new).await?;
        Ok(Outcome::from(views::namespace(&namespace)))
    }
}

/// Delete a namespace and its contents.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceDelete {
    /// Name of the namespace.
    pub namespace: String,
}

impl Leaf<Session> for NamespaceDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        service.delete_namespace(&self.namespace).await?;
        Ok(Outcome::nothing())
    }
}

/// Create a namespace and its contents from a JSON document.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceImport {
    /// JSON document to import; default: standard input.
    #[arg(long, value_name = "FILEPATH")]
    pub file: Option<PathBuf>,
}

impl Leaf<Session> for NamespaceImport {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let Some(text) = read_document(self.file, session.is_piped()).await? else {
            return Err(Error::failed(
                "No metadata definition namespace passed via stdin or --file argument.",
            ));
        };
        let new = metadefs::parse(&text).map_err(invalid_json)?;
        metadefs::check(Kind::Namespace, &new)?;
        let namespace = session.service().await?.create_namespace(new).await?;
        Ok(Outcome::from(views::namespace(&namespace)))
    }
}

/// List namespaces.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceList {
    /// List only namespaces associated with this resource type; may be repeated.
    #[arg(long)]
    pub resource_types: Vec<String>,
    /// List only namespaces with this visibility: public or private.
    #[arg(long)]
    pub visibility: Option<String>,
    /// Number of namespaces to request per page.
    #[arg(long, value_name = "SIZE", value_parser = values::int, allow_negative_numbers = true)]
    pub page_size: Option<i64>,
}

impl Leaf<Session> for NamespaceList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let page_size = match self.page_size.map(u64::try_from) {
            Some(Err(_)) => return Err(Error::invalid("limit param must be positive")),
            Some(Ok(size)) => Some(size).filter(|size| *size > 0),
            None => None,
        };
        let types = self.resource_types;
        let query = NamespaceQuery {
            resource_types: (!types.is_empty()).then_some(types),
            visibility: self.visibility,
            page_size,
            ..NamespaceQuery::default()
        };
        let table = shared::namespaces(session.service().await?, query);
        Ok(Outcome::from(View::Table(table.blank_falsy())))
    }
}

/// Show a namespace with its properties, objects and resource types.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Prepend the prefix of this resource type to property names.
    #[arg(long)]
    pub resource_type: Option<String>,
    #[command(flatten)]
    width: ColumnWidth,
}

impl Leaf<Session> for NamespaceShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let resource_type = self
            .resource_type
            .as_deref()
            .filter(|name| !name.is_empty());
        let namespace = service
            .get_namespace(&self.namespace, resource_type)
            .await?;
        self.width.check()?;
        Ok(Outcome::from(views::namespace(&namespace)))
    }
}

/// Update a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceUpdate {
    /// Name of the namespace.
    pub namespace: String,
    #[command(flatten)]
    attributes: Attributes,
    /// New name of the namespace.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    pub new_namespace: Option<String>,
}

impl Leaf<Session> for NamespaceUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut changes = self.attributes.given();
        if let Some(name) = self.new_namespace {
            changes.insert("namespace".to_string(), name.into());
        }
        let service = session.service().await?;
        let namespace = metadefs::update_namespace(service, &self.namespace, changes).await?;
        Ok(Outcome::from(views::namespace(&namespace)))
    }
}

/// Reads the document from the file or from piped standard input; `None` without either.
async fn read_document(file: Option<PathBuf>, piped: bool) -> Result<Option<Vec<u8>>> {
    if file.is_none() && !piped {
        return Ok(None);
    }
    // On a separate thread, so that a signal can interrupt waiting for input.
    let reading = tokio::task::spawn_blocking(move || {
        let (name, input): (PathBuf, Box<dyn Read>) = match file {
            Some(path) => {
                let opened = File::open(&path).map_err(|e| Error::io("open", &path, e))?;
                (path, Box::new(opened))
            }
            None => ("standard input".into(), Box::new(std::io::stdin())),
        };
        let mut text = Vec::new();
        let read = input.take(MAX_DOCUMENT + 1).read_to_end(&mut text);
        read.map_err(|e| Error::io("read", &name, e))?;
        if text.len() as u64 > MAX_DOCUMENT {
            return Err(Error::failed(format!(
                "{} is larger than {} MiB",
                name.display(),
                MAX_DOCUMENT >> 20
            )));
        }
        Ok(Some(text))
    });
    match reading.await {
        Ok(read) => read,
        Err(e) => Err(Error::internal("the reading thread failed").because(e)),
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<NamespaceCreate>("md-namespace-create", "Create a namespace", Output::Plain)
        .creating(),
    Row::of::<NamespaceDelete>(
        "md-namespace-delete",
        "Delete a namespace and its contents",
        Output::Plain,
    ),
    Row::of::<NamespaceImport>(
        "md-namespace-import",
        "Create a namespace and its contents from a JSON document",
        Output::Plain,
    )
    .creating(),
    Row::of::<NamespaceList>("md-namespace-list", "List namespaces", Output::Plain),
    Row::of::<NamespaceShow>(
        "md-namespace-show",
        "Show a namespace with its properties, objects and resource types",
        Output::Plain,
    ),
    Row::of::<NamespaceUpdate>("md-namespace-update", "Update a namespace", Output::Plain),
];
