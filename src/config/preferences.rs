//! A user's preferences: the default cloud, and the appearance of results at a terminal.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use crate::config::oslo::ini::{Entry, Ini};
use crate::config::oslo::values::quoted;
use crate::{Error, Result};

/// The section of the options.
const OPTIONS: &str = "DEFAULT";

/// The section of the columns of each command.
const COLUMNS: &str = "columns";

/// The variable that names another file.
pub const VARIABLE: &str = "GLANCE_CLIENT_CONFIG";

/// The preferences of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// The cloud that commands use if nothing else selects a deployment.
    pub cloud: Option<String>,
    /// The output format at a terminal.
    pub format: Option<String>,
    /// Whether statuses have no color at a terminal.
    pub no_color: bool,
    /// Whether tables show sizes with units at a terminal.
    pub human_sizes: bool,
    /// Whether tables show times in the time zone of this host at a terminal.
    pub local_times: bool,
    /// The file that they were read from; None if there is none.
    pub file: Option<PathBuf>,
    /// The columns of commands at a terminal.
    columns: Vec<(String, Vec<String>)>,
}

impl Preferences {
    /// Reads the file of the user: `glance/client.conf` in `XDG_CONFIG_HOME` or `~/.config`, or the one that
    /// `GLANCE_CLIENT_CONFIG` names. Without a file, everything is as usual.
    ///
    /// # Errors
    /// `Io` if it cannot be read; `Failed`, `FILE:LINE: what is wrong`, if it cannot be parsed.
    pub fn read(environment: &Environment) -> Result<Self> {
        let named = environment.get(VARIABLE).map(PathBuf::from);
        let Some(path) = named.clone().or_else(|| usual_path(environment)) else {
            return Ok(Self::default());
        };
        match std::fs::read(&path) {
            Ok(bytes) => Self::of_ini(&Ini::from_bytes(&path, &bytes)?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::default())
            }
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    fn of_ini(ini: &Ini) -> Result<Self> {
        let mut preferences = Self {
            file: Some(ini.path.clone()),
            ..Self::default()
        };
        for (section, entry) in ini.all() {
            let name = entry.key.replace('-', "_");
            match (section, name.as_str()) {
                (OPTIONS, "cloud") => preferences.cloud = Some(entry.value.clone()),
                (OPTIONS, "format") => {
                    let formats = ["table", "json", "yaml", "csv", "value", "shell"];
                    preferences.format = Some(choice(ini, entry, &formats)?);
                }
                (OPTIONS, "color") => {
                    preferences.no_color = choice(ini, entry, &["auto", "never"])? == "never";
                }
                (OPTIONS, "sizes") => {
                    preferences.human_sizes = choice(ini, entry, &["bytes", "human"])? == "human";
                }
                (OPTIONS, "times") => {
                    preferences.local_times = choice(ini, entry, &["utc", "local"])? == "local";
                }
                (COLUMNS, _) => {
                    let columns = entry.value.split(',').map(str::trim);
                    let columns = columns.filter(|name| !name.is_empty()).map(str::to_string);
                    preferences
                        .columns
                        .push((entry.key.clone(), columns.collect()));
                }
                (OPTIONS, _) => {
                    let what = format!("unknown option {} in [{section}]", quoted(&entry.key));
                    return Err(refuse(ini, entry, &what)
                        .hint("The options are cloud, color, format, sizes and times; [columns] has commands."));
                }
                _ => {
                    let what = format!("unknown section [{section}]");
                    let hint = "The sections are [DEFAULT] and [columns].";
                    return Err(refuse(ini, entry, &what).hint(hint));
                }
            }
        }
        Ok(preferences)
    }

    /// Returns the commands that have columns, with the columns.
    pub fn all_columns(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.columns
            .iter()
            .map(|(name, columns)| (name.as_str(), &columns[..]))
    }

    /// Returns the columns of a command, such as `image-list`; empty for all.
    pub fn columns(&self, command: &str) -> &[String] {
        let found = self.columns.iter().rfind(|(name, _)| name == command);
        found.map_or(&[], |(_, columns)| columns)
    }
}

/// Returns the value of an entry that is one of `choices`.
fn choice(ini: &Ini, entry: &Entry, choices: &[&str]) -> Result<String> {
    if choices.contains(&entry.value.as_str()) {
        return Ok(entry.value.clone());
    }
    let (key, value) = (&entry.key, quoted(&entry.value));
    let what = format!(
        "{key} is {value}, which is not one of {}",
        choices.join(", ")
    );
    Err(refuse(ini, entry, &what))
}

fn refuse(ini: &Ini, entry: &Entry, what: &str) -> Error {
    Error::failed(format!("{}:{}: {what}", ini.path.display(), entry.line))
}

/// Returns the path of the file of a user; None without a home directory.
fn usual_path(environment: &Environment) -> Option<PathBuf> {
    let home = || {
        environment
            .get("HOME")
            .map(|home| Path::new(home).join(".config"))
    };
    let configured = environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
    Some(configured.or_else(home)?.join("glance/client.conf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Preferences> {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".config/glance");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("client.conf"), text).unwrap();
        let home = home.path().display().to_string();
        Preferences::read(&[("HOME", home.as_str())].into_iter().collect())
    }

    #[test]
    fn preferences_are_read_from_the_home_directory() {
        let preferences = read(
            "[DEFAULT]\ncloud = lab\nsizes = human\ntimes = local\ncolor = never\nformat = yaml\n\
             [columns]\nimage-list = id, name\nimage list = ID,Name,Size\n",
        )
        .unwrap();
        assert_eq!(preferences.cloud.as_deref(), Some("lab"));
        assert_eq!(preferences.format.as_deref(), Some("yaml"));
        assert!(preferences.human_sizes && preferences.local_times && preferences.no_color);
        assert_eq!(preferences.columns("image-list"), ["id", "name"]);
        assert_eq!(preferences.columns("image list"), ["ID", "Name", "Size"]);
        assert!(preferences.columns("task-list").is_empty());
    }

    #[test]
    fn without_a_file_everything_is_as_usual() {
        let nowhere = [("HOME", "/nonexistent")].into_iter().collect();
        assert_eq!(Preferences::read(&nowhere).unwrap(), Preferences::default());
        assert_eq!(
            Preferences::read(&Environment::default()).unwrap(),
            Preferences::default()
        );
        let named = [(VARIABLE, "/nonexistent/client.conf")]
            .into_iter()
            .collect();
        assert!(
            Preferences::read(&named).is_err(),
            "a file that is named must exist"
        );
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, what) in [
            (
                "[DEFAULT]\ncolour = never\n",
                "client.conf:2: unknown option",
            ),
            ("[DEFAULT]\n\nsizes = big\n", "client.conf:3: sizes is"),
            ("[other]\na = b\n", "client.conf:2: unknown section [other]"),
            ("nonsense\n", "client.conf:1: "),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message().contains(what), "{error}");
        }
    }
}
