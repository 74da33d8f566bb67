//! The Images API v2 over HTTP, for any implementation of the service traits.
//!
//! A connection is accepted by `listener.rs` and served by `connection.rs`. Each request is an `Exchange`, which ends as a line of the
//! log and in the metrics; messages on the way have its `LogContext`. In `Server::answer`, load balancers get the state of
//! the service (`healthcheck.rs`), and browsers the rules for other sites (`cors.rs`). Other requests pass these steps: its ID (`request_id.rs`), the version of the API in its path (`versions.rs`), the identification of its caller
//! (`identity/`), and a route. Each resource has a file with its table of routes and their handlers; a handler gets a
//! `Call`, calls the service of the caller, and returns a response (`answer.rs`). Errors become responses in one
//! place, `answer::refusal`.

mod answer;
mod cache;
mod call;
mod connection;
mod cors;
mod data;
mod exchange;
mod healthcheck;
mod identity;
mod images;
mod imports;
mod listener;
mod locations;
mod log_context;
mod members;
mod metadefs;
mod metrics;
mod proxy;
mod query;
mod request_id;
mod routes;
mod schemas;
mod stage_host;
mod stores;
mod tasks;
mod versions;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use tokio::net::TcpListener;

use crate::Result;
use crate::config::{ServerSettings, Settings};
use crate::http::Client;
use crate::local::Engine;
use crate::model::Caller;
use crate::service::{ImageService, Regions, Running};
use exchange::Exchange;
use identity::Identity;
use metrics::Metrics;

pub use connection::Limits;
pub use listener::{Listener, open_for_metrics};
pub use log_context::LogContext;

/// A deployment whose service is offered.
pub trait Deployment: Send + Sync + 'static {
    /// Returns the service for a caller, who may download from these regions.
    fn act_as(&self, caller: Caller, regions: Option<Arc<dyn Regions>>) -> Box<dyn ImageService>;
}

impl Deployment for Arc<Engine> {
    fn act_as(&self, caller: Caller, regions: Option<Arc<dyn Regions>>) -> Box<dyn ImageService> {
        let local = Engine::act_as(self, caller);
        Box::new(match regions {
            Some(regions) => local.with_regions(regions),
            None => local,
        })
    }
}

/// The image service over HTTP.
pub struct Server {
    deployment: Box<dyn Deployment>,
    settings: ServerSettings,
    identity: Identity,
    features: Features,
    metrics: Arc<Metrics>,
    /// The client for the services of other hosts.
    hosts: Client,
}

/// The features of a deployment that change responses.
#[derive(Clone, Debug, Default)]
pub struct Features {
    /// The stores that callers may select, in the order of the configuration; empty if they have no names.
    pub stores: Vec<String>,
    /// The enabled methods of imports.
    pub import_methods: Vec<String>,
    /// Whether there is an image cache.
    pub has_cache: bool,
    /// The URL under which other hosts of the deployment reach this service; None without one.
    pub self_url: Option<String>,
}

impl Features {
    /// Returns the features of a deployment with these settings.
    ///
    /// # Errors
    /// `Failed` for invalid settings.
    pub fn of(settings: &Settings) -> Result<Self> {
        let stores = settings.stores.get()?;
        let named = stores.list.iter().filter(|_| stores.named);
        Ok(Self {
            stores: named.map(|store| store.id.clone()).collect(),
            import_methods: settings.import.methods.get()?.clone(),
            has_cache: settings.cache.get()?.is_some(),
            self_url: settings.self_url.get()?.clone(),
        })
    }
}

impl Server {
    /// Creates the service of a deployment.
    pub fn new(
        deployment: impl Deployment,
        settings: ServerSettings,
        features: Features,
    ) -> Arc<Self> {
        Arc::new(Self {
            deployment: Box::new(deployment),
            identity: Identity::new(&settings),
            settings,
            features,
            metrics: Arc::new(Metrics::new()),
            hosts: stage_host::client(),
        })
    }

    /// Serves metrics on a socket. The future never ends.
    pub async fn serve_metrics(&self, socket: TcpListener) {
        metrics::serve(Arc::clone(&self.metrics), socket).await;
    }

    /// Returns the response to a request.
    pub async fn answer(self: Arc<Self>, request: Request) -> Response<Body> {
        let exchange = Exchange::begin(&request, &self.metrics);
        let response = exchange.context().cover(self.respond(request)).await;
        exchange.complete(response)
    }

    async fn respond(self: Arc<Self>, request: Request) -> Response<Body> {
        let (headers, settings) = (request.headers(), &self.settings);
        if healthcheck::is_path(request.uri().path()) {
            let file = settings.healthcheck_file.as_deref();
            return healthcheck::answer(file, request.method(), headers).await;
        }
        let rules = cors::rules_for(&settings.cors, headers);
        if request.method() == Method::OPTIONS {
            return cors::preflight(rules, headers);
        }
        let mut response = routes::answer(Arc::clone(&self), request).await;
        self.identity.complete(&mut response);
        if let Some(rules) = rules {
            cors::expose(response.headers_mut(), rules);
        }
        response
    }
}

/// Lets the rest of an operation continue after its response.
fn continue_later(rest: Running) {
    let context = LogContext::current().unwrap_or_default();
    tokio::spawn(context.cover(async move {
        if let Err(error) = rest.await {
            log::error!("{}", error.message());
        }
    }));
}
