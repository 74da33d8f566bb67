//! Figures about the service in the format of Prometheus, at an address of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The upper limits of the classes of durations, in seconds: from requests without data to transfers of large images.
const DURATIONS: [f64; 12] = [
    0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 120.0, 600.0, 1800.0, 7200.0,
];

/// The media type of the text.
const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The maximum number of connections for figures.
const CONNECTIONS: usize = 8;

/// The time limit for a connection for figures.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The names and values of labels.
type Labels<const N: usize> = [(&'static str, String); N];

/// The figures.
pub struct Metrics {
    registry: Registry,
    /// By method, route and status.
    requests: Family<Labels<3>, Counter>,
    in_progress: Gauge,
    /// By method and route.
    durations: Family<Labels<2>, Histogram, fn() -> Histogram>,
    /// By route.
    sent: Family<Labels<1>, Counter<u64, AtomicU64>>,
    connections: Gauge,
}

impl Metrics {
    /// Creates the figures of a service that has served no request yet.
    pub fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATIONS);
        let mut metrics = Self {
            registry: Registry::with_prefix("glance_api"),
            requests: Family::default(),
            in_progress: Gauge::default(),
            durations: Family::new_with_constructor(histogram),
            sent: Family::default(),
            connections: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests whose response has ended; 499: the client did not wait",
            metrics.requests.clone(),
        );
        registry.register(
            "requests_in_progress",
            "Requests whose response has not ended",
            metrics.in_progress.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "Time from the head of a request to the end of its response",
            metrics.durations.clone(),
        );
        registry.register(
            "response_bytes",
            "Bytes of the bodies of responses",
            metrics.sent.clone(),
        );
        registry.register(
            "connections",
            "Open connections",
            metrics.connections.clone(),
        );
        metrics
    }

    /// Counts a request that has arrived.
    pub fn begin(&self) {
        self.in_progress.inc();
    }

    /// Counts a response that has ended. `route` is empty for an unknown path; a status of None is a client that went away.
    pub fn end(
        &self,
        method: &Method,
        route: &str,
        status: Option<StatusCode>,
        sent: u64,
        took: Duration,
    ) {
        self.in_progress.dec();
        // Names that clients invent would be kept for ever.
        let method = match *method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::PATCH
            | Method::OPTIONS => method.to_string(),
            _ => "other".to_string(),
        };
        let status = status.map_or(499, |status| status.as_u16()).to_string();
        let (method, route) = (("method", method), ("route", route.to_string()));
        let labels = [method.clone(), route.clone(), ("status", status)];
        self.requests.get_or_create(&labels).inc();
        self.sent
            .get_or_create(std::array::from_ref(&route))
            .inc_by(sent);
        let durations = self.durations.get_or_create(&[method, route]);
        durations.observe(took.as_secs_f64());
    }

    /// Counts a connection until the result is dropped.
    pub fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.inc();
        OpenConnection(Arc::clone(self))
    }

    /// Returns the text of all figures.
    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A connection that is counted.
pub struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Serves the figures at `/metrics` of a socket. The future never ends.
pub async fn serve(metrics: Arc<Metrics>, socket: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(super::connection::ACCEPT_PAUSE).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&metrics, &request);
                async { Ok::<_, io::Error>(response) }
            });
            let connection = Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away or is silent is its own affair.
            let _ = tokio::time::timeout(TIMEOUT, connection).await;
            drop(place);
        });
    }
}

fn answer<B>(metrics: &Metrics, request: &Request<B>) -> Response<String> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, metrics.text()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (
            StatusCode::NOT_FOUND,
            "The metrics are at /metrics.\n".to_string(),
        ),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    if status == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, TEXT);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let metrics = Metrics::new();
        for (method, status) in [(Method::GET, Some(StatusCode::OK)), (Method::GET, None)] {
            metrics.begin();
            let took = Duration::from_millis(3);
            metrics.end(&method, "/images/{image}", status, 10, took);
        }
        metrics.begin();
        let invented = Method::from_bytes(b"INVENTED").unwrap();
        metrics.end(
            &invented,
            "",
            Some(StatusCode::NOT_IMPLEMENTED),
            0,
            Duration::ZERO,
        );
        metrics.begin();
        let text = metrics.text();
        for line in [
            "glance_api_requests_total{method=\"GET\",route=\"/images/{image}\",status=\"200\"} 1",
            "glance_api_requests_total{method=\"GET\",route=\"/images/{image}\",status=\"499\"} 1",
            "glance_api_requests_total{method=\"other\",route=\"\",status=\"501\"} 1",
            "glance_api_requests_in_progress 1",
            "glance_api_response_bytes_total{route=\"/images/{image}\"} 20",
            "glance_api_request_duration_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/images/{image}\"} 2",
            "# EOF",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
    }
}
