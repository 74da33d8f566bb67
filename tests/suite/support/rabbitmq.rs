//! A RabbitMQ for a test, and upstream's sender and receivers of notifications.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::realcloud::{not_in_quick_runs, output_of, run, script, venv};

/// A running broker, which is stopped when this is dropped.
pub struct Broker {
    directory: TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.call("down", &[]);
    }
}

impl Broker {
    /// A new one.
    pub fn start() -> Self {
        not_in_quick_runs("RabbitMQ");
        let directory = tempfile::Builder::new().prefix("glance-mq-").tempdir();
        let broker = Self {
            directory: directory.unwrap(),
        };
        broker.call("up", &[&run().owner.to_string()]);
        broker
    }

    fn call(&self, command: &str, words: &[&str]) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/rabbitmq");
        let mut program = Command::new(program);
        output_of(program.arg(command).arg(self.directory.path()).args(words))
    }

    /// Kills it as a power failure would.
    pub fn kill(&self) {
        self.call("kill", &[]);
    }

    /// Starts it again, with what its durable queues have kept.
    pub fn start_again(&self) {
        self.call("up", &[]);
    }

    /// Returns the output of `rabbitmqctl`.
    pub fn ctl(&self, words: &[&str]) -> String {
        self.call("ctl", words)
    }

    /// Creates a virtual host, and returns its address, without TLS.
    pub fn virtual_host(&self, name: &str) -> String {
        self.ctl(&["add_vhost", name]);
        self.ctl(&["set_permissions", "-p", name, "glance", ".*", ".*", ".*"]);
        format!("rabbit://{}/{name}", self.place("port"))
    }

    /// `USER:PASSWORD@HOST:PORT`; `port` or `tls.port`.
    pub fn place(&self, port: &str) -> String {
        let port = std::fs::read_to_string(self.file(port)).unwrap();
        format!("glance:s3cr%40t@127.0.0.1:{}", port.trim())
    }

    /// A file of its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The exchange, the queues and the bindings of notifications on a virtual host, with all their attributes.
    pub fn declared(&self, virtual_host: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (command, columns) in [
            (
                "list_exchanges",
                &["name", "type", "durable", "auto_delete", "arguments"][..],
            ),
            (
                "list_queues",
                &["name", "durable", "auto_delete", "arguments"],
            ),
            (
                "list_bindings",
                &["source_name", "destination_name", "routing_key"],
            ),
        ] {
            let listed = self.ctl(&[&[command, "-p", virtual_host][..], columns].concat());
            let named = |line: &&str| line.contains("glance\t") || line.contains("notifications");
            all.extend(listed.lines().filter(named).map(in_order));
        }
        all.sort();
        all
    }
}

/// A line with the arguments in its last column, `[{"NAME",VALUE},…]`, in order.
fn in_order(line: &str) -> String {
    match line.split_once("[{") {
        None => line.to_string(),
        Some((before, arguments)) => {
            let mut arguments: Vec<&str> = arguments.trim_end_matches("}]").split("},{").collect();
            arguments.sort_unstable();
            format!("{before}{}", arguments.join(" "))
        }
    }
}

/// A program of upstream, with the script of this name for it.
fn theirs(words: &[&str]) -> Command {
    let mut command = Command::new(venv().join("bin/python"));
    command
        .arg(script("broker.py"))
        .args(words)
        .env("PYTHONWARNINGS", "ignore");
    command
}

fn lines(command: &mut Command) -> Vec<Value> {
    let printed = output_of(command);
    let lines = printed.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Sends a notification with Glance's notifier, and this configuration.
pub fn send(configuration: &Path, event: &str, payload: &Value) {
    let configuration = configuration.display().to_string();
    output_of(&mut theirs(&[
        "send",
        &configuration,
        event,
        &payload.to_string(),
    ]));
}

/// Takes all messages from a queue: properties, place and body of each.
pub fn take(url: &str, queue: &str) -> Vec<Value> {
    lines(&mut theirs(&["get", url, queue]))
}

/// Receives notifications with oslo.messaging: priority, context, publisher, type and payload of each.
pub fn listen(url: &str, count: usize, options: &[&str]) -> Vec<Value> {
    let count = count.to_string();
    lines(&mut theirs(
        &[&["listen", url, &count][..], options].concat(),
    ))
}
