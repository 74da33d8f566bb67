//! The database that a connection URL names.
//!
//! *Source:* SQLAlchemy's database URLs.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::mysql::MysqlServer;
use crate::config::oslo::reader::Reader;
use crate::config::oslo::values::{parse_boolean, percent_decode};
use crate::error;

/// The location of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file; absolute.
    Sqlite(PathBuf),
    /// A database on a MySQL or MariaDB server.
    Mysql(Box<MysqlServer>),
}

impl Database {
    /// Returns the name for messages; it contains no secret.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Mysql(server) => server.name(),
        }
    }

    /// Reads the options that complement the URL.
    pub(in crate::config) fn configure(self, reader: &Reader<'_>) -> error::Result<Self> {
        Ok(match self {
            Self::Sqlite(path) => Self::Sqlite(path),
            Self::Mysql(server) => Self::Mysql(Box::new(server.configure(reader)?)),
        })
    }

    /// Returns a warning for each part of the configuration that has no meaning here.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Sqlite(_) => &[],
            Self::Mysql(server) => &server.warnings,
        }
    }

    /// Parses a connection URL, and additional parameters of a server; relative paths start at `base`.
    ///
    /// # Errors
    /// The reason, without the URL, which may contain a password.
    pub(in crate::config) fn parse(
        url: &str,
        parameters: Option<&str>,
        base: &Path,
    ) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("not a database URL such as sqlite:////path/to/glance.db".to_owned());
        };
        let (dialect, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        match dialect {
            "sqlite" if matches!(driver, "" | "pysqlite") => parse_sqlite(rest, base),
            "mysql" | "mariadb" => {
                let server = MysqlServer::parse(rest, parameters, base)?;
                Ok(Self::Mysql(Box::new(server)))
            }
            // The part before '://' is quoted only if it cannot contain more than a scheme.
            _ if scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'_') =>
            {
                Err(format!(
                    "database type '{scheme}' is not supported: expected sqlite or mysql+pymysql"
                ))
            }
            _ => Err("not a database URL such as sqlite:////path/to/glance.db".to_owned()),
        }
    }
}

fn parse_sqlite(rest: &str, base: &Path) -> Result<Database, String> {
    // The parameters concern locking and sharing in Python programs. Only one of them changes the file.
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_uri = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        name == "uri" && parse_boolean(&value) != Some(false)
    };
    if url::form_urlencoded::parse(query.as_bytes()).any(is_uri) {
        return Err("an SQLite URL with uri=true is not supported".to_owned());
    }
    let Some(path) = rest.strip_prefix('/') else {
        return Err("an SQLite URL has three slashes, or four with an absolute path".to_owned());
    };
    let path = percent_decode(path)?;
    if path.is_empty() || path == ":memory:" {
        return Err("a database in memory does not outlive the command".to_owned());
    }
    if path.contains('\0') {
        return Err("a path cannot hold a NUL character".to_owned());
    }
    Ok(Database::Sqlite(base.join(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_urls_are_relative_or_absolute() {
        for (url, path) in [
            ("sqlite:///a.db", "/base/a.db"),
            ("sqlite:////a/b.db", "/a/b.db"),
            ("sqlite+pysqlite:////a%20b%zz.db", "/a b%zz.db"),
            ("sqlite:////a b/ü.db", "/a b/ü.db"),
            (
                "sqlite:////a.db?timeout=30&check_same_thread=false",
                "/a.db",
            ),
        ] {
            let database = Database::parse(url, None, Path::new("/base")).unwrap();
            assert_eq!(database, Database::Sqlite(PathBuf::from(path)), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_a_catalogue_is_refused() {
        for url in [
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite://host/a",
            "sqlite:///file:a?mode=ro&uri=true",
            "sqlite+aiosqlite:////a",
            "sqlite:////a%00",
            "/a/b.db",
            "postgresql://u:hunter2@h/db",
            "u:hunter2@h://db",
            "",
        ] {
            let why = Database::parse(url, None, Path::new("/base")).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn every_spelling_of_mysql_is_a_server() {
        for scheme in ["mysql", "mysql+pymysql", "mariadb", "mariadb+mysqldb"] {
            let url = format!("{scheme}://glance:hunter2@host/glance?charset=utf8");
            let database = Database::parse(&url, None, Path::new("/base")).unwrap();
            assert_eq!(database.name(), "glance on host");
            assert!(!format!("{database:?}").contains("hunter2"));
        }
    }
}
