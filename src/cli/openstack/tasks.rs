//! Work the service does in the background: `openstack image task`.

use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::values;
use crate::model::{Direction, TaskQuery};
use crate::ops::{Outcome, tasks};
use crate::{Error, ErrorKind, Result};

/// List tasks.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskList {
    /// created_at, expires_at, id, status, type or updated_at; several with commas.
    #[arg(long, value_name = "key[:field]")]
    pub sort_key: Option<String>,
    /// Which way to sort, asc or desc; several with commas.
    #[arg(long, value_name = "key[:direction]")]
    pub sort_dir: Option<String>,
    /// How many tasks to ask for at a time.
    #[arg(long, value_name = "limit", value_parser = values::non_negative, allow_negative_numbers = true)]
    pub limit: Option<u64>,
    /// ID of the task after which the list starts.
    #[arg(long, value_name = "marker")]
    pub marker: Option<String>,
    /// How many tasks to list at most.
    #[arg(long, value_name = "max-items", value_parser = values::non_negative, allow_negative_numbers = true)]
    pub max_items: Option<u64>,
    /// Only tasks of this kind.
    #[arg(long = "type", value_name = "type", value_parser = ["import"])]
    pub task_type: Option<String>,
    /// Only tasks in this state.
    #[arg(long, value_name = "status", value_parser = ["pending", "processing", "success", "failure"])]
    pub status: Option<String>,
}

impl Leaf for TaskList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let direction = self.sort_dir.as_deref().map(|word| {
            Direction::parse(word).ok_or_else(|| {
                Error::invalid(format!("Invalid sort direction: {word}")).hint("Give asc or desc.")
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

/// Show one task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskShow {
    /// ID of the task.
    #[arg(value_name = "Task ID")]
    pub task: String,
}

impl Leaf for TaskShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        match session.service().await?.get_task(&self.task).await {
            Ok(task) => Ok(Outcome::from(tasks::openstack_task(&task))),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Err(
                    Error::failed(format!("No Task found for {}: {}", self.task, e.message()))
                        .because(e),
                )
            }
            Err(e) => Err(e),
        }
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::of::<TaskList>("image task list", "List tasks", Output::List),
    Row::of::<TaskShow>("image task show", "Show one task", Output::Show),
];
