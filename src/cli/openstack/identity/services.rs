//! Services: `openstack service`.

use serde_json::{Value, json};

use super::{Availability, nonempty};
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::openstack::failures::Failures;
use crate::cli::run::session::Session;
use crate::model::identity::{Service, ServiceFields};
use crate::ops::Outcome;
use crate::ops::identity::find_service;
use crate::output::{Cell, Record, Table, View};

/// Create a service.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceCreate {
    /// Type of the service: image, identity, compute and so on
    #[arg(value_name = "type")]
    pub kind: String,
    /// Name of the service.
    #[arg(long, value_name = "name")]
    pub name: Option<String>,
    /// Description of the service.
    #[arg(long, value_name = "description")]
    pub description: Option<String>,
    #[command(flatten)]
    availability: Availability,
}

impl Leaf<Session> for ServiceCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let fields = ServiceFields {
            name: self.name,
            kind: Some(self.kind),
            description: self.description,
            enabled: Some(self.availability.or_enabled()),
        };
        let identity = session.identity().await?;
        let service = identity.create_service(&fields).await?;
        Ok(Outcome::from(record(&service)))
    }
}

/// Delete services and their endpoints.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceDelete {
    /// Services to delete, by ID, name or type.
    #[arg(value_name = "service", required = true, num_args = 1..)]
    pub services: Vec<String>,
}

impl Leaf<Session> for ServiceDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        let mut failures = Failures::of(session.grammar);
        for word in &self.services {
            let deleted = match find_service(&identity, word).await {
                Ok(service) => identity.delete_service(&service.id).await,
                Err(error) => Err(error),
            };
            failures.note(deleted, |why| {
                format!("Failed to delete service with type, name or ID '{word}': {why}")
            })?;
        }
        let total = self.services.len();
        Ok(failures.outcome(|failed| format!("{failed} of {total} services failed to delete.")))
    }
}

/// List services.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceList {
    /// List additional columns.
    #[arg(long)]
    pub long: bool,
}

impl Leaf<Session> for ServiceList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut columns = vec!["ID", "Name", "Type"];
        if self.long {
            columns.extend(["Description", "Enabled"]);
        }
        let services = session.identity().await?.list_services().await?;
        let rows = services.into_iter().map(|service| {
            let mut row = vec![json!(service.id), json!(service.name), json!(service.kind)];
            if self.long {
                row.extend([json!(service.description), json!(service.enabled)]);
            }
            row.into_iter().map(Cell::new).collect()
        });
        let table = Table::from_rows(columns, rows.collect());
        Ok(Outcome::from(View::Table(table)))
    }
}

/// Update a service.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceSet {
    /// Service to update, by ID, name or type.
    #[arg(value_name = "service")]
    pub service: String,
    /// Type of the service: image, identity, compute and so on
    #[arg(long = "type", value_name = "type")]
    pub kind: Option<String>,
    /// Name of the service.
    #[arg(long, value_name = "service-name")]
    pub name: Option<String>,
    /// Description of the service.
    #[arg(long, value_name = "description")]
    pub description: Option<String>,
    #[command(flatten)]
    availability: Availability,
}

impl Leaf<Session> for ServiceSet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let fields = ServiceFields {
            name: nonempty(self.name),
            kind: nonempty(self.kind),
            description: nonempty(self.description),
            enabled: self.availability.given(),
        };
        let identity = session.identity().await?;
        let service = find_service(&identity, &self.service).await?;
        if fields != ServiceFields::default() {
            identity.update_service(&service.id, &fields).await?;
        }
        Ok(Outcome::nothing())
    }
}

/// Show a service.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceShow {
    /// Service to show, by ID, name or type.
    #[arg(value_name = "service")]
    pub service: String,
}

impl Leaf<Session> for ServiceShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        let service = find_service(&identity, &self.service).await?;
        Ok(Outcome::from(record(&service)))
    }
}

/// Returns a service as `openstack service show` prints it.
fn record(service: &Service) -> View<'static> {
    let fields: [(&str, Value); 5] = [
        ("id", json!(service.id)),
        ("name", json!(service.name)),
        ("type", json!(service.kind)),
        ("enabled", json!(service.enabled)),
        ("description", json!(service.description)),
    ];
    let fields = fields.map(|(name, value)| (name.to_string(), Cell::new(value)));
    View::Record(fields.into_iter().collect::<Record>())
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ServiceCreate>("service create", "Create a service", Output::Show),
    Row::of::<ServiceDelete>(
        "service delete",
        "Delete services and their endpoints",
        Output::Plain,
    ),
    Row::of::<ServiceList>("service list", "List services", Output::List),
    Row::of::<ServiceSet>("service set", "Update a service", Output::Plain),
    Row::of::<ServiceShow>("service show", "Show a service", Output::Show),
];
