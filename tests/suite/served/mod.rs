//! Our image service over HTTP: what the contract of the service traits, which `contract/served.rs` checks through the
//! client, does not cover.

mod bad_clients;
mod killed;
mod locations;
mod regions;
mod routes;
mod signals;
mod stage_host;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glance_tools::config::{ServerSettings, Settings};
use glance_tools::http::{Client, Options, Request, Response, retry};
use glance_tools::local::Engine;
use glance_tools::server::{Features, Limits, Listener, Server};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The time in which a response arrives that waits for nothing.
const PROMPT: Duration = Duration::from_secs(20);

/// A running service without a login.
struct Site {
    address: SocketAddr,
    engine: Arc<Engine>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Site {
    /// Starts the service of a data directory, with changed settings.
    async fn start(
        data: &Path,
        limits: Limits,
        change: impl FnOnce(&mut Settings, &mut ServerSettings, &str),
    ) -> Self {
        let mut settings = Settings::for_data_dir(data).unwrap();
        let mut server = settings.server.get().unwrap().clone();
        server.port = 0;
        let listener = Listener::open(&server).await.unwrap();
        let address = listener.address().unwrap();
        change(&mut settings, &mut server, &listener.url().unwrap());
        let features = Features::of(&settings).unwrap();
        let engine = Engine::open(settings).await.unwrap();
        let service = Server::new(Arc::clone(&engine), *server, features);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            service.serve(&listener, limits, &stopped).await.unwrap();
        });
        Self {
            address,
            engine,
            stop,
            task,
        }
    }

    /// Stops the service, and waits until it has.
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        self.engine.close().await.unwrap();
    }

    async fn call(&self, method: Method, target: &str, body: impl Into<Body>) -> Response {
        let url = Url::parse(&format!("http://{}/v2{target}", self.address)).unwrap();
        let mut request = Request::new(method, url);
        let Body { kind, bytes } = body.into();
        if let Some(kind) = kind {
            let kind = HeaderValue::from_static(kind);
            request.headers.insert(CONTENT_TYPE, kind);
        }
        request.body = bytes.into();
        self.send(request).await
    }

    /// Sends a request that may have headers of its own.
    async fn send(&self, request: Request) -> Response {
        let target = request.url.clone();
        let client = Client::new(Options {
            retries: retry::Policy::NEVER,
            ..Options::default()
        });
        let called = tokio::time::timeout(PROMPT, client.call(&request));
        let Ok(Ok(response)) = called.await else {
            panic!("no response to {target}")
        };
        response
    }

    async fn get(&self, target: &str) -> (u16, Value) {
        let response = self.call(Method::GET, target, ()).await;
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status.as_u16(), body)
    }

    /// Creates an image of raw data, and returns its ID.
    async fn queued(&self) -> String {
        let body =
            serde_json::json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
        let created = self.call(Method::POST, "/images", body).await;
        assert_eq!(created.status, 201);
        let body: Value = serde_json::from_slice(&created.body).unwrap();
        body["id"].as_str().unwrap().to_string()
    }

    /// The status of an image.
    async fn status(&self, id: &str) -> String {
        let (code, image) = self.get(&format!("/images/{id}")).await;
        assert_eq!(code, 200);
        image["status"].as_str().unwrap().to_string()
    }

    /// Waits until an image has a status.
    async fn wait_for(&self, id: &str, status: &str) {
        let began = Instant::now();
        loop {
            let now = self.status(id).await;
            if now == status {
                return;
            }
            assert!(began.elapsed() < PROMPT, "{now}");
        }
    }
}

/// The body of a request.
struct Body {
    kind: Option<&'static str>,
    bytes: Vec<u8>,
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self {
            kind: None,
            bytes: Vec::new(),
        }
    }
}

impl From<Value> for Body {
    fn from(json: Value) -> Self {
        Self {
            kind: Some("application/json"),
            bytes: json.to_string().into(),
        }
    }
}

impl From<&[u8]> for Body {
    fn from(data: &[u8]) -> Self {
        Self {
            kind: Some("application/octet-stream"),
            bytes: data.to_vec(),
        }
    }
}
