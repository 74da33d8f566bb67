//! A cloud as `clouds.yaml`, `secure.yaml` and `clouds-public.yaml` describe it.
//!
//! *Source:* openstacksdk, `openstack/config/loader.py` (`OpenStackConfig`).

use std::path::{Path, PathBuf};

use url::Url;

use super::super::environment::Environment;
use super::vendors::{self, Vendor};
use crate::config::oslo::values::{parse_boolean, quoted};
use crate::config::yaml::{self, Map, Node, Value};
use crate::{Error, Parameter, Result};

/// The number of names that an error lists before it counts the rest.
const MAX_NAMES: usize = 20;

/// The description of one cloud: secure.yaml over clouds.yaml, a region over both, a profile below.
#[derive(Default)]
pub struct Described {
    /// The keys of the cloud, with underscores for dashes.
    pub cloud: Map,
    /// The files it was read from, in order of precedence.
    pub files: Vec<PathBuf>,
    /// The selected region, if the files name regions.
    pub region: Option<String>,
    /// The value of `cache: auth:`, which allows tokens to be cached, if it is set.
    pub cache: Option<bool>,
    /// Warnings about the description.
    pub warnings: Vec<String>,
    /// The profile to fetch first, if it has not been fetched.
    pub published: Option<Published>,
}

/// A profile that a server publishes.
#[derive(Clone, Debug)]
pub struct Published {
    /// The name or address of the profile in clouds.yaml.
    pub name: String,
    /// The address of the document.
    pub url: Url,
}

/// The clouds of clouds.yaml and secure.yaml.
pub struct Clouds {
    all: Map,
    /// The files they were read from, in order of precedence.
    files: Vec<PathBuf>,
    search: Vec<PathBuf>,
}

impl Clouds {
    /// Reads the files.
    ///
    /// # Errors
    /// `Failed` for a file that cannot be parsed.
    pub fn read(environment: &Environment) -> Result<Self> {
        let search = search_path(environment);
        let clouds = first(environment.get("OS_CLIENT_CONFIG_FILE"), &search, "clouds")?;
        let secure = first(environment.get("OS_CLIENT_SECURE_FILE"), &search, "secure")?;
        let (mut all, mut files) = (Map::default(), Vec::new());
        for (path, map) in [clouds, secure].into_iter().flatten() {
            if files.is_empty() {
                all = map;
            } else {
                all.merge(&map);
            }
            files.insert(0, path);
        }
        Ok(Self { all, files, search })
    }

    /// Returns the only cloud, or None if there is none.
    ///
    /// # Errors
    /// `Failed` if there are several.
    pub fn only(&self) -> Result<Option<String>> {
        let Some(clouds) = self.all.map("clouds") else {
            return Ok(None);
        };
        if clouds.len() < 2 {
            return Ok(clouds.keys().next().map(str::to_string));
        }
        let message = format!(
            "no cloud of {} was selected: choose from {}",
            self.files(),
            list_names(clouds)
        );
        Err(Error::failed(message)
            .hint(Parameter::Cloud)
            .hint(Parameter::LocalDeployment))
    }

    /// Returns the names of the clouds.
    pub fn names(&self) -> Vec<String> {
        let clouds = self.all.map("clouds").into_iter();
        clouds.flat_map(Map::keys).map(str::to_string).collect()
    }

    /// Returns the names of the files, for messages.
    pub fn files(&self) -> String {
        let files: Vec<String> = self
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        files.join(" and ")
    }

