//! Background tasks of the service: `glance task-*` and `glance image-tasks`.

use serde_json::{Value, json};

use crate::cli::command::globals::keys;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values;
use crate::cli::run::hints::takes_an_id;
use crate::cli::run::session::Session;
use crate::cli::views::tasks;
use crate::model::schema::is_uuid;
use crate::model::{Direction, Task, TaskQuery, Timestamp};
use crate::ops::Outcome;
use crate::output::{Cell, Record, Table, View};
use crate::{Error, ErrorKind, Result};

/// List the tasks that worked on an image.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageTasks {
    /// ID of the image.
    pub image_id: String,
}

impl Leaf<Session> for ImageTasks {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let verbose = session.globals.is_set(keys::VERBOSE);
        match service.image_tasks(&self.image_id).await {
            Ok(tasks) => Ok(Outcome::from(image_tasks(&tasks, verbose))),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let id = &self.image_id;
                let missing = Error::failed(format!("Image {id} not found.")).because(e);
                Err(if is_uuid(id) {
                    missing
                } else {
                    missing.hint(takes_an_id("image-tasks", id))
                })
            }
            Err(e) => Err(e),
        }
    }
}

/// Create a task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskCreate {
    /// Type of the task.
    #[arg(long = "type", value_name = "TYPE")]
    pub task_type: Option<String>,
    /// Input of the task, as a JSON object.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub input: String,
}

/// The task types in the API's schema.
///
/// *Source:* the schema `task` of the reference implementation.
const KINDS: [&str; 3] = ["import", "api_image_import", "location_import"];

impl Leaf<Session> for TaskCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        session.check_import()?;
        let kind = self.task_type.filter(|kind| !kind.is_empty());
        let (Some(kind), false) = (kind, self.input.is_empty()) else {
            return Err(Error::failed(
                "Unable to create task. Specify task type and input.",
            ));
        };
        let input = serde_json::from_str(&self.input).map_err(|e| {
            Error::failed("Failed to parse the \"input\" parameter. Must be a valid JSON object.")
                .hint(format!("{e}."))
        })?;
        if !KINDS.contains(&kind.as_str()) {
            return Err(Error::failed(format!(
                "Unable to set 'type' to '{kind}'. Reason: '{kind}' is not one of ['import', \
                 'api_image_import', 'location_import']"
            )));
        }
        let (task, running) = session.service().await?.create_task(&kind, input).await?;
        Ok(Outcome::from(record(&task)).then(running))
    }
}

/// List tasks.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskList {
    /// Attribute to sort by.
    #[arg(long, value_parser = ["id", "type", "status"], default_value = "status")]
    pub sort_key: String,
    /// Sort direction.
    #[arg(long, value_parser = ["asc", "desc"], default_value = "desc")]
    pub sort_dir: String,
    /// Number of tasks to request per page.
    #[arg(long, value_name = "SIZE", value_parser = values::int, allow_negative_numbers = true)]
    pub page_size: Option<i64>,
    /// List only tasks of this type.
    #[arg(long = "type", value_name = "TYPE")]
    pub task_type: Option<String>,
    /// List only tasks with this status.
    #[arg(long)]
    pub status: Option<String>,
}

impl Leaf<Session> for TaskList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let page = self.page_size.filter(|size| *size != 0);
        let page = page.map(u64::try_from).transpose().map_err(|_| {
            Error::failed("--page-size must not be negative")
                .hint("Pass a number of tasks, or 0 for the default.")
        })?;
        let query = TaskQuery {
            kind: self.task_type,
            status: self.status,
            sort_key: Some(self.sort_key),
            direction: Direction::parse(&self.sort_dir),
            page,
            ..TaskQuery::default()
        };
        Ok(Outcome::from(tasks::list(session.service().await?, query)))
    }
}

/// Show a task.
#[derive(Debug, Clone, clap::Args)]
pub struct TaskShow {
    /// ID of the task.
    pub task_id: String,
}

impl Leaf<Session> for TaskShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let task = session.service().await?.get_task(&self.task_id).await?;
        Ok(Outcome::from(record(&task)))
    }
}

/// Returns a task as `glance task-show` prints it.
fn record(task: &Task) -> View<'static> {
    let mut fields: Vec<(String, Value)> = task.to_api().into_iter().collect();
    fields.retain(|(name, _)| name != "self" && name != "schema");
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    let mut record = Record::new();
    for (name, value) in fields {
        record.push(name, Cell::new(value));
    }
    View::Record(record)
}

/// Returns the table of the tasks of an image; with all columns if `verbose`.
fn image_tasks(tasks: &[Task], verbose: bool) -> View<'static> {
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
    View::Table(Table::from_rows(columns, rows))
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageTasks>(
        "image-tasks",
        "List the tasks that worked on an image",
        Output::Plain,
    ),
    Row::of::<TaskCreate>("task-create", "Create a task", Output::Plain).creating(),
    Row::of::<TaskList>("task-list", "List tasks", Output::Plain),
    Row::of::<TaskShow>("task-show", "Show a task", Output::Plain),
];
