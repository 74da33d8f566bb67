//! A MySQL or MariaDB server as a connection URL and the section `[database]` describe it.
//!
//! *Source:* SQLAlchemy's database URLs (`_parse_url` in `sqlalchemy/engine/url.py`), the parameters that
//! PyMySQL and mysqlclient take (`pymysql/connections.py`, `MySQLdb/connections.py`), and `oslo_db/options.py`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::option_file::{self, OptionFile};
use crate::config::oslo::options::{
    CONNECTION_RECYCLE_TIME, MAX_OVERFLOW, MAX_POOL_SIZE, MAX_RETRIES, MYSQL_SQL_MODE,
    MYSQL_WSREP_SYNC_WAIT, POOL_TIMEOUT, RETRY_INTERVAL,
};
use crate::config::oslo::reader::Reader;
use crate::config::oslo::values::{parse_boolean, percent_decode, quoted};
use crate::config::secret::Secret;
use crate::error::Result;

/// The default host of a server.
const HOST: &str = "localhost";
const PORT: u16 = 3306;

/// The connection parameters of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MysqlServer {
    /// The name or address of the host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path of a local socket, which takes precedence.
    pub socket: Option<PathBuf>,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Option<Secret>,
    /// The name of the database.
    pub database: String,
    /// The character set of the connection: `utf8`, `utf8mb3` or `utf8mb4`.
    pub charset: String,
    /// The TLS configuration.
    pub tls: MysqlTls,
    /// The settings of the connection pool.
    pub pool: MysqlPool,
    /// The time to wait for an unreachable server; None for a few seconds, `Duration::MAX` for ever.
    pub connect_timeout: Option<Duration>,
    /// The `sql_mode` of a connection; None keeps the server's.
    pub sql_mode: Option<String>,
    /// An SQL statement to execute first on every connection.
    pub init_command: Option<String>,
    /// The `wsrep_sync_wait` of a connection; None keeps the server's.
    pub wsrep_sync_wait: Option<i64>,
    /// One warning for each part of the configuration that has no meaning here, without its value.
    pub warnings: Vec<String>,
}

/// The TLS configuration of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlTls {
    /// The TLS mode.
    pub mode: MysqlTlsMode,
    /// A file with the certificates of authorities.
    pub authorities: Option<PathBuf>,
    /// The files of the client certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The TLS modes, from weakest to strongest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MysqlTlsMode {
    /// No encryption.
    Disabled,
    /// Encryption if the server supports it, without verification.
    #[default]
    Preferred,
    /// Encryption without verification.
    Required,
    /// Encryption with verification of the certificate's authority.
    VerifyAuthority,
    /// Encryption with verification of the certificate's authority and host.
    VerifyHost,
}

/// The settings of the connection pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MysqlPool {
    /// The maximum number of connections; None is no limit.
    pub size: Option<u32>,
    /// The time to wait for a connection.
    pub timeout: Duration,
    /// The maximum age of a connection; None is no limit.
    pub recycle: Option<Duration>,
}

impl MysqlServer {
    /// Returns the name of the database for messages; it contains no secret.
    pub fn name(&self) -> String {
        match &self.socket {
            Some(socket) => format!("{} at {}", self.database, socket.display()),
            None if self.port == PORT => format!("{} on {}", self.database, self.host),
            None => format!("{} on {}:{}", self.database, self.host, self.port),
        }
    }

    /// Parses the part after `://`, and the parameters of another option; relative paths start at `base`.
    ///
    /// # Errors
    /// The reason, without the URL.
    pub(in crate::config) fn parse(
        rest: &str,
        parameters: Option<&str>,
        base: &Path,
    ) -> Result<Self, String> {
        let mut draft = Draft::parse(rest, base)?;
        if let Some(parameters) = parameters {
            draft.take_parameters(parameters, base)?;
        }
        draft.take_option_file(base)?;
        draft.finish()
    }

