//! Configuration of glance-registry, which is left in many deployments.
//!
//! *Source:* `glance/common/config.py` and `glance/registry/client/__init__.py` of the reference implementation, before
//! the registry was removed.

use std::path::Path;

use crate::Error;
use crate::config::oslo::ini::Ini;

/// The file of the registry's own configuration.
const FILE: &str = "glance-registry.conf";

/// The port of the registry.
const PORT: &str = "9191";

/// Options for the registry, and for its clients.
const OPTIONS: [&str; 7] = [
    "data_api",
    "enable_v1_registry",
    "enable_v2_registry",
    "registry_client_protocol",
    "registry_host",
    "registry_port",
    "use_user_token",
];

/// The section that only the API reads.
const STORES: &str = "glance_store";

/// A part of a configuration that is for the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryRemnant {
    /// The place: a file, or an option in it.
    place: String,
    /// Whether nothing of the configuration is for the API.
    pub is_whole: bool,
}

impl RegistryRemnant {
    /// Returns the sentence about it, with a hint.
    pub fn error(&self) -> Error {
        let message = format!(
            "{}: glance-registry no longer exists; the API reads the database itself",
            self.place
        );
        Error::failed(message).hint(if self.is_whole {
            "Use the configuration of the API, glance-api.conf, with the [database] connection of the registry."
        } else {
            "Remove what is for the registry from the configuration: it is not used."
        })
    }
}

/// Returns the first part of a configuration that is for the registry; None without one.
pub(super) fn read_registry(files: &[Ini]) -> Option<RegistryRemnant> {
    let is_registry = |file: &Ini| {
        let entry = |key| file.entries("DEFAULT", key).next_back();
        let port = entry("bind_port").is_some_and(|port| port.value == PORT);
        let serves =
            file.all().any(|(section, _)| section == STORES) || entry("enabled_backends").is_some();
        file.path.ends_with(FILE) || port && !serves
    };
    if let Some(file) = files.iter().find(|file| is_registry(file)) {
        return Some(RegistryRemnant {
            place: shown(&file.path),
            is_whole: files.iter().all(is_registry),
        });
    }
    files.iter().find_map(|file| {
        let mut entries = OPTIONS.iter().flat_map(|key| file.entries("DEFAULT", key));
        let entry = entries.next()?;
        Some(RegistryRemnant {
            place: format!("{}:{}: {}", shown(&file.path), entry.line, entry.key),
            is_whole: false,
        })
    })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Option<(String, bool)> {
        let files: Vec<Ini> = files
            .iter()
            .map(|(name, text)| Ini::parse(Path::new(name), text).unwrap())
            .collect();
        let found = read_registry(&files)?;
        Some((found.place, found.is_whole))
    }

    #[test]
    fn the_configuration_of_the_registry_is_recognized() {
        let whole = |place: &str| Some((place.to_string(), true));
        let part = |place: &str| Some((place.to_string(), false));
        let api = "[DEFAULT]\nbind_port = 9292\n[glance_store]\nstores = file\n";
        let registry = "[DEFAULT]\nbind_port = 9191\n[database]\nconnection = sqlite://\n";
        for (files, found) in [
            (
                &[("a/glance-registry.conf", "")][..],
                whole("a/glance-registry.conf"),
            ),
            (&[("r.conf", registry)], whole("r.conf")),
            (
                &[("glance-api.conf", api), ("glance-registry.conf", registry)],
                part("glance-registry.conf"),
            ),
            (
                &[("glance-api.conf", "[DEFAULT]\nx = 1\nregistry_host = h\n")],
                part("glance-api.conf:3: registry_host"),
            ),
            (
                &[(
                    "glance-api.conf",
                    "[DEFAULT]\nbind_port = 9191\n[glance_store]\nstores = file\n",
                )],
                None,
            ),
            (&[("glance-api.conf", api)], None),
            (&[], None),
        ] {
            assert_eq!(read(files), found, "{files:?}");
        }
    }
}
