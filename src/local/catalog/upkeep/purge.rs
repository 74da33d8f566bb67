//! Removing the rows of what was deleted long ago.
//!
//! Rows go in batches, whose ends are found without a lock, each by one statement, with pauses in which others
//! write. What waits for the scrubber stays: without its row nobody would know of the data, and an image that
//! can be restored keeps what comes back with it.
//!
//! *Source:* `purge_deleted_rows` and `purge_deleted_rows_from_images` in `glance/db/sqlalchemy/api.py` of
//! the reference implementation.

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

/// Rows of the first batch.
const FIRST_BATCH: u64 = 1000;

/// Rows of a batch at most: the log that SQLite writes ahead of the database grows with it.
const LARGEST_BATCH: u64 = 20_000;

/// How long a batch shall take; half of what others may be kept waiting.
const BATCH_TIME: Duration = Duration::from_millis(120);

/// How long others are let through between two batches at most: SQLite looks every 25 ms at a lock that it has waited
/// for less than 128 ms for.
const LONGEST_PAUSE: Duration = Duration::from_millis(26);

/// Pages of the log of SQLite, 64 MiB, after which it is copied into the database: a page that several batches changed
/// is copied once.
const LOG_PAGES: u64 = 16_384;

/// Images of the first batch of those whose children are removed, and of the largest: SQLite takes as many values.
const FIRST_IMAGES: u64 = 200;
const MOST_IMAGES: u64 = 20_000;

/// Ids of deleted images that are held in memory.
const IDS: i64 = 100_000;

/// How far the clocks of two hosts are apart at most, and much more.
const CLOCKS: Duration = Duration::from_hours(24);

/// A table with rows that may be purged.
struct Table {
    name: &'static str,
    /// What orders its rows on a server, which has no numbers for them.
    key: &'static str,
    /// When a row was deleted.
    deleted_at: &'static str,
    /// What else MUST be true of a row that goes.
    only: &'static str,
    /// What keeps a row for an image that can be restored. It is checked once per row, while that is removed, and
    /// not at all where no image can be.
    kept: &'static str,
    /// The same for rows that no other row may refer to; rows that do go first in the same purge.
    free: &'static str,
    /// The columns that are of no fixed length.
    texts: &'static [&'static str],
    /// Whether its rows belong to images.
    of_images: bool,
}

/// What a row has in columns of a fixed length: times, numbers, an id.
const FIXED_BYTES: i64 = 64;

/// That a row is marked: the index of the mark has such rows in the order of the table.
const DELETED: &str = "deleted = 1";

/// The same for a table that has no such index.
const UNINDEXED: &str = "deleted + 0 = 1";

/// That an image can be restored.
macro_rules! restorable {
    () => {
        "(images.status = 'pending_delete' OR images.deleted = 0 AND images.deleted_at IS NOT NULL)"
    };
}

/// That the image of a row cannot be restored: it neither waits for the scrubber, nor was restored by a program
/// that left what belongs to it deleted. See `Transaction::restore_image`.
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

/// The same, but for what the scrubber has still to do.
const SCRUBBED: &str = "deleted = 1 AND status <> 'pending_delete'";

impl Table {
    /// A table that notes by itself what was deleted.
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

    /// The same, of rows that belong to images.
    const fn of_images(mut self) -> Self {
        self.of_images = true;
        self
    }

    /// The same, without rows for which a slower condition is not true.
    const fn kept(mut self, kept: &'static str) -> Self {
        self.kept = kept;
        self
    }

    /// The same, without rows of which something is not true.
    const fn free(mut self, free: &'static str) -> Self {
        self.free = free;
        self
    }

    /// What orders its rows: on SQLite the order in which they lie in the file.
    fn key(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => "rowid",
            Dialect::Mysql => self.key,
        }
    }
}

/// What refers to images and tasks, before what it refers to.
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

/// Images, once nothing refers to them. What is purged of them frees their ids.
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

/// What is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything but the rows of images, whose ids nobody shall use again.
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

/// What a table had, or has, to be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// When the first of them was deleted; only looked up by a dry run.
    pub oldest: Option<Timestamp>,
    /// Roughly how many bytes they hold; only looked up by a dry run.
    pub bytes: u64,
}

/// Which rows of a table go.
struct Selection<'a> {
    table: &'a Table,
    /// How their deletion compares to `moment`.
    deleted: &'static str,
    moment: &'a str,
}

