//! Checks that statements use selective indexes. Debug builds check every statement of a process that enables it,
//! such as the tests of the engine.
//!
//! SQLite explains each statement on two empty databases with the schema of the catalogue: one without statistics,
//! as in nearly all deployments, and one with those of 200,000 images.

/// Checks a statement before it is run.
#[cfg(not(debug_assertions))]
pub(in crate::local::catalog) fn check(_: &str) {}

#[cfg(debug_assertions)]
pub(in crate::local::catalog) use watching::check;
#[cfg(debug_assertions)]
pub use watching::{unselective_steps, watch};

#[cfg(debug_assertions)]
mod watching {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rusqlite::Connection;

    use crate::local::catalog::failed;
    use crate::{Error, Result};

    const SCHEMA: &str = include_str!("../schema/sqlite.sql");

    /// Statistics of a catalogue of 200,000 images from ANALYZE: table, index, rows and rows per value.
    const STATISTICS: &[(&str, &str, &str)] = &[
        ("images", "ix_images_deleted", "200000 100000"),
        ("images", "visibility_image_idx", "200000 50000"),
        ("images", "updated_at_image_idx", "200000 1"),
        ("images", "os_hash_value_image_idx", "200000 1"),
        ("images", "os_hidden_image_idx", "200000 100000"),
        ("images", "checksum_image_idx", "200000 1"),
        ("images", "owner_image_idx", "200000 160"),
        ("images", "created_at_image_idx", "200000 1"),
        ("images", "sqlite_autoindex_images_1", "200000 1"),
        (
            "image_properties",
            "ix_image_properties_image_id",
            "1000051 6",
        ),
        (
            "image_properties",
            "ix_image_properties_deleted",
            "1000051 500026",
        ),
        (
            "image_properties",
            "sqlite_autoindex_image_properties_1",
            "1000051 6 1",
        ),
        (
            "image_members",
            "ix_image_members_image_id_member",
            "15899 2 1",
        ),
        ("image_members", "ix_image_members_image_id", "15899 2"),
        ("image_members", "ix_image_members_deleted", "15899 7950"),
        (
            "image_tags",
            "ix_image_tags_image_id_tag_value",
            "299960 3 1",
        ),
        ("image_tags", "ix_image_tags_image_id", "299960 3"),
        ("tasks", "ix_tasks_image_id", "9891 1"),
        ("tasks", "ix_tasks_type", "9891 9891"),
        ("tasks", "ix_tasks_status", "9891 9891"),
        ("tasks", "ix_tasks_owner", "9891 36"),
        ("tasks", "ix_tasks_deleted", "9891 4946"),
        ("image_locations", "ix_image_locations_image_id", "202357 1"),
        (
            "image_locations",
            "ix_image_locations_deleted",
            "202357 101179",
        ),
        ("task_info", "sqlite_autoindex_task_info_1", "9891 1"),
    ];

    /// Prefixes of tables that stay small.
    const SMALL: &[&str] = &[
        "alembic_version",
        "metadef_",
        "node_reference",
        "sqlite_",
        "pragma_",
        // Names of subqueries.
        "due",
        "selected",
        "former",
        "(subquery",
        "CONSTANT",
    ];

    /// Indexes in which one value may cover most rows.
    const UNSELECTIVE: &[&str] = &[
        "ix_images_deleted",
        "ix_image_properties_deleted",
        "ix_image_locations_deleted",
        "ix_image_members_deleted",
        "ix_tasks_deleted",
        "ix_tasks_type",
        "ix_tasks_status",
        "os_hidden_image_idx",
        "visibility_image_idx",
    ];

    /// Statements that may read much of a table, identified by a part of them, with the reason.
    const EXPECTED: &[(&str, &str)] = &[
        (
            " FROM images WHERE images.deleted + 0 = ?",
            "a list reads all its rows",
        ),
        (
            "SELECT images.id AS value",
            "the completion of an image's name, which has no index; it stops after a fraction of a second",
        ),
        (
            " IN (SELECT images.id FROM images WHERE",
            "the completion of a word that follows an image's name, which has no index",
        ),
        (
            " ORDER BY COALESCE(tasks.",
            "a list reads all its rows, and tasks expire",
        ),
        (
            " AND image_locations.value IN ",
            "no index has addresses: see `holders.rs`",
        ),
        (
            "SELECT due.id AS image_id,",
            "a batch of the scrubber continues after the last one",
        ),
        (
            "SELECT images.id AS image_id, images.status, (SELECT count(*)",
            "a batch of the scrubber continues after the last one",
        ),
        (
            "SELECT MIN(deleted_at) AS oldest FROM images",
            "once per run of the scrubber",
        ),
        (
            "SELECT 1 FROM images WHERE (images.status",
            "once per purge",
        ),
        (
            "SELECT max(place) AS last FROM",
            "a batch of a purge continues after the last one",
        ),
        (
            "SELECT count(*) AS number, min(at)",
            "a dry run of a purge counts",
        ),
        (
            " AS at FROM ",
            "a purge with a limit finds the oldest rows, once",
        ),
        (
            "DELETE FROM image",
            "a batch of a purge continues after the last one",
        ),
        (
            "DELETE FROM task",
            "a batch of a purge continues after the last one",
        ),
        (
            "SELECT id, rowid FROM images",
            "a purge reads the IDs of deleted images",
        ),
        (
            "SELECT image_id, last_accessed",
            "the list of a cache; few databases have several caches",
        ),
        (
            "DELETE FROM cached_images WHERE node_reference_id",
            "clearing a cache",
        ),
        ("visibility IS NULL", "a migration"),
        (
            "id IN (SELECT image_id FROM image_members WHERE deleted = 0)",
            "a migration",
        ),
        ("instr(meta_data,", "a migration"),
    ];

