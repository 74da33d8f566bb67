//! Data that waits to be deleted: removed, kept and taken back, by one process or several.

mod daemon;
mod killed;
mod removal;
mod restoring;
mod together;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;
use rusqlite::types::FromSql;

use crate::support::{Place, Run, files};

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

    fn database(&self) -> Connection {
        let database = Connection::open(self.data().join("glance.db")).unwrap();
        database
            .busy_timeout(std::time::Duration::from_mins(1))
            .unwrap();
        database
    }

    fn sql(&self, statements: &str) {
        self.database().execute_batch(statements).unwrap();
    }

    /// The first value that a query finds.
    fn value<T: FromSql>(&self, query: &str) -> T {
        let database = self.database();
        database.query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn status(&self, id: &str) -> String {
        self.value(&format!("SELECT status FROM images WHERE id = '{id}'"))
    }

    /// The statuses of the locations of an image, in their order.
    fn locations(&self, id: &str) -> String {
        self.value(&format!(
            "SELECT group_concat(status) FROM (SELECT status FROM image_locations WHERE image_id = '{id}' \
             ORDER BY id)"
        ))
    }

    /// Images that wait since long ago, made in the database and the store; their ids.
    fn waiting(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let mut database = self.database();
        let transaction = database.transaction().unwrap();
        let ids: Vec<String> = numbers
            .map(|number| format!("{number:08}-0000-4000-8000-000000000000"))
            .collect();
        for id in &ids {
            let path = self.images().join(id);
            fs::write(&path, "data").unwrap();
            transaction
                .execute(
                    "INSERT INTO images (id, name, size, status, created_at, updated_at, deleted_at, deleted, \
                     protected, visibility, min_disk, min_ram, os_hidden) VALUES \
                     (?1, 'gone', 4, 'pending_delete', ?2, ?2, ?2, 1, 0, 'shared', 0, 0, 0)",
                    [id, LONG_AGO],
                )
                .unwrap();
            transaction
                .execute(
                    "INSERT INTO image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, \
                     status) VALUES (?1, ?3, ?2, ?2, 1, '{}', 'pending_delete')",
                    [id, LONG_AGO, &format!("file://{}", path.display())],
                )
                .unwrap();
        }
        transaction.commit().unwrap();
        ids
    }
}