    /// Returns the description of the cloud `name`.
    ///
    /// `fetched` is the document that [`Described::published`] requested. `has_address` is whether the
    /// address of Keystone is known without the profile.
    ///
    /// # Errors
    /// `Failed` for a cloud, region or profile that does not exist.
    pub fn describe(
        mut self,
        name: &str,
        region: Option<&str>,
        environment: &Environment,
        profile: &ProfileInput<'_>,
    ) -> Result<Described> {
        let own = self.all.map("clouds").and_then(|clouds| clouds.map(name));
        let Some(own) = own else {
            // openstacksdk's name for a cloud that only variables describe.
            let of_variables = environment.get("OS_CLOUD_NAME");
            if of_variables.map_or(name == "envvars", |variables| variables == name) {
                return Ok(Described::default());
            }
            let no_clouds = Map::default();
            let clouds = self.all.map("clouds").unwrap_or(&no_clouds);
            if clouds.get(name).is_some() {
                let message = format!("cloud {name} in {} is not a mapping", self.files());
                return Err(Error::failed(message)
                    .hint("Indent its keys, such as auth and region_name, below its name."));
            }
            return Err(no_such_cloud(name, clouds, &self.files(), environment));
        };
        let own = own.normalised();
        let mut described = Described {
            cache: self
                .all
                .map("cache")
                .and_then(|cache| parse_boolean(cache.text("auth")?)),
            ..Described::default()
        };
        if let Some(profile_name) = own.text("profile").or(own.text("cloud")) {
            let known = |key: &str| own.map("auth").and_then(|auth| auth.get(key)).is_some();
            let has_address = profile.has_address || known("auth_url");
            match find_profile(profile_name, &self.search, profile.fetched)? {
                Found::File(path, map) => {
                    described.cloud = map;
                    self.files.push(path);
                }
                Found::Profile(map) => described.cloud = map,
                Found::Published(published) => {
                    described.cloud = own;
                    described.files = self.files;
                    described.published = Some(published);
                    return Ok(described);
                }
                Found::Nothing if has_address => described.warnings.push(format!(
                    "profile {} of cloud {} is not in any clouds-public.yaml",
                    quoted(profile_name),
                    quoted(name)
                )),
                Found::Nothing => {
                    let message = format!(
                        "profile {} of cloud {} is unknown",
                        quoted(profile_name),
                        quoted(name)
                    );
                    return Err(Error::failed(message).hint(format!(
                        "Describe it in clouds-public.yaml, or give the cloud an auth_url; known profiles: {}.",
                        vendors::names().join(", ")
                    )));
                }
            }
        }
        let profile = std::mem::take(&mut described.cloud);
        let known = match known_regions(&own, self.files.first(), name)? {
            // A cloud's own regions replace those of its profile.
            regions if regions.is_empty() => {
                known_regions(&profile, described.files.first(), name)?
            }
            regions => regions,
        };
        described.cloud = profile;
        described.cloud.merge(&own);
        described.files = self.files;
        choose_region(&mut described, &known, name, region)?;
        Ok(described)
    }
}

/// The sources of a cloud's profile apart from the files.
#[derive(Default)]
pub struct ProfileInput<'a> {
    /// The document that was fetched for the profile.
    pub fetched: Option<&'a str>,
    /// Whether the address of Keystone is known without the profile.
    pub has_address: bool,
}

/// Returns the directories that the files may be in, in order of precedence.
fn search_path(environment: &Environment) -> Vec<PathBuf> {
    let home = environment
        .get("SNAP_REAL_HOME")
        .or(environment.get("HOME"));
    let of_home = home.map(|home| Path::new(home).join(".config"));
    // The working directory, as a path to join to.
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

/// Finds the first existing file with the stem `stem` and parses it.
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

/// Parses a file; None if it does not exist or is not readable.
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
            "{}:{}: expected a mapping with the key 'clouds'",
            path.display(),
            node.line
        ))),
    }
}

/// A profile or its location.
enum Found {
    /// A profile in a file.
    File(PathBuf, Map),
    /// A profile of the table of vendors, or a fetched one.
    Profile(Map),
    /// A profile on a server.
    Published(Published),
    /// An unknown profile.
    Nothing,
}