    /// Reads the options that complement the URL.
    pub(in crate::config) fn configure(mut self, reader: &Reader<'_>) -> Result<Self> {
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
            self.connect_timeout = Some(match reader.integer(&MAX_RETRIES)?.value {
                forever if forever < 0 => Duration::MAX,
                times => seconds(times.saturating_mul(interval)),
            });
        }
        // This option is applied after the one of the URL.
        if let Some(mode) = reader.text_if_any(&MYSQL_SQL_MODE)? {
            self.sql_mode = Some(mode.value);
        }
        self.wsrep_sync_wait = match reader.text_if_any(&MYSQL_WSREP_SYNC_WAIT)? {
            None => None,
            Some(_) => i64::try_from(reader.integer(&MYSQL_WSREP_SYNC_WAIT)?.value).ok(),
        };
        Ok(self)
    }
}

/// The partially parsed parameters of a server.
#[derive(Default)]
struct Draft {
    host: Option<String>,
    port: Option<u16>,
    socket: Option<PathBuf>,
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    charset: Option<String>,
    tls: MysqlTls,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    connect_timeout: Option<Duration>,
    sql_mode: Option<String>,
    init_command: Option<String>,
    option_file: Option<PathBuf>,
    option_group: Option<String>,
    warnings: Vec<String>,
}

impl Draft {
    /// Parses the part after `://`.
    fn parse(rest: &str, base: &Path) -> Result<Self, String> {
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (address, query, user) = match rest.split_once('@') {
            // An unencoded password may contain anything but an at sign, but a part that begins with a
            // slash is not a login.
            Some((userinfo, behind)) if !before_colon(userinfo).contains('/') => {
                let (address, query) = behind.split_once('?').unwrap_or((behind, ""));
                (address, query, Some(userinfo))
            }
            _ => (address, query, None),
        };
        let (user, password) = user.map_or(("", ""), |userinfo| {
            userinfo.split_once(':').unwrap_or((userinfo, ""))
        });
        let (host, database) = address.split_once('/').unwrap_or((address, ""));
        if host.contains('@') {
            // The part before it is the end of a password.
            return Err("an '@' in the password must be written as %40".to_owned());
        }
        let (host, port) = split_port(host)?;
        let mut draft = Self {
            host: given(host.to_owned()),
            port,
            user: given(percent_decode(user)?),
            password: given(percent_decode(password)?).map(Secret::new),
            database: given(percent_decode(database)?),
            ..Self::default()
        };
        draft.take_parameters(query, base)?;
        Ok(draft)
    }

    /// Parses parameters: `charset=utf8&ssl_ca=/etc/ssl/ca.pem`.
    fn take_parameters(&mut self, query: &str, base: &Path) -> Result<(), String> {
        let (mut encrypted, mut verify, mut host) = (false, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let path = || Some(base.join(&*value));
            let text = || given(value.clone().into_owned());
            match &*name {
                "host" => self.host = text(),
                "port" => self.port = Some(parse_port(&value)?),
                "user" => self.user = text(),
                "password" | "passwd" => self.password = text().map(Secret::new),
                "database" | "db" => self.database = text(),
                "unix_socket" => self.socket = path(),
                "charset" => self.charset = text(),
                "init_command" => self.init_command = text(),
                "sql_mode" => self.sql_mode = text(),
                "read_default_file" => self.option_file = path(),
                "read_default_group" => self.option_group = text(),
                "ssl_ca" => self.tls.authorities = path(),
                "ssl_cert" => self.certificate = path(),
                "ssl_key" => self.key = path(),
                "ssl_verify_cert" => verify = Some(truth(&name, &value)?),
                "ssl_verify_identity" | "ssl_check_hostname" => host = Some(truth(&name, &value)?),
                "ssl_mode" => self.tls.mode = tls_mode(&value)?,
                "ssl_disabled" => {
                    if truth(&name, &value)? {
                        self.tls.mode = MysqlTlsMode::Disabled;
                    }
                }
                "connect_timeout" => {
                    let seconds = value.parse().map_err(|_| {
                        format!("connect_timeout {} is not a number", quoted(&value))
                    })?;
                    self.connect_timeout = Some(Duration::from_secs(seconds));
                }
                // These concern the behaviour of Python's drivers and do not change results.
                "auth_plugin_map" | "autocommit" | "bind_address" | "binary_prefix"
                | "client_flag" | "compress" | "connect_attrs" | "conv" | "cursorclass"
                | "defer_connect" | "local_infile" | "max_allowed_packet" | "named_pipe"
                | "plugin" | "plugin_dir" | "program_name" | "read_timeout"
                | "server_public_key" | "use_unicode" | "write_timeout" => {}
                _ => self.warnings.push(format!(
                    "parameter {} of the database URL is unknown and not used",
                    quoted(&name)
                )),
            }
            encrypted |= name.starts_with("ssl_") && !matches!(&*name, "ssl_disabled" | "ssl_mode");
        }
        if encrypted && self.tls.mode != MysqlTlsMode::Disabled {
            let known = self.tls.authorities.is_some();
            let least = match (verify, host) {
                (_, Some(true)) => MysqlTlsMode::VerifyHost,
                (Some(true), _) => MysqlTlsMode::VerifyAuthority,
                (None, _) if known => MysqlTlsMode::VerifyAuthority,
                _ => MysqlTlsMode::Required,
            };
            self.tls.mode = self.tls.mode.max(least);
        }
        Ok(())
    }

