//! Databases of either kind, as the tests of `glance-manage` look at them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::mariadb::Schema;
use crate::support::realcloud::{output_of, script, venv};
use crate::support::{Place, block_on};

/// Databases of one kind.
pub trait Databases {
    /// The URL of a database, as configuration files name it.
    fn url(&self, name: &str) -> String;
    /// Runs statements; what they give, a row a line.
    fn sql(&self, name: &str, text: &str) -> String;
    /// Its tables.
    fn tables(&self, name: &str) -> Vec<String>;
    /// What it is made of, in a form in which two can be compared.
    fn schema(&self, name: &str) -> Value;
    /// Whether a trigger keeps the two columns of who sees an image in step.
    fn has_triggers(&self) -> bool;
}

/// SQLite files in a place.
pub struct Sqlite<'a>(pub &'a Place);

impl Sqlite<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.0.file(&format!("{name}.db"))
    }
}

impl Databases for Sqlite<'_> {
    fn url(&self, name: &str) -> String {
        format!("sqlite:///{}", self.path(name).display())
    }

    fn sql(&self, name: &str, text: &str) -> String {
        let script = self.0.write("script.sql", text);
        output_of(
            Command::new("sqlite3")
                .arg("-bail")
                .arg(self.path(name))
                .stdin(File::open(script).unwrap()),
        )
    }

    fn tables(&self, name: &str) -> Vec<String> {
        let tables = self.sql(
            name,
            "select name from sqlite_master where type = 'table' order by 1",
        );
        tables.lines().map(str::to_string).collect()
    }

    fn schema(&self, name: &str) -> Value {
        let mut schema: Value = serde_json::from_str(&output_of(
            Command::new(venv().join("bin/python"))
                .arg(script("schema.py"))
                .arg(self.path(name)),
        ))
        .unwrap();
        // The same table may be made in one statement or in several.
        for table in schema["tables"].as_object_mut().unwrap().values_mut() {
            table.as_object_mut().unwrap().remove("sql");
        }
        schema
    }

    fn has_triggers(&self) -> bool {
        false
    }
}

/// Databases of the MariaDB that all tests share.
pub struct MariaDb<'a> {
    place: &'a Place,
    made: RefCell<BTreeMap<String, Schema>>,
}

impl<'a> MariaDb<'a> {
    /// None yet: each is made when it is named first.
    pub fn new(place: &'a Place) -> Self {
        Self {
            place,
            made: RefCell::default(),
        }
    }

    fn with<T>(&self, name: &str, work: impl FnOnce(&Schema) -> T) -> T {
        let mut made = self.made.borrow_mut();
        let schema = made
            .entry(name.to_string())
            .or_insert_with(|| block_on(Schema::make()));
        work(schema)
    }
}

impl Databases for MariaDb<'_> {
    fn url(&self, name: &str) -> String {
        self.with(name, |schema| schema.url("root"))
    }

    fn sql(&self, name: &str, text: &str) -> String {
        let script = self.place.write("script.sql", text);
        self.with(name, |schema| {
            output_of(
                schema
                    .command("mariadb")
                    .args(["--batch", "--skip-column-names", schema.name()])
                    .stdin(File::open(script).unwrap()),
            )
        })
    }

    fn tables(&self, name: &str) -> Vec<String> {
        let tables = self.sql(name, "show tables");
        tables.lines().map(str::to_string).collect()
    }

    fn schema(&self, name: &str) -> Value {
        let words = ["--no-data", "--compact", "--skip-comments", "--triggers"];
        let dump = self.with(name, |schema| {
            output_of(
                schema
                    .command("mariadb-dump")
                    .args(words)
                    .arg(schema.name()),
            )
        });
        let lines = dump
            .lines()
            .map(|line| match line.split_once(" AUTO_INCREMENT=") {
                // How many rows there were is not what a table is made of.
                Some((before, after)) => {
                    format!(
                        "{before}{}",
                        after.trim_start_matches(|c: char| c.is_ascii_digit())
                    )
                }
                None => line.to_string(),
            });
        lines.collect()
    }

    fn has_triggers(&self) -> bool {
        true
    }
}

/// Runs the real tool, once for each job; what it said.
///
/// # Panics
/// When one of them fails.
pub fn real(jobs: &[(String, Vec<&str>)]) -> Vec<String> {
    let mut python = Command::new(venv().join("bin/python"));
    python.arg(script("manage.py"));
    for (url, words) in jobs {
        let mut job = vec![json!(url)];
        job.extend(words.iter().map(|word| json!(word)));
        python.arg(json!(job).to_string());
    }
    let said = output_of(python.stderr(Stdio::null()));
    let results = said.lines().zip(jobs).map(|(line, job)| {
        let (code, text): (i32, String) = serde_json::from_str(line).unwrap();
        assert_eq!(code, 0, "{job:?}: {text}");
        text
    });
    results.collect()
}

/// Every row of every table.
pub fn content(on: &impl Databases, name: &str) -> BTreeMap<String, String> {
    let tables = on.tables(name).into_iter();
    tables
        .map(|table| {
            let rows = on.sql(name, &format!("select * from {table} order by 1"));
            (table, rows)
        })
        .collect()
}
