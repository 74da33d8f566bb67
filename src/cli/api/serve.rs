//! The service while it runs.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::cli::operator::log::Log;
use crate::cli::run::signals::Guard;
use crate::cli::run::{limits, ui};
use crate::config::{IdentityKind, ServerSettings, Settings};
use crate::data::pump::hash_in_background;
use crate::local::Engine;
use crate::server::{Features, Limits, Listener, Server, open_for_metrics};
use crate::{Error, Result};

/// The descriptors that are left for files, databases and stores.
const RESERVED_DESCRIPTORS: u64 = 256;

/// The maximum number of connections, whatever the number of descriptors.
const MAX_CONNECTIONS: u64 = 10_000;

/// Serves a deployment until a signal arrives.
///
/// # Errors
/// Errors of opening the deployment and the socket.
pub fn run(settings: Settings, server: ServerSettings, log: &Log) -> Result<ExitCode> {
    let runtime = limits::server_runtime()?;
    hash_in_background();
    // The second signal ends the process with its requests in progress.
    let _guard = Guard::of_service();
    let done = runtime.block_on(serve(settings, server, log));
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

async fn serve(settings: Settings, server: ServerSettings, log: &Log) -> Result<()> {
    // Before the service is reported to be ready: it may be stopped from then on.
    let signals = ServiceSignals::install();
    let features = Features::of(&settings)?;
    settings.notifications.get()?;
    let listener = Arc::new(Listener::open(&server).await?);
    let metrics = match &server.metrics {
        Some((host, port)) => Some(open_for_metrics(host, *port).await?),
        None => None,
    };
    log.take_messages();
    let prefetch_interval = server.prefetch_interval.filter(|_| features.has_cache);
    let is_open = server.flavor.identity == IdentityKind::None;
    let engine = Engine::open(settings).await?;
    if let Some(error) = engine.unfinished() {
        log.warning(error);
    }
    let url = listener.url()?;
    if is_open && !listener.address()?.ip().is_loopback() {
        log.warning(
            &Error::failed(format!(
                "everyone who can reach {url} is an administrator of its images"
            ))
            .hint("Set flavor = keystone in the section [paste_deploy], or bind_host = 127.0.0.1."),
        );
    }
    let service = Server::new(Arc::clone(&engine), server, features);
    log.info(&format!("listening on {url}"));
    let figures = match metrics {
        Some(socket) => {
            if let Ok(address) = socket.local_addr() {
                log.info(&format!("metrics at http://{address}/metrics"));
            }
            let service = Arc::clone(&service);
            Some(tokio::spawn(
                async move { service.serve_metrics(socket).await },
            ))
        }
        None => None,
    };
    if is_open && std::io::stderr().is_terminal() {
        ui::notice(&format!(
            "Try: glance --os-auth-type none --os-image-url {url} image-list"
        ));
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let stop = CancellationToken::new();
    let signals = tokio::spawn(signals.until_stopped(Arc::clone(&listener), stop.clone()));
    let limits = Limits {
        connections: connections(),
        ..Limits::default()
    };
    let done = tokio::select! {
        done = service.serve(&listener, limits, &stop) => done,
        never = fetch_queued(&engine, prefetch_interval) => match never {},
    };
    signals.abort();
    if let Some(figures) = figures {
        figures.abort();
    }
    log.info("stopped");
    engine.close().await?;
    done
}

/// Fetches the images that are queued for the cache: those that an ended process left at once, then at each interval those that could
/// not be fetched when they were queued. Without an interval, it does nothing.
async fn fetch_queued(engine: &Arc<Engine>, interval: Option<Duration>) -> Infallible {
    let Some(interval) = interval else {
        return std::future::pending().await;
    };
    let mut times = tokio::time::interval(interval);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        match engine.fetch_queued().await {
            Ok(done) => {
                for (id, size) in &done.fetched {
                    log::info!("image {id} is cached: {size} bytes");
                }
                for error in &done.failures {
                    log::warn!("{}", error.message());
                }
            }
            Err(error) => log::warn!("queued images are not cached: {}", error.message()),
        }
    }
}

/// Returns the maximum number of connections by the number of descriptors that the process may have.
fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Each connection may have a file open.
    let places = limit.saturating_sub(RESERVED_DESCRIPTORS) / 2;
    usize::try_from(places.clamp(1, MAX_CONNECTIONS)).unwrap_or(1)
}

/// The signals to the service; None for one whose handler cannot be installed.
struct ServiceSignals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hangup: Option<Signal>,
}

impl ServiceSignals {
    /// Installs the handlers.
    fn install() -> Self {
        let install = |kind| signal(kind).ok();
        Self {
            terminate: install(SignalKind::terminate()),
            interrupt: install(SignalKind::interrupt()),
            hangup: install(SignalKind::hangup()),
        }
    }

    /// Waits for a signal that stops the service, and reads the certificate again at SIGHUP.
    async fn until_stopped(mut self, listener: Arc<Listener>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = next(&mut self.terminate) => break,
                () = next(&mut self.interrupt) => break,
                () = next(&mut self.hangup) => {
                    let _ = sd_notify::notify(&[NotifyState::Reloading]);
                    if let Err(error) = listener.reload() {
                        log::warn!("{}", error.message());
                    }
                    let _ = sd_notify::notify(&[NotifyState::Ready]);
                }
            }
        }
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        stop.cancel();
    }
}

/// Waits for a signal; for ever if its handler cannot be installed.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
