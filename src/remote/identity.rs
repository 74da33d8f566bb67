//! Keystone's catalogue of services and endpoints, for its administrators.
//!
//! Requests go to the Keystone of the login. The catalogue may not have an image service yet.
//!
//! *Source:* Identity API reference v3, "Service catalog and endpoints" and "OS-EP-FILTER".

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{refusal, unexpected};
use super::auth::Prompt;
use super::{JSON, Remote, set_body};
use crate::config::Cloud;
use crate::http::{Observer, Request};
use crate::model::identity::{
    Endpoint, EndpointFields, EndpointQuery, Project, Service, ServiceFields,
};
use crate::service::Projects;
use crate::{Error, ErrorKind, Parameter, Result};

/// The version of the API.
const VERSION: &str = "v3";

/// Keystone's catalogue, from the view of one caller.
pub struct Identity(Remote);

impl Identity {
    /// Logs in to the Keystone of a cloud, or uses a cached token.
    ///
    /// # Errors
    /// `Failed` for a cloud without Keystone; any error from authentication.
    pub async fn open(
        cloud: Cloud,
        prompt: Box<dyn Prompt + Send + Sync>,
        observer: Observer,
    ) -> Result<Self> {
        let cloud = cloud.for_identity().ok_or_else(|| {
            Error::failed("the catalogue of services is Keystone's, and this login has no Keystone")
                .hint(Parameter::KeystoneAddress)
        })?;
        Ok(Self(Remote::open(cloud, prompt, observer).await?))
    }

    /// Returns all services.
    ///
    /// # Errors
    /// `Forbidden` for callers who may not list them, as for each method here.
    pub async fn list_services(&self) -> Result<Vec<Service>> {
        self.get(&["services"], "services").await
    }

    /// Returns a service.
    ///
    /// # Errors
    /// `NotFound` for an unknown ID.
    pub async fn get_service(&self, id: &str) -> Result<Service> {
        self.get(&["services", id], "service").await
    }

    /// Creates a service and returns it.
    ///
    /// # Errors
    /// `Invalid` for attributes that Keystone refuses.
    pub async fn create_service(&self, fields: &ServiceFields) -> Result<Service> {
        let body = json!({ "service": fields });
        self.send(Method::POST, &["services"], body, "service")
            .await
    }

    /// Changes a service and returns it.
    ///
    /// # Errors
    /// `NotFound` for an unknown ID, `Invalid` for attributes that Keystone refuses.
    pub async fn update_service(&self, id: &str, fields: &ServiceFields) -> Result<Service> {
        let body = json!({ "service": fields });
        self.send(Method::PATCH, &["services", id], body, "service")
            .await
    }

    /// Deletes a service and its endpoints.
    ///
    /// # Errors
    /// `NotFound` for an unknown ID.
    pub async fn delete_service(&self, id: &str) -> Result<()> {
        self.delete(&["services", id]).await
    }

    /// Returns the endpoints that a query asks for.
    ///
    /// # Errors
    /// See [`Self::list_services`].
    pub async fn list_endpoints(&self, query: &EndpointQuery) -> Result<Vec<Endpoint>> {
        let mut request = self.request(Method::GET, &["endpoints"]).await?;
        let filters = [
            ("service_id", &query.service_id),
            ("interface", &query.interface),
            ("region_id", &query.region_id),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                request.url.query_pairs_mut().append_pair(name, value);
            }
        }
        self.read(request, "endpoints").await
    }

    /// Returns the endpoints that are associated with a project, by its ID.
    ///
    /// # Errors
    /// `NotFound` for an unknown project.
    pub async fn list_project_endpoints(&self, project: &str) -> Result<Vec<Endpoint>> {
        let path = ["OS-EP-FILTER", "projects", project, "endpoints"];
        self.get(&path, "endpoints").await
    }

    /// Returns the projects that are associated with an endpoint, by its ID.
    ///
    /// # Errors
    /// `NotFound` for an unknown endpoint.
    pub async fn list_endpoint_projects(&self, endpoint: &str) -> Result<Vec<Project>> {
        let path = ["OS-EP-FILTER", "endpoints", endpoint, "projects"];
        self.get(&path, "projects").await
    }

    /// Returns an endpoint.
    ///
    /// # Errors
    /// `NotFound` for an unknown ID.
    pub async fn get_endpoint(&self, id: &str) -> Result<Endpoint> {
        self.get(&["endpoints", id], "endpoint").await
    }

    /// Creates an endpoint and returns it.
    ///
    /// # Errors
    /// `Invalid` for attributes that Keystone refuses.
    pub async fn create_endpoint(&self, fields: &EndpointFields) -> Result<Endpoint> {
        let body = json!({ "endpoint": fields });
        self.send(Method::POST, &["endpoints"], body, "endpoint")
            .await
    }

    /// Changes an endpoint and returns it.
    ///
    /// # Errors
    /// `NotFound` for an unknown ID, `Invalid` for attributes that Keystone refuses.
    pub async fn update_endpoint(&self, id: &str, fields: &EndpointFields) -> Result<Endpoint> {
        let body = json!({ "endpoint": fields });
        self.send(Method::PATCH, &["endpoints", id], body, "endpoint")
            .await
    }

    /// Deletes an endpoint.
    ///
    /// # Errors
    /// `NotFound` for an unknown ID.
    pub async fn delete_endpoint(&self, id: &str) -> Result<()> {
        self.delete(&["endpoints", id]).await
    }

    /// Returns the IDs of all regions, which are their names.
    ///
    /// # Errors
    /// See [`Self::list_services`].
    pub async fn list_regions(&self) -> Result<Vec<String>> {
        let regions: Vec<Value> = self.get(&["regions"], "regions").await?;
        let ids = regions.iter().filter_map(|region| region["id"].as_str());
        Ok(ids.map(str::to_string).collect())
    }

    /// Returns the ID of a project; see [`Projects::find_project`].
    ///
    /// # Errors
    /// Same as [`Projects::find_project`].
    pub async fn find_project(&self, word: &str, domain: Option<&str>) -> Result<String> {
        self.0.find_project(word, domain).await
    }

    async fn request(&self, method: Method, path: &[&str]) -> Result<Request> {
        Ok(Request::new(method, self.0.url_of(VERSION, path).await?))
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str], member: &str) -> Result<T> {
        self.read(self.request(Method::GET, path).await?, member)
            .await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Value,
        member: &str,
    ) -> Result<T> {
        let mut request = self.request(method, path).await?;
        set_body(&mut request, JSON, &body)?;
        self.read(request, member).await
    }

    async fn delete(&self, path: &[&str]) -> Result<()> {
        let request = self.request(Method::DELETE, path).await?;
        self.succeed(request).await.map(drop)
    }

    /// Sends a request and returns a member of the response's object.
    async fn read<T: DeserializeOwned>(&self, request: Request, member: &str) -> Result<T> {
        let url = request.url.clone();
        let body = self.succeed(request).await?;
        let read = serde_json::from_slice::<Value>(&body)
            .and_then(|mut whole| serde_json::from_value(whole[member].take()));
        read.map_err(|e| unexpected(&url, &format!("unexpected JSON: {e}")).because(e))
    }

    /// Sends a request and returns the body of a successful response.
    async fn succeed(&self, request: Request) -> Result<bytes::Bytes> {
        let answer = self.0.ask(request).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let error = refusal(&answer);
        Err(match &self.0.access.read().await.caller {
            Some(who) if error.kind() == ErrorKind::Forbidden => {
                error.hint(format!("Authenticated as {who}."))
            }
            _ => error,
        })
    }
}
