//! Data that waits to be deleted: removed, kept and taken back, by one process or several.

mod daemon;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod killed;
mod removal;
mod restoring;
mod together;

use std::collections::BTreeSet;
use std::fs;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::support::realcloud::is_quick_run;
use crate::support::{Place, Run, block_on, files};

const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");

/// A moment when nothing of today was there yet.
const LONG_AGO: &str = "2020-01-01 00:00:00.000000";

/// A data directory where deletion is delayed.
struct Delayed(Place);

impl Deref for Delayed {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

impl Delayed {
    fn new() -> Self {
        Self::configured("")
    }

    /// One whose configuration ends so.
    fn configured(more: &str) -> Self {
        let place = Place::new();
        place.configure(&format!("[DEFAULT]\ndelayed_delete = true\n{more}"));
        Self(place)
    }

    /// Returns one on each database, with `more` at the end of the configuration; in quick runs one on SQLite alone.
    fn on_each(more: &str) -> Vec<Self> {
        let mut places = vec![Self::configured(more)];
        if !is_quick_run() {
            let place = block_on(Place::on_mariadb());
            place.configure(&format!("[DEFAULT]\ndelayed_delete = true\n{more}"));
            places.push(Self(place));
        }
        places
    }

    fn scrubber(&self, words: &[&str]) -> Run {
        Run::of(self.command(SCRUBBER).args(words).output().unwrap())
    }

    fn spawnable(&self, words: &[&str]) -> Command {
        let mut command = self.command(SCRUBBER);
        command.args(words);
        command
    }

    /// An image that was deleted, its data waiting.
    fn deleted(&self, name: &str, content: &[u8]) -> String {
        let id = self.image(name, content);
        self.glance(&["image", "delete", &id]).ok();
        id
    }

    fn images(&self) -> PathBuf {
        self.data().join("images")
    }

    /// Names of the files in the store.
    fn stored(&self) -> BTreeSet<String> {
        files(&self.images())
    }

    fn sql(&self, statements: &str) {
        if let Some(schema) = self.schema() {
            return block_on(schema.run(statements));
        }
        self.file_of_database().execute_batch(statements).unwrap();
    }

    /// The first column of a query's rows, as text.
    fn texts(&self, query: &str) -> Vec<String> {
        if let Some(schema) = self.schema() {
            return block_on(schema.texts(query));
        }
        let database = self.file_of_database();
        let mut query = database.prepare(query).unwrap();
        let rows = query.query_map([], |row| {
            Ok(match row.get(0)? {
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => text,
                other => panic!("{other:?}"),
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn file_of_database(&self) -> Connection {
        let database = Connection::open(self.data().join("glance.db")).unwrap();
        database
            .busy_timeout(std::time::Duration::from_mins(1))
            .unwrap();
        database
    }

    /// The first value that a query finds.
    fn value(&self, query: &str) -> String {
        self.texts(query).swap_remove(0)
    }

    /// The number that a query finds.
    fn number(&self, query: &str) -> i64 {
        self.value(query).parse().unwrap()
    }

    fn status(&self, id: &str) -> String {
        self.value(&format!("SELECT status FROM images WHERE id = '{id}'"))
    }

    /// The statuses of the locations of an image, in their order.
    fn locations(&self, id: &str) -> String {
        self.value(&format!(
            "SELECT group_concat(status) FROM (SELECT status FROM image_locations WHERE image_id = '{id}' \
             ORDER BY id) AS ordered"
        ))
    }

    /// Images that wait since long ago, made in the database and the store; their ids.
    fn waiting(&self, numbers: Range<usize>) -> Vec<String> {
        let ids: Vec<String> = numbers
            .map(|number| format!("{number:08}-0000-4000-8000-000000000000"))
            .collect();
        let mut images = Vec::new();
        let mut locations = Vec::new();
        for id in &ids {
            let path = self.images().join(id);
            fs::write(&path, "data").unwrap();
            images.push(format!(
                "('{id}', 'gone', 4, 'pending_delete', '{LONG_AGO}', '{LONG_AGO}', '{LONG_AGO}', 1, 0, \
                 'shared', 0, 0, 0)"
            ));
            locations.push(format!(
                "('{id}', 'file://{}', '{LONG_AGO}', '{LONG_AGO}', 1, '{{}}', 'pending_delete')",
                path.display()
            ));
        }
        self.sql(&format!(
            "BEGIN; \
             INSERT INTO images (id, name, size, status, created_at, updated_at, deleted_at, deleted, protected, \
             visibility, min_disk, min_ram, os_hidden) VALUES {}; \
             INSERT INTO image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, status) \
             VALUES {}; \
             COMMIT",
            images.join(", "),
            locations.join(", ")
        ));
        ids
    }
}