/// Finds the profile `name`: in clouds-public.yaml, in the table of vendors, or at its own address.
fn find_profile(name: &str, search: &[PathBuf], fetched: Option<&str>) -> Result<Found> {
    if let Some((path, map)) = first(None, search, "clouds-public")? {
        let profile = map.map("public-clouds").and_then(|all| all.map(name));
        if let Some(profile) = profile {
            let profile = profile.normalised();
            return Ok(Found::File(path, profile));
        }
    }
    let address = match vendors::find(name) {
        Some(Vendor::Known(profile)) => return Ok(Found::Profile(profile)),
        Some(Vendor::Gone(reason)) => {
            let message = format!(
                "profile {} belongs to a cloud that no longer exists: {reason}",
                quoted(name)
            );
            return Err(Error::failed(message));
        }
        Some(Vendor::Published(address)) => address,
        None => name,
    };
    let url = Url::parse(address).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(mut url) = url else {
        return Ok(Found::Nothing);
    };
    url.set_path("/.well-known/openstack/api");
    url.set_query(None);
    url.set_fragment(None);
    match fetched {
        None => Ok(Found::Published(Published {
            name: name.to_string(),
            url,
        })),
        Some(text) => Ok(Found::Profile(parse_published(name, text)?)),
    }
}

/// Parses the document of a fetched profile.
fn parse_published(name: &str, text: &str) -> Result<Map> {
    let node = yaml::parse(text).ok();
    let map = node.as_ref().and_then(Node::as_map);
    let profile = map.and_then(|map| map.map("profile"));
    let mut profile = profile.map(Map::normalised).ok_or_else(|| {
        let message = format!(
            "the document published as profile {} is not a profile",
            quoted(name)
        );
        Error::failed(message).hint("Give the cloud an auth_url of its own in clouds.yaml.")
    })?;
    profile.remove("profile");
    Ok(profile)
}

/// Lists names, sorted; of many, only the first ones and the number of the rest.
fn list_names(names: &Map) -> String {
    let mut names: Vec<&str> = names.keys().collect();
    names.sort_unstable();
    if names.is_empty() {
        return "none".to_string();
    }
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let shown = names.join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

fn no_such_cloud(name: &str, clouds: &Map, files: &str, environment: &Environment) -> Error {
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
        format!("Clouds in {files}: {}.", list_names(clouds))
    };
    Error::failed(format!("Cloud {name} was not found.")).hint(hint)
}

