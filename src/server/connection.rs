//! Connections: how many there are, how long they may be silent, and how they end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::timeout::TimeoutBody;

use super::identity::Peer;
use super::{Listener, Server};
use crate::Result;

/// The limits of a service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum number of connections. Further ones wait to be accepted.
    pub connections: usize,
    /// The time that requests have to end when the service is stopped.
    pub grace: Duration,
}

impl Default for Limits {
    /// Returns limits for a process with few descriptors.
    fn default() -> Self {
        Self {
            connections: 384,
            grace: Duration::from_mins(1),
        }
    }
}

/// The time that a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);

/// The time between attempts to accept connections when the system refuses them, such as for want of descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The maximum number of headers of a request.
const MAX_HEADERS: usize = 100;

impl Server {
    /// Serves connections until `stop` is cancelled. Then no new ones are accepted, and requests in progress may end within
    /// the time limit.
    ///
    /// # Errors
    /// None at present.
    pub async fn serve(
        self: &Arc<Self>,
        listener: &Listener,
        limits: Limits,
        stop: &CancellationToken,
    ) -> Result<()> {
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(limits.connections));
        let end = CancellationToken::new();
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = stop.cancelled() => break,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let ends = (stop.clone(), end.clone());
                    let counted = self.metrics.connection();
                    let connection = Arc::clone(self).connection(stream, peer, listener, ends);
                    tasks.spawn(async move {
                        connection.await;
                        drop(counted);
                        drop(place);
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    log::warn!("cannot accept connections: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        tasks.close();
        if tokio::time::timeout(limits.grace, tasks.wait())
            .await
            .is_err()
        {
            log::warn!(
                "{} connections are closed before their requests have ended",
                tasks.len()
            );
            end.cancel();
            tasks.wait().await;
        }
        Ok(())
    }

    /// Returns the task of a connection. `ends` are those of the service: the first one stops it after the current request,
    /// the second one at once.
    fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        listener: &Listener,
        ends: (CancellationToken, CancellationToken),
    ) -> impl Future<Output = ()> + Send + 'static {
        let acceptor = listener.acceptor();
        async move {
            // Responses are written in one piece.
            let _ = stream.set_nodelay(true);
            let limit = self.settings.timeout;
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(limit);
            match acceptor {
                None => self.requests(Box::pin(stream), peer, ends).await,
                Some(acceptor) => {
                    let accepted = acceptor.accept(Box::pin(stream));
                    if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_TIMEOUT, accepted).await {
                        self.requests(stream, peer, ends).await;
                    }
                }
            }
        }
    }

    /// Serves the requests of a connection.
    async fn requests<S>(
        self: Arc<Self>,
        stream: S,
        peer: SocketAddr,
        (stop, end): (CancellationToken, CancellationToken),
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let header_limit = self.settings.header_limit;
        let keep_alive = self.settings.keep_alive;
        let limit = self.settings.timeout;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let server = Arc::clone(&self);
            // While the service works, nothing arrives: the limit is for each piece of a body that is read.
            let request = request.map(|body| match limit {
                Some(limit) => Body::new(TimeoutBody::new(limit, body)),
                None => Body::new(body),
            });
            async move { Ok::<_, io::Error>(server.answer(request).await) }
        });
        let mut builder = Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limit.map_or(HEAD_TIMEOUT, |limit| limit.min(HEAD_TIMEOUT)))
            .max_buf_size(header_limit)
            .max_headers(MAX_HEADERS)
            .keep_alive(keep_alive);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut is_ending = false;
        loop {
            tokio::select! {
                // Clients that go away, and invalid requests, are their own affair.
                _ = connection.as_mut() => return,
                () = stop.cancelled(), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = end.cancelled() => return,
            }
        }
    }
}

/// Returns whether an error to accept concerns one connection, which its client has closed already.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
