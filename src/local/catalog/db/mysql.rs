//! Connections to a MySQL or MariaDB server.

use std::sync::Once;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::config::{MysqlServer, MysqlTlsMode};
use crate::local::catalog::db::failure::is_unreachable;
use crate::{Error, ErrorKind, Result};

/// The default time limit for connecting to an unreachable server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The maximum delay between two connection attempts.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The idle time after which a connection is checked before use.
const PING_AFTER: Duration = Duration::from_secs(1);

/// The minimum size of the pool: one connection for the writing task, one for a list, one for lookups.
const CONNECTIONS: u32 = 3;

/// The interval between warnings about an unreachable server, if configured.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Ensures that unused database options are logged once per process.
static WARNED: Once = Once::new();

/// The path of a socket that cannot exist.
const NO_SOCKET: &str = "/dev/null/none";

/// The number of connections to a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::local::catalog) enum Connections {
    /// The configured number.
    Many,
    /// One, which is never replaced. A lock that it holds is valid as long as statements succeed, and the server
    /// releases that lock only after the last statement of the connection.
    One,
}

/// Connects to a server, and opens the first connection.
///
/// # Errors
/// `Unreachable` if it cannot be reached in time; `Failed` if it refuses the connection; `Io` for a missing
/// certificate file.
pub(in crate::local::catalog) async fn connect(
    server: &MysqlServer,
    connections: Connections,
) -> Result<MySqlPool> {
    let identity = server.tls.identity.iter().flat_map(|(a, b)| [a, b]);
    for path in server.tls.authorities.iter().chain(identity) {
        std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
    }
    WARNED.call_once(|| {
        for warning in &server.warnings {
            log::warn!("{warning}");
        }
    });
    let options = options(server);
    let session = session(server);
    let first = server.init_command.clone();
    let (most, lifetime) = match connections {
        Connections::Many => {
            let most = server.pool.size.unwrap_or(u32::MAX);
            (most.max(CONNECTIONS), server.pool.recycle)
        }
        Connections::One => (1, None),
    };
    let pool = MySqlPoolOptions::new()
        .min_connections(0)
        .max_connections(most)
        .acquire_timeout(server.pool.timeout)
        .max_lifetime(lifetime)
        .idle_timeout(None)
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for > PING_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let (first, session) = (first.clone(), session.clone());
            Box::pin(async move {
                if let Some(first) = first {
                    connection.execute(sqlx::AssertSqlSafe(first)).await?;
                }
                connection.execute(sqlx::AssertSqlSafe(session)).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options.clone());
    let timeout = server.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(MAX_RETRY_DELAY)
        .without_max_times();
    let attempts = (|| pool.acquire())
        .retry(backoff)
        .sleep(tokio::time::sleep)
        .when(is_unreachable);
    let attempts = Box::pin(async {
        tokio::select! {
            outcome = attempts => outcome,
            () = log_waiting(server, &options) => Err(sqlx::Error::PoolTimedOut),
        }
    });
    let reached = match tokio::time::timeout(timeout.max(MAX_RETRY_DELAY), attempts).await {
        Ok(outcome) => outcome.map(drop),
        // The pool does not report the reason for its wait.
        Err(_) => match tokio::time::timeout(MAX_RETRY_DELAY, options.connect()).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        },
    };
    match reached {
        Ok(()) => {
            if connections == Connections::One {
                // A second connection would not have the locks of the first one, so it must fail.
                pool.set_connect_options(options.socket(NO_SOCKET));
            }
            Ok(pool)
        }
        Err(error) => Err(refused(server, error)),
    }
}

/// Logs the reason for waiting for a server, after one second and every ten seconds, if the wait time is
/// configured. Never returns.
async fn log_waiting(server: &MysqlServer, options: &MySqlConnectOptions) {
    if server
        .connect_timeout
        .is_none_or(|timeout| timeout <= CONNECT_TIMEOUT)
    {
        return std::future::pending().await;
    }
    let name = server.name();
    tokio::time::sleep(MAX_RETRY_DELAY).await;
    loop {
        // The pool does not report the reason for its wait.
        let why = match tokio::time::timeout(LOG_INTERVAL, options.connect()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(unreachable_because(&error)),
            Err(_) => Some("no response".to_string()),
        };
        if let Some(why) = why {
            log::warn!("the server of database {name} cannot be reached: {why}; still trying");
        }
        tokio::time::sleep(LOG_INTERVAL).await;
    }
}

