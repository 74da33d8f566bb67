//! The configuration files to read if none, or only some, are named.
//!
//! *Source:* `oslo_config/cfg.py` (`find_config_files`, `find_config_dirs`, `_parse_config_files`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ini::Ini;
use crate::config::environment::Environment;
use crate::error::{Error, Result};

/// The project whose directories and files are searched for.
const PROJECT: &str = "glance";

/// A file or a directory of files; later ones take precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// `--config-file`
    File(PathBuf),
    /// `--config-dir`: its `*.conf`, sorted by name.
    Directory(PathBuf),
}

/// Returns the sources that a program reads, given the ones of its command line: the default files unless
/// it names a file, then the default directories unless it names a directory, then the named ones.
///
/// `programs` are the upstream program names whose files count, such as `glance-api` and `glance-manage`.
/// Checks which of the default files exist, and reads none.
pub fn complete_sources(
    given: &[ConfigSource],
    programs: &[&str],
    environment: &Environment,
) -> Vec<ConfigSource> {
    let directories = search_path(environment);
    let mut sources = Vec::new();
    if !given
        .iter()
        .any(|source| matches!(source, ConfigSource::File(_)))
    {
        let found = find_all(&directories, programs, ".conf");
        sources.extend(found.into_iter().map(ConfigSource::File));
    }
    if !given
        .iter()
        .any(|source| matches!(source, ConfigSource::Directory(_)))
    {
        let found = find_all(&directories, programs, ".conf.d");
        sources.extend(found.into_iter().map(ConfigSource::Directory));
    }
    sources.extend(given.iter().cloned());
    sources
}

/// Returns `~/.glance`, `~`, `/etc/glance`, `/etc`, and the directories of a snap.
fn search_path(environment: &Environment) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    if let Some(home) = environment.get("HOME").map(Path::new) {
        directories.push(home.join(format!(".{PROJECT}")));
        directories.push(home.to_path_buf());
    }
    directories.push(Path::new("/etc").join(PROJECT));
    directories.push(PathBuf::from("/etc"));
    for variable in ["SNAP_COMMON", "SNAP"] {
        if let Some(snap) = environment.get(variable) {
            directories.push(Path::new(snap).join("etc").join(PROJECT));
        }
    }
    directories
}

/// Returns the directories in which files that the configuration names are searched: those of `sources`, the last one
/// first, and the default ones. Relative ones start at `base`.
///
/// *Source:* `ConfigOpts.find_file` in `oslo_config/cfg.py`.
pub(in crate::config) fn directories_of(
    sources: &[ConfigSource],
    base: &Path,
    environment: &Environment,
) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for source in sources {
        if let ConfigSource::Directory(path) = source {
            found.push(base.join(expand_home(path, environment)));
        }
    }
    for source in sources.iter().rev() {
        if let ConfigSource::File(path) = source {
            let path = base.join(expand_home(path, environment));
            found.extend(path.parent().map(Path::to_path_buf));
        }
    }
    found.extend(search_path(environment));
    found
}

/// Finds the project's file and each program's file, each in the first directory that has it.
fn find_all(directories: &[PathBuf], programs: &[&str], extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let names = std::iter::once(&PROJECT).chain(programs);
    for name in names {
        let name = format!("{name}{extension}");
        found.extend(
            directories
                .iter()
                .map(|d| d.join(&name))
                .find(|path| path.exists()),
        );
    }
    found
}

/// Reads all of `sources` in order; a leading `~` is the home directory.
///
/// # Errors
/// `Io` if a source is missing or cannot be read, `Failed` if a file cannot be parsed.
pub(in crate::config) fn read_sources(
    sources: &[ConfigSource],
    environment: &Environment,
) -> Result<Vec<Ini>> {
    let mut files = Vec::with_capacity(sources.len());
    for source in sources {
        match source {
            ConfigSource::File(path) => files.push(Ini::read(&expand_home(path, environment))?),
            ConfigSource::Directory(path) => {
                for path in list_directory(&expand_home(path, environment))? {
                    files.push(Ini::read(&path)?);
                }
            }
        }
    }
    Ok(files)
}

/// Returns the `*.conf` of a directory, sorted by name, without hidden ones.
fn list_directory(directory: &Path) -> Result<Vec<PathBuf>> {
    let fault = |e| Error::io("read", directory, e);
    let mut names: Vec<OsString> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".conf") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

fn expand_home(path: &Path, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), environment.get("HOME")) {
        (Ok(rest), Some(home)) => Path::new(home).join(rest),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(directory: &Path) -> Environment {
        [("HOME", directory)].into_iter().collect()
    }

    fn write(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "[DEFAULT]\n").unwrap();
    }

    #[test]
    fn default_files_stand_in_only_for_the_kind_that_is_not_named() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        write(&at(".glance/glance-test.conf"));
        write(&at("glance-test.conf"));
        write(&at("glance-test.conf.d/a.conf"));
        let environment = home(directory.path());
        let default_file = ConfigSource::File(at(".glance/glance-test.conf"));
        let default_directory = ConfigSource::Directory(at("glance-test.conf.d"));
        let named = ConfigSource::File(at("x"));
        let programs = ["glance-test"];
        assert_eq!(
            complete_sources(&[], &programs, &environment),
            [default_file, default_directory.clone()]
        );
        assert_eq!(
            complete_sources(std::slice::from_ref(&named), &programs, &environment),
            [default_directory, named]
        );
    }

    #[test]
    fn a_directory_is_read_in_the_order_of_names_and_only_conf() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".c.conf", "d.conf.bak", "B.conf"] {
            write(&directory.path().join("etc").join(name));
        }
        let source = ConfigSource::Directory(PathBuf::from("~/etc"));
        let files = read_sources(&[source], &home(directory.path())).unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|f| f.path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["B.conf", "a.conf", "b.conf"]);
    }

    #[test]
    fn a_missing_source_is_refused() {
        let none = Environment::default();
        for source in [
            ConfigSource::File(PathBuf::from("/nonexistent/a.conf")),
            ConfigSource::Directory(PathBuf::from("/nonexistent")),
        ] {
            let error = read_sources(&[source], &none).unwrap_err();
            assert!(
                error.message().starts_with("cannot read /nonexistent"),
                "{error}"
            );
        }
    }
}
