//! Connections to a host, with or without TLS, and the runtime that passes them on to lapin.
//!
//! lapin is built without TLS, and takes the connection that it is given. Its thread cannot be stopped from outside
//! before the broker has responded, so each connection can be ended by its [`DropGuard`].

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_core::Stream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::compat::Compat;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::config::BrokerHost;
use crate::{Error, Result};

/// The time to wait for a host that does not respond.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The bytes of a connection.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection to a host.
pub(super) struct Link {
    wire: Box<dyn Wire>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Link {
    /// Connects to a host. The connection ends when the guard is dropped.
    ///
    /// # Errors
    /// `Failed`, with the name of the host.
    pub async fn connect(
        host: &BrokerHost,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<(Self, DropGuard)> {
        let failed = |error: io::Error| {
            Error::failed(format!("cannot connect to {}: {error}", host.name())).because(error)
        };
        let wire = tokio::time::timeout(CONNECT_TIMEOUT, open(host, tls)).await;
        let wire = wire.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?;
        let wire = wire.map_err(failed)?;
        let end = CancellationToken::new();
        let ended = Box::pin(end.clone().cancelled_owned());
        Ok((Self { wire, ended }, end.drop_guard()))
    }

    /// Returns an error if the connection was ended, and wakes the task when it is.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.ended.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

async fn open(host: &BrokerHost, tls: Option<Arc<ClientConfig>>) -> io::Result<Box<dyn Wire>> {
    let stream = TcpStream::connect((&*host.host, host.port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(host.host.clone()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    Ok(Box::new(stream))
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.wire).poll_read(context, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.wire).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

/// The runtime of lapin: tokio's, with links as connections.
pub(super) type LinkRuntime = Runtime<RuntimeParts<Tokio, Links>>;

/// Returns the runtime of lapin on the current one of tokio.
pub(super) fn runtime() -> LinkRuntime {
    Runtime::new(RuntimeParts::new(Tokio::current(), Links(Tokio::current())))
}

/// The reactor of tokio, with links as connections.
#[derive(Clone, Debug)]
pub(super) struct Links(Tokio);

impl Reactor for Links {
    type TcpStream = Compat<Link>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures_util::AsyncRead + futures_util::AsyncWrite + Send + Unpin + 'static>
    {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    /// Returns an error: lapin is given its connections.
    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
