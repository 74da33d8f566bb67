//! A cloud, as `clouds.yaml`, `secure.yaml` and `clouds-public.yaml` describe it.
//!
//! *Source:* openstacksdk, `openstack/config/loader.py` (`OpenStackConfig`).

use std::path::{Path, PathBuf};

use super::super::environment::Environment;
use super::super::values::{parse_boolean, quoted};
use super::yaml::{self, Map, Node, Value};
use crate::{Error, Result};

/// What the files say of one cloud: secure.yaml over clouds.yaml, a region over both, a profile below.
#[derive(Default)]
pub struct Described {
    /// Its keys, with underscores for dashes.
    pub cloud: Map,
    /// The files it was read from, the most important first.
    pub files: Vec<PathBuf>,
    /// The region that is meant, where the files name regions.
    pub region: Option<String>,
    /// Whether `cache: auth:` allows tokens to be kept, where it says so.
    pub cache: Option<bool>,
    /// What is odd about it, and to be said.
    pub warnings: Vec<String>,
}

/// Reads what the files say of the cloud `name`.
///
/// # Errors
/// `Failed` for a cloud or region that there is not, and for a file that cannot be parsed.
pub fn describe(name: &str, region: Option<&str>, environment: &Environment) -> Result<Described> {
    let search = search_path(environment);
    let clouds = first(environment.get("OS_CLIENT_CONFIG_FILE"), &search, "clouds")?;
    let secure = first(environment.get("OS_CLIENT_SECURE_FILE"), &search, "secure")?;
    let mut files = Vec::new();
    let mut all = Map::default();
    for (path, map) in [clouds, secure].into_iter().flatten() {
        all.merge(&map);
        files.insert(0, path);
    }
    let no_clouds = Map::default();
    let clouds = all.map("clouds").unwrap_or(&no_clouds);
    let Some(own) = clouds.map(name) else {
        // openstacksdk's name for a cloud that is only described by variables.
        if name == "envvars" {
            return Ok(Described::default());
        }
        return Err(no_such_cloud(name, clouds, &files, environment));
    };
    let own = own.normalised();
    let mut described = Described {
        cache: all
            .map("cache")
            .and_then(|cache| parse_boolean(cache.text("auth")?)),
        ..Described::default()
    };
    if let Some(profile) = own.text("profile").or(own.text("cloud")) {
        match find_profile(profile, &search)? {
            Some((path, map)) => {
                described.cloud = map;
                files.push(path);
            }
            None => described.warnings.push(format!(
                "the profile {} of the cloud {} is in no clouds-public.yaml",
                quoted(profile),
                quoted(name)
            )),
        }
    }
    described.cloud.merge(&own);
    described.files = files;
    choose_region(&mut described, name, region)?;
    Ok(described)
}

/// Where the files may be, the most important place first.
fn search_path(environment: &Environment) -> Vec<PathBuf> {
    let home = environment
        .get("SNAP_REAL_HOME")
        .or(environment.get("HOME"));
    let of_home = home.map(|home| Path::new(home).join(".config"));
    // The working directory, as a path to be joined to.
    let mut directories = vec![PathBuf::new()];
    let mut add = |directory: PathBuf| {
        let directory = directory.join("openstack");
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    };
    let configured = environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
    configured.into_iter().chain(of_home).for_each(&mut add);
    match environment.get("XDG_CONFIG_DIRS") {
        Some(several) => std::env::split_paths(several).for_each(&mut add),
        None => add(PathBuf::from("/etc/xdg")),
    }
    add(PathBuf::from("/etc"));
    directories
}

/// The first file there is of those that may be called `stem`, and what is in it.
fn first(
    named: Option<&std::ffi::OsStr>,
    search: &[PathBuf],
    stem: &str,
) -> Result<Option<(PathBuf, Map)>> {
    let usual = search.iter().flat_map(|directory| {
        [".yaml", ".yml", ".json"].map(|suffix| directory.join(format!("{stem}{suffix}")))
    });
    for path in named.map(PathBuf::from).into_iter().chain(usual) {
        if let Some(map) = read(&path)? {
            let path = path
                .strip_prefix(".")
                .map(Path::to_path_buf)
                .unwrap_or(path);
            return Ok(Some((path, map)));
        }
    }
    Ok(None)
}

