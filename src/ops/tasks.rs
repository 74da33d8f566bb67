//! Tasks.

use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::Result;
use crate::model::{Task, TaskQuery, Timestamp};
use crate::output::{Cell, Record, Table, View};
use crate::service::ImageService;

/// Returns the list of tasks, as both grammars print it.
pub fn list(service: &dyn ImageService, query: TaskQuery) -> View<'_> {
    let rows = service.list_tasks(query).map_ok(|tasks| {
        let rows = tasks.into_iter().map(|task| {
            [
                json!(task.id),
                json!(task.kind),
                json!(task.status.name()),
                json!(task.owner),
            ]
            .map(Cell::new)
            .into()
        });
        rows.collect()
    });
    View::Table(Table::new(
        vec!["ID", "Type", "Status", "Owner"],
        rows.boxed(),
    ))
}

/// Returns a task as `glance task-show` prints it.
pub fn glance_task(task: &Task) -> View<'static> {
    let mut fields: Vec<(String, Value)> = task.to_api().into_iter().collect();
    fields.retain(|(name, _)| name != "self" && name != "schema");
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    let mut record = Record::new();
    for (name, value) in fields {
        record.push(name, Cell::new(value));
    }
    View::Record(record)
}

/// Returns a task as `openstack image task show` prints it.
pub fn openstack_task(task: &Task) -> View<'static> {
    let api = task.to_api();
    let field = |name: &str| api.get(name).cloned().unwrap_or_default();
    let mut record = Record::new();
    for name in ["created_at", "expires_at", "id", "input", "message"] {
        record.push(name, Cell::new(field(name)));
    }
    record.push("owner_id", Cell::new(field("owner")));
    record.push("properties", Cell::mapping(serde_json::Map::new()));
    for name in ["result", "status", "type", "updated_at"] {
        record.push(name, Cell::new(field(name)));
    }
    View::Record(record)
}

/// Returns the tasks of an image as `glance image-tasks` prints them; all columns if `verbose`.
pub async fn of_image(
    service: &dyn ImageService,
    id: &str,
    verbose: bool,
) -> Result<View<'static>> {
    let tasks = service.image_tasks(id).await?;
    let mut columns = vec!["Message", "Status", "Updated at"];
    if verbose {
        columns.splice(0..0, ["Image Id", "Task Id"]);
        columns.extend([
            "User Id",
            "Request Id",
            "Result",
            "Owner",
            "Input",
            "Expires at",
        ]);
    }
    let rows = tasks.iter().map(|task| {
        let cell = |column: &&str| {
            Cell::new(match *column {
                "Message" => json!(task.message),
                "Status" => json!(task.status.name()),
                "Updated at" => json!(task.updated_at.to_isoformat()),
                "Image Id" => json!(task.image_id),
                "Task Id" => json!(task.id),
                "User Id" => json!(task.user_id),
                "Request Id" => json!(task.request_id),
                "Result" => json!(task.result),
                "Owner" => json!(task.owner),
                "Input" => json!(task.input),
                _ => json!(task.expires_at.map(Timestamp::to_isoformat)),
            })
        };
        columns.iter().map(cell).collect()
    });
    let rows = rows.collect();
    Ok(View::Table(Table::from_rows(columns, rows)))
}
