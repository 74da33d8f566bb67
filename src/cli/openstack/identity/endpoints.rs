//! Endpoints: `openstack endpoint`.

use serde_json::{Value, json};

use super::{Availability, nonempty};
use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::openstack::failures::Failures;
use crate::cli::run::session::Session;
use crate::model::identity::{Endpoint, EndpointFields, EndpointQuery, Service};
use crate::ops::Outcome;
use crate::ops::identity::{check_region, find_endpoint, find_service, list_endpoints};
use crate::output::{Cell, Record, Table, View};

/// The interfaces, in upstream's order.
const INTERFACES: [&str; 3] = ["admin", "public", "internal"];

/// Create an endpoint.
#[derive(Debug, Clone, clap::Args)]
pub struct EndpointCreate {
    /// Service of the endpoint, by ID, name or type.
    #[arg(value_name = "service")]
    pub service: String,
    /// Interface: admin, public or internal.
    #[arg(value_name = "interface", value_parser = INTERFACES)]
    pub interface: String,
    /// Address of the service.
    #[arg(value_name = "url")]
    pub url: String,
    /// Region of the endpoint, which has to exist.
    #[arg(long, value_name = "region-id")]
    pub region: Option<String>,
    #[command(flatten)]
    availability: Availability,
}

impl Leaf<Session> for EndpointCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        let service = find_service(&identity, &self.service).await?;
        let region = nonempty(self.region);
        if let Some(region) = &region {
            check_region(&identity, region).await?;
        }
        let fields = EndpointFields {
            service_id: Some(service.id.clone()),
            interface: Some(self.interface),
            url: Some(self.url),
            region_id: region,
            enabled: Some(self.availability.or_enabled()),
        };
        let endpoint = identity.create_endpoint(&fields).await?;
        Ok(Outcome::from(record(&endpoint, &service)))
    }
}

/// Delete endpoints.
#[derive(Debug, Clone, clap::Args)]
pub struct EndpointDelete {
    /// IDs of the endpoints to delete.
    #[arg(value_name = "endpoint-id", required = true, num_args = 1..)]
    pub endpoints: Vec<String>,
}

impl Leaf<Session> for EndpointDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        let mut failures = Failures::of(session.grammar);
        for id in &self.endpoints {
            let deleted = match find_endpoint(&identity, id).await {
                Ok(endpoint) => identity.delete_endpoint(&endpoint.id).await,
                Err(error) => Err(error),
            };
            failures.note(deleted, |why| {
                format!("Failed to delete endpoint with ID '{id}': {why}")
            })?;
        }
        let total = self.endpoints.len();
        Ok(failures.outcome(|failed| format!("{failed} of {total} endpoints failed to delete.")))
    }
}

/// List endpoints, or the projects of an endpoint.
#[derive(Debug, Clone, clap::Args)]
pub struct EndpointList {
    /// List only endpoints of this service, by ID, name or type.
    #[arg(long, value_name = "service")]
    pub service: Option<String>,
    /// List only endpoints of this interface: admin, public or internal.
    #[arg(long, value_name = "interface", value_parser = INTERFACES)]
    pub interface: Option<String>,
    /// List only endpoints in this region.
    #[arg(long, value_name = "region-id")]
    pub region: Option<String>,
    /// List the projects that are associated with this endpoint, by its ID, instead of endpoints.
    #[arg(long, value_name = "endpoint-group", conflicts_with = "project")]
    pub endpoint: Option<String>,
    /// List only endpoints that are associated with this project (ID or name).
    #[arg(long, value_name = "project", conflicts_with = "endpoint")]
    pub project: Option<String>,
    /// Domain of the project (ID or name).
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl Leaf<Session> for EndpointList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        if let Some(id) = nonempty(self.endpoint) {
            let endpoint = find_endpoint(&identity, &id).await?;
            let projects = identity.list_endpoint_projects(&endpoint.id).await?;
            let rows = projects
                .into_iter()
                .map(|project| [project.id, project.name].map(Cell::new).into());
            let table = Table::from_rows(["ID", "Name"], rows.collect());
            return Ok(Outcome::from(View::Table(table)));
        }
        let mut project = None;
        if let Some(word) = nonempty(self.project) {
            let domain = self.project_domain.as_deref();
            project = Some(identity.find_project(&word, domain).await?);
        }
        let mut query = EndpointQuery {
            interface: self.interface,
            region_id: nonempty(self.region),
            ..EndpointQuery::default()
        };
        if let Some(word) = nonempty(self.service) {
            query.service_id = Some(find_service(&identity, &word).await?.id);
        }
        if let Some(region) = &query.region_id {
            check_region(&identity, region).await?;
        }
        let endpoints = list_endpoints(&identity, &query, project.as_deref()).await?;
        Ok(Outcome::from(table(&endpoints)))
    }
}

