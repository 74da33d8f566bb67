//! The connection to a cluster, and its errors.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use librbd::{Cluster, Connection, Pool, errno};

use super::space;
use crate::data::blocking;
use crate::model::Space;
use crate::{Error, ErrorKind, Parameter, Result, config};

/// The time that operations which others wait for give a cluster to respond.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time after which a command reports that it waits for the cluster.
const NOTICE: Duration = Duration::from_secs(5);

/// How many times the limit of a request an operation of several requests may take.
const REQUESTS: u32 = 5;

/// The hint for a cluster that does not respond to requests.
const HEALTH: &str = "Is the cluster or the pool full, or an OSD down? See 'ceph health detail'.";

/// A connection to a cluster.
pub(super) struct Session {
    /// The client.
    pub(super) cluster: Cluster,
    /// The ID of the cluster.
    pub(super) fsid: String,
}

/// The settings of a store, and its connection, which is made when it is first used.
pub(super) struct Connector {
    /// ID of the store.
    id: String,
    /// Its settings.
    pub(super) settings: config::RbdStore,
    session: Mutex<Option<Arc<Session>>>,
    fsid: OnceLock<String>,
    /// The addresses of the monitors in the configuration.
    monitors: OnceLock<String>,
    /// Whether it was reported that the cluster does not respond, and it has not responded since.
    is_reported: AtomicBool,
}

impl Connector {
    pub(super) fn new(id: String, settings: config::RbdStore) -> Self {
        Self {
            id,
            settings,
            session: Mutex::new(None),
            fsid: OnceLock::new(),
            monitors: OnceLock::new(),
            is_reported: AtomicBool::new(false),
        }
    }

    /// Returns the ID of the cluster, if there was a connection.
    pub(super) fn known_fsid(&self) -> Option<&str> {
        self.fsid.get().map(String::as_str)
    }

    /// Returns the ID of the cluster. Waits only a short time for a connection.
    ///
    /// # Errors
    /// `Unreachable`; the errors of [`Self::session`].
    pub(super) async fn fsid_soon(self: &Arc<Self>) -> Result<String> {
        if let Some(fsid) = self.known_fsid() {
            return Ok(fsid.to_string());
        }
        self.soon(|connector| Ok(connector.session()?.fsid.clone()))
            .await
    }

