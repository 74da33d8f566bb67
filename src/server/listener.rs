//! The socket on which the service listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, PoisonError, RwLock};

use listenfd::ListenFd;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsAcceptor;

use crate::config::{ServerSettings, ServerTls};
use crate::{Error, ErrorKind, Result};

/// The maximum number of connections for metrics that wait to be accepted.
const METRICS_BACKLOG: u32 = 16;

/// A socket on which the service listens.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

/// The certificate in use, and where it came from.
#[derive(Clone)]
struct Tls {
    files: ServerTls,
    acceptor: Arc<RwLock<TlsAcceptor>>,
}

impl Listener {
    /// Opens the socket: the one that systemd passes, or else the configured one.
    ///
    /// # Errors
    /// `Failed` for an address that cannot be used, or a certificate that cannot be read.
    pub async fn open(settings: &ServerSettings) -> Result<Self> {
        let tls = settings.tls.clone().map(Tls::read).transpose()?;
        let socket = match passed()? {
            Some(socket) => socket,
            None => bind(&settings.host, settings.port, "", settings.backlog).await?,
        };
        Ok(Self { socket, tls })
    }

    /// Returns the address of the socket.
    ///
    /// # Errors
    /// `Failed` if the system does not know it.
    pub fn address(&self) -> Result<SocketAddr> {
        self.socket
            .local_addr()
            .map_err(|error| Error::failed("the address of the socket is unknown").because(error))
    }

    /// Returns the URL of the service on this host.
    ///
    /// # Errors
    /// Those of [`Self::address`].
    pub fn url(&self) -> Result<String> {
        let mut address = self.address()?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{address}"))
    }

    /// Accepts a connection.
    ///
    /// # Errors
    /// Errors of the system, of which most concern one connection only.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.socket.accept().await
    }

    /// Returns what encrypts connections, if they are.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        let tls = self.tls.as_ref()?;
        let acceptor = tls.acceptor.read().unwrap_or_else(PoisonError::into_inner);
        Some(acceptor.clone())
    }

    /// Reads the certificate again, for new connections.
    ///
    /// # Errors
    /// `Failed` if it cannot be read: the old one stays in use.
    pub fn reload(&self) -> Result<()> {
        if let Some(tls) = &self.tls {
            let new = acceptor(&tls.files)?;
            *tls.acceptor.write().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }
}

/// Opens the socket for metrics at a host and a port.
///
/// # Errors
/// `Failed` for an address that cannot be used.
pub async fn open_for_metrics(host: &str, port: u16) -> Result<TcpListener> {
    bind(host, port, " in [metrics]", METRICS_BACKLOG).await
}

/// Returns the socket that systemd passes, if it does.
fn passed() -> Result<Option<TcpListener>> {
    let failed = |error: io::Error| {
        Error::failed("the socket that was passed cannot be used").because(error)
    };
    let socket: Option<StdListener> = ListenFd::from_env().take_tcp_listener(0).map_err(failed)?;
    let Some(socket) = socket else {
        return Ok(None);
    };
    socket.set_nonblocking(true).map_err(failed)?;
    TcpListener::from_std(socket).map(Some).map_err(failed)
}

/// Binds the configured address. `section` is the place of its options in a message, unless it is the default section.
async fn bind(host: &str, port: u16, section: &str, backlog: u32) -> Result<TcpListener> {
    let failed = |error: &dyn fmt::Display| {
        let hint = match port {
            1..1024 => format!(
                "Set bind_port{section} to a free port above 1023, or run the service as root."
            ),
            _ => format!("Set bind_host and bind_port{section} to a free address of this host."),
        };
        Error::failed(format!("cannot listen on {host}:{port}: {error}")).hint(hint)
    };
    let addresses = lookup_host((host, port))
        .await
        .map_err(|error| failed(&error))?;
    let mut last = None;
    for address in addresses {
        match listen(address, backlog) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => failed(&error).because(error),
        None => failed(&"the name has no address"),
    })
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

impl Tls {
    fn read(files: ServerTls) -> Result<Self> {
        Ok(Self {
            acceptor: Arc::new(RwLock::new(acceptor(&files)?)),
            files,
        })
    }
}

/// Reads the certificate and the key.
fn acceptor(files: &ServerTls) -> Result<TlsAcceptor> {
    let failed = |what: &str, path: &std::path::Path, error: &dyn fmt::Display| {
        Error::new(
            ErrorKind::Failed,
            format!("cannot use {what} {}: {error}", path.display()),
        )
    };
    let certificates = |what: &str, path: &std::path::Path| {
        let read =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        read.map_err(|error| failed(what, path, &error))
    };
    let chain = certificates("the certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| failed("the key", &files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("the certificate", &files.certificate, &error))?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let what = "the authorities of clients in";
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(what, path)? {
                let added = roots.add(certificate);
                added.map_err(|error| failed(what, path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier
                .build()
                .map_err(|error| failed(what, path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|error| failed("the certificate", &files.certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
