//! The option files of MySQL and MariaDB: `/etc/my.cnf`.
//!
//! *Source:* MariaDB's manual, "Configuring MariaDB with Option Files"; `pymysql/optionfile.py`.

use std::path::Path;

use crate::error::{Error, Result};

/// The default file if only a group is named.
pub(in crate::config) const DEFAULT_PATH: &str = "/etc/my.cnf";

/// The maximum depth of includes.
const MAX_DEPTH: usize = 8;

/// The options of one group.
pub(in crate::config) struct OptionFile {
    /// Names in lower case with hyphens, and values; the last one counts.
    options: Vec<(String, String)>,
}

impl OptionFile {
    /// Reads a group of the file at `path` and of the files that it includes. A `~/` is the user's home
    /// directory.
    ///
    /// # Errors
    /// `Io`.
    pub(in crate::config) fn read(path: &Path, group: &str) -> Result<Self> {
        let home = std::env::home_dir().unwrap_or_default();
        let path = path
            .strip_prefix("~")
            .map_or(path.to_path_buf(), |rest| home.join(rest));
        let mut file = Self {
            options: Vec::new(),
        };
        file.include(&path, group, 0)?;
        Ok(file)
    }

    /// Returns the last value of an option.
    pub(in crate::config) fn get(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn include(&mut self, path: &Path, group: &str, depth: usize) -> Result<()> {
        let text = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let base = path.parent().unwrap_or(Path::new("/"));
        let mut is_ours = false;
        for line in String::from_utf8_lossy(&text).lines().map(str::trim) {
            if let Some(file) = line.strip_prefix("!include ").filter(|_| depth < MAX_DEPTH) {
                self.include(&base.join(file.trim()), group, depth + 1)?;
            } else if let Some(directory) = line
                .strip_prefix("!includedir ")
                .filter(|_| depth < MAX_DEPTH)
            {
                self.include_directory(&base.join(directory.trim()), group, depth + 1)?;
            } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                is_ours = name.trim() == group;
            } else if is_ours && !line.starts_with(['#', ';', '!']) && !line.is_empty() {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                let name = name.trim().to_ascii_lowercase().replace('_', "-");
                self.options.push((name, unquote(value.trim()).to_owned()));
            }
        }
        Ok(())
    }

    /// Reads the `*.cnf` files of a directory, sorted by name.
    fn include_directory(&mut self, path: &Path, group: &str, depth: usize) -> Result<()> {
        let entries = std::fs::read_dir(path).map_err(|e| Error::io("read", path, e))?;
        let mut files: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "cnf"));
        files.sort();
        files
            .iter()
            .try_for_each(|file| self.include(file, group, depth))
    }
}

fn unquote(value: &str) -> &str {
    let inner = ['\'', '"'].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?;
        inner.strip_suffix(quote)
    });
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_comments_quotes_and_includes_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("conf.d")).unwrap();
        std::fs::write(at("conf.d/b.cnf"), "[client]\nport=2\n").unwrap();
        std::fs::write(at("conf.d/a.cnf"), "[client]\nport=1\n[other]\nhost=x\n").unwrap();
        std::fs::write(at("conf.d/c.txt"), "[client]\nport=3\n").unwrap();
        let text = "!includedir conf.d\n# [client]\n[client]\n; user=no\nUser = \"a b\"\n\
                    skip-ssl\ndefault_character_set=utf8\n!include my.cnf\n[mysqld]\nuser=mysql\n";
        std::fs::write(at("my.cnf"), text).unwrap();
        let file = OptionFile::read(&at("my.cnf"), "client").unwrap();
        for (name, value) in [
            ("user", Some("a b")),
            ("port", Some("2")),
            ("skip-ssl", Some("")),
            ("default-character-set", Some("utf8")),
            ("host", None),
        ] {
            assert_eq!(file.get(name), value, "{name}");
        }
        assert!(OptionFile::read(&at("none.cnf"), "client").is_err());
    }
}
