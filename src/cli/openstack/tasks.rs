//! Background tasks of the service: `openstack image task`.

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values;
use crate::cli::run::session::Session;
use crate::cli::views::tasks;
use crate::model::{Direction, Task, TaskQuery};
use crate::ops::Outcome;
use crate::output::{Cell, Record, View};
use crate::{Error, ErrorKind, Result};

/// List tasks.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskList {
    /// Comma-separated sort keys: created_at, expires_at, id, status, type or updated_at.
    #[arg(long, value_name = "key[:field]")]
    pub sort_key: Option<String>,
    /// Comma-separated sort directions: asc or desc.
    #[arg(long, value_name = "key[:direction]")]
    pub sort_dir: Option<String>,
    /// Number of tasks to request per page.
    #[arg(long, value_name = "limit", value_parser = values::non_negative, allow_negative_numbers = true)]
    pub limit: Option<u64>,
    /// Last task of the previous page, by ID.
    #[arg(long, value_name = "marker")]
    pub marker: Option<String>,
    /// Maximum number of tasks to list.
    #[arg(long, value_name = "max-items", value_parser = values::non_negative, allow_negative_numbers = true)]
    pub max_items: Option<u64>,
    /// List only tasks of this type.
    #[arg(long = "type", value_name = "type", value_parser = ["import"])]
    pub task_type: Option<String>,
    /// List only tasks with this status.
    #[arg(long, value_name = "status", value_parser = ["pending", "processing", "success", "failure"])]
    pub status: Option<String>,
}

impl Leaf<Session> for TaskList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let direction = self.sort_dir.as_deref().map(|word| {
            Direction::parse(word).ok_or_else(|| {
                Error::invalid(format!("Invalid sort direction: {word}")).hint("Pass asc or desc.")
            })
        });
        let query = TaskQuery {
            kind: self.task_type,
            status: self.status,
            sort_key: self.sort_key,
            direction: direction.transpose()?,
            marker: self.marker,
            page: self.limit.filter(|limit| *limit != 0),
            limit: self.max_items,
        };
        Ok(Outcome::from(tasks::list(session.service().await?, query)))
    }
}

/// Show a task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskShow {
    /// ID of the task.
    #[arg(value_name = "Task ID")]
    pub task: String,
}

impl Leaf<Session> for TaskShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        match session.service().await?.get_task(&self.task).await {
            Ok(task) => Ok(Outcome::from(record(&task))),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Err(
                    Error::failed(format!("No Task found for {}: {}", self.task, e.message()))
                        .hints_of(&e)
                        .because(e),
                )
            }
            Err(e) => Err(e),
        }
    }
}

/// Returns a task as `openstack image task show` prints it.
fn record(task: &Task) -> View<'static> {
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

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<TaskList>("image task list", "List tasks", Output::List),
    Row::of::<TaskShow>("image task show", "Show a task", Output::Show),
];
