//! Purging: removes the rows of images and tasks deleted long ago.
//!
//! Rows are removed in batches, each by one statement. The end of a batch is determined without a lock, and other
//! processes can write in pauses between batches. Rows that are pending deletion stay: the scrubber needs them to
//! find the data, and restored images need their children.
//!
//! *Source:* `purge_deleted_rows` and `purge_deleted_rows_from_images` in `glance/db/sqlalchemy/api.py` of the
//! reference implementation.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::Result;
use crate::config::Database;
use crate::data::Watch;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::tables::reader;
use crate::local::catalog::{Catalog, Dialect, Sql, Value};
use crate::model::Timestamp;

/// The number of rows in the first batch.
const FIRST_BATCH: u64 = 1000;

/// The maximum number of rows in a batch: the size of SQLite's log grows with it.
const MAX_BATCH: u64 = 20_000;

/// The target duration of a batch; half of the acceptable delay for other processes.
const BATCH_TIME: Duration = Duration::from_millis(120);

/// The maximum pause between two batches for other writers. SQLite polls a lock every 25 ms after less than 128 ms
/// of waiting.
const MAX_PAUSE: Duration = Duration::from_millis(26);

/// The number of pages in SQLite's log, 64 MiB, after which it is copied into the database, so that a page changed
/// by several batches is copied once.
const LOG_PAGES: u64 = 16_384;

/// The number of images in the first and in the largest batch of children: SQLite allows as many values.
const FIRST_IMAGES: u64 = 200;
const MOST_IMAGES: u64 = 20_000;

/// The maximum number of image IDs in memory.
const IDS: i64 = 100_000;

/// A safe upper limit for the difference between the clocks of two hosts.
const CLOCKS: Duration = Duration::from_hours(24);

/// A table with purgeable rows.
struct Table {
    name: &'static str,
    /// The column that orders rows on a server, which has no row numbers.
    key: &'static str,
    /// The expression for the time of a row's deletion.
    deleted_at: &'static str,
    /// An additional condition of purgeable rows.
    only: &'static str,
    /// The condition that excludes rows of restorable images. It is checked once per row during the removal, and
    /// only if an image can be restored.
    kept: &'static str,
    /// The condition that no remaining row refers to the row; referring rows that are purgeable are removed first.
    free: &'static str,
    /// The columns of variable length.
    texts: &'static [&'static str],
    /// Whether its rows belong to images.
    of_images: bool,
}

/// The size in bytes of the columns of fixed length in a row: times, numbers, an ID.
const FIXED_BYTES: i64 = 64;

/// The condition of a deleted row. The index on it has such rows in the order of the table.
const DELETED: &str = "deleted = 1";

/// The same condition for a table without such an index.
const UNINDEXED: &str = "deleted + 0 = 1";

/// Expands to the condition of an image that can be restored.
macro_rules! restorable {
    () => {
        "(images.status = 'pending_delete' OR images.deleted = 0 AND images.deleted_at IS NOT NULL)"
    };
}

/// Expands to the condition of a row whose image cannot be restored: it is neither pending deletion, nor was it
/// restored by a program that left its children deleted. See `Transaction::restore_image`.
macro_rules! not_restorable {
    ($table:literal) => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM images WHERE images.id = ",
            $table,
            ".image_id AND ",
            restorable!(),
            ")"
        )
    };
}

/// The condition of a deleted row that is not pending deletion.
const SCRUBBED: &str = "deleted = 1 AND status <> 'pending_delete'";

