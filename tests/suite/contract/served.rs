//! The engine behind a server of this project, met through the client.

use std::sync::Arc;

use glance_tools::config::{Cloud, CloudOptions, Environment, Settings};
use glance_tools::http::Observer;
use glance_tools::local::Engine;
use glance_tools::model::Caller;
use glance_tools::remote::Remote;
use glance_tools::server::{self, Features, Limits, Listener, Server};
use glance_tools::service::{ImageService, Regions};
use tokio_util::sync::CancellationToken;

use super::{Deployment, Nobody};
use crate::support::Place;

/// A data directory that is served, for each caller by a server of its own: no one logs in.
pub struct Served(Place);

impl Served {
    pub fn new() -> Self {
        Self(Place::new())
    }
}

/// Serves every request as one caller.
struct As(Arc<Engine>, Caller);

impl server::Deployment for As {
    fn act_as(&self, _: Caller, _: Option<Arc<dyn Regions>>) -> Box<dyn ImageService> {
        Box::new(self.0.act_as(self.1.clone()))
    }
}

impl Deployment for Served {
    async fn service(&self, caller: &str) -> Box<dyn ImageService> {
        #[cfg(debug_assertions)]
        glance_tools::local::catalog::watch_plans();
        let settings = Settings::for_data_dir(&self.0.data()).unwrap();
        let mut serving = settings.server.get().unwrap().clone();
        serving.port = 0;
        let features = Features::of(&settings).unwrap();
        let engine = Engine::open(settings).await.unwrap();
        let listener = Listener::open(&serving).await.unwrap();
        let url = listener.url().unwrap();
        let deployment = As(engine, Caller::parse(caller).unwrap());
        let server = Server::new(deployment, *serving, features);
        tokio::spawn(async move {
            let limits = Limits::default();
            // It ends with the test.
            let never = CancellationToken::new();
            server.serve(&listener, limits, &never).await
        });
        let variables = [("OS_AUTH_TYPE", "none".to_string()), ("OS_IMAGE_URL", url)];
        let environment: Environment = variables.into_iter().collect();
        let cloud = Cloud::load(CloudOptions::NONE, &environment).unwrap();
        let remote = Remote::open(cloud, Box::new(Nobody), Observer::default()).await;
        Box::new(remote.unwrap())
    }

    async fn project(&self, name: &str) -> String {
        name.to_string()
    }

    fn with_imports(&self) {
        self.0.with_imports();
    }

    fn staged(&self) -> Vec<String> {
        self.0.staged()
    }

    fn break_store(&self, id: &str) {
        self.0.break_store(id);
    }

    fn cache_downloads(&self) {
        self.0.cache_downloads();
    }

    async fn with_named_stores(self) -> Self {
        Self(self.0.with_named_stores().await)
    }
}
