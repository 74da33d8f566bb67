//! The settings of the deployment that an operator's program works on.

use std::path::Path;

use crate::Result;
use crate::config::{
    ConfigSource, Deployment, DeploymentOptions, Environment, Place, Settings, choose_deployment,
    complete_sources, platform_data_dir,
};

/// Loads the settings of the local deployment to work on. `programs` names the upstream programs whose
/// configuration files are searched.
pub fn settings(
    data_dir: Option<&Path>,
    config: &[ConfigSource],
    programs: &[&str],
    environment: &Environment,
) -> Result<Settings> {
    let options = DeploymentOptions {
        data_dir,
        config,
        local: data_dir.is_none() && config.is_empty(),
        ..DeploymentOptions::default()
    };
    // On a Glance host, use the configuration file of the upstream program.
    let found = complete_sources(config, programs, environment);
    // Containers may be configured by environment variables alone.
    let is_named = environment.get("OS_DATABASE__CONNECTION").is_some();
    let is_configured = is_named || !found.is_empty();
    if data_dir.is_none() && environment.get("GLANCE_DATA_DIR").is_none() && is_configured {
        return Settings::load(&found, environment);
    }
    match choose_deployment(&options, environment, platform_data_dir().as_deref())? {
        Deployment::Local {
            place: Place::DataDir(directory),
            ..
        } => Settings::for_data_dir(&directory),
        _ => Settings::load(&found, environment),
    }
}
