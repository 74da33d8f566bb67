//! A request from its arrival to the last byte of its response: its line in the log, and its place in the metrics.
//!
//! *Source:* `log_message` in `eventlet/wsgi.py`, which wrote the line in the releases that served HTTP themselves.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use http_body::{Frame, SizeHint};

use super::healthcheck;
use super::identity::Peer;
use super::log_context::LogContext;
use super::metrics::Metrics;
use crate::model::Timestamp;

/// The longest address that is logged, in characters.
const MAX_TARGET: usize = 1000;

/// A request and its response. When it is dropped, the response has ended, or the client has gone away.
pub struct Exchange {
    context: Arc<LogContext>,
    metrics: Arc<Metrics>,
    peer: String,
    method: Method,
    /// The first line of the request.
    line: String,
    /// Whether it is logged for developers only.
    is_probe: bool,
    began: Instant,
    status: Option<StatusCode>,
    sent: u64,
}

impl Exchange {
    /// Begins with a request that has arrived.
    pub fn begin(request: &Request, metrics: &Arc<Metrics>) -> Self {
        metrics.begin();
        let peer = request.extensions().get::<Peer>();
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        let target: String = target.chars().take(MAX_TARGET).collect();
        let method = request.method().clone();
        Self {
            context: Arc::default(),
            metrics: Arc::clone(metrics),
            peer: peer.map_or_else(|| "-".to_string(), |peer| peer.0.ip().to_string()),
            line: format!("{method} {target} {:?}", request.version()),
            method,
            is_probe: healthcheck::is_path(request.uri().path()),
            began: Instant::now(),
            status: None,
            sent: 0,
        }
    }

    /// Returns the context of its messages.
    pub fn context(&self) -> Arc<LogContext> {
        Arc::clone(&self.context)
    }

    /// Returns the response with a body that ends the exchange.
    pub fn complete(mut self, response: Response<Body>) -> Response<Body> {
        self.status = Some(response.status());
        response.map(|body| {
            Body::new(Sent {
                body,
                exchange: self,
            })
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let route = self.context.route().unwrap_or("");
        self.metrics
            .end(&self.method, route, self.status, self.sent, took);
        let level = if self.is_probe {
            log::Level::Debug
        } else {
            log::Level::Info
        };
        if !log::log_enabled!(level) {
            return;
        }
        let time = Timestamp::now().to_local("%d/%b/%Y %H:%M:%S");
        let time = time.unwrap_or_default();
        // The status of nginx for a client that did not wait.
        let status = self.status.map_or(499, |status| status.as_u16());
        let (peer, line, sent) = (&self.peer, &self.line, self.sent);
        let seconds = took.as_secs_f64();
        self.context.cover_call(|| {
            log::log!(
                level,
                "{peer} - - [{time}] \"{line}\" {status} {sent} {seconds:.6}"
            );
        });
    }
}

/// The body of a response on its way to the client.
struct Sent {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, exchange } = &mut *self;
        let polled = exchange
            .context
            .cover_call(|| Pin::new(body).poll_frame(context));
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            exchange.sent += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