/// Selects the region and merges its values into the cloud.
fn choose_region(
    described: &mut Described,
    known: &[(String, Map)],
    name: &str,
    asked: Option<&str>,
) -> Result<()> {
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

/// Returns the regions of a cloud with the values that differ in each.
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
            "{path}:{line}: a region of cloud {name} must be a name or a mapping with name and values"
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

    /// Returns a home directory whose `.config/openstack` contains these files.
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

    fn describe(name: &str, region: Option<&str>, environment: &Environment) -> Result<Described> {
        let profile = ProfileInput::default();
        Clouds::read(environment)?.describe(name, region, environment, &profile)
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
        assert!(format!("{:?}", error.hints()).contains("one, two"));
    }

    #[test]
    fn an_unknown_cloud_is_answered_with_those_there_are() {
        let (_home, environment) = home(&[("clouds.yaml", "clouds: {b: {}, a: {}}")]);
        let error = describe("c", None, &environment).err().unwrap();
        assert_eq!(error.message(), "Cloud c was not found.");
        let crate::Hint::Text(hint) = &error.hints()[0] else {
            panic!("{:?}", error.hints());
        };
        assert!(
            hint.starts_with("Clouds in /") && hint.ends_with("clouds.yaml: a, b."),
            "{hint}"
        );
        let (_home, environment) = home(&[]);
        let error = describe("c", None, &environment).err().unwrap();
        assert!(format!("{:?}", error.hints()).contains("no clouds.yaml"));
        assert!(describe("envvars", None, &environment).is_ok());
    }

    #[test]
    fn the_only_cloud_is_found_and_several_are_named() {
        let only = |text: &str| {
            let (_home, environment) = home(&[("clouds.yaml", text)]);
            Clouds::read(&environment)?.only()
        };
        assert_eq!(only("clouds: {a: {}}").unwrap().as_deref(), Some("a"));
        assert_eq!(only("clouds: {}").unwrap(), None);
        assert_eq!(only("client: {}").unwrap(), None);
        let error = only("clouds: {b: {}, a: {}}").unwrap_err();
        assert!(
            error.message().ends_with("was selected: choose from a, b"),
            "{error}"
        );
        assert_eq!(
            error.hints(),
            [Parameter::Cloud.into(), Parameter::LocalDeployment.into()]
        );
        let many: Vec<String> = (0..500).map(|n| format!("  c{n}: {{}}")).collect();
        let error = only(&format!("clouds:\n{}\n", many.join("\n"))).unwrap_err();
        assert!(error.message().len() < 1000, "{error}");
        assert!(error.message().ends_with(" and 480 more"), "{error}");
    }

    #[test]
    fn a_large_file_is_read_in_time_that_grows_with_its_size() {
        let clouds: Vec<String> = (0..60_000)
            .map(|n| format!("  c{n}: {{auth: {{auth_url: http://k}}}}"))
            .collect();
        let text = format!("clouds:\n{}\n", clouds.join("\n"));
        let (_home, environment) = home(&[("clouds.yaml", &text)]);
        let began = std::time::Instant::now();
        describe("c7", None, &environment).unwrap();
        // A search through all keys for each key takes minutes.
        let elapsed = began.elapsed();
        assert!(elapsed.as_secs() < 20, "{elapsed:?}");
    }

    #[test]
    fn vendors_are_known_by_name_and_unknown_ones_are_named() {
        let described = |profile: &str, more: &str, region| {
            let cloud = format!("clouds: {{a: {{profile: {profile}{more}}}}}");
            let (_home, environment) = home(&[("clouds.yaml", &cloud)]);
            describe("a", region, &environment)
        };
        let auth_url = |described: &Described| {
            let auth = described.cloud.map("auth").unwrap();
            auth.text("auth_url").map(str::to_string)
        };
        let binero = described("binero", "", None).unwrap();
        assert_eq!(
            auth_url(&binero).as_deref(),
            Some("https://auth.binero.cloud:5000/v3")
        );
        assert_eq!(binero.region.as_deref(), Some("europe-se-1"));
        let otc = described("otc", "", Some("eu-nl")).unwrap();
        assert_eq!(otc.region.as_deref(), Some("eu-nl"));
        assert!(described("otc", "", Some("eu")).is_err());
        // A cloud's own region replaces those of its profile.
        let own = described("otc", ", region_name: eu-x", None).unwrap();
        assert_eq!(own.region.as_deref(), Some("eu-x"));
        let gone = described("ibmcloud", "", None).err().unwrap();
        assert!(gone.message().contains("'ibmcloud'"), "{gone}");
        let unknown = described("nosuch", "", None).err().unwrap();
        assert!(unknown.message().contains("profile 'nosuch'"), "{unknown}");
        assert!(format!("{:?}", unknown.hints()).contains("binero"));
        let own_address = ", auth: {auth_url: http://k}";
        let warned = described("nosuch", own_address, None).unwrap();
        assert!(warned.warnings[0].contains("'nosuch'"));
    }

    #[test]
    fn a_published_profile_is_asked_for_and_lies_below_the_cloud() {
        let cloud =
            "clouds: {a: {profile: 'https://cloud.example/some/path', auth: {username: u}}}";
        let (_home, environment) = home(&[("clouds.yaml", cloud)]);
        let asked = describe("a", None, &environment).unwrap();
        let published = asked.published.unwrap();
        assert_eq!(
            published.url.as_str(),
            "https://cloud.example/.well-known/openstack/api"
        );
        let with = |document| {
            let profile = ProfileInput {
                fetched: Some(document),
                has_address: false,
            };
            let clouds = Clouds::read(&environment).unwrap();
            clouds.describe("a", None, &environment, &profile)
        };
        let document = r#"{"name": "x", "profile": {"auth": {"auth_url": "https:\/\/k", "username": "no"},
            "regions": ["one", "two"], "profile": "again"}}"#;
        let described = with(document).unwrap();
        let auth = described.cloud.map("auth").unwrap();
        assert_eq!(auth.text("auth_url"), Some("https://k"));
        assert_eq!(auth.text("username"), Some("u"));
        assert_eq!(described.region.as_deref(), Some("one"));
        for document in ["<html>", "[]", "{}", "{\"profile\": 1}"] {
            let error = with(document).err().unwrap();
            assert!(error.message().contains("cloud.example"), "{error}");
        }
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
                .ends_with(":1: expected a mapping with the key 'clouds'")
        );
    }
}
