//! The database that a connection URL names.
//!
//! *Source:* SQLAlchemy's database URLs.

use std::path::{Path, PathBuf};

use super::secret::Secret;

/// Where the catalogue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file; absolute.
    Sqlite(PathBuf),
    /// A MySQL or MariaDB server: the whole URL as it was written, password and parameters in it.
    Mysql(Secret),
}

impl Database {
    /// Reads a connection URL; a relative SQLite path starts at `base`.
    ///
    /// # Errors
    /// The reason, without the URL: it may hold a password.
    pub(super) fn parse(url: &str, base: &Path) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("not a database URL such as sqlite:////path/to/glance.db".to_owned());
        };
        let (dialect, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        match dialect {
            "sqlite" if matches!(driver, "" | "pysqlite") => parse_sqlite(rest, base),
            "mysql" | "mariadb" => Ok(Self::Mysql(Secret::new(url))),
            // What stands before '://' is quoted only where it cannot hold more than a scheme.
            _ if scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'_') =>
            {
                Err(format!(
                    "a database of type '{scheme}' is not supported: sqlite or mysql+pymysql"
                ))
            }
            _ => Err("not a database URL such as sqlite:////path/to/glance.db".to_owned()),
        }
    }
}

fn parse_sqlite(rest: &str, base: &Path) -> Result<Database, String> {
    if rest.contains('?') {
        return Err("an SQLite URL with parameters is not supported".to_owned());
    }
    let Some(path) = rest.strip_prefix('/') else {
        return Err("an SQLite URL has three slashes, four with an absolute path".to_owned());
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

/// `%XX` decoded; a `%` before anything else is itself.
fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| {
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        });
        if let (b'%', Some(code)) = (byte, code) {
            bytes.push(code);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| "the path is not UTF-8".to_owned())
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
        ] {
            let database = Database::parse(url, Path::new("/base")).unwrap();
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
            "sqlite:////a?timeout=3",
            "sqlite+aiosqlite:////a",
            "sqlite:////a%00",
            "/a/b.db",
            "postgresql://u:hunter2@h/db",
            "u:hunter2@h://db",
            "",
        ] {
            let why = Database::parse(url, Path::new("/base")).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn a_mysql_url_is_kept_and_never_shown() {
        let url = "mysql+pymysql://glance:hunter2@host/glance?charset=utf8";
        let database = Database::parse(url, Path::new("/base")).unwrap();
        assert_eq!(database, Database::Mysql(Secret::new(url)));
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