impl Table {
    /// Creates a table that records the deletion of its rows.
    const fn new(name: &'static str, only: &'static str, texts: &'static [&'static str]) -> Self {
        Self {
            name,
            key: "id",
            deleted_at: "deleted_at",
            only,
            kept: "",
            free: "",
            texts,
            of_images: false,
        }
    }

    /// Returns the same table, whose rows belong to images.
    const fn of_images(mut self) -> Self {
        self.of_images = true;
        self
    }

    /// Returns the same table with a condition that is slower to check.
    const fn kept(mut self, kept: &'static str) -> Self {
        self.kept = kept;
        self
    }

    /// Returns the same table with a condition on referring rows.
    const fn free(mut self, free: &'static str) -> Self {
        self.free = free;
        self
    }

    /// Returns the column that orders the rows: on SQLite, the order in the file.
    fn key(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => "rowid",
            Dialect::Mysql => self.key,
        }
    }
}

/// The tables that refer to images and tasks, each before those that it refers to.
const DETAILS: [Table; 6] = [
    Table {
        name: "task_info",
        key: "task_id",
        deleted_at: "(SELECT deleted_at FROM tasks WHERE id = task_info.task_id AND deleted = 1)",
        only: "1 = 1",
        kept: "",
        free: "",
        texts: &["input", "result", "message"],
        of_images: false,
    },
    Table::new("image_properties", DELETED, &["name", "value"])
        .kept(not_restorable!("image_properties"))
        .of_images(),
    Table::new("image_tags", UNINDEXED, &["value"])
        .kept(not_restorable!("image_tags"))
        .of_images(),
    Table::new("image_locations", SCRUBBED, &["value", "meta_data"]).of_images(),
    Table::new("image_members", DELETED, &["member"])
        .kept(not_restorable!("image_members"))
        .of_images(),
    Table::new("tasks", DELETED, &["type", "status", "owner"])
        .free(" AND NOT EXISTS (SELECT 1 FROM task_info WHERE task_id = tasks.id)"),
];

/// The images that nothing refers to any more. Purging them makes their IDs reusable.
const IMAGES: [Table; 1] = [Table::new(
    "images",
    SCRUBBED,
    &["name", "owner", "checksum", "os_hash_value"],
)
.free(
    " AND NOT EXISTS (SELECT 1 FROM image_properties WHERE image_id = images.id) \
     AND NOT EXISTS (SELECT 1 FROM image_tags WHERE image_id = images.id) \
     AND NOT EXISTS (SELECT 1 FROM image_locations WHERE image_id = images.id) \
     AND NOT EXISTS (SELECT 1 FROM image_members WHERE image_id = images.id)",
)];

/// The scope of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything but the rows of images, so that their IDs are not reused.
    Details,
    /// The rows of images.
    Images,
}

impl Scope {
    fn tables(self) -> &'static [Table] {
        match self {
            Self::Details => &DETAILS,
            Self::Images => &IMAGES,
        }
    }
}

/// The purged, or purgeable, rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    /// The table.
    pub table: &'static str,
    /// The number of rows.
    pub rows: u64,
    /// The time of the first deletion; only determined by a dry run.
    pub oldest: Option<Timestamp>,
    /// The approximate size in bytes; only determined by a dry run.
    pub bytes: u64,
}

/// The purgeable rows of a table.
struct Selection<'a> {
    table: &'a Table,
    /// The comparison of the deletion time with `moment`.
    deleted: &'static str,
    moment: &'a str,
}

