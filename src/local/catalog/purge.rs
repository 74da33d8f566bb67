//! Removing the rows of what was deleted long ago.
//!
//! Rows go in batches, each found without a lock and removed by one statement, with pauses in which others
//! write. What waits for the scrubber stays: without its row nobody would know of the data.
//!
//! *Source:* `purge_deleted_rows` and `purge_deleted_rows_from_images` in `glance/db/sqlalchemy/api.py` of
//! the reference implementation.

use std::time::{Duration, Instant};

use sea_orm::{QueryResult, Value};

use super::columns::Columns;
use super::connection::Run;
use super::{Catalog, Dialect, Sql};
use crate::Result;
use crate::data::Watch;
use crate::model::Timestamp;

/// Rows of the first batch.
const FIRST_BATCH: u64 = 1000;

/// Rows of a batch at most: what is bound to a statement has its limit.
const LARGEST_BATCH: u64 = 10_000;

/// How long a batch shall take; half of what others may be kept waiting.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// How long others are let through between two batches at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A table with rows that may be purged.
struct Table {
    name: &'static str,
    key: &'static str,
    /// Where the rows and the time of their deletion are.
    from: &'static str,
    deleted_at: &'static str,
    /// What else MUST be true of a row.
    only: &'static str,
    /// The columns that are of no fixed length.
    texts: &'static [&'static str],
}

/// What a row has in columns of a fixed length: times, numbers, an id.
const FIXED_BYTES: i64 = 64;

impl Table {
    /// A table that notes by itself what was deleted. The index of `deleted` is not to be used: the rows
    /// are taken in the order of their keys.
    const fn new(name: &'static str, texts: &'static [&'static str]) -> Self {
        Self {
            name,
            key: "id",
            from: name,
            deleted_at: "deleted_at",
            only: "+deleted = 1",
            texts,
        }
    }

    /// The same, without rows of which something else is not true.
    const fn only(mut self, only: &'static str) -> Self {
        self.only = only;
        self
    }
}

/// What refers to images and tasks, before what it refers to.
const DETAILS: [Table; 6] = [
    Table {
        name: "task_info",
        key: "task_id",
        from: "task_info JOIN tasks ON tasks.id = task_info.task_id",
        deleted_at: "tasks.deleted_at",
        only: "+tasks.deleted = 1",
        texts: &["input", "result", "message"],
    },
    Table::new("image_properties", &["name", "value"]),
    Table::new("image_tags", &["value"]),
    Table::new("image_locations", &["value", "meta_data"])
        .only("+deleted = 1 AND status <> 'pending_delete'"),
    Table::new("image_members", &["member"]),
    Table::new("tasks", &["type", "status", "owner"])
        .only("+deleted = 1 AND NOT EXISTS (SELECT 1 FROM task_info WHERE task_id = tasks.id)"),
];

/// Images, once nothing refers to them. What is purged of them frees their ids.
const IMAGES: [Table; 1] = [
    Table::new("images", &["name", "owner", "checksum", "os_hash_value"]).only(
        "+deleted = 1 AND status <> 'pending_delete' \
         AND NOT EXISTS (SELECT 1 FROM image_properties WHERE image_id = images.id) \
         AND NOT EXISTS (SELECT 1 FROM image_tags WHERE image_id = images.id) \
         AND NOT EXISTS (SELECT 1 FROM image_locations WHERE image_id = images.id) \
         AND NOT EXISTS (SELECT 1 FROM image_members WHERE image_id = images.id)",
    ),
];

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
        let before = before.to_catalog();
        let mut all = Vec::new();
        for table in scope.tables() {
            let older = Selection::new(table, "<", &before);
            let mut batches = Batches::new(self, watch);
            let limit = match max_rows {
                Some(rows) => self.the_nth(&older, rows).await?.map(|at| (at, rows)),
                None => None,
            };
            let mut told = |rows| removed(table.name, rows);
            let rows = match limit {
                None => batches.remove(&older, u64::MAX, &mut told).await?,
                Some((moment, rows)) => {
                    let first = Selection::new(table, "<", &moment);
                    let first = batches.remove(&first, rows, &mut told).await?;
                    let last = Selection::new(table, "=", &moment);
                    first + batches.remove(&last, rows - first, &mut told).await?
                }
            };
            all.push(Purged {
                table: table.name,
                rows,
                oldest: None,
                bytes: 0,
            });
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
                    format!("{sum} + coalesce(length({}.{name}), 0)", table.name)
                });
            let only = match table.name {
                "tasks" => "+deleted = 1",
                _ => table.only,
            };
            let mut sql = Sql::new(format!(
                "SELECT count(*), min(at), CAST(coalesce(sum(bytes), 0) AS SIGNED) FROM (SELECT {} AS at, {bytes} AS bytes FROM {} WHERE {only}",
                table.deleted_at, table.from,
            ))
            .with(
                &format!(" AND {} < ? ORDER BY {}", table.deleted_at, table.deleted_at),
                [before.as_str().into()],
            );
            if let Some(rows) = max_rows {
                sql = sql.with(" LIMIT ?", [rows.into()]);
            }
            let row = self.row(sql.text(") AS rows_to_go")).await?;
            all.push(match row {
                Some(row) => purged(table.name, &row)?,
                None => Purged {
                    table: table.name,
                    rows: 0,
                    oldest: None,
                    bytes: 0,
                },
            });
        }
        Ok(all)
    }

    /// When the last of the oldest `rows` was deleted; None when there are fewer.
    async fn the_nth(&self, selection: &Selection<'_>, rows: u64) -> Result<Option<String>> {
        if rows == 0 {
            return Ok(Some(String::new()));
        }
        let sql = selection.sql(selection.table.deleted_at).with(
            &format!(" ORDER BY {} LIMIT 1 OFFSET ?", selection.table.deleted_at),
            [(rows - 1).into()],
        );
        let Some(row) = self.row(sql).await? else {
            return Ok(None);
        };
        Ok(row.moment(0)?.map(Timestamp::to_catalog))
    }
}

