//! A MariaDB that all tests of a run share, each with a database of its own.
//!
//! `tests/mariadb/up` starts it when the first test asks for it, and stops it when the run has ended,
//! however it ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use crate::support::realcloud::{not_in_quick_runs, output_of, run};

/// Where the server of this run is, started if it was not: the name of a socket MUST be short.
fn server() -> PathBuf {
    not_in_quick_runs("MariaDB");
    let directory = std::env::temp_dir().join(format!("glance-mariadb-{}", run().name));
    fs::create_dir_all(&directory).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let failure = directory.join("failure");
    if !directory.join("started").exists() {
        if let Ok(why) = fs::read_to_string(&failure) {
            panic!("MariaDB could not be started: {why}");
        }
        fs::write(&failure, "see the test that tried it first").unwrap();
        let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mariadb/up");
        output_of(
            Command::new(up)
                .arg(&directory)
                .arg(run().owner.to_string()),
        );
        fs::write(directory.join("started"), "").unwrap();
        fs::remove_file(failure).unwrap();
    }
    directory
}

/// How long the server may take to end the connections that are killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// A database that is dropped in the end.
pub struct Schema {
    name: String,
    socket: PathBuf,
}

impl Schema {
    /// An empty one.
    pub async fn make() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let made = Self {
            name: format!("glance_{}_{number}", std::process::id()),
            socket: server().join("socket"),
        };
        let mut connection = made.options().connect().await.unwrap();
        run_on(&mut connection, &format!("CREATE DATABASE {}", made.name)).await;
        made
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program of MariaDB's, told where the server is.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--no-defaults").arg("--user=root").arg({
            let mut socket = std::ffi::OsString::from("--socket=");
            socket.push(&self.socket);
            socket
        });
        command
    }

    fn options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .socket(&self.socket)
            .username("root")
    }

    /// A connection to it.
    pub async fn connect(&self) -> MySqlConnection {
        self.options().database(&self.name).connect().await.unwrap()
    }

    /// Runs statements.
    pub async fn run(&self, sql: &str) {
        run_on(&mut self.connect().await, sql).await;
    }

    /// Ends every connection to it.
    pub async fn kill_connections(&self) {
        let mut connection = self.options().connect().await.unwrap();
        kill_connections(&mut connection, &self.name).await;
    }

    /// The first column of a query's rows, as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.column(sql, 0).await
    }

    /// The statement that would make a table of it.
    pub async fn created(&self, table: &str) -> String {
        let statement = self.column(&format!("SHOW CREATE TABLE {table}"), 1).await;
        statement.concat()
    }

    async fn column(&self, sql: &str, place: usize) -> Vec<String> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(&mut self.connect().await)
            .await
            .unwrap();
        rows.iter().map(|row| row.get_unchecked(place)).collect()
    }

    /// The URL of it for `user`, `name:password`.
    pub fn url(&self, user: &str) -> String {
        let socket = self.socket.display();
        format!(
            "mysql+pymysql://{user}@localhost/{}?unix_socket={socket}",
            self.name
        )
    }

    /// The lines of a configuration that name it; nothing is encrypted.
    pub fn configuration(&self) -> String {
        let url = self.url("root");
        format!("[database]\nconnection = {url}&ssl_disabled=true\n")
    }

    /// The file of the certificate that the server shows.
    pub fn certificate(&self) -> PathBuf {
        self.socket.with_file_name("certificate.pem")
    }
}

/// Ends every connection to a database, and waits until the server has released what they held: `KILL` returns before.
async fn kill_connections(on: &mut MySqlConnection, database: &str) {
    let open = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'");
    let open = sqlx::raw_sql(AssertSqlSafe(open));
    let rows = open.fetch_all(&mut *on).await.unwrap();
    let ids: Vec<i64> = rows.iter().map(|row| row.get_unchecked(0)).collect();
    let began = Instant::now();
    for id in ids {
        // It may have ended by itself.
        let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}")));
        let _ = kill.execute(&mut *on).await;
        let left = format!("SELECT id FROM information_schema.processlist WHERE id = {id}");
        let is_left = async |on: &mut MySqlConnection| {
            let left = sqlx::raw_sql(AssertSqlSafe(left.clone()));
            !left.fetch_all(on).await.unwrap().is_empty()
        };
        while began.elapsed() < KILL_TIMEOUT && is_left(&mut *on).await {
            std::thread::yield_now();
        }
    }
}

async fn run_on(connection: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
}

impl Drop for Schema {
    /// Whatever runtime the test was on has ended, or is busy with this.
    fn drop(&mut self) {
        let (options, name) = (self.options(), self.name.clone());
        let drop = std::thread::spawn(move || {
            crate::support::block_on(async move {
                let mut connection = options.connect().await.unwrap();
                // A transaction that a test broke off ends with its connection.
                kill_connections(&mut connection, &name).await;
                run_on(&mut connection, &format!("DROP DATABASE IF EXISTS {name}")).await;
                let _ = connection.close().await;
            });
        });
        let _ = drop.join();
    }
}