impl Catalog {
    /// Removes rows that were deleted before a moment: of each table the oldest `max_rows`, or all. Calls `removed`
    /// for each batch with the table and the number of rows.
    ///
    /// # Errors
    /// `Interrupted` between two batches; completed batches stay removed.
    pub async fn purge(
        &self,
        scope: Scope,
        before: Timestamp,
        max_rows: Option<u64>,
        watch: &Watch,
        removed: &mut dyn FnMut(&str, u64),
    ) -> Result<Vec<Purged>> {
        // The conditions ensure that no row refers to a removed one.
        let catalog = self.for_removal().await?;
        let spares = self.spares_restorable(before).await?;
        let before = before.to_catalog();
        let mut all = Vec::new();
        for table in scope.tables() {
            let kept = if spares { table.kept } else { "" };
            let older = Selection::new(table, "<", &before);
            let mut batches = Batches {
                catalog: &catalog,
                watch,
                kept,
                size: FIRST_BATCH,
                images: FIRST_IMAGES,
                log: Log::default(),
                log_sync: None,
            };
            let limit = match max_rows {
                Some(rows) => catalog
                    .the_nth(&older, kept, rows)
                    .await?
                    .map(|at| (at, rows)),
                None => None,
            };
            let mut on_batch = |rows| removed(table.name, rows);
            let rows = match limit {
                None => batches.remove_all(&older, &mut on_batch).await?,
                Some((moment, rows)) => {
                    let first = Selection::new(table, "<", &moment);
                    let first = batches.remove_all(&first, &mut on_batch).await?;
                    let last = Selection::new(table, "=", &moment);
                    first
                        + batches
                            .remove(&last, rows.saturating_sub(first), &mut on_batch)
                            .await?
                }
            };
            all.push(Purged {
                table: table.name,
                rows,
                oldest: None,
                bytes: 0,
            });
        }
        if self.dialect() == Dialect::Sqlite {
            catalog.copy_log().await?;
            catalog.close().await?;
        }
        Ok(all)
    }

    /// Returns what [`Catalog::purge`] would remove now. Rows to which other rows refer count as well if those
    /// would be removed first.
    pub async fn would_purge(
        &self,
        scope: Scope,
        before: Timestamp,
        max_rows: Option<u64>,
    ) -> Result<Vec<Purged>> {
        let before = before.to_catalog();
        let mut all = Vec::new();
        for table in scope.tables() {
            let bytes = table
                .texts
                .iter()
                .fold(FIXED_BYTES.to_string(), |sum, name| {
                    format!("{sum} + coalesce(length({name}), 0)")
                });
            let free = if scope == Scope::Images {
                table.free
            } else {
                ""
            };
            let rows = Selection::new(table, "<", &before)
                .select(&format!("{} AS at, {bytes} AS bytes", table.deleted_at))
                .text(table.kept)
                .text(free)
                .text(" ORDER BY at");
            let rows = match max_rows {
                Some(limit) => rows.with(" LIMIT ?", [Value::rows(limit)]),
                None => rows,
            };
            let sum = "SELECT count(*) AS number, min(at) AS oldest, \
                 CAST(coalesce(sum(bytes), 0) AS SIGNED) AS bytes FROM ";
            if let Some(row) = self.row(rows.within(sum)).await? {
                all.push(purged(table.name, &row)?);
            }
        }
        Ok(all)
    }

    /// Returns whether rows deleted before a moment may belong to a restorable image. The children of a restorable
    /// image were deleted at the same time as the image. So if no image is restorable now, no image deleted later
    /// has such rows. If the moment is very recent, this depends on the clocks of all hosts.
    async fn spares_restorable(&self, before: Timestamp) -> Result<bool> {
        if before > self.now().before(CLOCKS) {
            return Ok(true);
        }
        let sql = concat!("SELECT 1 FROM images WHERE ", restorable!(), " LIMIT 1");
        Ok(self.row(Sql::new(sql)).await?.is_some())
    }

    /// Returns the deletion time of the last of the oldest `rows`; None if there are fewer.
    async fn the_nth(
        &self,
        selection: &Selection<'_>,
        kept: &str,
        rows: u64,
    ) -> Result<Option<String>> {
        let Some(before) = rows.checked_sub(1) else {
            return Ok(Some(String::new()));
        };
        let sql = selection
            .select(&format!("{} AS at", selection.table.deleted_at))
            .text(kept)
            .text(selection.table.free)
            .with(" ORDER BY at LIMIT 1 OFFSET ?", [Value::rows(before)]);
        let Some(row) = self.row(sql).await? else {
            return Ok(None);
        };
        Ok(row.moment("at")?.map(Timestamp::to_catalog))
    }
}

