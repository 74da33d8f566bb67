//! The session of a run: options, environment and, once needed, the deployment.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::here::below_home;
use super::observation::Observation;
use super::progress::{Bar, Waiting, summary};
use super::prompt::Terminal;
use super::{hints, ui};
use crate::cli::command::globals::Globals;
use crate::cli::command::globals::cloud::OPTION_NAMES;
use crate::cli::command::globals::deployment::{load_cloud, settings_of};
use crate::cli::command::globals::keys;
use crate::cli::command::grammar::Grammar;
use crate::config::{
    Cloud, CloudOptions, Deployment, Environment, Place, Preferences, Reason, Setting, Settings,
    is_data_dir,
};
use crate::data::{Source, Watch};
use crate::http::Observer;
use crate::local::{Engine, Local};
use crate::model::{ByteRange, Caller, Image, ImageStatus};
use crate::ops::download::{Downloaded, Verified};
use crate::ops::images::Reference;
use crate::output::was_closed;
use crate::remote::auth::forget_tokens;
use crate::remote::{Identity, Remote};
use crate::service::{ImageService, Reading, Regions, Upload};
use crate::{Error, Parameter, Result, ops};

/// The cloud selected alongside a local deployment, for downloads from other regions.
struct OtherRegions {
    globals: Globals,
    environment: Environment,
    observer: Observer,
}

#[async_trait]
impl Regions for OtherRegions {
    async fn open(&self, region: &str, interface: Option<&str>) -> Result<Box<dyn ImageService>> {
        let value = |name: &str| match (name, interface) {
            ("--os-region-name", _) => Some(region.to_string()),
            ("--os-interface" | "--os-endpoint-type", Some(interface)) => {
                Some(interface.to_string())
            }
            _ => self.globals.named(name).map(str::to_string),
        };
        let options = CloudOptions {
            names: OPTION_NAMES,
            value: &value,
        };
        let cloud = load_cloud(options, &self.environment, &self.observer).await?;
        let observer = self.observer.clone();
        let remote = Remote::open(cloud, Box::new(Terminal), observer);
        Ok(Box::new(remote.await?))
    }
}

/// A run of a program.
pub struct Session {
    /// The grammar of the command.
    pub grammar: Grammar,
    /// The global options.
    pub globals: Globals,
    /// The environment, read once.
    pub environment: Environment,
    /// The preferences of the user.
    pub preferences: Setting<Preferences>,
    /// The watch that reports progress and stops transfers.
    pub watch: Watch,
    /// The diagnostics of the run.
    pub observation: Observation,
    /// Whether the command may create the data directory.
    pub creates: bool,
    /// Whether standard input holds commands and thus no image data.
    pub reads_commands: bool,
    service: OnceCell<Box<dyn ImageService>>,
    /// The local deployments that were opened.
    engines: Mutex<Vec<Arc<Engine>>>,
    /// The temporary data directory of an empty deployment.
    empty: Mutex<Option<TempDir>>,
}

impl Session {
    /// Creates a session that has not opened anything.
    pub fn new(
        grammar: Grammar,
        globals: Globals,
        environment: Environment,
        watch: Watch,
        observation: Observation,
    ) -> Self {
        Self {
            grammar,
            globals,
            environment,
            preferences: Preferences::default().into(),
            watch,
            observation,
            creates: false,
            reads_commands: false,
            service: OnceCell::new(),
            engines: Mutex::default(),
            empty: Mutex::new(None),
        }
    }

    /// Returns the service selected by options and environment; opened on first use.
    pub async fn service(&self) -> Result<&dyn ImageService> {
        let service = self.service.get_or_try_init(|| async { self.open().await });
        Ok(service.await?.as_ref())
    }

    /// Waits until an image has a status, with progress on a terminal, and returns it.
    ///
    /// # Errors
    /// The errors of [`ops::images::wait_for`].
    pub async fn wait_for(&self, reference: Reference<'_>, wanted: ImageStatus) -> Result<Image> {
        let waiting = Waiting::new();
        let report = |image: &Image| {
            waiting.show(&format!(
                "Image {} is {}, not yet {wanted}",
                image.id, image.status
            ));
        };
        let service = self.service().await?;
        let image = ops::images::wait_for(service, reference, wanted, &self.watch, report).await;
        waiting.end();
        image
    }