    static WATCHING: AtomicBool = AtomicBool::new(false);

    /// Enables the check for this process: a statement that unexpectedly reads much of a large table panics.
    pub fn watch() {
        WATCHING.store(true, Ordering::Relaxed);
    }

    /// Checks a statement before it is run.
    ///
    /// # Panics
    /// If the statement reads much of a large table, and [`watch`] was called.
    pub fn check(text: &str) {
        static CHECKED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
        if !WATCHING.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(mut checked) = CHECKED.lock()
            && !checked.get_or_insert_default().insert(text.to_string())
        {
            return;
        }
        if let Ok(steps) = unselective_steps(text) {
            assert!(steps.is_empty(), "{text}\nreads much of a table: {steps:?}");
        }
    }

    /// Returns the steps of a statement's plan that unexpectedly read much of a large table.
    ///
    /// # Errors
    /// An error if SQLite cannot prepare the statement: it is for another schema or another database.
    pub fn unselective_steps(text: &str) -> Result<Vec<String>> {
        if EXPECTED.iter().any(|(part, _)| text.contains(part)) {
            return Ok(Vec::new());
        }
        let mut steps = Vec::new();
        for analysed in [false, true] {
            let connection = Connection::open_in_memory().map_err(failed)?;
            connection.execute_batch(SCHEMA).map_err(failed)?;
            if analysed {
                connection.execute_batch("ANALYZE").map_err(failed)?;
                for row in STATISTICS.iter().copied() {
                    let sql = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)";
                    connection.execute(sql, row).map_err(failed)?;
                }
                connection
                    .execute_batch("ANALYZE sqlite_schema")
                    .map_err(failed)?;
            }
            let plan = plan(&connection, text)?.into_iter();
            steps.extend(plan.filter(|step| is_unselective(step)));
        }
        Ok(steps)
    }

    fn plan(connection: &Connection, text: &str) -> Result<Vec<String>> {
        let text = text.trim_end_matches(" FOR UPDATE");
        let mut explained = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
            .map_err(failed)?;
        // Unbound values are NULL.
        let mut rows = explained.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            steps.push(row.get::<_, String>(3).map_err(|e| {
                Error::internal("SQLite explains a plan in an unknown format").because(e)
            })?);
        }
        Ok(steps)
    }

    /// Returns whether a step of a plan reads much of a large table.
    fn is_unselective(step: &str) -> bool {
        if let Some(table) = step.strip_prefix("SCAN ") {
            // Tables with one-letter names are metadata definitions in a join.
            let is_small = table.len() == 1 || SMALL.iter().any(|small| table.starts_with(small));
            return !is_small;
        }
        step.starts_with("SEARCH ") && UNSELECTIVE.iter().any(|index| step.contains(index))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn statements_that_read_much_are_found() {
            for (text, table) in [
                (
                    "SELECT 1 FROM image_tags WHERE value = ?",
                    "SCAN image_tags",
                ),
                (
                    "UPDATE image_properties SET value = ? WHERE image_id = ? AND deleted = ?",
                    "ix_image_properties_deleted",
                ),
                ("SELECT count(*) FROM images", "SCAN images"),
                ("SELECT id FROM tasks WHERE deleted = ?", "ix_tasks_deleted"),
            ] {
                let steps = unselective_steps(text).unwrap();
                assert!(
                    steps.iter().any(|step| step.contains(table)),
                    "{text}: {steps:?}"
                );
            }
            for text in [
                "UPDATE image_properties SET value = ? WHERE image_id = ? AND deleted + 0 = ?",
                "SELECT id FROM images WHERE id = ? FOR UPDATE",
                "SELECT version_num FROM alembic_version",
                "SELECT 1",
            ] {
                assert_eq!(unselective_steps(text).unwrap(), [""; 0], "{text}");
            }
        }

        #[test]
        #[should_panic(expected = "reads much of a table")]
        fn a_process_that_watches_refuses_them() {
            watch();
            check("SELECT 1 FROM image_tags WHERE value = ?");
        }
    }
}
