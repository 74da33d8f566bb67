//! Work the service does in the background: `glance task-*` and `glance image-tasks`.

use crate::cli::registry::{Output, Row};
use crate::cli::values;

/// List the tasks that worked on an image.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageTasks {
    /// ID of the image.
    pub image_id: String,
}

/// Start a task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskCreate {
    /// Kind of task.
    #[arg(long = "type", value_name = "TYPE")]
    pub task_type: Option<String>,
    /// JSON object to give to the task.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub input: String,
}

/// List tasks.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskList {
    /// What to sort by.
    #[arg(long, value_parser = ["id", "type", "status"], default_value = "status")]
    pub sort_key: String,
    /// Which way to sort.
    #[arg(long, value_parser = ["asc", "desc"], default_value = "desc")]
    pub sort_dir: String,
    /// How many tasks to ask for at a time.
    #[arg(long, value_name = "SIZE", value_parser = values::int, allow_negative_numbers = true)]
    pub page_size: Option<i64>,
    /// Only tasks of this kind.
    #[arg(long = "type", value_name = "TYPE")]
    pub task_type: Option<String>,
    /// Only tasks in this state.
    #[arg(long)]
    pub status: Option<String>,
}

/// Show one task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskShow {
    /// ID of the task.
    pub task_id: String,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<ImageTasks>(
        "image-tasks",
        "List the tasks that worked on an image",
        Output::Plain,
    ),
    Row::later::<TaskCreate>("task-create", "Start a task", Output::Plain),
    Row::later::<TaskList>("task-list", "List tasks", Output::Plain),
    Row::later::<TaskShow>("task-show", "Show one task", Output::Plain),
];