fn purged(table: &'static str, row: &Row) -> Result<Purged> {
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(Purged {
        table,
        rows: number(row.some_integer("number")?),
        oldest: row.moment("oldest")?,
        bytes: number(row.some_integer("bytes")?),
    })
}

impl<'a> Selection<'a> {
    fn new(table: &'a Table, deleted: &'static str, moment: &'a str) -> Self {
        Self {
            table,
            deleted,
            moment,
        }
    }

    /// Selects expressions from all rows, including those to which others refer.
    fn select(&self, what: &str) -> Sql {
        let name = self.table.name;
        self.condition(Sql::new(format!("SELECT {what} FROM {name} WHERE ")))
    }

    fn condition(&self, sql: Sql) -> Sql {
        let Table {
            deleted_at, only, ..
        } = self.table;
        sql.with(
            &format!("{only} AND {deleted_at} {} ?", self.deleted),
            [self.moment.into()],
        )
    }

    /// Adds the same condition for rows that are not found by the index on the deletion mark.
    fn condition_beside(&self, sql: Sql) -> Sql {
        let only = self.table.only.replace(DELETED, UNINDEXED);
        sql.with(
            &format!("{only} AND {} {} ?", self.table.deleted_at, self.deleted),
            [self.moment.into()],
        )
    }
}

/// Removal in batches of adaptive size.
struct Batches<'a> {
    catalog: &'a Catalog,
    watch: &'a Watch,
    /// The condition of [`Table::kept`]; empty if no image can be restored.
    kept: &'static str,
    /// The number of rows in the next batch.
    size: u64,
    /// The number of images in the next batch of children.
    images: u64,
    log: Log,
    /// The last sync of the log, which runs during the next batch.
    log_sync: Option<JoinHandle<()>>,
}