    /// Returns the local deployment, for operations that no service offers. `what` names the operation in the
    /// error.
    ///
    /// # Errors
    /// `Failed` on a cloud.
    pub async fn local(&self, what: &str) -> Result<Local> {
        match self.deployment()? {
            Deployment::Local { place, reason } => self.open_local(place, &reason).await,
            Deployment::Remote { .. } => Err(Error::failed(format!(
                "{what} requires a local deployment, not a cloud"
            ))
            .hint(
                "Select the deployment with --config-file or --data-dir on a host of the service.",
            )),
        }
    }

    /// Checks that data which is imported can be verified as the options require.
    ///
    /// # Errors
    /// `Failed` on a cloud with `--verify-stored`: the service stores the data, possibly after the command has ended.
    pub fn check_import(&self) -> Result<()> {
        match self.deployment()? {
            Deployment::Remote { .. } if self.globals.is_set(keys::VERIFY_STORED) => {
                Err(Error::failed(
                    "--verify-stored cannot be used for an import on a cloud, because the service stores the data",
                )
                .hint("Download the image after its import: its data is compared with the hash of the service."))
            }
            _ => Ok(()),
        }
    }

    async fn open_local(&self, place: Place, reason: &Reason) -> Result<Local> {
        self.observation.without_server();
        let settings = self.settings(place, reason)?;
        let engine = Engine::open(settings).await?;
        let local = engine.act_as(self.caller()?);
        self.engines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(engine);
        warn_of_unfinished(&local);
        Ok(local)
    }

    async fn open(&self) -> Result<Box<dyn ImageService>> {
        match self.deployment()? {
            Deployment::Local { place, reason } => {
                let mut local = self.open_local(place, &reason).await?;
                if self.globals.is_set(keys::VERIFY_STORED) {
                    local = local.verifying_stored();
                }
                Ok(Box::new(local.with_regions(Arc::new(OtherRegions {
                    globals: self.globals.clone(),
                    environment: self.environment.clone(),
                    observer: self.observation.observer(),
                }))))
            }
            Deployment::Remote { .. } => {
                let cloud = self.cloud().await?;
                let late = warn_of_cloud(&cloud);
                let observer = self.observation.observer();
                let mut remote = Remote::open(cloud, Box::new(Terminal), observer).await?;
                if self.globals.is_set(keys::VERIFY_STORED) {
                    remote = remote.verifying_stored();
                }
                if let Some(late) = late.filter(|_| remote.is_secure()) {
                    ui::notice(&late);
                }
                Ok(Box::new(remote))
            }
        }
    }

    /// Returns Keystone's catalogue of services, for operations that no image service offers.
    ///
    /// # Errors
    /// `Failed` for a local deployment, and for a cloud without Keystone.
    pub async fn identity(&self) -> Result<Identity> {
        if let Deployment::Local { .. } = self.deployment()? {
            return Err(Error::failed(
                "services and endpoints are in Keystone's catalogue, which a local deployment does not have",
            )
            .hint(Parameter::Cloud));
        }
        let cloud = self.cloud().await?;
        warn_of_cloud(&cloud);
        let observer = self.observation.observer();
        Identity::open(cloud, Box::new(Terminal), observer).await
    }

    /// Returns the deployment that options, environment and preferences select.
    ///
    /// # Errors
    /// The errors of [`Globals::deployment`].
    pub fn deployment(&self) -> Result<Deployment> {
        self.globals
            .deployment(&self.environment, &self.preferences)
    }

