//! The deployment that commands use without options, in a sentence for people.

use std::path::Path;

use crate::config::{
    Deployment, DeploymentOptions, Environment, Place, Reason, choose_client_deployment,
    platform_data_dir,
};

/// Other deployments, on one line.
const OTHERS: &str =
    "Others: --os-cloud CLOUD or OS_* variables; --data-dir DIR; --config-file FILE.";

/// Returns which deployment commands use without options, and how to use another one, on three lines at most.
pub fn here(environment: &Environment) -> String {
    let options = DeploymentOptions::default();
    let data_dir = platform_data_dir();
    let home = environment.get("HOME").map(Path::new);
    match choose_client_deployment(&options, environment, data_dir.as_deref()) {
        Ok(Deployment::Local { place, reason }) => local(&place, &reason, home),
        Ok(Deployment::Remote { reason }) => {
            let cloud = match reason {
                Reason::OnlyCloud { name, files } => {
                    format!("cloud {name} of {}", below_home(Path::new(&files), home))
                }
                Reason::Variable(variable) => format!("cloud that {variable} selects"),
                Reason::Preferences(file) => {
                    format!("cloud that {} selects", below_home(Path::new(&file), home))
                }
                Reason::Option | Reason::Default => "cloud of the options".to_string(),
            };
            format!(
                "Without options, commands use the {cloud}.\n\
                 Others: --os-cloud CLOUD; without a server: --local, --data-dir DIR."
            )
        }
        Err(error) => format!(
            "No deployment is selected: {}.\n\
             Select a cloud with --os-cloud CLOUD, or the images of this machine with --local.",
            error.message()
        ),
    }
}

fn local(place: &Place, reason: &Reason, home: Option<&Path>) -> String {
    let Place::DataDir(directory) = place else {
        return OTHERS.to_string();
    };
    let shown = below_home(directory, home);
    match reason {
        Reason::Default if !directory.exists() => format!(
            "No cloud is configured. Images are kept on this machine, without a server, in\n\
             {shown} (none yet).\n{OTHERS}"
        ),
        Reason::Default => {
            format!("No cloud is configured, so commands use the images in\n{shown}.\n{OTHERS}")
        }
        Reason::Variable(variable) => {
            format!("{variable} is set, so commands use the images in\n{shown}.\n{OTHERS}")
        }
        Reason::Option | Reason::OnlyCloud { .. } | Reason::Preferences(_) => {
            format!("Commands use the images in\n{shown}.\n{OTHERS}")
        }
    }
}

/// Returns a path for people, with `~` for the home directory.
pub fn below_home(path: &Path, home: Option<&Path>) -> String {
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployment_without_options_is_named_with_what_selects_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().display().to_string();
        let here = |variables: &[(&str, &str)]| {
            let own = [("HOME", path.as_str()), ("XDG_CONFIG_DIRS", path.as_str())];
            here(&own.iter().chain(variables).copied().collect())
        };
        let text = here(&[]);
        assert!(text.starts_with("No cloud is configured"), "{text}");
        assert!(text.ends_with(OTHERS), "{text}");
        let text = here(&[("GLANCE_DATA_DIR", "/images")]);
        assert!(text.starts_with("GLANCE_DATA_DIR is set"), "{text}");
        assert!(text.contains("\n/images."), "{text}");
        let text = here(&[("OS_AUTH_URL", "http://h")]);
        assert!(
            text.contains("the cloud that OS_AUTH_URL selects"),
            "{text}"
        );
        let config = home.path().join(".config/openstack");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("clouds.yaml"), "clouds: {a: {auth: {}}}").unwrap();
        let text = here(&[]);
        assert!(
            text.contains("cloud a of ~/.config/openstack/clouds.yaml."),
            "{text}"
        );
        std::fs::write(config.join("clouds.yaml"), "clouds: {a: {}, b: {}}").unwrap();
        let text = here(&[]);
        assert!(text.contains("choose from a, b"), "{text}");
    }
}
