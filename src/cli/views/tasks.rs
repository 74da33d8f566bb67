//! Lists of tasks.

use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::model::TaskQuery;
use crate::output::{Cell, Table, View};
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