    /// Returns the cloud selected by options and environment. With `--os-forget-tokens`, deletes all cached
    /// tokens first.
    pub async fn cloud(&self) -> Result<Cloud> {
        if self.globals.is_set(keys::FORGET_TOKENS)
            && let Some(directory) = Cloud::token_directory(&self.environment)
        {
            forget_tokens(&directory)?;
        }
        let observer = self.observation.observer();
        let cloud = self
            .globals
            .cloud(&self.environment, &self.preferences, &observer);
        cloud.await
    }

    fn settings(&self, place: Place, reason: &Reason) -> Result<Settings> {
        let announced = *reason == Reason::Default;
        match place {
            Place::DataDir(directory) if !self.creates && !is_data_dir(&directory)? => {
                let shown = self.for_people(&directory);
                if announced {
                    self.announce(&format!(
                        "No cloud selected; no images in {shown} yet (--local)."
                    ));
                } else if !directory.exists() {
                    self.announce(&format!(
                        "No images in {shown} yet: the directory does not exist."
                    ));
                }
                self.empty_settings()
            }
            Place::DataDir(directory) => {
                let place = format!("Using local images in {}", self.for_people(&directory));
                if self.observation.is_verbose() {
                    ui::info(&format!("{place}."));
                } else if announced {
                    self.announce(&format!("{place} (--local): no cloud selected."));
                }
                Settings::for_data_dir(&directory)
            }
            place @ Place::Config(_) => settings_of(&place, &self.environment),
        }
    }

    /// Returns a path as messages show it: at a terminal with `~` for the home directory.
    fn for_people(&self, path: &Path) -> String {
        let home = self.environment.get("HOME").map(Path::new);
        below_home(path, home.filter(|_| std::io::stderr().is_terminal()))
    }

    /// Prints which deployment is used if it was chosen by default.
    fn announce(&self, line: &str) {
        if !self.globals.is_set(keys::QUIET) {
            ui::dim(&self.environment, line);
        }
    }