    /// Reads the option file that the parameters name; values of the URL take precedence.
    fn take_option_file(&mut self, base: &Path) -> Result<(), String> {
        let path = match (&self.option_file, &self.option_group) {
            (Some(path), _) => path.clone(),
            (None, Some(_)) => PathBuf::from(option_file::DEFAULT_PATH),
            (None, None) => return Ok(()),
        };
        let group = self.option_group.as_deref().unwrap_or("client");
        let file = match OptionFile::read(&path, group) {
            Ok(file) => file,
            // The reference implementation ignores it too, without a warning.
            Err(error) => {
                self.warnings.push(error.message().to_string());
                return Ok(());
            }
        };
        let text = |name: &str| file.get(name).map(str::to_owned).and_then(given);
        let path = |name: &str| text(name).map(|path| base.join(path));
        self.user = self.user.take().or_else(|| text("user"));
        self.password = self
            .password
            .take()
            .or_else(|| text("password").map(Secret::new));
        self.host = self.host.take().or_else(|| text("host"));
        self.database = self.database.take().or_else(|| text("database"));
        self.socket = self.socket.take().or_else(|| path("socket"));
        self.charset = self
            .charset
            .take()
            .or_else(|| text("default-character-set"));
        if let Some(port) = text("port").filter(|_| self.port.is_none()) {
            self.port = Some(parse_port(&port)?);
        }
        self.certificate = self.certificate.take().or_else(|| path("ssl-cert"));
        self.key = self.key.take().or_else(|| path("ssl-key"));
        if self.tls.mode == MysqlTlsMode::Disabled {
            return Ok(());
        }
        let least = if let Some(authorities) = path("ssl-ca") {
            self.tls.authorities.get_or_insert(authorities);
            MysqlTlsMode::VerifyHost
        } else if text("ssl-capath").is_some() {
            self.warnings.push(
                "ssl-capath of an option file is not used: name a file with ssl-ca".to_string(),
            );
            MysqlTlsMode::VerifyHost
        } else if self.certificate.is_some() {
            MysqlTlsMode::Required
        } else {
            self.tls.mode
        };
        self.tls.mode = self.tls.mode.max(least);
        Ok(())
    }

    /// Returns the server after everything has been read.
    fn finish(self) -> Result<MysqlServer, String> {
        let identity = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            // One file may contain both.
            (Some(both), None) => Some((both.clone(), both)),
            (None, Some(_)) => return Err("ssl_key has no effect without ssl_cert".to_owned()),
            (None, None) => None,
        };
        Ok(MysqlServer {
            host: self.host.unwrap_or_else(|| HOST.to_owned()),
            port: self.port.unwrap_or(PORT),
            socket: self.socket,
            user: self.user.ok_or("the URL has no user")?,
            password: self.password,
            database: self.database.ok_or("the URL has no database")?,
            charset: charset(self.charset.as_deref()),
            tls: MysqlTls {
                identity,
                ..self.tls
            },
            pool: MysqlPool {
                size: None,
                timeout: Duration::from_secs(30),
                recycle: None,
            },
            connect_timeout: self.connect_timeout,
            sql_mode: self.sql_mode,
            init_command: self.init_command,
            wsrep_sync_wait: None,
            warnings: self.warnings,
        })
    }
}

