//! The deployment that the global options and the environment select.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::cloud::{OPTION_NAMES, is_given};
use super::{Globals, keys};
use crate::config::{
    Cloud, CloudOptions, ConfigSource, Deployment, DeploymentOptions, Environment, Place,
    Preferences, Prepared, Reason, Setting, Settings, choose_client_deployment, complete_sources,
    platform_data_dir,
};
use crate::http::Observer;
use crate::model::Caller;
use crate::remote::profile::fetch_profile;
use crate::{Error, ErrorKind, Result};

impl Globals {
    /// Returns the selected deployment.
    ///
    /// # Errors
    /// `Usage` for contradictory options; `Failed` if several clouds could be meant.
    pub fn deployment(
        &self,
        environment: &Environment,
        preferences: &Setting<Preferences>,
    ) -> Result<Deployment> {
        let files = self.all(keys::CONFIG_FILE).iter();
        let files = files.map(|path| ConfigSource::File(PathBuf::from(path)));
        let directories = self.all(keys::CONFIG_DIR).iter();
        let directories = directories.map(|path| ConfigSource::Directory(PathBuf::from(path)));
        let config: Vec<ConfigSource> = files.chain(directories).collect();
        let options = DeploymentOptions {
            data_dir: self.value(keys::DATA_DIR).map(Path::new),
            config: &config,
            local: self.is_set(keys::LOCAL),
            login: is_given(self, false),
            cloud: is_given(self, true),
        };
        let chosen =
            choose_client_deployment(&options, environment, platform_data_dir().as_deref());
        preferred(preferences, &chosen)?.map_or(chosen, Ok)
    }

    /// Returns the selected cloud, fetching its profile if it has one.
    ///
    /// # Errors
    /// `Failed` for missing and invalid parameters.
    pub async fn cloud(
        &self,
        environment: &Environment,
        preferences: &Setting<Preferences>,
        observer: &Observer,
    ) -> Result<Cloud> {
        // Files of clouds are read for the selection only if there is a preferred cloud.
        let named = preferences.get().ok().filter(|known| known.cloud.is_some());
        let selected = named.and_then(|_| self.deployment(environment, preferences).ok());
        let preferred = match selected {
            Some(Deployment::Remote {
                reason: Reason::Preferences(file),
            }) => named.and_then(|known| Some((known.cloud.clone()?, file))),
            _ => None,
        };
        let value = |name: &str| {
            let given = self.named(name).map(str::to_string);
            let cloud = preferred.as_ref().map(|(cloud, _)| cloud.clone());
            given.or_else(|| cloud.filter(|_| name == "--os-cloud"))
        };
        let options = CloudOptions {
            names: OPTION_NAMES,
            value: &value,
        };
        let cloud = load_cloud(options, environment, observer).await;
        cloud.map_err(|error| match &preferred {
            Some((cloud, file)) => error.hint(format!("{file} selects the cloud {cloud}.")),
            None => error,
        })
    }

    /// Returns the caller in a local deployment.
    ///
    /// # Errors
    /// `Usage` for an invalid one.
    pub fn caller(&self, environment: &Environment) -> Result<Caller> {
        let given = self
            .value(keys::AS)
            .or(environment.get("GLANCE_AS").and_then(OsStr::to_str));
        given.map_or_else(|| Ok(Caller::default()), Caller::parse)
    }
}

/// Returns the cloud of the user's preferences, if nothing but them selects a deployment.
///
/// # Errors
/// `Failed` if they are needed and invalid.
fn preferred(
    preferences: &Setting<Preferences>,
    chosen: &Result<Deployment>,
) -> Result<Option<Deployment>> {
    let is_free = match chosen {
        Ok(Deployment::Local { reason, .. } | Deployment::Remote { reason }) => {
            matches!(reason, Reason::Default | Reason::OnlyCloud { .. })
        }
        // Several clouds, of which this is one, or no home directory.
        Err(error) => error.kind() != ErrorKind::Usage,
    };
    if !is_free {
        return Ok(None);
    }
    let known = preferences.get()?;
    let file = known.file.as_ref().filter(|_| known.cloud.is_some());
    Ok(file.map(|file| Deployment::Remote {
        reason: Reason::Preferences(file.display().to_string()),
    }))
}

/// Loads the cloud selected by options and environment, fetching its profile if it has one.
///
/// # Errors
/// `Failed` for missing and invalid parameters.
pub async fn load_cloud(
    options: CloudOptions<'_>,
    environment: &Environment,
    observer: &Observer,
) -> Result<Cloud> {
    let mut document = None;
    for _ in 0..2 {
        match Cloud::prepare(options, environment, document.as_deref())? {
            Prepared::Cloud(cloud) => return Ok(*cloud),
            Prepared::Profile(profile) => {
                document = Some(fetch_profile(&profile, observer.clone()).await?);
            }
        }
    }
    Err(Error::internal("the profile was requested twice"))
}

/// Returns the settings of a local deployment. Nothing needs to exist.
///
/// # Errors
/// `Io` and `Failed` for files that cannot be read or parsed.
pub fn settings_of(place: &Place, environment: &Environment) -> Result<Settings> {
    match place {
        Place::DataDir(directory) => Settings::for_data_dir(directory),
        Place::Config(sources) => {
            let sources = complete_sources(sources, &["glance-api"], environment);
            Settings::load(&sources, environment)
        }
    }
}