/// What is in a file; None where there is none that may be read.
fn read(path: &Path) -> Result<Option<Map>> {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => match e.kind() {
            NotFound | NotADirectory | IsADirectory | PermissionDenied => return Ok(None),
            std::io::ErrorKind::InvalidData => {
                return Err(Error::failed(format!("{} is not UTF-8", path.display())));
            }
            _ => return Err(Error::io("read", path, e)),
        },
    };
    let node = yaml::parse(&text).map_err(|fault| {
        Error::failed(format!("{}:{}: {}", path.display(), fault.line, fault.what))
            .hint("The file is no valid YAML; compare the line with those around it.")
    })?;
    match node.value {
        Value::Nothing => Ok(Some(Map::default())),
        Value::Map(map) => Ok(Some(map)),
        Value::Text(_) | Value::List(_) => Err(Error::failed(format!(
            "{}:{}: a mapping with the key 'clouds' is expected",
            path.display(),
            node.line
        ))),
    }
}

/// The profile of a vendor, and the file that it is in.
fn find_profile(name: &str, search: &[PathBuf]) -> Result<Option<(PathBuf, Map)>> {
    let Some((path, map)) = first(None, search, "clouds-public")? else {
        return Ok(None);
    };
    let profile = map.map("public-clouds").and_then(|all| all.map(name));
    Ok(profile.map(|profile| (path, profile.normalised())))
}

fn no_such_cloud(name: &str, clouds: &Map, files: &[PathBuf], environment: &Environment) -> Error {
    let hint = if files.is_empty() {
        match environment.get("OS_CLIENT_CONFIG_FILE") {
            Some(path) => format!(
                "There is no {}, and no clouds.yaml in ., ~/.config/openstack or /etc/openstack.",
                Path::new(path).display()
            ),
            None => "There is no clouds.yaml in ., ~/.config/openstack or /etc/openstack; OS_CLIENT_CONFIG_FILE \
                     can name one."
                .to_string(),
        }
    } else {
        let mut names: Vec<&str> = clouds.keys().collect();
        names.sort_unstable();
        let files: Vec<String> = files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let names = if names.is_empty() {
            "none".to_string()
        } else {
            names.join(", ")
        };
        format!("Clouds in {}: {names}.", files.join(" and "))
    };
    Error::failed(format!("Cloud {name} was not found.")).hint(hint)
}

/// Settles the region, and lays what the files say of it over the cloud.
fn choose_region(described: &mut Described, name: &str, asked: Option<&str>) -> Result<()> {
    let known = known_regions(&described.cloud, described.files.first(), name)?;
    let chosen = match asked {
        None => known.first(),
        Some(_) if known.is_empty() => None,
        Some(asked) => {
            let found = known.iter().find(|(region, _)| region == asked);
            if found.is_none() {
                let names: Vec<&str> = known.iter().map(|(region, _)| region.as_str()).collect();
                return Err(Error::failed(format!(
                    "Region {asked} is not a valid region name for cloud {name}."
                ))
                .hint(format!(
                    "Regions of {name} in clouds.yaml: {}; their case matters.",
                    names.join(", ")
                )));
            }
            found
        }
    };
    described.region = asked.map(str::to_string);
    if let Some((region, values)) = chosen {
        described.region = Some(region.clone());
        described.cloud.merge(values);
    }
    Ok(())
}

