//! Rows of tasks.
//!
//! A finished task expires after some time. It is not listed any more then, and is marked as deleted when the next
//! task is created.

use serde_json::Value as Json;

use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql, Transaction, Value};
use crate::model::{Direction, Task, TaskQuery, TaskStatus, Timestamp, json};
use crate::{Error, Result};

/// The number of tasks that are read at a time.
const CHUNK: u64 = 500;

/// The columns of a list, which [`WHOLE`] follows.
const SHORT: &str = "tasks.id, tasks.type, tasks.status, tasks.owner, tasks.image_id, tasks.request_id, \
     tasks.user_id, tasks.created_at, tasks.updated_at, tasks.expires_at";

/// The additional columns of a complete task, from both its tables.
const WHOLE: &str = ", task_info.input, task_info.result, task_info.message FROM tasks \
     LEFT JOIN task_info ON task_info.task_id = tasks.id";

/// The columns that tasks can be sorted by.
const SORTABLE: [&str; 7] = [
    "id",
    "type",
    "status",
    "owner",
    "created_at",
    "updated_at",
    "expires_at",
];

/// Reads a task from a row of [`SHORT`], with the columns of [`WHOLE`] if requested.
fn read(row: &impl Columns, whole: bool) -> Result<Task> {
    let status = row.some_text("status")?;
    let created_at = row.moment("created_at")?.unwrap_or(Timestamp::EPOCH);
    let json = |column: &'static str| -> Result<Option<Json>> {
        let text = if whole { row.text(column)? } else { None };
        let value = text.map(|text| {
            serde_json::from_str(&text).map_err(|e| {
                Error::internal("the catalogue has a task with invalid JSON").because(e)
            })
        });
        Ok(value.transpose()?.filter(|value: &Json| !value.is_null()))
    };
    Ok(Task {
        status: TaskStatus::parse(&status).ok_or_else(|| {
            Error::internal(format!(
                "the catalogue has an unknown status '{status}' of a task"
            ))
        })?,
        id: row.some_owned("id")?,
        kind: row.some_owned("type")?,
        owner: row.some_owned("owner")?,
        input: json("input")?,
        result: json("result")?,
        message: if whole {
            row.owned("message")?.unwrap_or_default()
        } else {
            String::new()
        },
        image_id: row.owned("image_id")?,
        request_id: row.owned("request_id")?,
        user_id: row.owned("user_id")?,
        created_at,
        updated_at: row.moment("updated_at")?.unwrap_or(created_at),
        expires_at: row.moment("expires_at")?,
    })
}

/// Returns a query for tasks that have not expired.
fn remembered(columns: &str) -> Sql {
    Sql::new("SELECT ").text(SHORT).with(
        &format!("{columns} WHERE tasks.deleted + 0 = ? AND (tasks.expires_at IS NULL OR tasks.expires_at > ?)"),
        [false.into(), Timestamp::now().to_catalog().into()],
    )
}

async fn load(on: &impl Run, id: &str) -> Result<Option<Task>> {
    let sql = remembered(WHOLE).with(" AND tasks.id = ?", [id.into()]);
    let row = on.row(sql).await?;
    row.map(|row| read(&row, true)).transpose()
}

impl Catalog {
    /// Returns a task.
    pub async fn load_task(&self, id: &str) -> Result<Option<Task>> {
        load(self, id).await
    }