impl Batches<'_> {
    /// Removes all rows of a selection, and returns their number.
    async fn remove_all(
        &mut self,
        selection: &Selection<'_>,
        on_batch: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let mut removed = 0;
        if let Database::Sqlite(path) = self.catalog.database()
            && selection.table.of_images
        {
            removed += self.remove_children(path, selection, on_batch).await?;
        }
        Ok(removed + self.remove(selection, u64::MAX, on_batch).await?)
    }

    /// Removes the rows of a selection that belong to deleted images, in the order of the image IDs. This is the
    /// order of two of the rows' indexes, so each of their pages is written once. In the order of the rows, with
    /// random IDs, each row would write another page of each index.
    async fn remove_children(
        &mut self,
        path: &Path,
        selection: &Selection<'_>,
        on_batch: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let mut removed = 0;
        let mut after = 0_i64;
        loop {
            let sql = Sql::new("SELECT id, rowid FROM images WHERE ").with(
                "deleted = 1 AND rowid > ? AND deleted_at < ? ORDER BY rowid LIMIT ?",
                [after.into(), selection.moment.into(), IDS.into()],
            );
            let read =
                |row: &rusqlite::Row<'_>| Ok((row.some_owned("id")?, row.some_integer("rowid")?));
            let found = reader::collect(path, sql, read).await?;
            let Some((_, last)) = found.last() else {
                return Ok(removed);
            };
            after = *last;
            let mut ids: Vec<String> = found.into_iter().map(|(id, _)| id).collect();
            ids.sort_unstable();
            let mut left = &ids[..];
            while !left.is_empty() {
                self.watch.check()?;
                let size = usize::try_from(self.images).unwrap_or(1).min(left.len());
                let (batch, more) = left.split_at(size);
                left = more;
                let remove = async || {
                    let name = selection.table.name;
                    let sql = Sql::new(format!("DELETE FROM {name} WHERE image_id IN "))
                        .list(batch.iter().map(|id| id.as_str().into()));
                    let sql = selection.condition_beside(sql.text(" AND "));
                    self.catalog.execute(sql.text(self.kept)).await
                };
                let begun = Instant::now();
                let gone = self.catalog.retry(remove).await?;
                let took = begun.elapsed();
                removed += gone;
                on_batch(gone);
                self.images = fitted(self.images, took).min(MOST_IMAGES);
                self.rest(took).await?;
            }
        }
    }

    /// Removes at most `most` rows of a selection, and returns their number.
    async fn remove(
        &mut self,
        selection: &Selection<'_>,
        most: u64,
        on_batch: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let key = selection.table.key(self.catalog.dialect());
        let mut after: Option<Value> = None;
        let mut removed = 0;
        while removed < most {
            self.watch.check()?;
            let beyond = |sql: Sql| match &after {
                Some(last) => sql.with(&format!(" AND {key} > ?"), [last.clone()]),
                None => sql,
            };
            // The end of the batch is determined without a lock.
            let batch = beyond(selection.select(&format!("{key} AS place")));
            let size = self.size.min(most - removed);
            let batch = batch.with(&format!(" ORDER BY {key} LIMIT ?"), [Value::rows(size)]);
            let end = self
                .catalog
                .row(batch.within("SELECT max(place) AS last FROM "))
                .await?;
            let Some(end) = end.as_ref().map(key_of).transpose()?.flatten() else {
                break;
            };
            let Table { name, free, .. } = selection.table;
            let remove = async || {
                let sql = Sql::new(format!("DELETE FROM {name} WHERE "));
                let sql = beyond(selection.condition(sql));
                let sql = sql
                    .with(&format!(" AND {key} <= ?"), [end.clone()])
                    .text(self.kept)
                    .text(free);
                self.catalog.execute(sql).await
            };
            let begun = Instant::now();
            let gone = self.catalog.retry(remove).await?;
            let took = begun.elapsed();
            removed += gone;
            on_batch(gone);
            self.size = fitted(self.size, took).min(MAX_BATCH);
            self.rest(took).await?;
            after = Some(end);
        }
        Ok(removed)
    }

    /// Pauses for other writers, which poll for the lock, as long as they have waited, and copies the log during
    /// the pause.
    async fn rest(&mut self, took: Duration) -> Result<()> {
        if self.catalog.dialect() == Dialect::Sqlite {
            let begun = Instant::now();
            if self.log.is_due() {
                let pages = self.catalog.copy_log().await?;
                self.log.copied(pages);
            } else if self.log_sync.as_ref().is_none_or(JoinHandle::is_finished) {
                self.log_sync = self.catalog.start_log_sync();
            }
            let pause = took.min(MAX_PAUSE);
            tokio::time::sleep(pause.saturating_sub(begun.elapsed())).await;
        }
        Ok(())
    }
}

/// Returns the size of the next batch from the size and duration of the last one.
fn fitted(size: u64, took: Duration) -> u64 {
    if took > BATCH_TIME * 3 / 2 {
        (size / 2).max(1)
    } else if took > BATCH_TIME {
        (size * 3 / 4).max(1)
    } else if took < BATCH_TIME / 2 {
        size * 2
    } else {
        size
    }
}

/// The number of batches in SQLite's log before it is copied.
#[derive(Default)]
struct Log {
    /// The number of batches since the last copy.
    batches: u64,
    /// The number of batches after which the log is copied.
    most: u64,
}

impl Log {
    /// Counts a batch, and returns whether the log should be copied.
    fn is_due(&mut self) -> bool {
        self.batches += 1;
        self.batches >= self.most
    }

    /// Adjusts the limit after the log, with this number of pages, was copied.
    fn copied(&mut self, pages: u64) {
        let batch = (pages / self.batches.max(1)).max(1);
        self.most = (LOG_PAGES / batch).clamp(1, 16);
        self.batches = 0;
    }
}

/// Returns a key, if there is one: a number or a string.
fn key_of(row: &Row) -> Result<Option<Value>> {
    if let Ok(number) = row.integer("last") {
        return Ok(number.map(Into::into));
    }
    Ok(row.owned("last")?.map(Into::into))
}
