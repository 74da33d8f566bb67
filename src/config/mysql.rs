//! A MySQL or MariaDB server as a connection URL and the section `[database]` describe it.
//!
//! *Source:* SQLAlchemy's database URLs (`_parse_url` in `sqlalchemy/engine/url.py`), the parameters that
//! PyMySQL takes (`pymysql/connections.py`), and `oslo_db/options.py`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::options::{
    CONNECTION_PARAMETERS, CONNECTION_RECYCLE_TIME, MAX_OVERFLOW, MAX_POOL_SIZE, MAX_RETRIES,
    MYSQL_SQL_MODE, MYSQL_WSREP_SYNC_WAIT, POOL_TIMEOUT, RETRY_INTERVAL,
};
use super::reader::Reader;
use super::secret::Secret;
use super::values::{parse_boolean, percent_decode, quoted};
use crate::error::Result;

/// Where a server listens when nothing says so.
const HOST: &str = "localhost";
const PORT: u16 = 3306;

/// How a server is reached, who asks, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MysqlServer {
    /// Name or address of its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its socket on this host, which is used instead.
    pub socket: Option<PathBuf>,
    /// Who asks.
    pub user: String,
    /// Proof of it.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
    /// The character set of the connection: `utf8`, `utf8mb3` or `utf8mb4`.
    pub charset: String,
    /// Whether what is said is encrypted, and to whom.
    pub tls: MysqlTls,
    /// How connections are kept.
    pub pool: MysqlPool,
    /// How long a server is waited for that cannot be reached; None for a few seconds, `Duration::MAX` for
    /// ever.
    pub patience: Option<Duration>,
    /// The `sql_mode` of a connection; None leaves the server's.
    pub sql_mode: Option<String>,
    /// The `wsrep_sync_wait` of a connection; None leaves the server's.
    pub wsrep_sync_wait: Option<i64>,
}

/// Whether a connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlTls {
    /// What is wanted.
    pub mode: MysqlTlsMode,
    /// A file of certificates of authorities.
    pub authorities: Option<PathBuf>,
    /// Files of our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How much is wanted of encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MysqlTlsMode {
    /// None.
    Disabled,
    /// Where the server can, whoever it is.
    #[default]
    Preferred,
    /// Always, whoever the server is.
    Required,
    /// With a server whose certificate an authority has signed.
    VerifyAuthority,
    /// With a server whose certificate is its host's as well.
    VerifyHost,
}

/// How connections are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MysqlPool {
    /// Connections at most; None is no limit.
    pub size: Option<u32>,
    /// How long one is waited for.
    pub timeout: Duration,
    /// The age at which one is replaced; None for never.
    pub recycle: Option<Duration>,
}

impl MysqlServer {
    /// What messages call the database: no secret is in it.
    pub fn name(&self) -> String {
        match &self.socket {
            Some(socket) => format!("{} at {}", self.database, socket.display()),
            None if self.port == PORT => format!("{} on {}", self.database, self.host),
            None => format!("{} on {}:{}", self.database, self.host, self.port),
        }
    }

