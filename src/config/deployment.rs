//! Selection of the deployment.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::reason::Reason;
use crate::config::oslo::search::ConfigSource;
use crate::error::{Error, ErrorKind, Parameter, Result};

/// The command line options that select a deployment.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeploymentOptions<'a> {
    /// A data directory.
    pub data_dir: Option<&'a Path>,
    /// Configuration files and directories of them, in the order of the command line.
    pub config: &'a [ConfigSource],
    /// Whether the local deployment of the user is selected.
    pub local: bool,
    /// Whether an option selects a cloud or logs in to one.
    pub login: bool,
    /// Whether an option only modifies the connection to a cloud.
    pub cloud: bool,
}

/// The selected deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// The engine in this process.
    Local {
        /// The location of its data.
        place: Place,
        /// The reason. If nothing selected it, a line on stderr reports it.
        reason: Reason,
    },
    /// A cloud.
    Remote {
        /// The reason.
        reason: Reason,
    },
}

/// The description of a local deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A data directory.
    DataDir(PathBuf),
    /// Configuration files.
    Config(Vec<ConfigSource>),
}

/// Variables that select a cloud: its address or a login. With a login alone, the missing address is
/// reported, because a user who logs in does not expect the images of this machine.
const REMOTE_VARIABLES: [&str; 13] = [
    "OS_CLOUD",
    "OS_AUTH_URL",
    "OS_IMAGE_URL",
    "OS_ENDPOINT",
    "OS_IMAGE_ENDPOINT_OVERRIDE",
    "OS_ENDPOINT_OVERRIDE",
    "OS_USERNAME",
    "OS_USER_ID",
    "OS_PASSWORD",
    "OS_TOKEN",
    "OS_AUTH_TOKEN",
    "OS_APPLICATION_CREDENTIAL_ID",
    "OS_APPLICATION_CREDENTIAL_NAME",
];

/// Returns the deployment that options and environment select. Options come before the environment, and
/// within each local comes before remote. An empty variable counts as unset.
///
/// `platform_data_dir` is the default data directory, see [`platform_data_dir`].
///
/// # Errors
/// `Usage` if both a data directory and configuration files are given; `Failed` if the platform's data
/// directory is needed and unknown.
pub fn choose_deployment(
    options: &DeploymentOptions<'_>,
    environment: &Environment,
    platform_data_dir: Option<&Path>,
) -> Result<Deployment> {
    let default_dir = || {
        platform_data_dir.map(Path::to_path_buf).ok_or_else(|| {
            Error::failed("there is no home directory to keep images in")
                .hint(Parameter::DataDirectory)
        })
    };
    let asked_for = |place| {
        Ok(Deployment::Local {
            place,
            reason: Reason::Option,
        })
    };
    let variable_dir = environment.get("GLANCE_DATA_DIR").map(PathBuf::from);

    match (options.data_dir, options.config) {
        (Some(_), [_, ..]) => {
            return Err(Error::usage(
                "a data directory and configuration files cannot be used together",
            ));
        }
        (Some(directory), []) => return asked_for(Place::DataDir(directory.to_path_buf())),
        (None, config @ [_, ..]) => return asked_for(Place::Config(config.to_vec())),
        (None, []) => {}
    }
    if options.local {
        return asked_for(Place::DataDir(variable_dir.map_or_else(default_dir, Ok)?));
    }
    if options.login {
        let reason = Reason::Option;
        return Ok(Deployment::Remote { reason });
    }
    if let Some(directory) = variable_dir {
        return Ok(Deployment::Local {
            place: Place::DataDir(directory),
            reason: Reason::Variable("GLANCE_DATA_DIR"),
        });
    }
    let is_set = |name: &&str| environment.get(name).is_some();
    if let Some(name) = REMOTE_VARIABLES.into_iter().find(is_set) {
        let reason = Reason::Variable(name);
        return Ok(Deployment::Remote { reason });
    }
    Ok(Deployment::Local {
        place: Place::DataDir(default_dir()?),
        reason: Reason::Default,
    })
}