fn purged(table: &'static str, row: &QueryResult) -> Result<Purged> {
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(Purged {
        table,
        rows: number(row.some_integer(0)?),
        oldest: row.moment(1)?,
        bytes: number(row.some_integer(2)?),
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

    /// Selects something of every row.
    fn sql(&self, what: &str) -> Sql {
        let Table { from, .. } = self.table;
        let sql = Sql::new(format!("SELECT {what} FROM {from} WHERE "));
        self.condition(sql)
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

    /// Removes those of some rows that are still to be removed.
    fn removal(&self, keys: Vec<Value>) -> Sql {
        let Table {
            name, key, from, ..
        } = self.table;
        let sql = Sql::new(format!("DELETE FROM {name} WHERE {key} IN ")).list(keys);
        if from == name {
            return self.condition(sql.text(" AND "));
        }
        // What a row belongs to decides, and does not come back.
        sql
    }
}

/// Rows that go batch by batch, each as large as others can wait for.
struct Batches<'a> {
    catalog: &'a Catalog,
    watch: &'a Watch,
    size: u64,
}

impl<'a> Batches<'a> {
    fn new(catalog: &'a Catalog, watch: &'a Watch) -> Self {
        Self {
            catalog,
            watch,
            size: FIRST_BATCH,
        }
    }

    /// Removes at most `most` rows of a selection; how many those were.
    async fn remove(
        &mut self,
        selection: &Selection<'_>,
        most: u64,
        told: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let key = format!("{}.{}", selection.table.name, selection.table.key);
        let mut after: Option<Value> = None;
        let mut removed = 0;
        while removed < most {
            self.watch.check()?;
            let mut sql = selection.sql(&key);
            if let Some(last) = after.take() {
                sql = sql.with(&format!(" AND {key} > ?"), [last]);
            }
            let size = self.size.min(most - removed);
            let sql = sql.with(&format!(" ORDER BY {key} LIMIT ?"), [size.into()]);
            let rows = self.catalog.rows(sql).await?;
            let keys = rows.iter().map(key_of).collect::<Result<Vec<Value>>>()?;
            let Some(last) = keys.last() else {
                break;
            };
            after = Some(last.clone());
            let begun = Instant::now();
            let catalog = self.catalog;
            let remove = || catalog.execute(selection.removal(keys.clone()));
            let gone = catalog.insist(remove).await?;
            removed += gone;
            told(gone);
            self.rest(begun.elapsed()).await;
        }
        Ok(removed)
    }

    /// Lets others write, who wait for a lock in steps, for as long as they waited, and fits the size of
    /// the next batch to the time that this one took.
    async fn rest(&mut self, took: Duration) {
        if took > BATCH_TIME {
            self.size = (self.size / 2).max(1);
        } else if took < BATCH_TIME / 3 {
            self.size = (self.size * 2).min(LARGEST_BATCH);
        }
        if self.catalog.dialect() == Dialect::Sqlite {
            tokio::time::sleep(took.min(LONGEST_PAUSE)).await;
        }
    }
}

/// A key: a number or a text.
fn key_of(row: &QueryResult) -> Result<Value> {
    match row.integer(0) {
        Ok(Some(number)) => Ok(number.into()),
        _ => Ok(row.some_text(0)?.into_owned().into()),
    }
}