/// Returns a text unless it is empty.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Returns the character set of a connection. Texts are sent and received as UTF-8 in any case: the server
/// converts the ones that it stores differently.
fn charset(named: Option<&str>) -> String {
    let named = named.unwrap_or_default().to_ascii_lowercase();
    match named.as_str() {
        "utf8" | "utf8mb3" => named,
        _ => "utf8mb4".to_owned(),
    }
}

fn before_colon(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

/// Splits `host:port`. Both parts are optional, and an IPv6 address is in brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    parse_port(port).map(|port| (host, Some(port)))
}

/// Parses a port. The text is not quoted in errors because it may be a part of a password.
fn parse_port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "the port of the database is not a number".to_owned())
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    parse_boolean(value).ok_or_else(|| format!("{name} is neither true nor false"))
}

/// Parses the TLS modes of mysqlclient.
fn tls_mode(value: &str) -> Result<MysqlTlsMode, String> {
    Ok(match value.to_ascii_uppercase().as_str() {
        "DISABLED" => MysqlTlsMode::Disabled,
        "PREFERRED" => MysqlTlsMode::Preferred,
        "REQUIRED" => MysqlTlsMode::Required,
        "VERIFY_CA" => MysqlTlsMode::VerifyAuthority,
        "VERIFY_IDENTITY" => MysqlTlsMode::VerifyHost,
        _ => {
            return Err(
                "ssl_mode is not one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"
                    .to_owned(),
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<MysqlServer, String> {
        MysqlServer::parse(rest, None, Path::new("/base"))
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
            "g:hunter2@h/d?ssl_key=k",
            "g:hunter2@h/d?ssl_verify_cert=hunter2",
            "g:hunter2@h/d?ssl_mode=hunter2",
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
    fn what_python_takes_and_we_do_not_need_refuses_nothing() {
        for (query, warnings) in [
            (
                "charset=UTF8&plugin=dbcounter&client_flag=2&max_allowed_packet=1",
                0,
            ),
            ("charset=latin1&autocommit=true&bind_address=10.0.0.1", 0),
            ("charset=utf8&novel=hunter2&other=1", 2),
        ] {
            let server = parse(&format!("g:p@h/d?{query}")).unwrap();
            assert!(server.charset.starts_with("utf8"), "{query}");
            assert_eq!(server.warnings.len(), warnings, "{query}");
            assert!(!format!("{server:?}").contains("hunter2"));
        }
        let server = parse("g@h/d?sql_mode=ANSI&init_command=SET%20autocommit%3D1").unwrap();
        assert_eq!(server.sql_mode.as_deref(), Some("ANSI"));
        assert_eq!(server.init_command.as_deref(), Some("SET autocommit=1"));
        let server = parse("/d?user=g&host=h&port=1&passwd=x").unwrap();
        assert_eq!(
            (&*server.user, server.name()),
            ("g", "d on h:1".to_string())
        );
    }

    #[test]
    fn an_option_file_says_what_the_url_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tripleo.cnf");
        let text = "[client]\nuser = other\n\n[tripleo]\nbind-address=10.0.0.1\nssl=1\n\
                    ssl-ca=/etc/ca.crt\nuser=glance\npassword='s3#cret'\nhost=db\nport=3307\n";
        std::fs::write(&path, text).unwrap();
        let file = path.display();
        let server = parse(&format!(
            "/d?read_default_file={file}&read_default_group=tripleo"
        ))
        .unwrap();
        assert_eq!(server.name(), "d on db:3307");
        assert_eq!(server.user, "glance");
        assert_eq!(server.password.unwrap().reveal(), "s3#cret");
        assert_eq!(server.tls.mode, MysqlTlsMode::VerifyHost);
        assert_eq!(server.tls.authorities, Some("/etc/ca.crt".into()));
        let server = parse(&format!("me:mine@h/d?read_default_file={file}")).unwrap();
        assert_eq!((&*server.user, server.name()), ("me", "d on h".to_string()));
        assert_eq!(server.tls.mode, MysqlTlsMode::Preferred);
        let server = parse(&format!("/d?read_default_file={file}")).unwrap();
        assert_eq!(server.user, "other");
        // The reference implementation ignores a missing file.
        let server = parse("g@h/d?read_default_file=/none/my.cnf").unwrap();
        assert_eq!(server.warnings.len(), 1);
        assert!(parse("/d?read_default_file=/none/my.cnf").is_err());
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