/// Returns the reason why a server cannot be reached.
fn unreachable_because(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::PoolTimedOut => "no response".to_string(),
        sqlx::Error::Io(why) => crate::error::describe(why),
        sqlx::Error::Database(why) => why.message().to_string(),
        other => other.to_string(),
    }
}

fn options(server: &MysqlServer) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .database(&server.database)
        // `session` sets these in one statement.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .ssl_mode(match server.tls.mode {
            MysqlTlsMode::Disabled => MySqlSslMode::Disabled,
            MysqlTlsMode::Preferred => MySqlSslMode::Preferred,
            MysqlTlsMode::Required => MySqlSslMode::Required,
            MysqlTlsMode::VerifyAuthority => MySqlSslMode::VerifyCa,
            MysqlTlsMode::VerifyHost => MySqlSslMode::VerifyIdentity,
        })
        .disable_statement_logging();
    if let Some(password) = &server.password {
        options = options.password(password.reveal());
    }
    if let Some(socket) = &server.socket {
        options = options.socket(socket);
    }
    if let Some(authorities) = &server.tls.authorities {
        options = options.ssl_ca(authorities);
    }
    if let Some((certificate, key)) = &server.tls.identity {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}

/// Returns the first statements of each connection. Each statement of a transaction sees everything committed
/// before it: see [`super::Transaction`].
fn session(server: &MysqlServer) -> String {
    let mode = server.sql_mode.as_ref().map_or(String::new(), |mode| {
        let mode = mode.replace('\\', "\\\\").replace('\'', "''");
        format!(", sql_mode = '{mode}'")
    });
    let wait = server
        .wsrep_sync_wait
        .map_or(String::new(), |wait| format!(", wsrep_sync_wait = {wait}"));
    format!(
        "SET NAMES {}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET time_zone = '+00:00'{mode}{wait}",
        server.charset
    )
}

/// Returns the error of a refused connection.
fn refused(server: &MysqlServer, error: sqlx::Error) -> Error {
    let name = server.name();
    let number = crate::local::catalog::db::failure::number(&error);
    let refused = match (&error, number) {
        (_, Some(1045 | 1698)) => Error::failed(format!(
            "the server of database {name} refused user '{}'",
            server.user
        ))
        .hint("Check the user and password of connection in the section [database]."),
        (_, Some(1044)) => Error::failed(format!(
            "user '{}' may not use database {name}",
            server.user
        ))
        .hint("An administrator of the server can allow it with GRANT."),
        (_, Some(1049)) => Error::failed(format!("database {name} does not exist")).hint(format!(
            "An administrator of the server can create it: CREATE DATABASE {} CHARACTER SET utf8;",
            server.database
        )),
        (sqlx::Error::Tls(why), _) => not_encrypted(&name, why.as_ref()),
        (sqlx::Error::Io(why), _) if why.kind() == std::io::ErrorKind::InvalidData => {
            not_encrypted(&name, why)
        }
        (sqlx::Error::Configuration(why), _) => Error::failed(format!(
            "the connection to database {name} was refused: {why}"
        )),
        (other, _) => unreachable(&name, &unreachable_because(other)),
    };
    refused.because(error)
}

fn not_encrypted(name: &str, why: &dyn std::error::Error) -> Error {
    Error::failed(format!(
        "the connection to database {name} cannot be encrypted: {why}"
    ))
    .hint("Check the parameters ssl_… of connection in the section [database].")
}

fn unreachable(name: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Unreachable,
        format!("the server of database {name} cannot be reached: {why}"),
    )
    .hint("Check connection in the section [database], and that the server is running.")
}