    /// Checks that the cluster responds to a request for an image of a pool, or that of the store. Waits only a short
    /// time.
    ///
    /// # Errors
    /// `Unreachable`; the errors of [`Self::pool`].
    pub(super) async fn check_soon(
        self: &Arc<Self>,
        pool: Option<String>,
        image: String,
    ) -> Result<()> {
        self.soon(move |connector| {
            match connector
                .pool(pool.as_deref())?
                .open_read_only(&image, None)
            {
                Err(error) if !error.is(errno::ENOENT) => {
                    Err(connector.failed(&format!("open image {image}"), &error))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    /// Returns the space of the store's pool; None if the user may not ask for it. Waits only a short time.
    ///
    /// # Errors
    /// `Unreachable`; the errors of [`Self::session`].
    pub(super) async fn space_soon(self: &Arc<Self>) -> Result<Option<Space>> {
        self.soon(|connector| {
            let session = connector.session()?;
            let report = session.cluster.monitor_command(space::COMMAND);
            Ok(report
                .ok()
                .and_then(|report| space::read(&report, &connector.settings.pool)))
        })
        .await
    }

    /// Runs blocking work, and waits only a short time for it. What takes longer continues in the background.
    async fn soon<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connector = Arc::clone(self);
        let done = blocking(move || work(&connector));
        match tokio::time::timeout(PATIENCE, done).await {
            Ok(done) => done,
            Err(_) => Err(self.unreachable(&format!("{} s", PATIENCE.as_secs()))),
        }
    }

    /// Waits for work in the cluster, and reports it if that takes long. Without a time limit, requests wait until the
    /// cluster responds, however long that takes.
    ///
    /// # Errors
    /// `Unreachable` after several times the limit of a request. librbd itself repeats some requests without end.
    pub(super) async fn reporting<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        // Zero is no limit for Ceph.
        let limit = self.settings.timeout.filter(|limit| !limit.is_zero());
        let limit = limit.map_or(Duration::MAX, |limit| limit.saturating_mul(REQUESTS));
        let overdue = async {
            tokio::time::sleep(limit.min(NOTICE)).await;
            let rest = limit.saturating_sub(NOTICE);
            if !rest.is_zero() {
                self.report();
                tokio::time::sleep(rest).await;
            }
        };
        tokio::select! {
            done = work => {
                self.is_reported.store(false, Ordering::Relaxed);
                Ok(done)
            }
            () = overdue => {
                let limit = format!("{} s", limit.as_secs());
                Err(self.unreachable(&limit).hint(HEALTH))
            }
        }
    }

    /// Reports once that the cluster does not respond, until it does.
    fn report(&self) {
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        log::warn!(
            "store '{}': still waiting for the cluster{} after {} s (pool '{}')",
            self.id,
            self.at(),
            NOTICE.as_secs(),
            self.settings.pool
        );
    }

    /// Runs blocking work, and reports it if that takes long.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connector = Arc::clone(self);
        self.reporting(blocking(move || work(&connector))).await?
    }

    /// Returns the connection. Blocks while it is made.
    ///
    /// # Errors
    /// `Unreachable` if the cluster does not respond; `Failed` if it refuses the user, or for an incomplete setup.
    pub(super) fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let cluster = self.connect()?;
        let fsid = cluster.fsid();
        let fsid = fsid.map_err(|error| {
            self.error(format_args!(
                "cannot read the ID of the cluster: {}",
                error.reason()
            ))
        })?;
        let _ = self.fsid.set(fsid.clone());
        let new = Arc::new(Session { cluster, fsid });
        *session = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Returns a pool, or that of the store. Blocks.
    ///
    /// # Errors
    /// `Failed` if there is no such pool; the errors of [`Self::session`].
    pub(super) fn pool(&self, name: Option<&str>) -> Result<Pool> {
        let name = name.unwrap_or(&self.settings.pool);
        let session = self.session()?;
        session.cluster.pool(name).map_err(|error| {
            if error.is(errno::ENOENT) {
                return self
                    .error(format_args!(
                        "pool '{name}' was not found in the cluster {}",
                        session.fsid
                    ))
                    .hint("Create it, or set rbd_store_pool to the name of an existing one.");
            }
            self.failed(&format!("open pool '{name}'"), &error)
        })
    }

    fn connect(&self) -> Result<Cluster> {
        if let Some(path) = &self.settings.ceph_conf {
            File::open(path).map_err(|error| {
                self.on(Error::io("open", path, error))
                    .hint("Set rbd_store_ceph_conf to the configuration file of Ceph.")
            })?;
        }
        let seconds = self
            .settings
            .timeout
            .map(|limit| limit.as_secs().to_string());
        let mut options = vec![
            // Large writes gain nothing from a cache, which takes 32 MiB.
            ("rbd_cache", "false"),
            // Written bytes never change, so they are not copied.
            ("rbd_disable_zero_copy_writes", "false"),
        ];
        if let Some(seconds) = &seconds {
            for name in [
                "rados_osd_op_timeout",
                "rados_mon_op_timeout",
                "client_mount_timeout",
            ] {
                options.push((name, seconds.as_str()));
            }
        }
        let cluster = Cluster::configure(&Connection {
            config_file: self.settings.ceph_conf.as_deref(),
            user: self.settings.user.as_deref(),
            options: &options,
        });
        let cluster = cluster.map_err(|error| self.not_configured(&error))?;
        if let Ok(monitors) = cluster.option("mon_host") {
            let _ = self.monitors.set(monitors);
        }
        match cluster.connect() {
            Ok(()) => Ok(cluster),
            Err(error) => Err(self.not_connected(&cluster, &error)),
        }
    }

    fn not_configured(&self, error: &librbd::Error) -> Error {
        match (error, &self.settings.ceph_conf) {
            (librbd::Error::Library { package, .. }, _) => self
                .error(error)
                .hint(format!("Install the Debian package {package}.")),
            (error, None) if error.is(errno::ENOENT) => self
                .error("Ceph's configuration, such as /etc/ceph/ceph.conf, was not found")
                .hint("Set rbd_store_ceph_conf to the configuration file of Ceph."),
            (error, Some(path)) => self.error(format_args!(
                "Ceph cannot use its configuration {}: {}",
                path.display(),
                error.reason()
            )),
            (error, None) => self.error(format_args!(
                "Ceph cannot use its configuration: {}",
                error.reason()
            )),
        }
    }

    fn not_connected(&self, cluster: &Cluster, error: &librbd::Error) -> Error {
        let user = self.user();
        match error.errno() {
            Some(errno::ETIMEDOUT) => {
                let limit = cluster.option("client_mount_timeout");
                let limit = limit.unwrap_or_else(|_| "300".to_string());
                self.unreachable(&format!("{limit} s"))
            }
            Some(errno::ENOENT | errno::EACCES) if !has_keyring(cluster) => {
                let keyring = cluster.option("keyring").unwrap_or_default();
                self.error(format_args!("no keyring can be read for {user}: {keyring}"))
                    .hint("The option 'keyring' in the configuration of Ceph names its file.")
            }
            Some(errno::EACCES | errno::EPERM | errno::ENOENT) => self
                .error(format_args!(
                    "the cluster{} refuses {user}: unknown user or wrong key",
                    self.at()
                ))
                .hint("Check rbd_store_user, and the key of this user in its keyring."),
            _ => self.error(format_args!(
                "no connection to the cluster{} as {user}: {}",
                self.at(),
                error.reason()
            )),
        }
    }

    /// Returns the error for a cluster that does not respond.
    pub(super) fn unreachable(&self, limit: &str) -> Error {
        self.on(self.silent(limit))
    }

    fn silent(&self, limit: &str) -> Error {
        let message = format!(
            "the cluster{} did not respond for {limit} (pool '{}')",
            self.at(),
            self.settings.pool
        );
        Error::new(ErrorKind::Unreachable, message)
    }

    /// Returns the time limit of requests in seconds, which the configuration of Ceph may set as well.
    fn request_limit(&self) -> String {
        if let Some(limit) = self.settings.timeout {
            return limit.as_secs().to_string();
        }
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = session
            .as_ref()
            .and_then(|session| session.cluster.option("rados_osd_op_timeout").ok());
        let limit = limit.unwrap_or_default();
        // The option has decimals.
        limit.split('.').next().unwrap_or_default().to_string()
    }

    /// Returns the addresses of the monitors, with a word before them; empty if they are unknown.
    fn at(&self) -> String {
        match self.monitors.get() {
            Some(monitors) if !monitors.is_empty() => format!(" at {monitors}"),
            _ => String::new(),
        }
    }

    /// Returns the full name of the user.
    fn user(&self) -> String {
        format!(
            "client.{}",
            self.settings.user.as_deref().unwrap_or("admin")
        )
    }

    /// Returns an error of this store.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        self.on(Error::failed(message.to_string()))
    }

    /// Puts the name of the store before an error.
    pub(super) fn on(&self, error: Error) -> Error {
        error.context(format_args!("store '{}'", self.id))
    }

    /// Returns the error for a failed operation; `what` is a verb and its object.
    pub(super) fn failed(&self, what: &str, error: &librbd::Error) -> Error {
        let pool = &self.settings.pool;
        match error.errno() {
            Some(errno::ETIMEDOUT) => self
                .on(self
                    .silent(&format!("{} s", self.request_limit()))
                    .context(format_args!("cannot {what}")))
                .hint("Is the cluster or the pool full, or an OSD down? See 'ceph health detail'."),
            Some(errno::ENOSPC | errno::EDQUOT) => self
                .on(Error::too_large(format!(
                    "Image storage media is full: cannot {what} in pool '{pool}'"
                )))
                .hint("Raise the quota of the pool, or add storage to the cluster.")
                .hint(Parameter::Store),
            Some(errno::EPERM | errno::EACCES) => self
                .error(format_args!(
                    "{} is not permitted to {what} in pool '{pool}'",
                    self.user()
                ))
                .hint("It needs the capabilities: mon 'profile rbd', osd 'profile rbd pool=POOL'."),
            Some(errno::ESHUTDOWN) => {
                // The next operation connects as another client.
                let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
                *session = None;
                self.error(format_args!(
                    "cannot {what}: the cluster has excluded this client (blocklisted)"
                ))
            }
            _ => self.error(format_args!("cannot {what}: {}", error.reason())),
        }
    }
}

/// Returns whether one of the files in the option `keyring` can be read, or a key is in the configuration itself.
fn has_keyring(cluster: &Cluster) -> bool {
    let option = |name| cluster.option(name).unwrap_or_default();
    let keyring = option("keyring");
    let mut files = keyring
        .split([',', ';', ' '])
        .filter(|path| !path.is_empty());
    files.any(|path| File::open(Path::new(path)).is_ok())
        || !option("keyfile").is_empty()
        || !option("key").is_empty()
}