    /// Returns the settings of an empty data directory that is removed with the session, for commands that
    /// create nothing.
    fn empty_settings(&self) -> Result<Settings> {
        let directory = tempfile::tempdir();
        let directory =
            directory.map_err(|e| Error::io("create a directory in", std::env::temp_dir(), e))?;
        let settings = Settings::for_data_dir(directory.path());
        *self.empty.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory);
        settings
    }

    /// Returns whether the deployment is a temporary, empty one.
    pub fn is_empty_deployment(&self) -> bool {
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        empty.is_some()
    }

    /// Returns the hints of an error, as sentences.
    pub fn hints(&self, error: &Error) -> Option<String> {
        hints::sentences(self.grammar, error.hints())
    }

    /// Ends the use of the local deployments that were opened (see [`Engine::finish`]).
    pub async fn finish(&self) {
        let engines = self.engines.lock();
        let engines = std::mem::take(&mut *engines.unwrap_or_else(PoisonError::into_inner));
        for engine in engines {
            engine.finish().await;
        }
    }

    /// Ends the run without closing databases, which may wait for the disk: what was changed is in one file already, and
    /// what was only read may stay as it is.
    pub fn forget(self) {
        let empty = self
            .empty
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        std::mem::forget(self);
        drop(empty);
    }

    /// Returns the caller in a local deployment.
    pub fn caller(&self) -> Result<Caller> {
        self.globals.caller(&self.environment)
    }

    /// Returns whether image data may be read from standard input: it is open, not a terminal, and holds no
    /// commands.
    pub fn is_piped(&self) -> bool {
        let input = std::io::stdin();
        !(self.reads_commands || input.is_terminal() || was_closed(&input))
    }

    /// Opens the data of a file or of standard input for upload.
    pub fn upload(&self, file: Option<&Path>, progress: bool) -> Result<Option<Upload>> {
        let Some(source) = ops::images::open_data(file, self.is_piped())? else {
            return Ok(None);
        };
        Ok(Some(self.upload_of(source, progress)))
    }

    /// Returns an upload of `source` according to the options.
    pub fn upload_of(&self, source: Source, progress: bool) -> Upload {
        let mut upload = Upload::new(source);
        upload.allow_format_mismatch = self.globals.is_set(keys::ALLOW_FORMAT_MISMATCH);
        upload.verify = !self.globals.is_set(keys::SKIP_VERIFICATION);
        upload.watch = self.transfer(progress);
        upload
    }

    /// Returns how to read image data according to the options.
    pub fn reading(&self, known: Option<Image>, prefer: Vec<String>) -> Result<Reading> {
        let parallel = self.globals.value(keys::PARALLEL).map_or(Ok(1), |text| {
            let number = text.parse().ok().filter(|number| (1..=16).contains(number));
            number.ok_or_else(|| {
                Error::usage(format!("--parallel {text}: expected a number from 1 to 16"))
            })
        })?;
        Ok(Reading {
            known,
            prefer,
            range: ByteRange::ALL,
            parallel,
        })
    }

    /// Returns whether to show progress and a summary of transfers: at a terminal, unless `--quiet` is given
    /// without `--progress`.
    pub fn reports_transfers(&self, progress: bool) -> bool {
        std::io::stderr().is_terminal() && (progress || !self.globals.is_set(keys::QUIET))
    }

    /// Returns the notices about saved data: a summary, if requested, and that a file was written in place.
    pub fn saved_notices(&self, saved: &Downloaded, progress: bool) -> Vec<String> {
        let verified = match saved.verified {
            Verified::By(algorithm) => Some(algorithm),
            Verified::Unverified => None,
        };
        let summary = self
            .reports_transfers(progress)
            .then(|| summary("Saved", saved.size, saved.elapsed, verified));
        summary.into_iter().chain(saved.notice.clone()).collect()
    }

    /// Returns the summary of an upload that began at `began`, if requested and if the size is known.
    pub fn stored_notice(
        &self,
        progress: bool,
        size: Option<u64>,
        began: Instant,
    ) -> Option<String> {
        let size = size.filter(|_| self.reports_transfers(progress))?;
        Some(summary("Stored", size, began.elapsed(), None))
    }

    /// Returns a watch, with a progress bar if [`Session::reports_transfers`] requires one.
    pub fn transfer(&self, progress: bool) -> Watch {
        if self.reports_transfers(progress) {
            return self.watch.clone().with_progress(Arc::new(Bar::new()));
        }
        self.watch.clone()
    }

    /// Rejects an unknown store before anything is created.
    pub async fn check_store(&self, store: Option<&str>) -> Result<()> {
        match store {
            Some(store) => self.check_stores(&[store.to_string()]).await,
            None => Ok(()),
        }
    }

    /// Rejects the first unknown store; lists the stores once.
    pub async fn check_stores(&self, stores: &[String]) -> Result<()> {
        let known = match self.service().await?.list_stores(false).await {
            Ok(known) => known,
            // A service without named stores has nothing to compare with.
            Err(e) if e.kind() == crate::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        let unknown = stores
            .iter()
            .find(|store| !known.iter().any(|info| info.id == **store));
        match unknown {
            Some(store) => Err(Error::failed(format!(
                "Store '{store}' is not valid for this cloud. Valid values can be retrieved with stores-info command."
            ))),
            None => Ok(()),
        }
    }

    /// Returns the value of an option, or else of an environment variable.
    pub fn or_variable(&self, given: Option<&str>, variable: &str) -> Option<String> {
        given
            .map(str::to_string)
            .or_else(|| Some(self.environment.get(variable)?.to_str()?.to_string()))
    }
}

/// Prints the warnings about a cloud. Returns the one to print if the image service turns out to use TLS.
fn warn_of_cloud(cloud: &Cloud) -> Option<String> {
    let warnings = cloud.warnings();
    for warning in &warnings {
        ui::notice(warning);
    }
    cloud.tls_warning().filter(|late| !warnings.contains(late))
}

/// Warns if recovery after a crashed command failed when the deployment was opened.
pub fn warn_of_unfinished(local: &Local) {
    if let Some(error) = local.unfinished() {
        ui::notice(&format!(
            "cannot clean up after an interrupted command: {error}"
        ));
    }
}