    /// Reads what stands behind `://`; relative paths start at `base`.
    ///
    /// # Errors
    /// The reason, without the URL.
    pub(super) fn parse(rest: &str, base: &Path) -> Result<Self, String> {
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (address, query, user) = match rest.split_once('@') {
            // An unencoded password may hold anything but an at sign, but what begins with a slash is none.
            Some((who, behind)) if !before_colon(who).contains('/') => {
                let (address, query) = behind.split_once('?').unwrap_or((behind, ""));
                (address, query, Some(who))
            }
            _ => (address, query, None),
        };
        let (user, password) = match user.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            Some((user, password)) if !user.is_empty() => (percent_decode(user)?, password),
            _ => return Err("the URL names no user".to_owned()),
        };
        let (host, database) = address.split_once('/').unwrap_or((address, ""));
        if database.is_empty() {
            return Err("the URL names no database".to_owned());
        }
        if host.contains('@') {
            // What stands before it is the end of a password.
            return Err("an '@' in the password is to be written as %40".to_owned());
        }
        let (host, port) = split_port(host)?;
        let mut server = Self {
            host: if host.is_empty() { HOST } else { host }.to_owned(),
            port,
            socket: None,
            user,
            password: Some(percent_decode(password)?)
                .filter(|password| !password.is_empty())
                .map(Secret::new),
            database: percent_decode(database)?,
            charset: "utf8mb4".to_owned(),
            tls: MysqlTls::default(),
            pool: MysqlPool {
                size: None,
                timeout: Duration::from_secs(30),
                recycle: None,
            },
            patience: None,
            sql_mode: None,
            wsrep_sync_wait: None,
        };
        server.take_parameters(query, base)?;
        Ok(server)
    }

    /// Reads the options beside the URL.
    pub(super) fn configure(mut self, reader: &Reader<'_>, base: &Path) -> Result<Self> {
        if let Some(parameters) = reader.text_if_any(&CONNECTION_PARAMETERS)? {
            self.take_parameters(&parameters.value, base)
                .map_err(|why| parameters.refuse(why))?;
        }
        let size = reader.integer(&MAX_POOL_SIZE)?.value;
        let overflow = reader.integer(&MAX_OVERFLOW)?.value;
        let seconds =
            |value: i128| Duration::from_secs(u64::try_from(value.max(0)).unwrap_or(u64::MAX));
        self.pool = MysqlPool {
            size: (size > 0 && overflow >= 0)
                .then(|| u32::try_from(size + overflow).unwrap_or(u32::MAX)),
            timeout: seconds(reader.integer(&POOL_TIMEOUT)?.value),
            recycle: Some(reader.integer(&CONNECTION_RECYCLE_TIME)?.value)
                .filter(|value| *value >= 0)
                .map(seconds),
        };
        let interval = reader.integer(&RETRY_INTERVAL)?.value;
        if reader.text_if_any(&MAX_RETRIES)?.is_some() {
            self.patience = Some(match reader.integer(&MAX_RETRIES)?.value {
                forever if forever < 0 => Duration::MAX,
                times => seconds(times.saturating_mul(interval)),
            });
        }
        self.sql_mode = reader.text_if_any(&MYSQL_SQL_MODE)?.map(|mode| mode.value);
        self.wsrep_sync_wait = match reader.text_if_any(&MYSQL_WSREP_SYNC_WAIT)? {
            None => None,
            Some(_) => i64::try_from(reader.integer(&MYSQL_WSREP_SYNC_WAIT)?.value).ok(),
        };
        Ok(self)
    }

    /// Reads parameters: `charset=utf8&ssl_ca=/etc/ssl/ca.pem`.
    fn take_parameters(&mut self, query: &str, base: &Path) -> Result<(), String> {
        let (mut certificate, mut key) = (None, None);
        let (mut encrypted, mut verify, mut host) = (false, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let path = || base.join(&*value);
            match &*name {
                "unix_socket" => self.socket = Some(path()),
                "charset" => {
                    // Texts come and go as UTF-8: no other character set would do.
                    if !matches!(&*value, "utf8" | "utf8mb3" | "utf8mb4") {
                        return Err(format!(
                            "charset {} is none of utf8, utf8mb3, utf8mb4",
                            quoted(&value)
                        ));
                    }
                    self.charset = value.into_owned();
                }
                "ssl_ca" => self.tls.authorities = Some(path()),
                "ssl_cert" => certificate = Some(path()),
                "ssl_key" => key = Some(path()),
                "ssl_verify_cert" => verify = Some(truth(&name, &value)?),
                "ssl_verify_identity" | "ssl_check_hostname" => host = Some(truth(&name, &value)?),
                "ssl_disabled" => {
                    if truth(&name, &value)? {
                        self.tls.mode = MysqlTlsMode::Disabled;
                    }
                }
                "connect_timeout" => {
                    let seconds = value
                        .parse()
                        .map_err(|_| format!("connect_timeout {} is no number", quoted(&value)))?;
                    self.patience = Some(Duration::from_secs(seconds));
                }
                // What belongs to the way in which Python's programs ask, and changes no answer.
                "autocommit" | "binary_prefix" | "local_infile" | "program_name"
                | "read_timeout" | "use_unicode" | "write_timeout" => {}
                _ => {
                    return Err(format!(
                        "the parameter {} of the URL is not supported",
                        quoted(&name)
                    ));
                }
            }
            encrypted |= name.starts_with("ssl_") && name != "ssl_disabled";
        }
        self.tls.identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            // A file may hold both.
            (Some(both), None) => Some((both.clone(), both)),
            (None, Some(_)) => return Err("ssl_key is of no use without ssl_cert".to_owned()),
            (None, None) => self.tls.identity.take(),
        };
        if encrypted && self.tls.mode != MysqlTlsMode::Disabled {
            let known = self.tls.authorities.is_some();
            self.tls.mode = match (verify, host) {
                (_, Some(true)) => MysqlTlsMode::VerifyHost,
                (Some(true), _) => MysqlTlsMode::VerifyAuthority,
                (None, _) if known => MysqlTlsMode::VerifyAuthority,
                _ => MysqlTlsMode::Required,
            };
        }
        Ok(())
    }
}