/// The regions that a cloud has, and what is different in each.
fn known_regions(cloud: &Map, file: Option<&PathBuf>, name: &str) -> Result<Vec<(String, Map)>> {
    let of_commas = |text: &str| {
        let names = text.split(',').filter(|name| !name.is_empty());
        names
            .map(|name| (name.to_string(), Map::default()))
            .collect()
    };
    let node = cloud.get("regions").or(cloud.get("region_name"));
    let Some(Node { value, line }) = node else {
        return Ok(Vec::new());
    };
    let fault = || {
        let path = file
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        Error::failed(format!(
            "{path}:{line}: a region of the cloud {name} is neither a name nor a mapping with name and values"
        ))
    };
    match value {
        Value::Text(text) => Ok(of_commas(text)),
        Value::List(items) => items
            .iter()
            .map(|item| match &item.value {
                Value::Text(region) => Ok((region.clone(), Map::default())),
                Value::Map(map) => {
                    let region = map.text("name").ok_or_else(fault)?;
                    let values = map.map("values").map(Map::normalised);
                    Ok((region.to_string(), values.unwrap_or_default()))
                }
                Value::Nothing | Value::List(_) => Err(fault()),
            })
            .collect(),
        Value::Nothing | Value::Map(_) => Err(fault()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home whose `.config/openstack` holds these files.
    fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".config/openstack");
        std::fs::create_dir_all(&directory).unwrap();
        for (name, text) in files {
            std::fs::write(directory.join(name), text).unwrap();
        }
        let environment = [("HOME", home.path())].into_iter().collect();
        (home, environment)
    }

    #[test]
    fn secure_lies_over_clouds_and_a_profile_below() {
        let (_home, environment) = home(&[
            (
                "clouds.yaml",
                "clouds:\n  My-Cloud.X:\n    profile: V\n    auth: {username: u, password: no}\n    region-name: R\n",
            ),
            (
                "secure.yaml",
                "clouds: {My-Cloud.X: {auth: {password: yes}}}",
            ),
            (
                "clouds-public.yaml",
                "public-clouds: {V: {auth: {auth_url: http://v, username: other}, interface: internal}}",
            ),
        ]);
        let described = describe("My-Cloud.X", None, &environment).unwrap();
        let auth = described.cloud.map("auth").unwrap();
        assert_eq!(auth.text("auth_url"), Some("http://v"));
        assert_eq!(auth.text("username"), Some("u"));
        assert_eq!(auth.text("password"), Some("yes"));
        assert_eq!(described.cloud.text("interface"), Some("internal"));
        assert_eq!(described.region.as_deref(), Some("R"));
        assert_eq!(described.files.len(), 3);
    }

    #[test]
    fn a_region_brings_its_values_and_must_be_known() {
        let (_home, environment) = home(&[(
            "clouds.yml",
            "clouds:\n  a:\n    auth: {auth_url: http://a}\n    regions:\n      - one\n      - name: two\n        values: {auth: {auth_url: http://b}}\n",
        )]);
        let auth_url = |region| {
            let described = describe("a", region, &environment).unwrap();
            let auth = described.cloud.map("auth").unwrap();
            (
                auth.text("auth_url").unwrap().to_string(),
                described.region.unwrap(),
            )
        };
        assert_eq!(auth_url(None), ("http://a".into(), "one".into()));
        assert_eq!(auth_url(Some("two")), ("http://b".into(), "two".into()));
        let error = describe("a", Some("Two"), &environment).err().unwrap();
        assert!(error.hint_text().unwrap().contains("one, two"));
    }

    #[test]
    fn an_unknown_cloud_is_answered_with_those_there_are() {
        let (_home, environment) = home(&[("clouds.yaml", "clouds: {b: {}, a: {}}")]);
        let error = describe("c", None, &environment).err().unwrap();
        assert_eq!(error.message(), "Cloud c was not found.");
        let hint = error.hint_text().unwrap();
        assert!(
            hint.starts_with("Clouds in /") && hint.ends_with("clouds.yaml: a, b."),
            "{hint}"
        );
        let (_home, environment) = home(&[]);
        let error = describe("c", None, &environment).err().unwrap();
        assert!(error.hint_text().unwrap().contains("no clouds.yaml"));
        assert!(describe("envvars", None, &environment).is_ok());
    }

    #[test]
    fn the_file_that_a_variable_names_comes_first() {
        let (home, _) = home(&[("clouds.yaml", "clouds: {a: {auth: {auth_url: usual}}}")]);
        let named = home.path().join("named");
        std::fs::write(&named, "clouds: {a: {auth: {auth_url: named}}}").unwrap();
        let environment = [("HOME", home.path()), ("OS_CLIENT_CONFIG_FILE", &named)];
        let environment = environment.into_iter().collect();
        let described = describe("a", None, &environment).unwrap();
        assert_eq!(
            described.cloud.map("auth").unwrap().text("auth_url"),
            Some("named")
        );
    }

    #[test]
    fn a_file_that_is_no_yaml_is_named_with_its_line_and_no_value() {
        let (_home, environment) =
            home(&[("clouds.yaml", "clouds:\n  a:\n    password: \"sesame\n")]);
        let error = describe("a", None, &environment).err().unwrap();
        assert!(
            error.message().contains("clouds.yaml:"),
            "{}",
            error.message()
        );
        assert!(!error.message().contains("sesame"));
        let (_home, environment) = home(&[("clouds.yaml", "- a\n")]);
        let error = describe("a", None, &environment).err().unwrap();
        assert!(
            error
                .message()
                .ends_with(":1: a mapping with the key 'clouds' is expected")
        );
    }
}
