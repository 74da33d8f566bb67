//! Work the service does in the background: `openstack image task`.

use crate::cli::registry::{Output, Row};
use crate::cli::values;

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

/// Show one task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskShow {
    /// ID of the task.
    #[arg(value_name = "Task ID")]
    pub task: String,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<TaskList>("image task list", "List tasks", Output::List),
    Row::later::<TaskShow>("image task show", "Show one task", Output::Show),
];