/// Returns the deployment that the client's options and environment select, as [`choose_deployment`]. If
/// they select none, a cloud of a variable or clouds.yaml comes before the user's own directory.
///
/// *Source:* openstacksdk, `openstack/config/loader.py` (`OpenStackConfig.__init__`).
///
/// # Errors
/// The errors of [`choose_deployment`]; `Failed` if clouds.yaml has several clouds and none was selected,
/// or cannot be parsed.
pub fn choose_client_deployment(
    options: &DeploymentOptions<'_>,
    environment: &Environment,
    platform_data_dir: Option<&Path>,
) -> Result<Deployment> {
    let chosen = choose_deployment(options, environment, platform_data_dir);
    match &chosen {
        Ok(Deployment::Local { reason, .. }) if *reason != Reason::Default => return chosen,
        Ok(Deployment::Remote { .. }) => return chosen,
        Err(error) if error.kind() == ErrorKind::Usage => return chosen,
        _ => {}
    }
    let reason = if options.cloud {
        Some(Reason::Option)
    } else {
        super::cloud::selection(environment)?
    };
    match reason {
        Some(reason) => Ok(Deployment::Remote { reason }),
        None => chosen,
    }
}

/// Returns the platform's directory for a user's data (`~/.local/share/glance` on Linux, `XDG_DATA_HOME`
/// respected); None without a home directory. This is the only function here that reads the process's
/// environment; call it at program start and pass the result to [`choose_deployment`].
pub fn platform_data_dir() -> Option<PathBuf> {
    let project = directories::ProjectDirs::from("", "", "glance")?;
    Some(project.data_local_dir().to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_variable() -> Vec<&'static str> {
        [&["GLANCE_DATA_DIR"], &REMOTE_VARIABLES[..]].concat()
    }

    fn choose(options: &DeploymentOptions<'_>, variables: &[&str]) -> Result<Deployment> {
        let environment = variables
            .iter()
            .map(|name| (name, "/from-variable"))
            .collect();
        choose_deployment(options, &environment, Some(Path::new("/platform")))
    }

    fn local(directory: &str, reason: Reason) -> Deployment {
        Deployment::Local {
            place: Place::DataDir(PathBuf::from(directory)),
            reason,
        }
    }

    fn remote(reason: Reason) -> Deployment {
        Deployment::Remote { reason }
    }

    #[test]
    fn a_data_directory_option_beats_everything() {
        let options = DeploymentOptions {
            data_dir: Some(Path::new("/option")),
            local: true,
            login: true,
            ..Default::default()
        };
        assert_eq!(
            choose(&options, &every_variable()).unwrap(),
            local("/option", Reason::Option)
        );
    }

    #[test]
    fn a_configuration_option_beats_remote_options_and_the_environment() {
        let config = [
            ConfigSource::File("a".into()),
            ConfigSource::Directory("b".into()),
        ];
        let options = DeploymentOptions {
            config: &config,
            login: true,
            ..Default::default()
        };
        let place = Place::Config(config.to_vec());
        let expected = Deployment::Local {
            place,
            reason: Reason::Option,
        };
        assert_eq!(choose(&options, &every_variable()).unwrap(), expected);
    }

    #[test]
    fn the_local_option_takes_the_variable_or_the_default_place() {
        let options = DeploymentOptions {
            local: true,
            login: true,
            ..Default::default()
        };
        assert_eq!(
            choose(&options, &every_variable()).unwrap(),
            local("/from-variable", Reason::Option)
        );
        assert_eq!(
            choose(&options, &["OS_CLOUD"]).unwrap(),
            local("/platform", Reason::Option)
        );
    }

    #[test]
    fn an_option_of_a_login_beats_the_environment() {
        let options = DeploymentOptions {
            login: true,
            ..Default::default()
        };
        assert_eq!(
            choose(&options, &every_variable()).unwrap(),
            remote(Reason::Option)
        );
    }

    #[test]
    fn the_data_directory_variable_beats_the_remote_ones() {
        let chosen = choose(&DeploymentOptions::default(), &every_variable()).unwrap();
        assert_eq!(
            chosen,
            local("/from-variable", Reason::Variable("GLANCE_DATA_DIR"))
        );
    }

    #[test]
    fn a_remote_variable_beats_the_default() {
        for name in &REMOTE_VARIABLES {
            let chosen = choose(&DeploymentOptions::default(), &[name]).unwrap();
            assert_eq!(chosen, remote(Reason::Variable(name)), "{name}");
        }
    }

    #[test]
    fn nothing_said_is_local_at_the_default_place_and_announced() {
        let chosen = choose(&DeploymentOptions::default(), &["OS_REGION_NAME"]).unwrap();
        assert_eq!(chosen, local("/platform", Reason::Default));
    }

    /// Returns the client's deployment with these variables, and a clouds.yaml with this content.
    fn client(variables: &[&str], clouds: Option<&str>) -> Result<Deployment> {
        let home = tempfile::tempdir().unwrap();
        let mut all: Vec<(String, String)> = variables
            .iter()
            .map(|name| ((*name).to_string(), "x".to_string()))
            .collect();
        all.push(("HOME".to_string(), home.path().display().to_string()));
        // Files of the machine must not affect the test.
        all.push((
            "XDG_CONFIG_DIRS".to_string(),
            home.path().display().to_string(),
        ));
        if let Some(clouds) = clouds {
            let directory = home.path().join(".config/openstack");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("clouds.yaml"), clouds).unwrap();
        }
        let environment = all.into_iter().collect();
        let options = DeploymentOptions::default();
        choose_client_deployment(&options, &environment, Some(Path::new("/platform")))
    }

    #[test]
    fn the_only_cloud_of_clouds_yaml_is_meant_and_of_several_none() {
        let one = "clouds: {a: {auth: {}}}";
        let Deployment::Remote {
            reason: Reason::OnlyCloud { name, files },
        } = client(&[], Some(one)).unwrap()
        else {
            panic!("the only cloud is not used");
        };
        assert_eq!(name, "a");
        assert!(files.ends_with("/.config/openstack/clouds.yaml"), "{files}");
        let error = client(&[], Some("clouds: {a: {}, b: {}}")).unwrap_err();
        assert_eq!(error.kind().exit_code(), 1);
        assert!(error.message().contains("a, b"), "{error}");
        let error = client(&[], Some("clouds: [")).unwrap_err();
        assert!(error.message().contains("clouds.yaml:"), "{error}");
        let chosen = client(&["GLANCE_DATA_DIR"], Some(one)).unwrap();
        assert_eq!(chosen, local("x", Reason::Variable("GLANCE_DATA_DIR")));
    }

    #[test]
    fn any_variable_of_a_cloud_means_a_cloud() {
        for name in [
            "OS_PROJECT_NAME",
            "OS_TENANT_ID",
            "OS_USER_DOMAIN_NAME",
            "OS_AUTH_TYPE",
            "OS_APPLICATION_CREDENTIAL_SECRET",
            "OS_REGION_NAME",
            "OS_CACERT",
            "OS_CLIENT_CONFIG_FILE",
            "OS_IDENTITY_API_VERSION",
        ] {
            let chosen = client(&[name], None).unwrap();
            assert_eq!(chosen, remote(Reason::Variable(name)), "{name}");
        }
    }

    #[test]
    fn nothing_that_points_to_a_cloud_is_local_and_announced() {
        let variables = ["OS_NO_CACHE", "OS_DATABASE__CONNECTION", "OS_TYPE", "OS"];
        for clouds in [
            None,
            Some(""),
            Some("clouds: {}"),
            Some("cache: {auth: true}"),
        ] {
            let chosen = client(&variables, clouds).unwrap();
            assert_eq!(chosen, local("/platform", Reason::Default), "{clouds:?}");
        }
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let environment = every_variable().iter().map(|name| (name, "")).collect();
        let options = DeploymentOptions::default();
        let chosen = choose_deployment(&options, &environment, Some(Path::new("/platform")));
        assert_eq!(chosen.unwrap(), local("/platform", Reason::Default));
    }

    #[test]
    fn a_data_directory_and_a_configuration_exclude_each_other() {
        let config = [ConfigSource::File("a".into())];
        let options = DeploymentOptions {
            data_dir: Some(Path::new("d")),
            config: &config,
            ..Default::default()
        };
        assert_eq!(choose(&options, &[]).unwrap_err().kind().exit_code(), 2);
    }

    #[test]
    fn without_a_home_a_directory_must_be_named() {
        let none = Environment::default();
        let error = choose_deployment(&DeploymentOptions::default(), &none, None).unwrap_err();
        assert_eq!(error.hints(), [Parameter::DataDirectory.into()]);
    }
}