fn before_colon(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

/// `host:port`, where either may be missing, and an IPv6 address stands in brackets.
fn split_port(text: &str) -> Result<(&str, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if port.is_empty() {
        return Ok((host, PORT));
    }
    // What stands there may be a part of a password: it is not repeated.
    let port = port
        .parse()
        .map_err(|_| "the port of the URL is no number".to_owned())?;
    Ok((host, port))
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    parse_boolean(value).ok_or_else(|| format!("{name} is neither true nor false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<MysqlServer, String> {
        MysqlServer::parse(rest, Path::new("/base"))
    }

    #[test]
    fn urls_are_taken_apart_as_sqlalchemy_does() {
        let password = |server: &MysqlServer| {
            let password = server.password.as_ref();
            password.map(|secret| secret.reveal().to_owned())
        };
        for (url, user, secret, host, port, database) in [
            ("g:p@h/d", "g", Some("p"), "h", 3306, "d"),
            ("g@h:3307/d?charset=utf8", "g", None, "h", 3307, "d"),
            ("g:@/d", "g", None, "localhost", 3306, "d"),
            (
                "g%40x:p%2F%3a@[::1]:1/d%20e",
                "g@x",
                Some("p/:"),
                "::1",
                1,
                "d e",
            ),
            ("g:a/b?c:d@h/d", "g", Some("a/b?c:d"), "h", 3306, "d"),
        ] {
            let server = parse(url).unwrap();
            let found = (&*server.user, password(&server), &*server.host, server.port);
            let secret = secret.map(str::to_owned);
            assert_eq!(found, (user, secret, host, port), "{url}");
            assert_eq!(server.database, database, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "",
            "h/d",
            "@h/d",
            "g:hunter2@h",
            "g:hunter2@h/",
            "g:hunter2@h:hunter2/d",
            "g:abc@hunter2@h/d",
            "g:abc@hunter2@h/d?unix_socket=/s",
            "g:hunter2@h/d?charset=latin1",
            "g:hunter2@h/d?ssl_key=k",
            "g:hunter2@h/d?ssl_verify_cert=hunter2",
            "g:hunter2@h/d?read_default_file=/etc/my.cnf",
        ] {
            let why = parse(url).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn encryption_is_asked_for_as_pymysql_understands_it() {
        for (query, mode) in [
            ("", MysqlTlsMode::Preferred),
            ("charset=utf8", MysqlTlsMode::Preferred),
            ("ssl_disabled=true", MysqlTlsMode::Disabled),
            ("ssl_disabled=true&ssl_ca=a", MysqlTlsMode::Disabled),
            ("ssl_ca=a", MysqlTlsMode::VerifyAuthority),
            ("ssl_ca=a&ssl_verify_cert=false", MysqlTlsMode::Required),
            ("ssl_ca=a&ssl_check_hostname=true", MysqlTlsMode::VerifyHost),
            ("ssl_verify_cert=true", MysqlTlsMode::VerifyAuthority),
            ("ssl_verify_identity=true", MysqlTlsMode::VerifyHost),
            ("ssl_cert=c&ssl_key=k", MysqlTlsMode::Required),
        ] {
            let server = parse(&format!("g@h/d?{query}")).unwrap();
            assert_eq!(server.tls.mode, mode, "{query}");
        }
        let tls = parse("g@h/d?ssl_ca=a%20b&ssl_cert=/c").unwrap().tls;
        assert_eq!(tls.authorities, Some(PathBuf::from("/base/a b")));
        assert_eq!(tls.identity, Some(("/c".into(), "/c".into())));
    }

    #[test]
    fn names_hold_no_secret() {
        for (url, name) in [
            ("g:p@h/d", "d on h"),
            ("g:p@h:1/d", "d on h:1"),
            ("g:p@h/d?unix_socket=/s", "d at /s"),
        ] {
            assert_eq!(parse(url).unwrap().name(), name);
        }
        let shown = format!("{:?}", parse("g:hunter2@h/d").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
