//! The context of the commands of `glance-cache-manage`.

use std::path::{Path, PathBuf};

use super::service::Service;
use crate::cli::operator::log::Log;
use crate::cli::operator::settings;
use crate::config::{
    Cloud, ConfigSource, Deployment, DeploymentOptions, Environment, Settings, choose_deployment,
};
use crate::data::Watch;
use crate::output::Format;
use crate::{Error, Result};

/// Configuration files that the upstream programs read.
pub const CONFIGURED_BY: [&str; 2] = ["glance-api", "glance-cache"];

/// A run of `glance-cache-manage` or of one of the programs that it replaces.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Session {
    /// Whether to print what was done.
    pub verbose: bool,
    /// Whether to print requests, and failures as errors.
    pub debug: bool,
    /// Whether to skip the confirmation.
    pub force: bool,
    /// Whether to show what would be done without doing it.
    pub dry_run: bool,
    /// The output format for programs, if one was given.
    pub format: Option<Format>,
    /// The metrics file of prune, clean and prefetch.
    pub metrics_file: Option<PathBuf>,
    /// The image service and the credentials.
    pub service: Service,
    /// The data directory of a local deployment.
    pub data_dir: Option<PathBuf>,
    /// The configuration files; later ones take precedence.
    pub config: Vec<ConfigSource>,
    /// The environment, read once.
    pub environment: Environment,
    /// The watch that stops downloads.
    pub watch: Watch,
    /// The log, used if nothing is printed.
    pub log: Option<Log>,
}

impl Session {
    /// Loads the settings of the host whose cache directory is managed.
    ///
    /// # Errors
    /// `Failed` if the data directory is missing, for example because it is mistyped.
    pub fn settings(&self) -> Result<Settings> {
        if let Some(directory) = self.data_dir.as_deref().filter(|at| !at.exists()) {
            let message = format!("data directory {} does not exist", directory.display());
            return Err(Error::failed(message));
        }
        settings::settings(
            self.data_dir.as_deref(),
            &self.config,
            &CONFIGURED_BY,
            &self.environment,
        )
    }

    /// Returns the service to download from; `None` for the configured deployment.
    pub fn origin(&self) -> Result<Option<Cloud>> {
        if !self.service.is_named() {
            return Ok(None);
        }
        self.service.cloud(&self.environment).map(Some)
    }

    /// Returns whether to use the service; options take precedence over the environment.
    pub fn is_remote(&self) -> Result<bool> {
        let named = self.service.is_named();
        if named && (self.data_dir.is_some() || !self.config.is_empty()) {
            return Err(Error::usage(
                "--data-dir and --config-file select a directory, an address or credentials select a service; \
                 this command accepts only one of these",
            ));
        }
        let options = DeploymentOptions {
            data_dir: self.data_dir.as_deref(),
            config: &self.config,
            login: named,
            ..DeploymentOptions::default()
        };
        let nowhere = Path::new("");
        let chosen = choose_deployment(&options, &self.environment, Some(nowhere))?;
        Ok(matches!(chosen, Deployment::Remote { .. }))
    }
}