    /// Returns the tasks of an image, the oldest first.
    pub async fn image_tasks(&self, image: &str) -> Result<Vec<Task>> {
        let sql = remembered(WHOLE)
            .with(" AND tasks.image_id = ?", [image.into()])
            .text(" ORDER BY tasks.created_at, tasks.id");
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| read(row, true)).collect()
    }

    /// Returns the next matching tasks after the query's marker; none at the end.
    ///
    /// # Errors
    /// `Invalid` for an unknown sort key or marker.
    pub async fn list_tasks(&self, query: &TaskQuery) -> Result<Vec<Task>> {
        let key = query.sort_key.as_deref().unwrap_or("created_at");
        if !SORTABLE.contains(&key) {
            return Err(
                Error::invalid(format!("Sort key supplied was not valid: {key}"))
                    .hint(format!("Known sort keys: {}.", SORTABLE.join(", "))),
            );
        }
        let (order, than) = match query.direction.unwrap_or(Direction::Descending) {
            Direction::Ascending => ("ASC", ">"),
            Direction::Descending => ("DESC", "<"),
        };
        let mut sql = remembered(" FROM tasks");
        let filters = [("type", &query.kind), ("status", &query.status)];
        for (column, value) in filters {
            if let Some(value) = value {
                sql = sql.with(&format!(" AND tasks.{column} = ?"), [value.as_str().into()]);
            }
        }
        // NULL sorts as an empty string.
        let keys = [
            format!("COALESCE(tasks.{key}, '')"),
            "tasks.created_at".to_string(),
            "tasks.id".to_string(),
        ];
        if let Some(marker) = &query.marker {
            let known = Sql::new("SELECT 1 FROM tasks").with(
                " WHERE id = ? AND deleted + 0 = ?",
                [marker.as_str().into(), false.into()],
            );
            if self.row(known).await?.is_none() {
                let why = format!("unknown marker: no task '{marker}'");
                return Err(Error::invalid(why));
            }
            sql = sql.text(" AND ").behind(
                "tasks",
                &keys.each_ref().map(|key| (key.as_str(), than)),
                marker,
            );
        }
        let order = keys.map(|key| format!("{key} {order}")).join(", ");
        sql = sql.text(&format!(" ORDER BY {order}")).with(
            " LIMIT ?",
            [Value::rows(
                query.limit.map_or(CHUNK, |limit| limit.min(CHUNK)),
            )],
        );
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| read(row, false)).collect()
    }

    /// Records a progress message of a task that is in progress.
    pub async fn set_task_message(&self, id: &str, message: &str) -> Result<()> {
        self.write(async |transaction| {
            let now = self.now().to_catalog();
            let sql = Sql::new("UPDATE tasks SET ").with(
                "updated_at = ? WHERE id = ? AND status = ?",
                [now.into(), id.into(), TaskStatus::Processing.name().into()],
            );
            if transaction.execute(sql).await? > 0 {
                let sql = Sql::new("UPDATE task_info SET ")
                    .with("message = ? WHERE task_id = ?", [message.into(), id.into()]);
                transaction.execute(sql).await?;
            }
            Ok(())
        })
        .await
    }
}

impl Transaction {
    /// Returns a task.
    pub async fn load_task(&self, id: &str) -> Result<Option<Task>> {
        load(self, id).await
    }

    /// Inserts a new task, and marks the expired tasks of its owner as deleted.
    pub async fn insert_task(&self, task: &Task) -> Result<()> {
        let now = task.created_at.to_catalog();
        let sql = Sql::new("UPDATE tasks SET ").with(
            "deleted = ?, deleted_at = ? WHERE owner = ? AND deleted + 0 = ? AND expires_at <= ?",
            [
                true.into(),
                now.as_str().into(),
                task.owner.as_str().into(),
                false.into(),
                now.as_str().into(),
            ],
        );
        self.execute(sql).await?;
        let columns = "INSERT INTO tasks (id, type, status, owner, image_id, request_id, user_id, \
             created_at, updated_at, deleted) VALUES ";
        self.execute(Sql::new(columns).list([
            task.id.as_str().into(),
            task.kind.as_str().into(),
            task.status.name().into(),
            task.owner.as_str().into(),
            task.image_id.clone().into(),
            task.request_id.clone().into(),
            task.user_id.clone().into(),
            now.as_str().into(),
            now.as_str().into(),
            false.into(),
        ]))
        .await?;
        let columns = "INSERT INTO task_info (task_id, input, message) VALUES ";
        self.execute(Sql::new(columns).list([
            task.id.as_str().into(),
            json::python(&task.input).into(),
            task.message.as_str().into(),
        ]))
        .await?;
        Ok(())
    }

    /// Records the outcome of a task, its expiry time, and the image that it created or filled.
    pub async fn finish_task(&self, task: &Task) -> Result<()> {
        let sql = Sql::new("UPDATE tasks SET ").with(
            "status = ?, expires_at = ?, updated_at = ?, image_id = ? WHERE id = ?",
            [
                task.status.name().into(),
                task.expires_at.map(Timestamp::to_catalog).into(),
                self.now().to_catalog().into(),
                task.image_id.clone().into(),
                task.id.as_str().into(),
            ],
        );
        self.execute(sql).await?;
        let result = task.result.as_ref().map(json::python);
        let sql = Sql::new("UPDATE task_info SET ").with(
            "result = ?, message = ? WHERE task_id = ?",
            [
                result.into(),
                task.message.as_str().into(),
                task.id.as_str().into(),
            ],
        );
        self.execute(sql).await?;
        Ok(())
    }
}
