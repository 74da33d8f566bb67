//! The Images API v2 over HTTP, for any implementation of the service traits.
//!
//! A connection is accepted by `listener.rs` and served by `connection.rs`. A request passes these steps, in `Server::answer`:
//! its ID (`request_id.rs`), the version of the API in its path (`versions.rs`), the identification of its caller
//! (`identity/`), and a route. Each resource has a file with its table of routes and their handlers; a handler gets a
//! [`Call`](call::Call), calls the service of the caller, and returns a response (`answer.rs`). Errors become responses in one
//! place, [`answer::refusal`].

mod answer;
mod call;
mod connection;
mod data;
mod identity;
mod images;
mod listener;
mod query;
mod request_id;
mod routes;
mod versions;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;

use crate::config::ServerSettings;
use crate::local::Engine;
use crate::model::Caller;
use crate::service::ImageService;

pub use connection::Limits;
pub use listener::Listener;

/// A deployment whose service is offered.
pub trait Deployment: Send + Sync + 'static {
    /// Returns the service for a caller.
    fn act_as(&self, caller: Caller) -> Box<dyn ImageService>;
}

impl Deployment for Arc<Engine> {
    fn act_as(&self, caller: Caller) -> Box<dyn ImageService> {
        Box::new(Engine::act_as(self, caller))
    }
}

/// The image service over HTTP.
pub struct Server {
    deployment: Box<dyn Deployment>,
    settings: ServerSettings,
    features: Features,
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
            settings,
            features,
        })
    }

    /// Returns the response to a request.
    pub async fn answer(self: Arc<Self>, request: Request) -> Response<Body> {
        routes::answer(self, request).await
    }
}