/// Update an endpoint.
#[derive(Debug, Clone, clap::Args)]
pub struct EndpointSet {
    /// ID of the endpoint to update.
    #[arg(value_name = "endpoint-id")]
    pub endpoint: String,
    /// Region of the endpoint, which has to exist.
    #[arg(long, value_name = "region-id")]
    pub region: Option<String>,
    /// Interface: admin, public or internal.
    #[arg(long, value_name = "interface", value_parser = INTERFACES)]
    pub interface: Option<String>,
    /// Address of the service.
    #[arg(long, value_name = "url")]
    pub url: Option<String>,
    /// Service of the endpoint, by ID, name or type.
    #[arg(long, value_name = "service")]
    pub service: Option<String>,
    #[command(flatten)]
    availability: Availability,
}

impl Leaf<Session> for EndpointSet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        let endpoint = find_endpoint(&identity, &self.endpoint).await?;
        let mut fields = EndpointFields {
            service_id: None,
            interface: self.interface,
            url: nonempty(self.url),
            region_id: nonempty(self.region),
            enabled: self.availability.given(),
        };
        if let Some(word) = nonempty(self.service) {
            fields.service_id = Some(find_service(&identity, &word).await?.id);
        }
        if fields != EndpointFields::default() {
            identity.update_endpoint(&endpoint.id, &fields).await?;
        }
        Ok(Outcome::nothing())
    }
}

/// Show an endpoint.
#[derive(Debug, Clone, clap::Args)]
pub struct EndpointShow {
    /// ID of the endpoint to show.
    #[arg(value_name = "endpoint")]
    pub endpoint: String,
}

impl Leaf<Session> for EndpointShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let identity = session.identity().await?;
        let endpoint = find_endpoint(&identity, &self.endpoint).await?;
        let service = identity.get_service(&endpoint.service_id).await?;
        Ok(Outcome::from(record(&endpoint, &service)))
    }
}

/// Returns an endpoint as `openstack endpoint show` prints it.
fn record(endpoint: &Endpoint, service: &Service) -> View<'static> {
    let fields: [(&str, Value); 9] = [
        ("enabled", json!(endpoint.enabled)),
        ("id", json!(endpoint.id)),
        ("interface", json!(endpoint.interface)),
        ("region", json!(endpoint.region_id)),
        ("region_id", json!(endpoint.region_id)),
        ("service_id", json!(endpoint.service_id)),
        ("url", json!(endpoint.url)),
        ("service_name", json!(service.name)),
        ("service_type", json!(service.kind)),
    ];
    let fields = fields.map(|(name, value)| (name.to_string(), Cell::new(value)));
    View::Record(fields.into_iter().collect::<Record>())
}

/// Returns endpoints and their services as `openstack endpoint list` prints them.
fn table(endpoints: &[(Endpoint, Option<Service>)]) -> View<'static> {
    let row = |(endpoint, service): &(Endpoint, Option<Service>)| {
        let service = service.as_ref();
        [
            json!(endpoint.id),
            json!(endpoint.region_id),
            json!(service.and_then(|service| service.name.as_ref())),
            json!(service.map(|service| &service.kind)),
            json!(endpoint.enabled),
            json!(endpoint.interface),
            json!(endpoint.url),
        ]
        .map(Cell::new)
        .into()
    };
    View::Table(Table::from_rows(
        [
            "ID",
            "Region",
            "Service Name",
            "Service Type",
            "Enabled",
            "Interface",
            "URL",
        ],
        endpoints.iter().map(row).collect(),
    ))
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<EndpointCreate>("endpoint create", "Create an endpoint", Output::Show),
    Row::of::<EndpointDelete>("endpoint delete", "Delete endpoints", Output::Plain),
    Row::of::<EndpointList>(
        "endpoint list",
        "List endpoints, or the projects of an endpoint",
        Output::List,
    ),
    Row::of::<EndpointSet>("endpoint set", "Update an endpoint", Output::Plain),
    Row::of::<EndpointShow>("endpoint show", "Show an endpoint", Output::Show),
];