impl Catalog {
    /// Removes rows that were deleted before a moment, of each table the oldest `max_rows`, or all.
    /// `removed` hears of every batch: its table, and how many rows.
    ///
    /// # Errors
    /// `Interrupted` between two batches; what was removed stays so.
    pub async fn purge(
        &self,
        scope: Scope,
        before: Timestamp,
        max_rows: Option<u64>,
        watch: &Watch,
        removed: &mut dyn FnMut(&str, u64),
    ) -> Result<Vec<Purged>> {
        // That nothing refers to a row is part of what is asked of it.
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
            let mut told = |rows| removed(table.name, rows);
            let rows = match limit {
                None => batches.remove_all(&older, &mut told).await?,
                Some((moment, rows)) => {
                    let first = Selection::new(table, "<", &moment);
                    let first = batches.remove_all(&first, &mut told).await?;
                    let last = Selection::new(table, "=", &moment);
                    first
                        + batches
                            .remove(&last, rows.saturating_sub(first), &mut told)
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

    /// What [`Catalog::purge`] would remove now. Rows that others refer to count as well where these
    /// would go first.
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

    /// Whether an image can be restored to which a row belongs that was deleted before a moment: what comes back
    /// with an image was deleted when the image was. So if no image can be restored now, none that is deleted
    /// later has such rows; only where the moment is hardly past, that depends on the clocks of all hosts.
    async fn spares_restorable(&self, before: Timestamp) -> Result<bool> {
        if before > self.now().before(CLOCKS) {
            return Ok(true);
        }
        let sql = concat!("SELECT 1 FROM images WHERE ", restorable!(), " LIMIT 1");
        Ok(self.row(Sql::new(sql)).await?.is_some())
    }

    /// When the last of the oldest `rows` was deleted; None when there are fewer.
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

    /// Selects something of every row, whether or not others refer to it.
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

    /// The same, of rows that are found otherwise than by the index of the mark.
    fn condition_beside(&self, sql: Sql) -> Sql {
        let only = self.table.only.replace(DELETED, UNINDEXED);
        sql.with(
            &format!("{only} AND {} {} ?", self.table.deleted_at, self.deleted),
            [self.moment.into()],
        )
    }
}

/// Rows that go batch by batch, each as large as others can wait for.
struct Batches<'a> {
    catalog: &'a Catalog,
    watch: &'a Watch,
    /// See [`Table::kept`]; empty where no image can be restored.
    kept: &'static str,
    /// Rows of the next batch.
    size: u64,
    /// Images of the next batch of children.
    images: u64,
    log: Log,
    /// The last sync of the log, which goes on beside the next batch.
    log_sync: Option<JoinHandle<()>>,
}

impl Batches<'_> {
    /// Removes all rows of a selection; how many those were.
    async fn remove_all(
        &mut self,
        selection: &Selection<'_>,
        told: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let mut removed = 0;
        if let Database::Sqlite(path) = self.catalog.database()
            && selection.table.of_images
        {
            removed += self.remove_children(path, selection, told).await?;
        }
        Ok(removed + self.remove(selection, u64::MAX, told).await?)
    }

    /// Removes the rows of a selection that belong to deleted images, in the order of the ids of these, which is
    /// that of two of the indexes of the rows: each of their pages is written once. In the order of the rows, of
    /// ids that are random every row writes another page of each.
    async fn remove_children(
        &mut self,
        path: &Path,
        selection: &Selection<'_>,
        told: &mut dyn FnMut(u64),
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
                told(gone);
                self.images = fitted(self.images, took).min(MOST_IMAGES);
                self.rest(took).await?;
            }
        }
    }

    /// Removes at most `most` rows of a selection; how many those were.
    async fn remove(
        &mut self,
        selection: &Selection<'_>,
        most: u64,
        told: &mut dyn FnMut(u64),
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
            // Where the batch ends is found without a lock.
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
            told(gone);
            self.size = fitted(self.size, took).min(LARGEST_BATCH);
            self.rest(took).await?;
            after = Some(end);
        }
        Ok(removed)
    }

    /// Lets others write, who wait for a lock in steps, for as long as they waited; copies the log meanwhile.
    async fn rest(&mut self, took: Duration) -> Result<()> {
        if self.catalog.dialect() == Dialect::Sqlite {
            let begun = Instant::now();
            if self.log.is_due() {
                let pages = self.catalog.copy_log().await?;
                self.log.copied(pages);
            } else if self.log_sync.as_ref().is_none_or(JoinHandle::is_finished) {
                self.log_sync = self.catalog.start_log_sync();
            }
            let pause = took.min(LONGEST_PAUSE);
            tokio::time::sleep(pause.saturating_sub(begun.elapsed())).await;
        }
        Ok(())
    }
}

/// The size of the next batch after one of this size took so long.
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

/// How many batches are written to the log of SQLite before it is copied.
#[derive(Default)]
struct Log {
    /// Batches since the log was copied.
    batches: u64,
    /// Batches after which it will be.
    most: u64,
}

impl Log {
    /// Counts a batch; whether the log is long enough.
    fn is_due(&mut self) -> bool {
        self.batches += 1;
        self.batches >= self.most
    }

    /// The log was copied, and had so many pages.
    fn copied(&mut self, pages: u64) {
        let batch = (pages / self.batches.max(1)).max(1);
        self.most = (LOG_PAGES / batch).clamp(1, 16);
        self.batches = 0;
    }
}

/// A key, if there is one: a number or a text.
fn key_of(row: &Row) -> Result<Option<Value>> {
    if let Ok(number) = row.integer("last") {
        return Ok(number.map(Into::into));
    }
    Ok(row.owned("last")?.map(Into::into))
}
